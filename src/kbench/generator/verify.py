"""Verifying a release: every row, file and key of its manifest derived anew, one shard in memory at a time."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kbench import __version__
from kbench.generator.card import card_of, release_eval, sampled
from kbench.generator.comparing import Compared, compare_entry, compare_unit
from kbench.generator.differences import both_shown, text_difference, value_differences
from kbench.generator.manifests import (
    FileEntry,
    Given,
    ManifestEntries,
    RecipeEntry,
    misshapen,
    read_back,
    read_manifest,
)
from kbench.generator.ownfacts.pack import fit_pack
from kbench.generator.ownfacts.world import world_of
from kbench.generator.packs import Pack, load_pack
from kbench.generator.release import PLAN, Recipe, manifest_of
from kbench.generator.shards import Unit, plan_units
from kbench.generator.world import World
from kbench.ids import file_sha256
from kbench.schema import ROLES
from kbench.store import MANIFEST, Release
from kbench.workers import worker_pool

Progress = Callable[[int, int], None]

CARD, EVAL = "README.md", "eval.yaml"
_FOREIGN = (".git", ".cache", ".gitattributes")
"""What git and a download from the Hub leave at the top of a folder; none of it is read as data."""
_NOTE = re.compile(r"\.[a-z]+-[a-z]+-\d{5}-of-\d{5}\.parquet\.json")
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong (`failed`), that could not be checked (`skipped`), or that is good to know (`note`)."""

    status: Literal["failed", "skipped", "note"]
    where: str
    """A file, or what could not be checked."""
    said: str


@dataclass(frozen=True)
class Verification:
    """What a verification found."""

    digest: str
    """The release's, as its manifest has it."""
    world: str
    files: int
    rows: int
    derived: bool
    """Whether the rows were derived anew; otherwise only digests were compared."""
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Literal["ok", "in part", "failed"]:
        """`ok`: all was checked and holds; `in part`: what could be checked holds."""
        statuses = {finding.status for finding in self.findings}
        return "failed" if "failed" in statuses else "in part" if "skipped" in statuses else "ok"

    def to_dict(self) -> dict[str, Any]:
        """The verification as plain JSON values."""
        return {
            "release": self.digest,
            "world": self.world,
            "verdict": self.verdict,
            "derived": self.derived,
            "files": self.files,
            "rows": self.rows,
            "findings": [asdict(finding) for finding in self.findings],
        }


