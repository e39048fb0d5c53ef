"""The files of a published dataset as rows: CSV, TSV, JSON, JSONL, Parquet; alone, in a folder or in an archive."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kbench.errors import SpecError
from kbench.generator.ownfacts.file import decoded, records
from kbench.ids import digest_of

MOST_BYTES = 4 << 30
"""More is not read: it would fill the memory."""
_ARCHIVES = (".zip",)


@dataclass(frozen=True)
class Row:
    """One row of a dataset: its columns as the file has them, and where it stands, for messages."""

    where: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class DataFile:
    """A file of a dataset: its path in the dataset, and its rows."""

    name: str
    digest: str
    rows: tuple[Row, ...]

    @property
    def stem(self) -> str:
        """The name without its folder and its suffix."""
        return self.name.rpartition("/")[2].rpartition(".")[0]


def read_files(source: Path, patterns: Sequence[str] = ("*",)) -> Iterator[DataFile]:
    """The data files of a dataset in the order of their names: those that the first pattern picks that picks any.

    Raises SpecError of one line where there is none, or one cannot be read or holds no rows.
    """
    held = _held(source)
    names = chosen([each.name for each in held], patterns)
    if not names:
        which = "" if "*" in patterns else f" whose path matches {' or '.join(map(repr, patterns))}"
        raise SpecError(f"{source} holds no data file{which}: expected {', '.join(_READERS)}, or a .zip of them")
    picked = [each for each in held if each.name in names]
    if sum(each.size for each in picked) > MOST_BYTES:
        raise SpecError(f"{source} holds more than 4 GiB of data: pick some of its files with --files PATTERN")
    for each in picked:
        data = each.read()
        if not data.strip():
            raise SpecError(f"{each.shown} is empty: expected one object or row an item; take the file anew")
        reader = _READERS[Path(each.name).suffix.lower()]
        rows = tuple(Row(f"{each.shown} {place}", fields) for place, fields in reader(Path(each.shown), data))
        if not rows:
            raise SpecError(f"{each.shown} has no rows: expected one object or row an item; take the file anew")
        yield DataFile(each.name, digest_of(data), rows)


def is_data(name: str) -> bool:
    """Whether a file may hold the rows of a dataset, by its suffix."""
    return Path(name).suffix.lower() in (*_READERS, *_ARCHIVES)


def chosen(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that the first of some patterns picks that picks any, by path or by name as a shell does."""
    for pattern in patterns:
        found = [n for n in names if fnmatchcase(n, pattern) or fnmatchcase(n.rpartition("/")[2], pattern)]
        if found:
            return found
    return []


@dataclass(frozen=True)
class _Held:
    """A data file that was found: its path in the dataset, what a message calls it, where it lies."""

    name: str
    shown: str
    size: int
    path: Path
    archived: bool

    def read(self) -> bytes:
        try:
            if self.archived:
                with zipfile.ZipFile(self.path) as archive:
                    return archive.read(self.name)
            return self.path.read_bytes()
        # What zipfile raises of a compression that it does not know, and of a password, beside a broken archive.
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise SpecError(f"cannot read {self.shown}: {error}: take it anew, or make it readable") from None


def _held(source: Path) -> list[_Held]:
    if not source.exists():
        raise SpecError(f"no data at {source}: give a file, a folder, a .zip, or ORG/NAME of a dataset on the Hub")
    if source.is_file() and not is_data(source.name):
        raise SpecError(f"{source}: the suffix {source.suffix!r} is none of {', '.join((*_READERS, *_ARCHIVES))}")
    paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    found = []
    for path in paths:
        name = path.name if path == source else path.relative_to(source).as_posix()
        if any(part.startswith(".") for part in name.split("/")) or not is_data(name):
            continue
        if path.suffix.lower() in _ARCHIVES:
            found += _archived(path)
        else:
            found.append(_Held(name, str(path), path.stat().st_size, path, archived=False))
    return found


def _archived(path: Path) -> list[_Held]:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = sorted(archive.infolist(), key=lambda each: each.filename)
    except (zipfile.BadZipFile, OSError) as error:
        raise SpecError(f"{path} is no zip archive that can be read: {error}: take it anew, or unpack it") from None
    return [
        _Held(each.filename, f"{path}/{each.filename}", each.file_size, path, archived=True)
        for each in inside
        if Path(each.filename).suffix.lower() in _READERS and not each.filename.startswith("__MACOSX")
    ]


def _csv_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    text = decoded(path, data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if "\t" in first else ","
    header: list[str] = []
    for line, cells in records(path, text, delimiter):
        if not header:
            header = [cell.strip() for cell in cells]
        elif len(cells) != len(header):
            raise SpecError(
                f"{path} line {line}: {len(cells)} fields where the header has {len(header)}: take the file anew"
            )
        else:
            yield f"line {line}", dict(zip(header, cells, strict=True))


def _jsonl_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for n, line in enumerate(decoded(path, data).split("\n"), 1):
        if line.strip():
            yield f"line {n}", _object(f"{path} line {n}", _parsed(f"{path} line {n}", line))


def _json_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    text = decoded(path, data)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip()[:1] == "{" and error.msg == "Extra data":
            yield from _jsonl_rows(path, data)  # an object a line, under the suffix .json
            return
        raise _no_json(f"{path} line {error.lineno}", error) from None
    except RecursionError:
        raise SpecError(f"{path}: nested too deeply: expected a list of objects") from None
    if not isinstance(found, list):
        raise SpecError(f"{path}: a {type(found).__name__} where a list of objects was expected: take the file anew")
    for n, each in enumerate(found, 1):
        yield f"item {n}", _object(f"{path} item {n}", each)


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _no_json(where, error) from None
    except RecursionError:
        raise SpecError(f"{where}: nested too deeply: expected one object a line") from None


def _no_json(where: str, error: json.JSONDecodeError) -> SpecError:
    return SpecError(f"{where}: not JSON: {error.msg} at column {error.colno}: take the file anew")


def _object(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SpecError(f"{where}: a {type(found).__name__} where an object was expected: take the file anew")
    return found


def _parquet_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        said = str(error).split("\n", 1)[0].rstrip(".")
        raise SpecError(f"{path} is no Parquet file: {said}: take it anew") from None
    for n, row in enumerate(table.to_pylist(), 1):
        yield f"row {n}", row


_READERS: Mapping[str, Callable[[Path, bytes], Iterator[tuple[str, dict[str, Any]]]]] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".json": _json_rows,
    ".jsonl": _jsonl_rows,
    ".parquet": _parquet_rows,
}
