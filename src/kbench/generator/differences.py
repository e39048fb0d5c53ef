"""Where two tables, texts or JSON values differ, each told in one short line."""

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pyarrow as pa

_LONGEST = 48
_BEFORE = 12
"""Of two long values that differ, so many characters before the difference are shown."""
_SHOWN = 3


def table_difference(expected: pa.Table, found: pa.Table) -> str:
    """The first difference of two tables of the same columns, the first of which is an id; rows count from 1."""
    ours, theirs = expected.column(0).to_pylist(), found.column(0).to_pylist()
    lost, added = _not_among(ours, theirs), _not_among(theirs, ours)
    if lost or added:
        parts = [f"lacks {_rows(lost, ours)}"] if lost else []
        parts += [f"has {_rows(added, theirs, ' too many')}"] if added else []
        return "; ".join([*parts, *_rest_differs(expected, found, lost, added)])
    if ours != theirs:
        place = next(k for k, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
        return f"has its rows in another order: row {place + 1:,} should be {ours[place]}, and is {theirs[place]}"
    return _cells_differ(expected, found)


def schema_difference(expected: pa.Schema, found: pa.Schema) -> str:
    """The first difference in the names and types of columns."""
    if expected.names == found.names:
        for ours, theirs in zip(expected, found, strict=True):
            if ours.type != theirs.type:
                return f"column {ours.name}: expected {ours.type}, found {theirs.type}"
        return ""
    lost = [name for name in expected.names if name not in found.names]
    added = [name for name in found.names if name not in expected.names]
    if lost or added:
        parts = [f"lacks the column {lost[0]}"] if lost else []
        parts += [f"has the column {shown(added[0])} too many"] if added else []
        return "; ".join(parts)
    return f"has its columns otherwise: expected {shown(expected.names)}, found {shown(found.names)}"


def _not_among(ids: list[Any], others: list[Any]) -> list[int]:
    """The places of the ids that the others do not hold, or hold less often."""
    left, places = Counter(others), []
    for place, name in enumerate(ids):
        left[name] -= 1
        if left[name] < 0:
            places.append(place)
    return places


def _rows(places: list[int], ids: list[Any], how: str = "") -> str:
    named = ", ".join(f"{place + 1:,} ({ids[place]})" for place in places[:_SHOWN])
    if len(places) == 1:
        return f"row {named}{how}"
    more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
    return f"{len(places):,} rows{how}: {named}{more}"


def _rest_differs(expected: pa.Table, found: pa.Table, lost: list[int], added: list[int]) -> Iterator[str]:
    ours, theirs = _without(expected, lost), _without(found, added)
    if ours.column(0).to_pylist() != theirs.column(0).to_pylist():
        yield "the other rows are in another order"
    elif not ours.equals(theirs):
        yield f"of the other rows, {_cells_differ(ours, theirs)}"


def _without(table: pa.Table, places: list[int]) -> pa.Table:
    gone = set(places)
    return table.filter(pa.array([k not in gone for k in range(table.num_rows)], type=pa.bool_()))


def _cells_differ(expected: pa.Table, found: pa.Table) -> str:
    """The first cell that differs in two tables of the same ids."""
    low, high = 0, expected.num_rows
    while low < high:  # the longest run of rows from the first on that are the same
        middle = (low + high + 1) // 2
        same = expected.slice(low, middle - low).equals(found.slice(low, middle - low))
        low, high = (middle, high) if same else (low, middle - 1)
    if low == expected.num_rows:
        return "no row differs"
    ours, theirs = expected.slice(low, 1).to_pylist()[0], found.slice(low, 1).to_pylist()[0]
    column = next((name for name in ours if ours[name] != theirs[name]), expected.schema.names[-1])
    (name,) = expected.column(0).slice(low, 1).to_pylist()
    return f"row {low + 1:,} ({name}), {column}: {both_shown(ours[column], theirs[column])}"


def text_difference(expected: str, found: bytes) -> str:
    """The first line in which a file differs from the text that it should hold."""
    try:
        lines = found.decode("utf-8").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start:,}"
    for number, (ours, theirs) in enumerate(zip_longest(expected.splitlines(keepends=True), lines), 1):
        if ours is None:
            return f"goes on after its last line with {shown(theirs)} (line {number:,})"
        if theirs is None:
            return f"ends before line {number:,}: expected {shown(ours)}"
        if ours != theirs:
            return f"line {number:,}: {both_shown(ours, theirs)}"
    return "no line differs"


def value_differences(expected: Any, found: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each key path at which a JSON value differs, and how; the members of `files` go by their paths."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key in found:
                yield from value_differences(value, found[key], _below(path, key))
            else:
                yield _below(path, key), f"is missing: expected {shown(value)}"
        for key in (key for key in found if key not in expected):
            yield _below(path, key), f"should not be there (found {shown(found[key])})"
    elif path == "files" and isinstance(found, list):
        yield from _files_differ(expected, found)
    elif type(expected) is not type(found) or expected != found:
        yield path, both_shown(expected, found)


def _files_differ(expected: list[dict[str, Any]], found: list[Any]) -> Iterator[tuple[str, str]]:
    named = [str(entry.get("path")) if isinstance(entry, dict) else "" for entry in found]
    ours = {entry["path"]: entry for entry in expected}
    for path, entry in ours.items():
        if path in named:
            yield from value_differences(entry, found[named.index(path)], f"files[{path}]")
        else:
            yield f"files[{path}]", "is missing"
    for place, path in enumerate(named):
        if path not in ours or path in named[:place]:
            yield f"files[{path or place}]", "should not be there"
    if named != list(ours) and sorted(named) == sorted(ours):
        yield "files", "are in another order"


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def both_shown(expected: Any, found: Any) -> str:
    """Two values that differ: shortened, and of long texts the place where they begin to differ."""
    if isinstance(expected, str) and isinstance(found, str) and max(len(expected), len(found)) > _LONGEST:
        place = next((k for k, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), None)
        start = max(0, (min(len(expected), len(found)) if place is None else place) - _BEFORE)
        return f"expected {shown(expected, start)}, found {shown(found, start)}"
    return f"expected {shown(expected)}, found {shown(found)}"


def shown(value: Any, start: int = 0) -> str:
    """A value in at most some fifty characters."""
    if isinstance(value, str):
        cut = value[start : start + _LONGEST]
        return repr(f"{'…' if start else ''}{cut}{'…' if start + _LONGEST < len(value) else ''}")
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
