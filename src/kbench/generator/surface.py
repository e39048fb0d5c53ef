"""How values are written: the canonical text of a number or date, and the other forms that say the same."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from kbench.generator.columns import Lists, Texts, by_distinct, first_of_each, one_each, take, text_lists, texts
from kbench.generator.hashing import Ints
from kbench.generator.pools import other_forms
from kbench.generator.relations import Relation

_EPOCH = datetime.date(1970, 1, 1)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_GROUPED_FROM = 10_000
"""Numbers are written with commas from here on, as most style guides have it."""


def days_of(date: datetime.date) -> int:
    """Days since 1970-01-01."""
    return (date - _EPOCH).days


def date_of(days: int) -> datetime.date:
    """The date so many days after 1970-01-01."""
    return _EPOCH + datetime.timedelta(days=days)


@lru_cache(maxsize=200_000)
def date_text(days: int) -> str:
    """A date as sentences have it: `3 May 1968`."""
    date = date_of(days)
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def number_text(number: int, unit: str = "") -> str:
    """A number as sentences have it, its unit after it: `172 cm`, `45,000 crowns`."""
    digits = f"{number:,}" if abs(number) >= _GROUPED_FROM else str(number)
    return f"{digits} {unit}" if unit else digits


def decimal_text(number: float) -> str:
    """A number with all its decimals and no exponent: `12.5`."""
    return format(Decimal(repr(number)), "f")


@cache
def _speller() -> Any:
    from inflect import engine

    return engine()


def number_words(number: int) -> str:
    """A number in English words."""
    return str(_speller().number_to_words(number))


def forms_of(relation: Relation, text: str, number: float | None) -> tuple[str, ...]:
    """Every text that says a value, the canonical one first and, where there is one, the second form after it."""
    if number is None:
        return _pool_forms(relation.pools, text)
    if relation.value_type == "date":
        date = date_of(int(number))
        return (text, f"{_MONTHS[date.month - 1]} {date.day}, {date.year}", date.isoformat())
    return number_forms(int(number), relation.unit)


def said_numbers(relation: Relation, numbers: Ints) -> Texts:
    """Numbers, or dates as days, in the text that a sentence has for them."""
    if relation.value_type == "date":
        return by_distinct(numbers, date_text)
    return by_distinct(numbers, lambda number: number_text(number, relation.unit))


def forms_column(relation: Relation, text: Texts, number: pa.DoubleArray) -> Lists:
    """For each row every text that says its value, the canonical one first."""
    if not relation.pools and relation.value_type not in ("numeric", "date"):
        return one_each(text)
    distinct, at = first_of_each(text)
    said, numbers = take(text, distinct).to_pylist(), take(number, distinct).to_pylist()
    forms = [forms_of(relation, *pair) for pair in zip(said, numbers, strict=True)]
    return take(text_lists(forms), at)


def second_forms(relation: Relation, text: Texts, number: pa.DoubleArray) -> Texts:
    """The other way to write each value in a sentence."""
    distinct, at = first_of_each(text)
    said, numbers = take(text, distinct).to_pylist(), take(number, distinct).to_pylist()
    return take(texts([second_form(relation, *pair) for pair in zip(said, numbers, strict=True)]), at)


def second_form(relation: Relation, text: str, number: float | None) -> str:
    """The other way to write a value in a sentence; the canonical one where there is none."""
    forms = forms_of(relation, text, number)
    if number is not None and relation.value_type != "date":
        forms = tuple(form for form in forms if form.endswith(relation.unit))
    return forms[min(1, len(forms) - 1)]


def number_forms(number: int, unit: str) -> tuple[str, ...]:
    """A number with and without its unit and its commas, the canonical text first; the second form swaps the commas."""
    canonical, plain, grouped = number_text(number), str(number), f"{number:,}"
    other = plain if canonical == grouped else grouped
    bare = tuple(dict.fromkeys((canonical, other)))
    return (*(f"{form} {unit}" for form in bare), *bare) if unit else bare


def _pool_forms(pools: Sequence[str], text: str) -> tuple[str, ...]:
    known = other_forms()
    if len(pools) == 1:
        other = known.get(pools[0], {}).get(text, text)
    else:
        words = text.split(" ")
        if len(words) != len(pools):
            return (text,)
        other = " ".join(known.get(pool, {}).get(word, word) for pool, word in zip(pools, words, strict=True))
    return (text,) if other == text else (text, other)
