"""Columns of text, many rows at a time: every row is pieces of a pool, and Arrow copies the pieces one after another.

One `take` of all pieces of all rows leaves in its data buffer the rows themselves, so that no text is joined twice.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kbench.lean import spare_pandas

spare_pandas()

Ints = NDArray[np.int64]
Texts: TypeAlias = pa.StringArray
Lists: TypeAlias = pa.ListArray

EMPTY: Texts = pa.array([], pa.string())


def texts(values: Sequence[str]) -> Texts:
    """A column of the given texts."""
    return pa.array(values, pa.string())


def same(text: str, n: int) -> Texts:
    """A column that says one text n times."""
    return pa.repeat(pa.scalar(text), n)


def take(column: pa.Array, at: Ints) -> pa.Array:
    """The entries of a column at the given places, which must be places of it."""
    if isinstance(column, pa.ListArray):
        return _lists_at(column, at)
    return pc.take(column, pa.array(at), boundscheck=False)


def _lists_at(column: Lists, at: Ints) -> Lists:
    """Arrow's own take builds lists one by one; their values taken at once cost a third."""
    starts = column.offsets.to_numpy().astype(np.int64)
    counts = np.diff(starts)
    width = int(counts[0]) if counts.size else 0
    if (counts == width).all():
        values = starts[at] if width == 1 else (starts[at][:, None] + np.arange(width)[None, :]).ravel()
        found = np.arange(at.size + 1, dtype=np.int64) * width
    else:
        values, found = runs(starts[at], counts[at])
    return lists(take(column.values, values), found)


def few(values: Sequence[str], at: Ints) -> Texts:
    """The texts at the given places of a short list."""
    if len(set(values)) == 1:
        return same(values[0], at.size)
    return take(texts(values), at)


def concat(columns: Sequence[pa.Array], empty: pa.Array = EMPTY) -> pa.Array:
    """The columns one below another; `empty` where there are none."""
    return pa.concat_arrays(columns) if columns else empty


def joined(*parts: Texts | str) -> Texts:
    """The parts of each row one after another."""
    n = next(len(part) for part in parts if not isinstance(part, str))
    rows = np.arange(n, dtype=np.int64)
    pools = [texts([part]) if isinstance(part, str) else part for part in parts]
    return spelt(pools, [rows * (not isinstance(part, str)) for part in parts])


def spelt(pools: Sequence[Texts], places: Sequence[Ints]) -> Texts:
    """One entry of each pool a row, one after another: of the k-th pool the entry at `places[k]`."""
    width, n = len(pools), places[0].size
    at = np.empty((n, width), dtype=np.int64)
    base = 0
    for k, (pool, place) in enumerate(zip(pools, places, strict=True)):
        np.add(place, base, out=at[:, k])
        base += len(pool)
    return _pressed(pa.concat_arrays(list(pools)), at.ravel(), np.arange(n + 1, dtype=np.int64) * width)


def by_distinct(keys: Ints, say: Callable[[int], str]) -> Texts:
    """What `say` has for each key, asked once for each distinct one."""
    distinct, at = np.unique(keys, return_inverse=True)
    return take(texts([say(int(key)) for key in distinct]), at)


def first_of_each(column: Texts) -> tuple[Ints, Ints]:
    """Of a column: where each distinct entry stands first, and for each row which of these it is."""
    encoded = column.dictionary_encode()
    at = encoded.indices.to_numpy()
    first = np.empty(len(encoded.dictionary), dtype=np.int64)
    first[at[::-1]] = np.arange(at.size - 1, -1, -1)
    return first, at


def no_lists(n: int) -> Lists:
    """A column of n empty lists."""
    return lists(EMPTY, np.zeros(n + 1, dtype=np.int64))


def text_lists(values: Sequence[Sequence[str]]) -> Lists:
    """A column of lists of texts."""
    return pa.array(values, _LISTS_OF_TEXT)


