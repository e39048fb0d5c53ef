"""A file of facts as rows of text: CSV, JSONL or Parquet by its suffix, each row with the line it stands in."""

import csv
import datetime
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kbench.errors import SpecError

NEEDED = ("subject", "relation", "value")
OPTIONAL = ("value_type", "unit", "aliases", "type")
LONGEST, _QUOTED = 10_000, 60
"""A longer field is a document rather than a fact."""
_EXAMPLE = '{"subject": "Aurora X1", "relation": "price", "value": "1,299"}'
_EXPECTED = f"expected the columns {', '.join(NEEDED)} and one fact a row"
_LINE_SEPARATORS = ("Cc", "Zl", "Zp")


@dataclass(frozen=True)
class FactRow:
    """One row of a file of facts, its fields stripped; `place` is where it stands: `line 7`, or `row 7` of Parquet."""

    place: str
    subject: str
    relation: str
    value: str
    value_type: str
    unit: str
    aliases: tuple[str, ...]
    type: str


@dataclass(frozen=True)
class FactFile:
    """The rows of a file of facts, and the columns that were not understood."""

    name: str
    rows: tuple[FactRow, ...]
    ignored: tuple[str, ...]


def read_fact_file(path: Path) -> FactFile:
    """The rows of a file of facts.

    Raises SpecError that names file and line where the file cannot be read, a needed column is missing, or a field is
    empty, too long or of more than one line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise SpecError(f"{path}: the suffix {path.suffix!r} is none of {known}: save a sheet as CSV in UTF-8")
    if not path.is_file():
        raise SpecError(f"no file of facts at {path}: give a file that ends in {', '.join(_READERS)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from None
    if not data.strip():
        raise SpecError(f"{path} is empty: {_EXPECTED}")
    rows, ignored = [], dict[str, None]()
    for place, fields in reader(path, data):
        ignored |= dict.fromkeys(key for key in fields if key not in (*NEEDED, *OPTIONAL, ""))
        rows.append(_row(f"{path} {place}", place, fields))
    if not rows:
        raise SpecError(f"{path} has no facts: {_EXPECTED}")
    return FactFile(path.name, tuple(rows), tuple(ignored))


def shown(text: str) -> str:
    """A field as a message quotes it."""
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")


def meant_by(column: str) -> str:
    """The known column that an unknown one looks like, or nothing."""
    return next(iter(get_close_matches(column, (*NEEDED, *OPTIONAL), 1, 0.7)), "")


def _row(where: str, place: str, fields: Mapping[str, Any]) -> FactRow:
    said = {key: _field(where, key, fields.get(key)) for key in (*NEEDED, *OPTIONAL) if key != "aliases"}
    for key in NEEDED:
        if not said[key]:
            raise SpecError(f"{where}: the {key} is empty: fill it in, or delete the row")
    said["value_type"] = said["value_type"].lower()
    return FactRow(place, **said, aliases=_aliases(where, fields.get("aliases")))


def _aliases(where: str, given: Any) -> tuple[str, ...]:
    parts = given if isinstance(given, list) else re.split(r"[|;]", _field(where, "aliases", given))
    fields = (_field(where, "aliases", part) for part in parts)
    return tuple(dict.fromkeys(field for field in fields if field))


def _field(where: str, key: str, given: Any) -> str:
    text = _text_of(given)
    if text is None:
        raise SpecError(f"{where}: {key}: expected text or a number (got a {type(given).__name__})")
    if len(text) > LONGEST:
        raise SpecError(f"{where}: the {key} has {len(text):,} characters, at most {LONGEST:,}: shorten it")
    text = unicodedata.normalize("NFC", text.strip())
    for letter in text:
        if unicodedata.category(letter) in _LINE_SEPARATORS:
            kind = (
                "a line break (is a quote not closed?)"
                if letter in "\n\r\u2028\u2029"
                else f"the control character U+{ord(letter):04X}"
            )
            raise SpecError(f"{where}: the {key} holds {kind}: write it in one line of plain text")
    return text


def _text_of(given: Any) -> str | None:
    """What a field of JSON or Parquet says, as CSV would have it; None where it is no single thing."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float):
        return str(int(given)) if given.is_integer() else repr(given)
    if isinstance(given, datetime.datetime):
        return given.date().isoformat() if given.time() == datetime.time() else given.isoformat(" ")
    known = isinstance(given, int | datetime.date) or type(given).__name__ == "Decimal"
    return str(given) if known else None


