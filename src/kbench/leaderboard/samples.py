"""The samples of an entry: each question of `test` and `control`, what was replied, and the facts behind it."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kbench.disk import whole_or_not_at_all
from kbench.errors import OutputError

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
    try:
        if not path.is_file():
            raise OutputError(f"no samples at {path}: they lie beside the entry: {_ADVICE}")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise OutputError(f"{path} is too large for samples: {size:,} bytes, expected at most {MOST_BYTES:,}")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES)
    except OSError as error:
        raise OutputError(f"cannot read the samples {path}: {error.strerror}") from None
    if sha256_of(content) != sha256:
        raise OutputError(f"{path} is not the entry's: its sha256 is {sha256_of(content)}, the entry says {sha256}")
    return content


def rows_of(content: bytes, expected: int, where: str) -> list[dict[str, Any]]:
    """The rows that a file of samples holds, if they are as many as expected, in the columns of `SCHEMA`.

    The footer is read first: a file that would not fit into memory is refused by it. Raises OutputError.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        _check_footer(file, expected, where)
        rows: list[dict[str, Any]] = file.read().to_pylist()
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
    chunks = [held.row_group(g).column(c) for g in range(held.num_row_groups) for c in range(held.num_columns)]
    unpacked = sum(max(chunk.total_uncompressed_size, chunk.total_compressed_size) for chunk in chunks)
    values = max((chunk.num_values for chunk in chunks), default=0)
    most = min(MOST_UNPACKED, MOST_A_ROW * expected)
    if unpacked > most or values > _MOST_VALUES * expected:
        raise OutputError(
            f"{where} unpacks to {unpacked:,} bytes and {values:,} values in a column, "
            f"expected at most {most:,} and {_MOST_VALUES * expected:,}: {_ADVICE}"
        )
    for chunk in chunks:
        if strange := set(chunk.encodings) - _AS_THEY_ARE:
            raise OutputError(
                f"{where}: the column {chunk.path_in_schema} is encoded as {min(strange)}, "
                f"which may unpack to any size: {_ADVICE}"
            )
