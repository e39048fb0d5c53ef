"""What a verification finds in a release beside its rows: in its manifest, its card, and files that are not its own."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kbench import __version__
from kbench.generator.benchmark import release_eval
from kbench.generator.card import card_of, sampled
from kbench.generator.comparing import Compared, sha256_of
from kbench.generator.differences import text_difference, value_differences
from kbench.generator.picture import release_picture
from kbench.generator.unfinished import PLAN
from kbench.store import CARD, EVAL, MANIFEST, PICTURE

_FOREIGN = (".git", ".cache", ".gitattributes")
"""What git and a download from the Hub leave at the top of a folder; none of it is read as data."""
_RECIPE = ("recipe.toml", "world.toml")
"""What stands beside a release on the shelf."""
_NOTE = re.compile(r"\.[a-z]+-[a-z]+-\d{5}-of-\d{5}\.parquet\.json")


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


def edited(key: str, said: str) -> Finding:
    """That a key of the manifest is not what it should be."""
    return Finding("failed", MANIFEST, f"{key}: {said}")


def is_foreign(manifest: dict[str, Any]) -> bool:
    """Whether another version of kbench wrote the release."""
    return bool(manifest["recipe"]["generator"] != __version__)


def wrote(manifest: dict[str, Any]) -> str:
    """Which version of kbench wrote the release, and which this is."""
    return f"kbench {manifest['recipe']['generator']} wrote it, this is {__version__}"


def other_texts(expected: dict[str, Any], compared: list[Compared]) -> dict[str, str | None]:
    """What the card, eval.yaml and the picture should be; None where what it shows is not known: a row, the spec."""
    samples = {each.file.path: each.sample for each in compared}
    shown_rows = [(f"{file['config']}/{file['split']}", samples[file["path"]]) for file in sampled(expected)]
    card = card_of(expected, shown_rows) if all(sample for _, sample in shown_rows) else None
    try:
        picture = release_picture(expected)
    except (KeyError, TypeError, AttributeError):  # the spec was edited past drawing, which is told of the recipe
        picture = None
    return {CARD: card, EVAL: release_eval(expected), PICTURE: picture}


def owners_of(compared: list[Compared], texts: Mapping[str, str | None]) -> dict[str, str]:
    """Which file should hold the bytes, or the rows, that have a digest."""
    found = {hashlib.sha256(text.encode()).hexdigest(): path for path, text in texts.items() if text is not None}
    for each in compared:
        found |= {digest: each.file.path for digest in (each.file.sha256, each.file.content) if digest}
    return found


def swapped(each: Compared, compared: list[Compared], owners: Mapping[str, str]) -> str:
    """Which other file should hold what this one holds, if any should."""
    other = owners.get(each.content) or owners.get(each.sha256)
    if other is None or other == each.file.path:
        return ""
    back = next((one for one in compared if one.file.path == other), None)
    both = back is not None and each.file.path in (owners.get(back.content), owners.get(back.sha256))
    return f"holds what {other} should hold" + (": the two are swapped" if both else "")


def text_findings(
    folder: Path, manifest: dict[str, Any], texts: Mapping[str, str | None], owners: Mapping[str, str]
) -> Iterator[Finding]:
    """Whether the card, eval.yaml and the picture are there and what they should be."""
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            yield Finding("failed", name, "is missing")
        elif text is None:
            yield Finding("skipped", name, "not compared: it shows what was altered")
        elif not sha256_of(path):
            yield Finding("failed", name, "cannot be read")
        elif (found := path.read_bytes()) != text.encode():
            other = owners.get(hashlib.sha256(found).hexdigest())
            if other:
                yield Finding("failed", name, f"holds what {other} should hold")
            elif is_foreign(manifest):
                yield Finding("skipped", name, f"not compared: {wrote(manifest)}, which writes it otherwise")
            else:
                yield Finding("failed", name, text_difference(text, found))


def manifest_findings(raw: bytes, manifest: dict[str, Any], expected: dict[str, Any]) -> Iterator[Finding]:
    """Each key of the manifest that is not what it should be; else whether it is written as kbench writes it."""
    differences = list(value_differences(expected, manifest))
    edits = {key for key, _ in differences}
    for key, said in differences:
        if key == "canary" and "recipe_digest" in edits:
            continue  # it follows from the recipe as that digest does
        alone = key == "recipe_digest" and edits <= {"recipe_digest", "canary"}
        yield edited(key, f"is not that of the recipe, so one of the two was edited: {said}" if alone else said)
    text = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    if not differences and raw != text.encode():
        yield Finding("failed", MANIFEST, f"says the same but is written otherwise: {text_difference(text, raw)}")


def strangers_in(folder: Path, ours: set[str], owners: Mapping[str, str]) -> Iterator[Finding]:
    """What lies in the folder and is not the release's; links to folders are not followed."""
    closed: list[OSError] = []
    for top, names, files in os.walk(folder, onerror=closed.append):
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
            elif where in _RECIPE:
                yield Finding("note", where, "is not of the release: it may be the recipe that it was made by")
            elif where == PLAN or _NOTE.fullmatch(where):
                said = "is a note of `kbench generate`, which was stopped at its very end: the same command removes it"
                yield Finding("note", where, said)
            else:
                path = here / name
                other = owners.get(sha256_of(path)) if path.is_file() else None
                yield Finding("failed", where, "was added" + (f": it holds what {other} should hold" if other else ""))
    for error in closed:
        where = Path(error.filename).relative_to(folder).as_posix()
        yield Finding("failed", where, f"cannot be looked into: {error.strerror}")
