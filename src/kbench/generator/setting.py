"""Phrasings set for the press: each lowered to a plan, its columns laid in, what Jinja must evaluate evaluated."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.errors import TemplateError
from kbench.generator.bounds import in_time, watching
from kbench.generator.columns import Ints, Press, Texts, concat, first_of_each, take, texts
from kbench.generator.lowering import lower, read_by
from kbench.generator.packs import LONGEST, Phrasing
from kbench.generator.symbolic import Derived, Piece, Slot

Column: TypeAlias = Texts | Callable[[], Texts]
"""A template variable: a text for each subject, or how to get them when a phrasing first wants them."""


_NOTHING = texts([""])


class Setting:
    """The columns that phrasings about one run of subjects print, laid into a press when one first wants them."""

    def __init__(
        self, press: Press, columns: Mapping[str, Column], constants: Mapping[str, Any] | None = None, shift: int = 0
    ) -> None:
        self.press = press
        self._columns = dict(columns)
        self._constants = tuple((constants or {}).items())
        self._names = tuple(columns)
        self.shift = shift
        self._handles: dict[str, int] = {}
        self._marked: dict[str, bool] = {}
        self._ragged: dict[str, Ints] = {}

    def entries(self, name: str) -> Texts:
        """The column of a variable."""
        column = self._columns[name]
        if callable(column):
            column = self._columns[name] = column()
        return column

    def handle(self, name: str) -> int:
        """The press's handle for the column of a variable."""
        if name not in self._handles:
            self._handles[name] = self.press.column(self.entries(name))
        return self._handles[name]

    def pieces(self, phrasing: Phrasing, held: Ints, used: Callable[[], Ints] | None = None) -> list[str | int]:
        """What the press is to print for a phrasing.

        Args:
            phrasing: the phrasing.
            held: the subjects whose entries may be looked into.
            used: the subjects that are written in it; where not given, those of `held`.

        Raises:
            TemplateError: it cannot be rendered; names template and line.
        """
        plan = lower(phrasing, self._names, self._constants)
        if (
            plan.pieces is not None
            and not any(self._ends_in_mark(name) for name in phrasing.mends)
            and not any(self._is_ragged(piece, held) for piece in (*plan.pieces[:1], *plan.pieces[-1:]))
        ):
            last = len(plan.pieces) - 1
            try:
                return [self._piece(piece, held, edge=i in (0, last)) for i, piece in enumerate(plan.pieces)]
            except Exception:
                pass
        return [self.press.column(self._rendered(phrasing, held if used is None else used()))]

    def plan(self, phrasing: Phrasing, held: Ints, used: Callable[[], Ints] | None = None) -> int:
        """A plan of the press that prints a phrasing; arguments as of `pieces`."""
        return self.press.plan(self.pieces(phrasing, held, used), self.shift)

    def _piece(self, piece: Piece, used: Ints, *, edge: bool) -> str | int:
        if isinstance(piece, str):
            return piece
        if isinstance(piece, Slot):
            return self.handle(piece.name)
        return self.press.column(self._derived(piece, used, edge=edge))

    def _derived(self, piece: Derived, used: Ints, *, edge: bool) -> Texts:
        """What a part of a template says of the subjects in `used`, rendered once for each distinct one."""
        columns = [take(self.entries(column), used) for _, column in piece.names]
        if len(columns) == 1:  # Arrow finds the distinct ones quickest
            first, at = first_of_each(columns[0])
            said = self._looked_into(piece, [take(columns[0], first)], edge=edge)
            return self._scattered(take(texts(said), at), used)
        return self._scattered(texts(self._looked_into(piece, columns, edge=edge)), used)

    def _looked_into(self, piece: Derived, columns: list[Texts], *, edge: bool) -> list[str]:
        known, names = dict(piece.constants), [name for name, _ in piece.names]
        seen: dict[tuple[str, ...], str] = {}
        rows = list(zip(*(column.to_pylist() for column in columns), strict=True)) if columns else [()]
        with watching():
            for row in rows:
                if row not in seen:
                    seen[row] = in_time(piece.template.render, {**known, **dict(zip(names, row, strict=True))})
                    if edge and (not seen[row] or seen[row] != seen[row].strip()):
                        raise ValueError("the text is stripped as a whole")
        return [seen[row] for row in rows]

    def _rendered(self, phrasing: Phrasing, used: Ints) -> Texts:
        wanted = [name for name in self._names if name in read_by(phrasing.source) or name in phrasing.mends]
        columns = [take(self.entries(name), used).to_pylist() for name in wanted]
        known = dict(self._constants)
        rows = zip(*columns, strict=True) if columns else iter([()] * used.size)
        with watching():
            said = [phrasing.render({**known, **dict(zip(wanted, row, strict=True))}) for row in rows]
        return self._scattered(texts(said), used)

    def _is_ragged(self, piece: Piece, used: Ints) -> bool:
        """Whether a column at the edge of a text is empty or has space around it, which is stripped with the text."""
        if not isinstance(piece, Slot):
            return False
        if piece.name not in self._ragged:
            entries = self.entries(piece.name)
            trimmed = pc.utf8_trim_whitespace(entries)
            whole = pc.and_(pc.equal(entries, trimmed), pc.not_equal(trimmed, ""))
            self._ragged[piece.name] = np.flatnonzero(~whole.to_numpy(zero_copy_only=False))
        ragged = self._ragged[piece.name]
        return bool(ragged.size) and bool(np.isin(ragged, used).any())

    def _ends_in_mark(self, name: str) -> bool:
        if name not in self._marked:
            found = name in self._columns and pc.any(pc.match_substring_regex(self.entries(name), "[.!?]$")).as_py()
            self._marked[name] = bool(found)
        return self._marked[name]

    def _scattered(self, said: Texts, used: Ints) -> Texts:
        """The texts at the places of the subjects in `used`; one text alone stands for all of them."""
        if len(said) == used.size and (used == np.arange(used.size)).all():
            return said
        at = np.zeros(int(used.max(initial=-1)) + 1, dtype=np.int64)
        at[used] = np.arange(1, used.size + 1) if len(said) == used.size else 1
        return take(concat([_NOTHING, said]), at)


def refuse_long(said: Texts | pa.ChunkedArray, phrasing_of: Callable[[int], Phrasing]) -> None:
    """Raise TemplateError that names the phrasing of the first row whose text is longer than a row may be."""
    long = np.flatnonzero(pc.binary_length(said).to_numpy() > LONGEST)
    if long.size:
        raise TemplateError(f"{phrasing_of(int(long[0])).where}: the text is longer than {LONGEST // 1024} KiB")
