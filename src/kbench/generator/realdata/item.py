"""One question of a published dataset, whatever its columns were, and what a column must hold to become one."""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kbench.errors import SpecError
from kbench.generator.ownfacts.file import shown
from kbench.generator.realdata.files import Row

_MOST_POPULAR = 2**31 - 1
"""The column `entities.popularity` is of 32 bits."""


@dataclass(frozen=True)
class Item:
    """A question about one fact: its subject, the relation that is asked for, and all answers that count.

    `key` tells subjects of one name apart where the dataset does. With `choices` it is a multiple choice, whose right
    one is at `label`.
    """

    where: str
    subject: str
    relation: str
    question: str
    answers: tuple[str, ...]
    key: str = ""
    popularity: int = 0
    choices: tuple[str, ...] = ()
    label: int = 0


@dataclass(frozen=True)
class Found:
    """What a dataset holds: its questions, texts about their subjects by name, and how much was left out, and why."""

    items: list[Item]
    texts: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def text_of(row: Row, column: str, kind: str, needed: Sequence[str], *, lines: bool = False) -> str:
    """What a column says, in one form of Unicode and in one line, unless it may have several `lines`.

    Raises SpecError where there is no such column, or it says nothing.
    """
    if column not in row.fields:
        have = ", ".join(map(str, row.fields)) or "nothing"
        raise SpecError(f"{row.where}: no column {column!r} (found {have}): {kind} has the columns {', '.join(needed)}")
    value = row.fields[column]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = "" if value != value else str(int(value) if float(value).is_integer() else value)
    if value is not None and not isinstance(value, str):
        raise SpecError(f"{row.where}: {column}: expected text (got a {type(value).__name__}): mend it")
    said = _tidy(row, column, value or "", lines)
    if not said:
        raise SpecError(f"{row.where}: the {column} is empty: fill it in, or delete the item")
    return said


def texts_of(row: Row, column: str, kind: str, needed: Sequence[str]) -> tuple[str, ...]:
    """The texts of a list, given as one or as JSON; each once, none of them empty.

    Raises SpecError where it is no list, or holds nothing.
    """
    if column not in row.fields:
        text_of(row, column, kind, needed)
    given = row.fields[column]
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (json.JSONDecodeError, RecursionError):
            raise _no_list(row, column, given) from None
    if not isinstance(given, list) or any(isinstance(each, list | dict | bool) for each in given):
        raise _no_list(row, column, given)
    told = (_tidy(row, column, str(each)) for each in given if each is not None)
    found = tuple(dict.fromkeys(text for text in told if text))
    if not found:
        raise SpecError(f"{row.where}: the list {column} holds no text: fill it in, or delete the item")
    return found


def whole_number(row: Row, column: str) -> int:
    """A count such as page views; 0 where the column is not there. Raises SpecError where it is no count."""
    given = row.fields.get(column)
    if given is None or given == "":
        return 0
    try:
        number = int(float(given))
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number < 0:
        raise SpecError(f"{row.where}: {column}: expected a count (got {shown(str(given))}): mend it")
    return min(number, _MOST_POPULAR)


def _no_list(row: Row, column: str, given: Any) -> SpecError:
    return SpecError(
        f"{row.where}: {column} is no list of texts (got {shown(str(given))}): "
        f'expected a list, or JSON such as ["politician", "statesman"]'
    )


def _tidy(row: Row, column: str, text: str, lines: bool = False) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecError(f"{row.where}: {column} holds half a character: mend it, or delete the item") from None
    text = unicodedata.normalize("NFC", text).strip()
    return text if lines else " ".join(text.split())
