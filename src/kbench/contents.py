"""What a table says, as a digest: over Arrow columns, whatever the chunks or the file that they come in."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kbench.ids import digest_of


def content_digest(table: pa.Table) -> str:
    """A digest of what a table says: its column names, types and values, whatever its chunks or file format.

    It is the sha256 of Arrow's buffers, column after column: the lengths of texts and lists, then what they hold.
    """
    state = hashlib.sha256()
    for field in table.schema:
        state.update(f"{field.name}\x1f{field.type}\x1e".encode())
        _update(state, table.column(field.name).chunks or [pa.array([], field.type)])
    return state.hexdigest()


def _update(state: "hashlib._Hash", chunks: Sequence[pa.Array]) -> None:
    """Take in a column; nulls count as empty, zero or false, and where there are any, which they are counts too."""
    nulls = sum(chunk.null_count for chunk in chunks)
    state.update(sum(map(len, chunks)).to_bytes(8, "little") + nulls.to_bytes(8, "little"))
    kind = chunks[0].type
    if nulls:
        for chunk in chunks:
            state.update(_numbers(chunk.is_valid()))
    if pa.types.is_list(kind):
        _update(state, [chunk.value_lengths().fill_null(0) for chunk in chunks])
        _update(state, [chunk.flatten() for chunk in chunks])
    elif pa.types.is_struct(kind):
        for place, field in enumerate(kind):
            state.update(f"{field.name}\x1f{field.type}\x1e".encode())
            _update(state, [chunk.flatten()[place] for chunk in chunks])
    elif pa.types.is_string(kind):
        filled = [chunk.fill_null("") if chunk.null_count else chunk for chunk in chunks]
        for chunk in filled:
            state.update(_numbers(pc.binary_length(chunk)))
        for chunk in filled:
            state.update(_letters(chunk))
    else:
        for chunk in chunks:
            state.update(_numbers(chunk.fill_null(pa.scalar(0).cast(kind)) if chunk.null_count else chunk))


def _numbers(array: pa.Array) -> bytes | memoryview:
    values: NDArray[Any] = np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
    return values.data


def _letters(array: pa.StringArray) -> memoryview:
    """All texts one after another, as they lie in memory."""
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return memoryview(b"")
    first, last = np.frombuffer(offsets, dtype=np.int32)[[array.offset, array.offset + len(array)]].tolist()
    return memoryview(data)[first:last]


def split_digest(contents: Iterable[str]) -> str:
    """The digest of a split from those of its files, in order."""
    return digest_of(*contents)
