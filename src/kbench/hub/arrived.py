"""A Parquet file that came from elsewhere: whether it holds what its manifest says, found out in bounded memory."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kbench.contents import content_digest
from kbench.hub.offered import OfferedFile
from kbench.schema import schema_of

MOST_MEMORY = 2 << 30
"""Bytes that the rows of one file may take; a shard of kbench takes a tenth of it."""
_LITTLE, _GROWTH = 64 << 20, 16
"""Rows that take little may grow as they like when they are read; others may grow to so many times what they were."""
_AT_ONCE = 4_000
_VALUE = 8
"""Bytes of a number, and of what tells where a text or a list ends."""
_ENCODINGS = {"PLAIN", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY"}
_DICTIONARIES = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}
_OTHER_ROWS = "does not hold the rows that its manifest says"


class _Refused(Exception):
    """What is wrong with a file."""


def fault_of(came: Path, entry: OfferedFile, most: int = MOST_MEMORY) -> str | None:
    """What is wrong with a file, to follow its name in a line; None where it holds what its entry says.

    A few bytes can stand for any number of rows: what they would take is looked at before any is read. `most` is how
    many bytes that may be.
    """
    try:
        with pq.ParquetFile(came) as file:
            _check_promise(file, entry)
            coded, plain = _columns(file.metadata)
        bound, batches = min(most, _LITTLE + _GROWTH * plain), list[pa.RecordBatch]()
        with pq.ParquetFile(came, read_dictionary=coded) as file:
            _check_memory(chain([plain], _spelt_out(file, coded)), bound)
        with pq.ParquetFile(came) as file:
            _check_memory(_batches(file, batches), bound)  # it may have said of itself what is not so
            found = content_digest(pa.Table.from_batches(batches, file.schema_arrow))
    except _Refused as refused:
        return str(refused)
    except (pa.ArrowException, OSError, ValueError):
        return _OTHER_ROWS
    return None if found == entry.content else _OTHER_ROWS


def _check_promise(file: pq.ParquetFile, entry: OfferedFile) -> None:
    """Refuse a file that says of itself that it is another one."""
    about = file.metadata
    if not file.schema_arrow.equals(schema_of(entry.path.partition("/")[0])):
        raise _Refused("does not have the columns of its config")
    if {about.num_rows, sum(about.row_group(group).num_rows for group in range(about.num_row_groups))} != {entry.rows}:
        raise _Refused(_OTHER_ROWS)


def _columns(about: pq.FileMetaData) -> tuple[list[str], int]:
    """The columns whose texts stand in dictionaries, and the bytes of all columns without counting a text again."""
    coded, plain = dict[str, None](), 0
    for group in range(about.num_row_groups):
        for place in range(about.num_columns):
            chunk = about.row_group(group).column(place)
            name, encodings = chunk.path_in_schema, set(chunk.encodings)
            plain += max(chunk.total_uncompressed_size, 0) + _VALUE * max(chunk.num_values, 0)
            if chunk.has_dictionary_page or encodings & _DICTIONARIES:
                coded[name] = None
            if not encodings <= _ENCODINGS | _DICTIONARIES or (name in coded and "." in name):
                raise _Refused(f"is not written as kbench writes ({name}: {', '.join(sorted(encodings))[:80]})")
    return list(coded), plain


def _spelt_out(file: pq.ParquetFile, coded: list[str]) -> Iterator[int]:
    """The bytes of the texts that stand in dictionaries, as each row has its own; some rows at a time."""
    for batch in file.iter_batches(_AT_ONCE * 50, columns=coded) if coded else ():
        for column in batch.columns:
            if pa.types.is_dictionary(column.type):
                lengths = pc.binary_length(column.dictionary).cast(pa.int64())
                yield pc.sum(lengths.take(column.indices)).as_py() or 0


def _batches(file: pq.ParquetFile, into: list[pa.RecordBatch]) -> Iterator[int]:
    """Read the rows; the bytes of some at a time."""
    for batch in file.iter_batches(_AT_ONCE, use_threads=False):
        into.append(batch)
        yield batch.nbytes


def _check_memory(sizes: Iterable[int], bound: int) -> None:
    """Refuse a file as soon as it takes too much."""
    total = 0
    for size in sizes:
        total += size
        if total > bound:
            raise _Refused(f"takes more memory than rows of kbench do (over {bound:,} bytes)")
