"""One file of a release beside what it should hold: derived from the recipe, or as the manifest lists it."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kbench.contents import content_digest
from kbench.generator.card import sample_of
from kbench.generator.differences import schema_difference, shown, table_difference
from kbench.generator.manifests import FileEntry
from kbench.generator.packs import Pack
from kbench.generator.shards import Unit, unit_table
from kbench.generator.unfinished import WrittenFile
from kbench.generator.world import World
from kbench.ids import file_sha256
from kbench.schema import STYLES, schema_of
from kbench.store import CANARY, parquet_of, with_canary

_LONGEST, _FEW = 100, 16
_SAME_ROWS = "its bytes were altered (its sha256 is not the manifest's), its rows were not"


@dataclass(frozen=True)
class Compared:
    """What was found out about a file."""

    file: WrittenFile
    """What the manifest should say of it; without rows there should be no file."""
    said: str = ""
    """What is wrong with it."""
    listed: bool = False
    """Whether its bytes are those that the manifest lists."""
    sha256: str = ""
    content: str = ""
    """Of the rows found."""
    sample: str = ""
    """Its first row as the card shows it."""
    roles: Mapping[str, int] = field(default_factory=dict)
    """Of the entities in it, where it is a table of them: how many have each role."""


def compare_unit(world: World, pack: Pack, unit: Unit, folder: Path, entry: Mapping[str, Any], canary: str) -> Compared:
    """The file of a shard beside the rows that the recipe gives; `entry` is what the manifest says of it, if at all."""
    table = with_canary(unit_table(world, pack, unit), canary)
    derived = WrittenFile(unit.path, unit.config, unit.split, table.num_rows, 0, "", "")
    if not table.num_rows:
        return Compared(derived)
    # A file's bytes are those that were published; only its rows can be derived.
    derived = replace(
        derived, bytes=entry.get("bytes", 0), sha256=entry.get("sha256", ""), content=content_digest(table)
    )
    sample = sample_of(unit.config, table) if unit.config in STYLES else ""
    path = folder / unit.path
    if not path.is_file():
        return Compared(derived, "is missing", sample=sample)
    size, sha256 = path.stat().st_size, sha256_of(path)
    listed = sha256 == derived.sha256
    if listed:
        derived = replace(derived, bytes=size)
    found = _read(path, table.num_rows)
    ours = b"" if listed else parquet_of(table)
    altered = _bytes_altered(ours, path, derived.sha256)
    if isinstance(found, str):
        return Compared(derived, found + altered, listed, sha256, sample=sample)
    content = derived.content if found.equals(table) else _content(found)
    said = ""
    if content != derived.content:
        said = schema_difference(table.schema, found.schema) or table_difference(table, found)
        said += altered
    elif not listed and entry:
        if sha256 == hashlib.sha256(ours).hexdigest():  # so it is the manifest that was edited
            derived = replace(derived, bytes=size, sha256=sha256)
        else:
            said = _SAME_ROWS + altered
    elif (told := (found.schema.metadata or {}).get(CANARY.encode(), b"").decode(errors="replace")) != canary:
        said = f"has another canary: expected {canary}, found {shown(told)}"
    return Compared(derived, said, listed, sha256, content, sample)


def compare_entry(folder: Path, entry: FileEntry) -> Compared:
    """A file beside what the manifest says of it: its bytes, and of its rows their number and their digest."""
    listing = WrittenFile(**entry.model_dump())
    path = folder / entry.path
    if not path.is_file():
        return Compared(listing, "is missing")
    size, sha256 = path.stat().st_size, sha256_of(path)
    listed = sha256 == entry.sha256
    found = _read(path, entry.rows)
    if isinstance(found, str):
        return Compared(listing, found, listed, sha256)
    content = _content(found)
    if told := schema_difference(schema_of(entry.config), found.schema):
        return Compared(listing, told, listed, sha256, content)
    if listed:
        sample = sample_of(entry.config, found) if entry.config in STYLES and found.num_rows else ""
        roles = Counter(found.column("role").to_pylist()) if entry.config == "entities" else {}
        listing = replace(listing, bytes=size, rows=found.num_rows, content=content)
        return Compared(listing, "", True, sha256, content, sample, roles)
    if content == entry.content:
        ours = parquet_of(found)
        if sha256 == hashlib.sha256(ours).hexdigest():  # so it is the manifest that was edited
            return Compared(replace(listing, bytes=size, sha256=sha256), "", False, sha256, content)
        said = _SAME_ROWS + _bytes_altered(ours, path, entry.sha256)
    elif found.num_rows != entry.rows:
        said = f"was altered: has {found.num_rows:,} rows, expected {entry.rows:,}"
    else:
        said = "was altered: its rows are not those that the manifest has the digest of"
    return Compared(listing, said, False, sha256, content)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, or the empty text where it cannot be read."""
    try:
        return file_sha256(path)
    except OSError:
        return ""


def _bytes_altered(published: bytes, path: Path, sha256: str) -> str:
    """Where a file was altered, if it is in a few bytes and the published file is known: the one with that sha256."""
    if not published or path.stat().st_size != len(published) or hashlib.sha256(published).hexdigest() != sha256:
        return ""
    ours, theirs = (np.frombuffer(data, dtype=np.uint8) for data in (published, path.read_bytes()))
    places = np.flatnonzero(ours != theirs)
    if places.size > _FEW:
        return ""
    return f" (altered: {places.size} byte{'s' if places.size > 1 else ''}, at offset {places[0]:,})"


def _content(table: pa.Table) -> str:
    """The digest of a table, if it is one of those that a release holds: others may have columns that have none."""
    known = (schema_of(config) for config in (*STYLES, "facts", "entities"))
    return content_digest(table) if any(not schema_difference(schema, table.schema) for schema in known) else ""


def _read(path: Path, rows: int) -> pa.Table | str:
    """The rows of a file, or why there are none; one that holds many more than it should is not read."""
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > 2 * rows + 1_000:
                return f"has {file.metadata.num_rows:,} rows, expected {rows:,}"
            table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        return f"cannot be read as Parquet: {said if len(said) <= _LONGEST else f'{said[:_LONGEST]}…'}"
    return table