def decoded(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8. Raises SpecError that names the line where it is none."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1252"
        raise SpecError(
            f"{path} line {line}: not UTF-8 at byte {error.start}: save it as UTF-8, or convert it: "
            f"iconv -f {guess} -t UTF-8 {path.name} > utf8-{path.name}"
        ) from None


def _csv_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    text = decoded(path, data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=lambda mark: sum(_column(cell) in NEEDED for cell in first.split(mark)))
    header: list[str] = []
    for line, cells in records(path, text, delimiter):
        where = f"{path} line {line}"
        if not header:
            header = [_column(cell) for cell in cells]
            _check_columns(where, header, cells)
            continue
        if len(cells) != len(header):
            more = f'put a field that holds a {delimiter!r} between double quotes "…"'
            fewer = f"an empty field keeps its {delimiter!r}"
            raise SpecError(
                f"{where}: {len(cells)} fields where the header has {len(header)}: "
                f"{more if len(cells) > len(header) else fewer}"
            )
        yield f"line {line}", dict(zip(header, cells, strict=True))


def records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text that are not blank, each with the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = str(error)
            if "limit" in said or "end of data" in said:
                said = "a double quote is opened and never closed"
            raise SpecError(f'{path} line {line}: {said}: write a double quote inside a field twice, ""') from None
        if any(cell.strip() for cell in cells):
            yield line, cells


def _column(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().casefold())


def _check_columns(where: str, header: list[str], found: list[str]) -> None:
    missing = [key for key in NEEDED if key not in header]
    if missing:
        have = ", ".join(cell.strip() for cell in found)
        raise SpecError(
            f"{where}: no column {', '.join(map(repr, missing))} (found {have}): the first line names the columns "
            f"{', '.join(NEEDED)}, and each line after it holds one fact"
        )
    twice = [key for key in dict.fromkeys(header) if key and header.count(key) > 1]
    if twice:
        raise SpecError(f"{where}: the column {twice[0]!r} stands twice: delete one of them")


def _jsonl_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for n, line in enumerate(decoded(path, data).split("\n"), 1):
        where = f"{path} line {n}"
        if not line.strip():
            continue
        try:
            # Numbers as they are written: 1.50 is to stay 1.50.
            found = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        except json.JSONDecodeError as error:
            hint = " (a list over several lines is not JSONL)" if line.strip() in "[{" else ""
            said = f"{error.msg} at column {error.colno}{hint}"
            raise SpecError(f"{where}: not JSON: {said}: write one object a line, such as {_EXAMPLE}") from None
        except RecursionError:
            raise SpecError(f"{where}: nested too deeply: write one object a line, such as {_EXAMPLE}") from None
        if not isinstance(found, dict):
            raise SpecError(f"{where}: a {type(found).__name__} where an object was expected, such as {_EXAMPLE}")
        fields = {_column(key): value for key, value in found.items()}
        missing = [key for key in NEEDED if key not in fields]
        if missing:
            have = ", ".join(found) or "nothing"
            raise SpecError(f"{where}: no {', '.join(map(repr, missing))} (found {have}): write {_EXAMPLE}")
        yield f"line {n}", fields


def _parquet_rows(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        said = str(error).split("\n", 1)[0].rstrip(".")
        raise SpecError(f"{path} is no Parquet file: {said}: write it again, or give a CSV file") from None
    header = [_column(name) for name in table.column_names]
    _check_columns(str(path), header, table.column_names)
    for n, row in enumerate(table.rename_columns(header).to_pylist(), 1):
        yield f"row {n}", row


_READERS: Mapping[str, Callable[[Path, bytes], Iterator[tuple[str, dict[str, Any]]]]] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".jsonl": _jsonl_rows,
    ".parquet": _parquet_rows,
}
