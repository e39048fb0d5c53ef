"""Verifying a release: every row, file and key of its manifest derived anew, one shard in memory at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from kbench.errors import SpecError, TemplateError
from kbench.generator.comparing import Compared, compare_entry, compare_unit
from kbench.generator.differences import both_shown
from kbench.generator.findings import (
    Finding,
    Verification,
    edited,
    is_foreign,
    manifest_findings,
    other_texts,
    owners_of,
    strangers_in,
    swapped,
    text_findings,
    wrote,
)
from kbench.generator.manifests import (
    FileEntry,
    Given,
    ManifestEntries,
    RecipeEntry,
    misshapen,
    read_back,
    read_manifest,
)
from kbench.generator.ownfacts.world import world_of
from kbench.generator.packs import Pack
from kbench.generator.recipe import Recipe, canary_of
from kbench.generator.release import manifest_of
from kbench.generator.shards import Unit, in_working_order, plan_units
from kbench.generator.work import equip, equipment
from kbench.generator.world import World
from kbench.schema import ROLES
from kbench.store import CARD, EVAL, MANIFEST, PICTURE, Release
from kbench.workers import worker_pool

Progress = Callable[[int, int], None]

_SHOWN = 3


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
    misread = [edited(*each) for each in misshapen(RecipeEntry, manifest.get("recipe"), "recipe")]
    if misread:
        return _by_digests(folder, raw, manifest, misread, progress)
    entry = RecipeEntry.model_validate(manifest["recipe"])
    back = read_back(entry, given)
    if back.recipe:
        try:
            return _by_rows(folder, raw, manifest, back.recipe, back.pack, workers, progress)
        except (SpecError, TemplateError) as error:  # no kbench would have written such a release
            back = replace(back, impossible=str(error))
    findings = [edited(*each) for each in back.wrong]
    findings += [Finding("skipped", "rows", f"not derived anew: {each}") for each in back.missing]
    if back.impossible and is_foreign(manifest):
        findings.append(Finding("skipped", "rows", f"not derived anew: {wrote(manifest)}: {back.impossible}"))
    elif back.impossible:
        findings.append(edited("recipe", back.impossible))
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
    described = recipe.describe(pack, manifest["recipe"]) | {"generator": manifest["recipe"]["generator"]}
    canary = canary_of(described)
    compared = []
    for done, each in enumerate(_compare_all(recipe, world, pack, units, folder, entries, canary, workers), 1):
        compared.append(each)
        progress(done, len(units))
    place = {unit.path: number for number, unit in enumerate(units)}
    compared.sort(key=lambda each: place[each.file.path])
    full = [each for each in compared if each.file.rows]
    off = [each.file.path for each in full if each.listed and each.said]
    if is_foreign(manifest) and (off or {each.file.path for each in full} != entries.keys()):
        many = f"it gives other rows for {_some(off)}" if off else "it has other files"
        said = f"not derived anew: {wrote(manifest)}: {many}; verify it with kbench {manifest['recipe']['generator']}"
        return _by_digests(folder, raw, manifest, [Finding("skipped", "rows", said)])
    if len(off) > _SHOWN and all(each.said for each in full):
        said = "does not give the rows of any file: its spec, seed, styles or templates were edited"
        findings = [edited("recipe", said)]
        if world.tag != manifest.get("world"):
            findings.append(edited("world", both_shown(world.tag, manifest.get("world"))))
        return _by_digests(folder, raw, manifest, findings)
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
    canary: str,
    workers: int,
) -> Iterator[Compared]:
    groups = [
        [(unit, folder, entries.get(unit.path, {}), canary) for unit in group] for group in in_working_order(units)
    ]
    if workers == 1 or len(groups) < 2:
        for job in chain.from_iterable(groups):
            yield compare_unit(world, pack, *job)
        return
    with worker_pool(min(workers, len(groups)), equip, (recipe, pack.digest)) as pool:
        for done in as_completed([pool.submit(_compare, group) for group in groups]):
            yield from done.result()


def _compare(jobs: list[tuple[Unit, Path, dict[str, Any], str]]) -> list[Compared]:
    world, pack = equipment()
    return [compare_unit(world, pack, *job) for job in jobs]


def _by_digests(
    folder: Path,
    raw: bytes,
    manifest: dict[str, Any],
    findings: list[Finding],
    progress: Progress = lambda done, total: None,
) -> Verification:
    """What a manifest says compared with itself and with the files, where the rows cannot be derived."""
    told = {finding.said for finding in findings}
    misread = [edited(*each) for each in misshapen(ManifestEntries, manifest, "")]
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
    texts = other_texts(expected, compared) if expected else {}
    owners = owners_of(compared, texts)
    for each in compared:
        if each.said:
            findings.append(Finding("failed", each.file.path, swapped(each, compared, owners) or each.said))
    if expected:
        findings += text_findings(folder, manifest, texts, owners)
        findings += manifest_findings(raw, manifest, expected)
    ours = {MANIFEST, CARD, EVAL, PICTURE, *(each.file.path for each in compared)}
    # Without the recipe the manifest's word is all there is, even where an entry of it cannot be read.
    findings += strangers_in(folder, ours if derived else ours | _entries(manifest).keys(), owners)
    try:
        digest = Release(folder, manifest).digest
    except (KeyError, TypeError, AttributeError):
        digest = ""
    findings.sort(key=lambda finding: ("failed", "skipped", "note").index(finding.status))
    rows = sum(each.file.rows for each in compared)
    return Verification(digest, str(manifest.get("world")), len(ours), rows, derived, tuple(findings))


def _entries(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of a manifest's files by path, as far as they have one."""
    listed = manifest.get("files")
    found = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return {entry["path"]: entry for entry in found if isinstance(entry.get("path"), str)}


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
