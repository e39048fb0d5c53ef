"""The unfinished work in a folder: what it is to become (the plan), and which of its files are done (the notes).

Workers write each file under a hidden name of their own process; only the process that holds the folder's lock renames
it and notes it. So what was killed but is not dead yet cannot change what its successor wrote.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from kbench.contents import content_digest
from kbench.disk import make_durable
from kbench.errors import OutputError
from kbench.generator.packs import Pack
from kbench.generator.shards import Unit
from kbench.ids import digest_of, file_sha256
from kbench.lock import LOCK
from kbench.schema import STYLES
from kbench.store import MANIFEST, prepare_folder, with_canary, write_json, write_part

Resume = Literal["if_possible", "always", "never"]
PLAN = ".kbench_plan.json"
"""What an unfinished release is to become; it is removed once the manifest stands."""

_NOTES = ".*-of-*.parquet.json"
_SHARED_FOLDERS = frozenset({"qa", "statement", "voice"})


@dataclass(frozen=True)
class WrittenFile:
    """What the manifest keeps of a file."""

    path: str
    config: str
    split: str
    rows: int
    bytes: int
    sha256: str
    content: str


@dataclass(frozen=True)
class Draft:
    """A file that still has its hidden name; one without rows has none, since datasets could not read it."""

    file: WrittenFile
    part: Path


def described_in(out: Path) -> dict[str, Any] | None:
    """The recipe that a folder says it holds or is to hold; None where it says nothing that can be read."""
    for source, key in ((out / MANIFEST, "recipe"), (out / PLAN, "")):
        if source.is_file():
            try:
                found = json.loads(source.read_text(encoding="utf-8"))
                said = found[key] if key else found
            except (ValueError, KeyError, TypeError):
                return None
            return said if isinstance(said, dict) else None
    return None


def begin(out: Path, described: dict[str, Any], resume: Resume) -> None:
    """Make the folder ours by a plan. Raises OutputError where it holds something else, or `resume` forbids it."""
    prepare_folder(out, PLAN)
    before = described_in(out)
    if (out / PLAN).is_file():
        if resume == "never":
            raise OutputError(f"{out} holds an unfinished release: give another --out, or --resume if_possible")
        if before is None and any(child.name[0] != "." for child in out.iterdir()):
            raise OutputError(f"{out / PLAN} cannot be read: delete the folder, or give another --out")
        if before is not None and _but_for_templates(before) != _but_for_templates(described):
            raise OutputError(f"{out} holds another, unfinished release: give another --out")
    elif resume == "always":
        raise OutputError(f"nothing to resume in {out}: leave --resume always away")
    if before != described:
        if before is None:
            _remove(out.glob(_NOTES))
        write_json(out / PLAN, described)
        make_durable([out / PLAN, out])


def _but_for_templates(described: dict[str, Any]) -> dict[str, Any]:
    """A recipe without what mending a template changes."""
    name = described["templates"].get("name") if isinstance(described.get("templates"), dict) else None
    return {**described, "templates": name}


def templates_digest(pack: Pack, config: str) -> str:
    """The digest of every phrasing that the rows of a config may depend on.

    Besides a style's own, these are those of `qa` (the rows that others build on, and the budget that all are matched
    to), of `statement` (which documents are made of) and of `voice`. `facts` and `entities` depend on none.
    """
    if config not in STYLES:
        return ""
    mine = sorted(key for key in pack.phrasings if key[0] in _SHARED_FOLDERS | {config})
    words = ((*key, p.style, p.relation, p.role, p.id, p.kind, p.source) for key in mine for p in pack.phrasings[key])
    return digest_of(*chain.from_iterable(words))


def write_draft(out: Path, unit: Unit, table: pa.Table, canary: str) -> Draft:
    """Write the rows of a unit under a hidden name, the canary in its metadata. Raises OutputError."""
    path = out / unit.path
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    if not table.num_rows:
        return Draft(WrittenFile(unit.path, unit.config, unit.split, 0, 0, "", ""), part)
    write_part(part, path, with_canary(table, canary))
    size, sha256, content = part.stat().st_size, file_sha256(part), content_digest(table)
    return Draft(WrittenFile(unit.path, unit.config, unit.split, table.num_rows, size, sha256, content), part)


def accept(out: Path, draft: Draft, templates: str) -> WrittenFile:
    """Give a file its name, and note that it is done. Raises OutputError."""
    if draft.file.rows:
        draft.part.replace(out / draft.file.path)
    write_json(_note_of(out, draft.file.path), {"file": asdict(draft.file), "templates": templates})
    return draft.file


def _note_of(out: Path, path: str) -> Path:
    return out / f".{path.replace('/', '-')}.json"


def files_done(out: Path, units: list[Unit], templates: Mapping[str, str]) -> dict[str, WrittenFile]:
    """The files that are noted as done, are as noted, and are made of these templates (a digest a config), by path."""
    found: dict[str, WrittenFile] = {}
    for unit in units:
        try:
            note = json.loads(_note_of(out, unit.path).read_text(encoding="utf-8"))
            file = WrittenFile(**note["file"])
            as_noted = not file.rows or file_sha256(out / unit.path) == file.sha256
            if as_noted and file.path == unit.path and note["templates"] == templates[unit.config]:
                found[unit.path] = file
        except (OSError, ValueError, KeyError, TypeError):
            continue  # whatever is wrong with a note or its file: it is written anew
    return found


def sweep(out: Path, units: list[Unit], done: Mapping[str, WrittenFile]) -> None:
    """Remove what earlier processes left here and `done` does not name: parts of files, shards, notes."""
    remove_parts(out)
    notes = {_note_of(out, path) for path in done}
    _remove(note for note in out.glob(_NOTES) if note not in notes)
    shards = {out / path for path, file in done.items() if file.rows}
    for config in dict.fromkeys(unit.config for unit in units):
        _remove(path for path in (out / config).glob("*-of-*.parquet") if path not in shards)
        with suppress(OSError):  # it stays where something is in it
            (out / config).rmdir()


def is_untidy(out: Path) -> bool:
    """Whether a finished release still holds something of the work on it."""
    return (out / PLAN).exists() or (out / LOCK).exists()


def tidy(out: Path) -> None:
    """Remove the notes of the work in progress; the plan last, since it marks the folder as ours."""
    remove_parts(out)
    _remove(out.glob(_NOTES))
    (out / PLAN).unlink(missing_ok=True)


def remove_parts(out: Path) -> None:
    """Remove half-written files, those of processes that were killed too."""
    _remove(chain(out.glob(".*.part"), out.glob("*/.*.part")))


def _remove(paths: Iterator[Path]) -> None:
    for path in list(paths):
        path.unlink(missing_ok=True)
