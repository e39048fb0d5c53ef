"""A published dataset as a release: read and divided in memory, then written, the manifest last."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench import __version__
from kbench.disk import told_in_one_line
from kbench.errors import OutputError, SpecError
from kbench.generator.realdata.divide import Divided, Division, divide
from kbench.generator.realdata.files import DataFile, read_files
from kbench.generator.realdata.kinds import KINDS, KindName
from kbench.generator.realdata.rows import Tables, tables_of
from kbench.generator.recipe import canary_of
from kbench.generator.release import complete, manifest_of
from kbench.generator.shards import Unit
from kbench.generator.unfinished import PLAN, accept, begin, described_in, remove_parts, sweep, write_draft
from kbench.ids import digest_of, json_digest
from kbench.lock import folder_lock
from kbench.schema import ROLES, Role
from kbench.store import MANIFEST, Release, open_release, prepare_folder

_VERSION = "1"
"""Of how datasets become rows; another gives other rows of the same files."""
_SHARD = 200_000


@dataclass(frozen=True)
class Imported:
    """A dataset that became a release: the release, what was left out and why, and whether it was written now."""

    release: Release
    left_out: Mapping[str, int]
    too_few: Mapping[str, int]
    """Relations that were left out, and how many subjects these have on their smaller side."""
    written: bool


def import_dataset(
    kind: KindName,
    source: Path,
    out: Path,
    way: Division = Division(),  # noqa: B008 - a frozen value
    *,
    files: str | None = None,
    name: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Write a published dataset as a release; one that is there already is left alone.

    Args:
        kind: which dataset it is.
        source: its file, its folder, or a zip archive.
        out: the folder; it must be empty, or hold this same release.
        way: how subjects are divided, and what is left out.
        files: which files of a folder or an archive are read, as a shell picks them; the kind's own if None.
        name: what the release calls its source; the name of the file or folder if None.
        progress: called with the files written and how many there are.

    Raises:
        SpecError: a file or an item cannot be read, or too little is left.
        OutputError: `out` holds something else, or cannot be written.
    """
    held = list(read_files(source, patterns_of(kind, files)))
    found = KINDS[kind].read(held)
    divided = divide(found, way)
    described = _described(kind, name or source.resolve().name, held, way, divided)
    world = json_digest([kind, described["imported"]["digest"], asdict(way), _VERSION])[:8]
    tables = tables_of(world, KINDS[kind].subject, KINDS[kind].style, divided, found.texts)
    described["styles"] = sorted({config for config, _ in tables} - {"facts", "entities"}, reverse=True)
    prepare_folder(out, PLAN, MANIFEST)
    with folder_lock(out), told_in_one_line(out):
        written = not (out / MANIFEST).is_file()
        if written:
            _write(described, world, tables, out, progress)
        release = open_release(out)
        if described_in(out) != described:
            raise OutputError(f"{out} holds another release (world {release.world}): give another --out")
    return Imported(release, divided.left_out, divided.too_few, written)


def patterns_of(kind: KindName, files: str | None) -> tuple[str, ...]:
    """Which files of a dataset are read: those that a user picks, or its own. Raises SpecError of an unknown kind."""
    if kind not in KINDS:
        raise SpecError(f"unknown dataset {kind!r}: have {', '.join(KINDS)}")
    return KINDS[kind].files if files is None else (files,)


def _described(kind: KindName, name: str, held: list[DataFile], way: Division, divided: Divided) -> dict[str, Any]:
    """What the manifest says of the dataset, in place of a world."""
    digest = digest_of(*sorted(file.digest for file in held))
    options = {key: value for key, value in asdict(way).items() if key != "seed"}
    return {
        "generator": __version__,
        "spec": {"name": kind, "description": f"Facts of {KINDS[kind].title}, as questions."},
        "imported": {
            "kind": kind,
            "source": name,
            "files": len(held),
            "rows": sum(len(file.rows) for file in held),
            "digest": digest,
            **options,
            "left_out": dict(divided.left_out),
            "too_few": dict(divided.too_few),
        },
        "seed": way.seed,
        "styles": [],
        "templates": {"name": kind, "version": _VERSION, "digest": json_digest([kind, _VERSION])},
    }


def _write(
    described: dict[str, Any], world: str, tables: Tables, out: Path, progress: Callable[[int, int], None]
) -> None:
    units = [unit for key, table in tables.items() for unit in _shards(key, table)]
    begin(out, described, "if_possible")
    sweep(out, [unit for unit, _ in units], {})
    canary, files = canary_of(described), []
    try:
        for unit, table in units:
            files.append(accept(out, write_draft(out, unit, table, canary), ""))
            progress(len(files), len(units))
        roles = Counter(tables["entities", "train"].column("role").to_pylist())
        entities: dict[Role, int] = {role: roles[role] for role in ROLES}
        complete(out, manifest_of(described, world, entities, files))
    except BaseException:
        with suppress(OSError):
            remove_parts(out)
        raise


def _shards(key: tuple[str, Any], table: pa.Table) -> list[tuple[Unit, pa.Table]]:
    starts = range(0, table.num_rows, _SHARD)
    return [(Unit(*key, place, len(starts), ()), table.slice(at, _SHARD)) for place, at in enumerate(starts)]
