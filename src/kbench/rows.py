"""Rows as Python has them: an Arrow table that shows itself, iterates as dicts, and goes on to any data frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, overload

import pyarrow as pa

from kbench.errors import KbenchError

_AT_ONCE = 1024
"""Rows that iteration turns into dicts together: quick, and little memory."""
_SHOWN, _WIDTH = 3, 110


@dataclass(frozen=True, repr=False)
class Rows:
    """Rows of one config and split, in the order a release has them.

    `table` is the Arrow table itself. Whatever reads Arrow's C stream takes rows as they are: `polars.DataFrame(rows)`,
    `duckdb.from_arrow(rows)`, `pyarrow.table(rows)`.

    >>> import pyarrow
    >>> rows = Rows(pyarrow.table({"question": ["Who?", "Where?"], "hops": [1, 2]}), "qa/test")
    >>> rows
    qa/test: 2 rows, 2 columns
      question  string  'Who?', 'Where?'
      hops      int64   1, 2
    >>> len(rows), rows[1], rows["hops"]
    (2, {'question': 'Where?', 'hops': 2}, [1, 2])
    >>> rows[:1]
    qa/test: 1 row, 2 columns
      question  string  'Who?'
      hops      int64   1
    """

    table: pa.Table
    name: str = "rows"

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict from column to value."""
        for batch in self.table.to_batches(_AT_ONCE):
            yield from batch.to_pylist()

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> "Rows": ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> "dict[str, Any] | Rows | list[Any]":
        """A row as a dict by its place, rows by a slice, or a column's values by its name.

        Raises IndexError and KeyError as lists and dicts do.
        """
        if isinstance(key, str):
            if key not in self.table.column_names:
                raise KeyError(f"{self.name} has no column {key!r}: have {', '.join(self.table.column_names)}")
            values: list[Any] = self.table.column(key).to_pylist()
            return values
        places = range(len(self))[key]
        if isinstance(places, int):
            row: dict[str, Any] = self.table.slice(places, 1).to_pylist()[0]
            return row
        if places.step == 1:
            return Rows(self.table.slice(places.start, len(places)), self.name)
        return Rows(self.table.take(pa.array(places, pa.int64())), self.name)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The table as an Arrow C stream (the Arrow PyCapsule interface)."""
        return self.table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """How many rows, each column's name and type, and its values in the first rows."""
        lines = [f"{self.name}: {_counted(len(self), 'row')}, {_counted(self.table.num_columns, 'column')}"]
        fields = [(field.name, _type_name(field.type)) for field in self.table.schema]
        wide = [max((len(pair[k]) for pair in fields), default=0) for k in (0, 1)]
        first = self.table.slice(0, _SHOWN)
        for name, kind in fields:
            values = ", ".join(_short(value) for value in first.column(name).to_pylist())
            lines.append(_cut(f"  {name:<{wide[0]}}  {kind:<{wide[1]}}  {values}".rstrip(), _WIDTH))
        return "\n".join(lines)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`; lists become numpy arrays. Raises KbenchError where pandas is not installed."""
        _need("pandas")
        return self.table.to_pandas()

    def to_polars(self) -> Any:
        """A `polars.DataFrame`. Raises KbenchError where polars is not installed."""
        _need("polars")
        import polars

        return polars.DataFrame(self)

    def to_dataset(self) -> Any:
        """A `datasets.Dataset` in memory, of the same columns. Raises KbenchError where datasets is not installed."""
        _need("datasets")
        import datasets

        return datasets.Dataset(datasets.table.InMemoryTable(self.table))


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise KbenchError(f"this needs {package}, which is not installed: pip install {package}")


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _type_name(kind: pa.DataType) -> str:
    """Arrow's name of a type, shorter for lists: `list<string>`, `list<role, content>`."""
    if pa.types.is_list(kind):
        inner = kind.value_type
        held = ", ".join(field.name for field in inner) if pa.types.is_struct(inner) else str(inner)
        return f"list<{held}>"
    return str(kind)


def _short(value: object) -> str:
    return _cut(repr(value), 40)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
