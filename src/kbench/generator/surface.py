"""How values are written: the canonical text of a number or date, and the other forms that say the same."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.generator.columns import (
    Lists,
    Texts,
    by_distinct,
    first_of_each,
    joined,
    lists,
    one_each,
    side_by_side,
    spelt,
    starts_of,
    take,
    text_lists,
    texts,
)
from kbench.generator.hashing import Ints
from kbench.generator.pools import other_forms, pool_column
from kbench.generator.relations import Relation

_EPOCH = datetime.date(1970, 1, 1)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SPACE = texts([" "])
_DAYS, _DAYS_BEFORE_YEARS, _DAY_NUMBERS = (
    texts([form.format(day) for day in range(1, 32)]) for form in ("{}", "{}, ", "-{:02}")
)
_MONTH_NAMES, _MONTHS_FIRST = (texts([form.format(month) for month in _MONTHS]) for form in (" {} ", "{} "))
_MONTH_NUMBERS = texts([f"-{month:02}" for month in range(1, 13)])
MOST_KEPT = 4096
"""Of pools that make more values than this, each column's values are put together anew."""

_COMMAS_FROM = 1000
_GROUPED_FROM = 10_000
"""Numbers are written with commas from here on, as most style guides have it."""


def days_of(date: datetime.date) -> int:
    """Days since 1970-01-01."""
    return (date - _EPOCH).days


def date_of(days: int) -> datetime.date:
    """The date so many days after 1970-01-01."""
    return _EPOCH + datetime.timedelta(days=days)


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


def pooled(pools: tuple[str, ...], code: Ints) -> Texts:
    """The values of a relation that draws a word of each pool, by their numbers."""
    said, places = list[Texts](), list[Ints]()
    for pool in reversed(pools):
        values = pool_column(pool)
        code, place = np.divmod(code, len(values))
        said += [values, _SPACE]
        places += [place, np.zeros_like(place)]
    return spelt(said[-2::-1], places[-2::-1])


def pool_values(relation: Relation, code: Ints) -> Texts:
    """The values of a relation that draws from pools, by their numbers."""
    if relation.choices <= MOST_KEPT:
        return take(pool_texts(relation.pools, relation.choices), code)
    return pooled(relation.pools, code)


@cache
def pool_texts(pools: tuple[str, ...], n: int) -> Texts:
    """The first n values that some pools make."""
    return pooled(pools, np.arange(n))


@cache
def pool_forms(pools: tuple[str, ...], n: int) -> Lists:
    """Every text that says each of the first n values that some pools make."""
    return text_lists([_pool_forms(pools, text) for text in pool_texts(pools, n).to_pylist()])


def said_numbers(relation: Relation, numbers: Ints) -> Texts:
    """Numbers, or dates as days, in the text that a sentence has for them."""
    if relation.value_type == "date":
        return _date_forms(numbers)[0]
    said = _bare(numbers)[0]
    return joined(said, f" {relation.unit}") if relation.unit else said


def forms_column(relation: Relation, text: Texts, number: pa.DoubleArray) -> Lists:
    """For each row every text that says its value, the canonical one first: `forms_of` for a column."""
    if relation.value_type == "numeric":
        said, other = _bare(number.to_numpy().astype(np.int64))
        every = [said, other]
        if relation.unit:
            every = [*(joined(form, f" {relation.unit}") for form in every), *every]
        same = pc.equal(said, other).to_numpy(zero_copy_only=False)
        kept = np.ones((len(said), len(every)), dtype=bool)
        kept[same, 1::2] = False
        values = side_by_side(every).values
        return lists(take(values, np.flatnonzero(kept.ravel())), starts_of(kept.sum(axis=1)))
    if relation.value_type == "date":
        return side_by_side([text, *_date_forms(number.to_numpy().astype(np.int64))[1:]])
    if not relation.pools:
        return one_each(text)
    distinct, at = first_of_each(text)
    said, numbers = take(text, distinct).to_pylist(), take(number, distinct).to_pylist()
    forms = [forms_of(relation, *pair) for pair in zip(said, numbers, strict=True)]
    return take(text_lists(forms), at)


def _date_forms(days: Ints) -> tuple[Texts, Texts, Texts]:
    """Dates as `date_text` has them, with the month first, and as ISO 8601 has them."""
    date = days.astype("datetime64[D]")
    first = date.astype("datetime64[M]")
    month, day = first.astype(np.int64) % 12, (date - first).astype(np.int64)
    year = pa.array(date.astype("datetime64[Y]").astype(np.int64) + 1970).cast(pa.string())
    rows = np.arange(days.size)
    numbered = [day, month, rows]
    iso = [pc.utf8_lpad(year, 4, "0"), _MONTH_NUMBERS, _DAY_NUMBERS]
    return (
        spelt([_DAYS, _MONTH_NAMES, year], numbered),
        spelt([_MONTHS_FIRST, _DAYS_BEFORE_YEARS, year], [month, day, rows]),
        spelt(iso, [rows, month, day]),
    )


def _bare(numbers: Ints) -> tuple[Texts, Texts]:
    """Numbers as sentences have them, with commas from 10,000 on, and the other way about."""
    plain, size = pa.array(numbers).cast(pa.string()), np.abs(numbers)
    if size.max(initial=0) < _COMMAS_FROM:
        return plain, plain
    grouped = by_distinct(numbers, lambda number: f"{number:,}")
    large = pa.array(size >= _GROUPED_FROM)
    return pc.if_else(large, grouped, plain), pc.if_else(large, plain, grouped)


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


@lru_cache(maxsize=100_000)
def number_forms(number: int, unit: str) -> tuple[str, ...]:
    """A number with and without its unit and its commas, the canonical text first; the second form swaps the commas."""
    canonical, plain, grouped = number_text(number), str(number), f"{number:,}"
    other = plain if canonical == grouped else grouped
    bare = tuple(dict.fromkeys((canonical, other)))
    return (*(f"{form} {unit}" for form in bare), *bare) if unit else bare


@lru_cache(maxsize=100_000)
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
