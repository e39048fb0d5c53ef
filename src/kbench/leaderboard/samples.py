"""The samples of an entry: each question of `test` and `control`, what was replied, and the facts behind it."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kbench.disk import whole_or_not_at_all
from kbench.errors import OutputError
from kbench.leaderboard.entry import MOST_ROWS
from kbench.leaderboard.letters import named
from kbench.leaderboard.parquet_pages import PLAIN, RLE, pages_of

_TEXT, _TEXTS = pa.string(), pa.list_(pa.field("element", pa.string()))

SCHEMA = pa.schema(
    [
        pa.field("id", _TEXT),
        pa.field("style", _TEXT),
        pa.field("probe", _TEXT),
        pa.field("entity_id", _TEXT),
        pa.field("relation", _TEXT),
        pa.field("fact_ids", _TEXTS),
        pa.field("facts", _TEXTS),
        pa.field("prompt", _TEXT),
        pa.field("prediction", _TEXT),
        pa.field("answers", _TEXTS),
        pa.field("correct", pa.bool_()),
    ]
)
"""The columns of `<id>.parquet`; `facts` tells each fact as `subject | relation | value`."""

MOST_BYTES = 32 * 1024 * 1024
"""A file of samples is no larger."""

MOST_UNPACKED, MOST_A_ROW = 1 << 30, 8192
"""Nor is what it holds, uncompressed: in all, and on average for each row."""

_MOST_VALUES = 64
"""How many facts or answers a question has at most, on average."""

MOST_TEXT = 64 * 1024
"""How many bytes one text has at most."""

_AT_ONCE = 256
"""How many rows are read at a time."""

_AS_THEY_ARE = {"PLAIN", "RLE", "BIT_PACKED"}
"""Encodings that say no value twice: what is read of a column is then no larger than its footer says."""

_ADVICE = "`kbench leaderboard submit` writes one"

Row = Mapping[str, Any]


def samples_bytes(rows: Sequence[Row]) -> bytes:
    """The file that some rows become: without dictionaries, so that its footer tells what it takes to read."""
    sink = io.BytesIO()
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, version="2.6")
    return sink.getvalue()


def sha256_of(content: bytes) -> str:
    """The digest by which an entry names its samples."""
    return hashlib.sha256(content).hexdigest()


def write_samples(path: Path, content: bytes) -> None:
    """Write a file of samples whole or not at all. Raises OutputError."""
    part = path.with_name(f".{path.name}.part")
    with whole_or_not_at_all(path, part):
        part.write_bytes(content)
        part.replace(path)


def read_bytes(path: Path, sha256: str) -> bytes:
    """The bytes of a file of samples, if they are those that an entry names.

    Raises OutputError where there is none, it is too large (nothing of it is read then), or it is another.
    """
    where = named(path)
    try:
        if not path.is_file():
            raise OutputError(f"no samples at {where}: they lie beside the entry: {_ADVICE}")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise OutputError(f"{where} is too large for samples: {size:,} bytes, expected at most {MOST_BYTES:,}")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES)
    except OSError as error:
        raise OutputError(f"cannot read the samples {where}: {error.strerror}") from None
    if sha256_of(content) != sha256:
        raise OutputError(f"{where} is not the entry's: its sha256 is {sha256_of(content)}, the entry says {sha256}")
    return content


def rows_of(content: bytes, expected: int, where: str) -> list[dict[str, Any]]:
    """The rows that a file of samples holds, if they are as many as expected, in the columns of `SCHEMA`.

    The footer and the headers of the pages are read first: a file that would not fit into memory is refused by them.
    Then a few rows are read at a time. Raises OutputError.
    """
    if expected > MOST_ROWS:
        raise OutputError(f"{where}: samples have at most {MOST_ROWS:,} rows (expected {expected:,})")
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        _check_footer(file, expected, where)
        _check_pages(content, file.metadata, expected, where)
        rows: list[dict[str, Any]] = []
        for batch in file.iter_batches(batch_size=_AT_ONCE, use_threads=False):
            _check_texts(batch, where)
            rows += batch.to_pylist()
        return rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise OutputError(f"{where} is no Parquet file of samples: {str(error).splitlines()[0][:120]}") from None


def _check_footer(file: pq.ParquetFile, expected: int, where: str) -> None:
    held = file.metadata
    if held.num_rows != expected:
        raise OutputError(f"{where} has {held.num_rows:,} rows, expected {expected:,}: score the whole release")
    if file.schema_arrow.remove_metadata() != SCHEMA:
        have = ", ".join(f"{field.name}: {field.type}" for field in file.schema_arrow)[:200]
        want = ", ".join(SCHEMA.names)
        raise OutputError(f"{where} has other columns than samples ({have}): expected {want}: {_ADVICE}")
    unpacked = sum(max(chunk.total_uncompressed_size, chunk.total_compressed_size) for chunk in _chunks(held))
    values = max((chunk.num_values for chunk in _chunks(held)), default=0)
    _check_size(unpacked, values, expected, where)
    for chunk in _chunks(held):
        if strange := set(chunk.encodings) - _AS_THEY_ARE:
            raise OutputError(
                f"{where}: the column {chunk.path_in_schema} is encoded as {min(strange)}, "
                f"which may unpack to any size: {_ADVICE}"
            )


def _chunks(held: pq.FileMetaData) -> list[pq.ColumnChunkMetaData]:
    return [held.row_group(g).column(c) for g in range(held.num_row_groups) for c in range(held.num_columns)]


def _check_pages(content: bytes, held: pq.FileMetaData, expected: int, where: str) -> None:
    """The same of the pages themselves: a footer may say less than there is."""
    unpacked, most = 0, 0
    if sum(max(0, chunk.total_compressed_size) for chunk in _chunks(held)) > len(content):
        raise OutputError(f"{where} says that its columns are longer than itself: {_ADVICE}")
    for chunk in _chunks(held):
        values = 0
        if chunk.has_dictionary_page:
            raise OutputError(f"{where}: {chunk.path_in_schema} says that it has a dictionary: {_ADVICE}")
        for page in pages_of(content, chunk.data_page_offset, chunk.total_compressed_size):
            if page.is_dictionary or page.encoding not in (PLAIN, RLE):
                raise OutputError(f"{where}: a page of {chunk.path_in_schema} may unpack to any size: {_ADVICE}")
            unpacked, values = unpacked + page.unpacked, values + page.values
        most = max(most, values)
    _check_size(unpacked, most, expected, where)


def _check_size(unpacked: int, values: int, expected: int, where: str) -> None:
    most = min(MOST_UNPACKED, MOST_A_ROW * expected)
    if unpacked > most or values > _MOST_VALUES * expected:
        raise OutputError(
            f"{where} unpacks to {unpacked:,} bytes and {values:,} values in a column, "
            f"expected at most {most:,} and {_MOST_VALUES * expected:,}: {_ADVICE}"
        )


def _check_texts(batch: pa.RecordBatch, where: str) -> None:
    for name, column in zip(SCHEMA.names, batch.columns, strict=True):
        texts = column.flatten() if pa.types.is_list(column.type) else column
        longest = pc.max(pc.binary_length(texts)).as_py() if pa.types.is_string(texts.type) else 0
        if (longest or 0) > MOST_TEXT:
            raise OutputError(
                f"{where}: the column {name} has a text of {longest:,} bytes, expected at most {MOST_TEXT:,}: {_ADVICE}"
            )