def starts_of(counts: Ints) -> Ints:
    """Where each of some runs begins when they are laid end to end, and after them where the last one ends."""
    starts = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def runs(first: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Runs `first[i], first[i] + 1, …` of `counts[i]` numbers laid end to end: the numbers, and where each begins."""
    starts = starts_of(counts)
    numbers = np.arange(int(starts[-1]), dtype=np.int64)
    numbers += np.repeat(first - starts[:-1], counts)
    return numbers, starts


def lists(values: pa.Array, starts: Ints) -> Lists:
    """Lists of values, the i-th of them `values[starts[i]:starts[i + 1]]`."""
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), values, type=_LISTS_OF_TEXT)


def looked_up(codes: Ints, make: Callable[[int], int]) -> Ints:
    """What `make` has for each code, a small number, made once for each that occurs."""
    found = np.bincount(codes)
    for code in np.flatnonzero(found).tolist():
        found[code] = make(code)
    return found[codes]


def one_each(values: Texts) -> Lists:
    """Each value in a list of its own."""
    return lists(values, np.arange(len(values) + 1, dtype=np.int64))


def side_by_side(columns: Sequence[Texts]) -> Lists:
    """For each row the list of what the columns say there."""
    n, width = len(columns[0]), len(columns)
    if width == 1:
        return one_each(columns[0])
    at = (np.arange(n)[:, None] + np.arange(width)[None, :] * n).ravel()
    return lists(take(pa.concat_arrays(columns), at), np.arange(n + 1, dtype=np.int64) * width)


_RUN = 16_384
_LISTS_OF_TEXT = pa.list_(pa.field("element", pa.string()))


class Press:
    """Prints columns of text: what rows are made of is set once, as plans of pieces, then printed for many rows.

    A piece is a text that stands, or an entry of a column that has one for each of the rows' subjects.
    """

    def __init__(self) -> None:
        self._literals: dict[str, int] = {}
        self._columns: list[Texts] = []
        self._handles: dict[int, int] = {}
        self._size = 0
        self._bases, self._moves, self._firsts = array("q"), array("q"), array("q", [0])
        self._pool: tuple[tuple[int, int], Texts] | None = None

    def column(self, entries: Texts) -> int:
        """Lay in a column, unless it is there already; its handle is for `plan`."""
        if id(entries) not in self._handles:
            self._handles[id(entries)] = self._size
            self._columns.append(entries)
            self._size += len(entries)
        return self._handles[id(entries)]

    def plan(self, pieces: Sequence[str | int], shift: int = 0) -> int:
        """Set a plan of texts that stand, and of columns by their handles; row i of `print` prints entry i - shift."""
        for piece in pieces:
            if isinstance(piece, str):
                self._bases.append(self._literals.setdefault(piece, len(self._literals)))
            else:
                self._bases.append(piece - shift)
            self._moves.append(not isinstance(piece, str))
        self._firsts.append(len(self._bases))
        return len(self._firsts) - 2

    def print(self, plans: Ints, subjects: Ints, rows: Ints | None = None) -> Texts:
        """The text of each row: by its plan, for its subject.

        With `rows` a row is several plans: those from `rows[i]` to `rows[i + 1]`.
        """
        return concat(list(self._runs(plans, subjects, rows)))

    def print_in_runs(self, plans: Ints, subjects: Ints, rows: Ints | None = None) -> pa.ChunkedArray:
        """The same in chunks: large columns are not copied once more to lie in one piece."""
        return pa.chunked_array(list(self._runs(plans, subjects, rows)), pa.string())

    def _runs(self, plans: Ints, subjects: Ints, rows: Ints | None) -> Iterator[Texts]:
        firsts, moves = np.asarray(self._firsts), np.asarray(self._moves)
        base = np.asarray(self._bases) + moves * len(self._literals)  # literals lie in front of the columns
        counts, pool = np.diff(firsts), self._laid_in()
        # In runs, so that the places of the pieces stay in the processor's cache and never take much memory.
        for first, last in _cuts(plans.size if rows is None else rows):
            part = slice(first, last) if rows is None else slice(int(rows[first]), int(rows[last]))
            piece, starts = runs(firsts[plans[part]], counts[plans[part]])
            at = np.repeat(subjects[part], np.diff(starts))
            at *= moves[piece]
            at += base[piece]
            yield _pressed(pool, at, starts if rows is None else starts[rows[first : last + 1] - rows[first]])

    def _laid_in(self) -> Texts:
        state = (len(self._literals), len(self._columns))
        if self._pool is None or self._pool[0] != state:
            self._pool = (state, pa.concat_arrays([texts(list(self._literals)), *self._columns]))
        return self._pool[1]


def _cuts(rows: int | Ints) -> Iterator[tuple[int, int]]:
    """Runs of rows, by first and last, that have about `_RUN` parts each."""
    if isinstance(rows, int):
        ends = np.arange(_RUN, rows, _RUN)
        last = rows
    else:
        last = rows.size - 1
        ends = np.unique(np.searchsorted(rows, np.arange(_RUN, int(rows[-1]), _RUN), side="right") - 1)
    cuts = [0, *(int(end) for end in ends if 0 < end < last), last]
    yield from pairwise(cuts)


def _pressed(pool: Texts, at: Ints, starts: Ints) -> Texts:
    pieces = take(pool, at)
    offsets = np.frombuffer(pieces.buffers()[1], dtype=np.int32, count=len(pieces) + 1)[starts]
    return pa.StringArray.from_buffers(len(starts) - 1, pa.py_buffer(offsets), pieces.buffers()[2])
