"""A section's rows as columns: who is written in which phrasing is collected, put in order, and printed at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.generator.columns import Ints, Lists, Press, Texts, few, same, take
from kbench.generator.packs import Phrasing
from kbench.generator.setting import Column, Setting, refuse_long
from kbench.schema import schema_of

_ID = "\0id"


@dataclass(frozen=True)
class _Wording:
    """A phrasing as one relation or path is written in it."""

    phrasing: Phrasing
    plan: int
    id_plan: int
    said: Mapping[str, str]
    """What the columns of few distinct values say of its rows."""


class Sheet:
    """The rows of one style and section; `text` names the column that phrasings print."""

    def __init__(self, style: str, text: str) -> None:
        self._style, self._text = style, text
        self._press = Press()
        self._entries: dict[str, list[pa.Array]] = {}
        self._subjects = 0
        self._wordings: list[_Wording] = []
        self._rows: list[tuple[Ints, ...]] = []

    def lay_in(
        self,
        ids: Texts,
        facts: Lists,
        variables: Mapping[str, Column],
        constants: Mapping[str, str],
        entries: Mapping[str, pa.Array] | None = None,
    ) -> Setting:
        """Take in a column of subjects: ids, facts, the templates' variables, and other columns as they are."""
        setting = Setting(self._press, {**variables, _ID: ids}, constants, shift=self._subjects)
        for name, column in {"entity_id": ids, "fact_ids": facts, **(entries or {})}.items():
            self._entries.setdefault(name, []).append(column)
        self._subjects += len(ids)
        return setting

    def word(
        self, phrasing: Phrasing, setting: Setting, pieces: Sequence[str | int], ending: str, said: Mapping[str, str]
    ) -> int:
        """Take in a phrasing: what the press prints of it, how its rows' ids end, and what its rows' columns say."""
        plan = self._press.plan(pieces, setting.shift)
        id_plan = self._press.plan([setting.handle(_ID), ending], setting.shift)
        self._wordings.append(_Wording(phrasing, plan, id_plan, said))
        return len(self._wordings) - 1

    def add(self, keys: Sequence[Ints], wording: Ints, subject: Ints, repeat: Ints) -> None:
        """Take in rows: the keys they are sorted by, their phrasing as taken in, and the position of their subject."""
        self._rows.append((*keys, wording, subject, repeat))

    def columns(self) -> dict[str, pa.Array] | None:
        """The columns of all rows, sorted by their keys; None where there is no row."""
        if not any(rows[0].size for rows in self._rows):
            return None
        *keys, wording, subject, repeat = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        order = in_order(keys)
        wording, subject, repeat = wording[order], subject[order], repeat[order]
        words = self._wordings
        said = {name: [w.said[name] for w in words] for name in words[0].said}
        text = self._press.print_in_runs(np.asarray([w.plan for w in words])[wording], subject)
        refuse_long(text, lambda row: words[int(wording[row])].phrasing)
        return {
            self._text: text,
            "id": self._press.print_in_runs(np.asarray([w.id_plan for w in words])[wording], subject),
            "style": same(self._style, order.size),
            "repeat": pa.array(repeat, pa.int32()),
            **{name: take(pa.concat_arrays(parts), subject) for name, parts in self._entries.items()},
            **{name: few(values, wording) for name, values in said.items()},
        }

    def question_table(self) -> pa.Table:
        """The rows of a question style."""
        columns = self.columns()
        if columns is not None:
            columns["answer"] = pc.list_element(columns["answers"], 0)
            columns["hops"] = columns["fact_ids"].value_lengths().cast(pa.int8())
        return tabled(columns, self._style)

    def document_table(self) -> pa.Table:
        """The rows of a document style."""
        return tabled(self.columns(), self._style)


def tabled(columns: Mapping[str, pa.Array] | None, style: str) -> pa.Table:
    """The columns under the schema of a style; no rows where there are none."""
    schema = schema_of(style)
    return (
        schema.empty_table() if columns is None else pa.table([columns[name] for name in schema.names], schema=schema)
    )


def in_order(keys: Sequence[Ints]) -> Ints:
    """The order that sorts by some columns, most significant first; ties keep the order they are in."""
    key, room = np.zeros_like(keys[0]), 1
    for column in keys:
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        room *= high - low + 1
        key = key * (high - low + 1) + (column - low)
    return np.argsort(key, kind="stable") if room < 2**62 else np.lexsort(list(keys)[::-1])