def verify_release(
    folder: Path,
    given: Given = Given(),  # noqa: B008
    *,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Derive a release anew from its manifest alone, and find every difference.

    Args:
        folder: the release.
        given: what a release does not hold: a private seed, a user's own facts, a template pack.
        workers: processes to derive with.
        progress: called with the files done and how many there are.

    Raises:
        ReleaseError: there is no manifest to verify by, or it is of a newer format.
        SpecError, TemplateError: a seed, facts or templates that were given cannot be read.
    """
    raw, manifest = read_manifest(folder)
    misread = [_edited(*each) for each in misshapen(RecipeEntry, manifest.get("recipe"), "recipe")]
    if misread:
        return _by_digests(folder, raw, manifest, misread, progress)
    entry = RecipeEntry.model_validate(manifest["recipe"])
    back = read_back(entry, given)
    if back.recipe:
        return _by_rows(folder, raw, manifest, back.recipe, back.pack, workers, progress)
    findings = [_edited(*each) for each in back.wrong]
    findings += [Finding("skipped", "rows", f"not derived anew: {each}") for each in back.missing]
    if back.impossible and _is_foreign(manifest):
        findings.append(Finding("skipped", "rows", f"not derived anew: {_wrote(manifest)}: {back.impossible}"))
    elif back.impossible:
        findings.append(_edited("recipe", back.impossible))
    return _by_digests(folder, raw, manifest, findings, progress)


def _by_rows(
    folder: Path,
    raw: bytes,
    manifest: dict[str, Any],
    recipe: Recipe,
    pack: Pack,
    workers: int,
    progress: Progress,
) -> Verification:
    world = world_of(recipe.spec, recipe.seed)
    units = plan_units(world, pack, recipe.styles)
    entries = _entries(manifest)
    compared = []
    for done, each in enumerate(_compare_all(recipe, world, pack, units, folder, entries, workers), 1):
        compared.append(each)
        progress(done, len(units))
    full = [each for each in compared if each.file.rows]
    off = [each.file.path for each in full if each.listed and each.said]
    if _is_foreign(manifest) and (off or {each.file.path for each in full} != entries.keys()):
        many = f"it gives other rows for {_some(off)}" if off else "it has other files"
        said = f"not derived anew: {_wrote(manifest)}: {many}; verify it with kbench {manifest['recipe']['generator']}"
        return _by_digests(folder, raw, manifest, [Finding("skipped", "rows", said)])
    if len(off) == len(full) > _SHOWN:
        said = "does not give the rows of any file: its spec, seed, styles or templates were edited"
        findings = [_edited("recipe", said)]
        if world.tag != manifest.get("world"):
            findings.append(_edited("world", both_shown(world.tag, manifest.get("world"))))
        return _by_digests(folder, raw, manifest, findings)
    described = recipe.describe(pack, manifest["recipe"]) | {"generator": manifest["recipe"]["generator"]}
    entities = {role: world.count(role) for role in ROLES}
    expected = manifest_of(described, world.tag, entities, [each.file for each in full])
    return _concluded(folder, raw, manifest, expected, full, [], derived=True)


def _compare_all(
    recipe: Recipe,
    world: World,
    pack: Pack,
    units: list[Unit],
    folder: Path,
    entries: Mapping[str, dict[str, Any]],
    workers: int,
) -> Iterator[Compared]:
    jobs = [(unit, folder, entries.get(unit.path, {})) for unit in units]
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield compare_unit(world, pack, *job)
        return
    with worker_pool(min(workers, len(jobs))) as pool:
        futures = [pool.submit(_compare, recipe, *job) for job in jobs]
        for future in futures:
            yield future.result()


def _compare(recipe: Recipe, unit: Unit, folder: Path, entry: dict[str, Any]) -> Compared:
    pack = fit_pack(_loaded(recipe.templates), recipe.spec, own=recipe.templates is not None)
    return compare_unit(world_of(recipe.spec, recipe.seed), pack, unit, folder, entry)


# A worker reads the pack once, and its templates stay compiled.
_loaded = cache(load_pack)


def _by_digests(
    folder: Path,
    raw: bytes,
    manifest: dict[str, Any],
    findings: list[Finding],
    progress: Progress = lambda done, total: None,
) -> Verification:
    """What a manifest says compared with itself and with the files, where the rows cannot be derived."""
    told = {finding.said for finding in findings}
    misread = [_edited(*each) for each in misshapen(ManifestEntries, manifest, "")]
    findings = [*findings, *(finding for finding in misread if finding.said not in told)]
    entries = [
        FileEntry.model_validate(entry)
        for entry in _entries(manifest).values()
        if not list(misshapen(FileEntry, entry, ""))
    ]
    compared = []
    for done, entry in enumerate(entries, 1):
        compared.append(compare_entry(folder, entry))
        progress(done, len(entries))
    expected = None
    if not misread:
        tables = [each for each in compared if each.file.config == "entities"]
        counted: Counter[str] = sum((Counter(each.roles) for each in tables), Counter())
        known = all(each.listed for each in tables)
        entities = {role: counted[role] for role in ROLES} if known else manifest["entities"]
        expected = manifest_of(manifest["recipe"], manifest["world"], entities, [each.file for each in compared])
    return _concluded(folder, raw, manifest, expected, compared, findings, derived=False)


def _concluded(
    folder: Path,
    raw: bytes,
    manifest: dict[str, Any],
    expected: dict[str, Any] | None,
    compared: list[Compared],
    findings: list[Finding],
    *,
    derived: bool,
) -> Verification:
    """The verification, once each file with rows was compared and it is known what the manifest should be."""
    texts = _texts(expected, compared) if expected else {}
    owners = _owners(compared, texts)
    for each in compared:
        if each.said:
            findings.append(Finding("failed", each.file.path, _swapped(each, compared, owners) or each.said))
    if expected:
        findings += _texts_differ(folder, manifest, texts, owners)
        findings += _manifest_differs(raw, manifest, expected)
    ours = {MANIFEST, CARD, EVAL, *(each.file.path for each in compared)}
    # Without the recipe the manifest's word is all there is, even where an entry of it cannot be read.
    findings += _strangers(folder, ours if derived else ours | _entries(manifest).keys(), owners)
    try:
        digest = Release(folder, manifest).digest
    except (KeyError, TypeError, AttributeError):
        digest = ""
    findings.sort(key=lambda finding: ("failed", "skipped", "note").index(finding.status))
    rows = sum(each.file.rows for each in compared)
    return Verification(digest, str(manifest.get("world")), len(ours), rows, derived, tuple(findings))


def _texts(expected: dict[str, Any], compared: list[Compared]) -> dict[str, str | None]:
    """What the card and eval.yaml should be; None where the card shows a row that is not known."""
    samples = {each.file.path: each.sample for each in compared}
    shown_rows = [(f"{file['config']}/{file['split']}", samples[file["path"]]) for file in sampled(expected)]
    card = card_of(expected, shown_rows) if all(sample for _, sample in shown_rows) else None
    return {CARD: card, EVAL: release_eval(expected)}


def _owners(compared: list[Compared], texts: Mapping[str, str | None]) -> dict[str, str]:
    """Which file should hold the bytes, or the rows, that have a digest."""
    owners = {hashlib.sha256(text.encode()).hexdigest(): path for path, text in texts.items() if text is not None}
    for each in compared:
        owners |= {digest: each.file.path for digest in (each.file.sha256, each.file.content) if digest}
    return owners


def _swapped(each: Compared, compared: list[Compared], owners: Mapping[str, str]) -> str:
    """Which other file should hold what this one holds, if any should."""
    other = owners.get(each.content) or owners.get(each.sha256)
    if other is None or other == each.file.path:
        return ""
    back = next((one for one in compared if one.file.path == other), None)
    both = back is not None and each.file.path in (owners.get(back.content), owners.get(back.sha256))
    return f"holds what {other} should hold" + (": the two are swapped" if both else "")


def _texts_differ(
    folder: Path, manifest: dict[str, Any], texts: Mapping[str, str | None], owners: Mapping[str, str]
) -> Iterator[Finding]:
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            yield Finding("failed", name, "is missing")
        elif text is None:
            yield Finding("skipped", name, "not compared: it shows a row of a file that was altered")
        elif (found := path.read_bytes()) != text.encode():
            other = owners.get(hashlib.sha256(found).hexdigest())
            if other:
                yield Finding("failed", name, f"holds what {other} should hold")
            elif _is_foreign(manifest):
                yield Finding("skipped", name, f"not compared: {_wrote(manifest)}, which writes it otherwise")
            else:
                yield Finding("failed", name, text_difference(text, found))


def _manifest_differs(raw: bytes, manifest: dict[str, Any], expected: dict[str, Any]) -> Iterator[Finding]:
    differences = list(value_differences(expected, manifest))
    for key, said in differences:
        alone = key == "recipe_digest" and len(differences) == 1
        yield _edited(key, f"is not that of the recipe, so one of the two was edited: {said}" if alone else said)
    text = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    if not differences and raw != text.encode():
        yield Finding("failed", MANIFEST, f"says the same but is written otherwise: {text_difference(text, raw)}")


def _strangers(folder: Path, ours: set[str], owners: Mapping[str, str]) -> Iterator[Finding]:
    """What lies in the folder and is not the release's; links to folders are not followed."""
    for top, names, files in os.walk(folder):
        here = Path(top)
        for name in sorted(names):
            path = here / name
            where = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield Finding("failed", where, "was added: it is a link to a folder, into which nobody looked")
            elif where in _FOREIGN:
                yield Finding("note", where, "is not of the release: git or a download left it there; not looked into")
        names[:] = sorted(name for name in names if (here / name).relative_to(folder).as_posix() not in _FOREIGN)
        for name in sorted(files):
            where = (here / name).relative_to(folder).as_posix()
            if where in ours:
                continue
            if where in _FOREIGN:
                yield Finding("note", where, "is not of the release: git or a download left it there")
            elif where == PLAN or _NOTE.fullmatch(where):
                said = "is a note of `kbench generate`, which was stopped at its very end: the same command removes it"
                yield Finding("note", where, said)
            else:
                path = here / name
                other = owners.get(file_sha256(path)) if path.is_file() else None
                yield Finding("failed", where, "was added" + (f": it holds what {other} should hold" if other else ""))


def _entries(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of a manifest's files by path, as far as they have one."""
    listed = manifest.get("files")
    found = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return {entry["path"]: entry for entry in found if isinstance(entry.get("path"), str)}


def _edited(key: str, said: str) -> Finding:
    return Finding("failed", MANIFEST, f"{key}: {said}")


def _is_foreign(manifest: dict[str, Any]) -> bool:
    """Whether another version of kbench wrote the release."""
    return bool(manifest["recipe"]["generator"] != __version__)


def _wrote(manifest: dict[str, Any]) -> str:
    return f"kbench {manifest['recipe']['generator']} wrote it, this is {__version__}"


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
