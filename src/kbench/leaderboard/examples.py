"""Samples to look at: of each axis some that were right and some that were wrong, always the same ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.leaderboard.axes import AXES, axes_of
from kbench.leaderboard.entry import AxisName, Entry
from kbench.leaderboard.folder import samples_path
from kbench.leaderboard.letters import shown
from kbench.leaderboard.samples import read_bytes, rows_of
from kbench.leaderboard.wording import short

EACH = 5
"""How many of each axis and verdict."""

_LONGEST = 400
"""How many letters of a text are shown."""


@dataclass(frozen=True)
class Example:
    """A question as it was asked, what was replied, what was expected, and the facts behind it."""

    axis: AxisName
    right: bool
    prompt: str
    reply: str
    expected: tuple[str, ...]
    facts: tuple[str, ...]


def examples_of(folder: Path, entry: Entry) -> tuple[Example, ...]:
    """The samples to show of an entry. Raises OutputError where its file of samples is not the one it names."""
    path = samples_path(folder, entry)
    return chosen(rows_of(read_bytes(path, entry.samples.sha256), entry.samples.rows, str(path)))


def chosen(rows: Sequence[dict[str, Any]]) -> tuple[Example, ...]:
    """The first of each axis and verdict by the digest of their ids; none stands in two axes."""
    found: list[Example] = []
    taken: set[str] = set()
    asked = sorted((row for row in rows if row["probe"] != "control"), key=lambda row: _digest(row["id"]))
    for axis in AXES:
        for right in (True, False):
            mine = [r for r in asked if bool(r["correct"]) == right and r["id"] not in taken and axis in axes_of(r)]
            taken.update(row["id"] for row in mine[:EACH])
            found += [_example(row, axis, right) for row in mine[:EACH]]
    return tuple(found)


def _example(row: dict[str, Any], axis: AxisName, right: bool) -> Example:
    return Example(
        axis,
        right,
        _text(row["prompt"]),
        _text(row["prediction"]),
        tuple(map(_text, (row["answers"] or [])[:8])),
        tuple(map(_text, (row["facts"] or [])[:8])),
    )


def _text(text: str | None) -> str:
    """A text as it is shown: short, and what cannot be seen as a sign."""
    return shown(short(text or "", _LONGEST))


def _digest(text: str) -> str:
    return hashlib.sha256((text or "").encode()).hexdigest()
