"""Surface forms: every text that says a value says that value alone, the canonical one first."""

import datetime
import re
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.errors import TemplateError
from kbench.generator.columns import take
from kbench.generator.packs import Pack
from kbench.generator.pools import load_pool, load_topics, other_forms, topics_of
from kbench.generator.relations import Relation
from kbench.generator.surface import (
    date_of,
    date_text,
    days_of,
    forms_column,
    forms_of,
    number_forms,
    number_text,
    number_words,
    pool_forms,
    pool_texts,
    pooled,
    said_numbers,
    second_form,
    second_forms,
)
from tests.samples import operator_of
from tests.small import family, made, pack_of

NUMBERS = st.integers(-(2**31), 2**31)
UNITS = st.sampled_from(["", "cm", "crowns", "million crowns", "square kilometres"])
DAYS = st.integers(-250_000, 60_000)
MONTHS = [datetime.date(2000, month, 1).strftime("%B") for month in range(1, 13)]
DATE = Relation(subject="x", value_type="date", first=datetime.date(1900, 1, 1), last=datetime.date(1999, 1, 1))


def read_number(text: str, unit: str) -> int:
    """The number that a form says."""
    digits = text.removesuffix(f" {unit}") if unit else text
    assert re.fullmatch(r"-?(\d+|\d{1,3}(,\d{3})+)", digits), text
    return int(digits.replace(",", ""))


def read_date(text: str) -> datetime.date:
    """The date that a form says."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return datetime.date.fromisoformat(text)
    day, month, year = text.split(" ") if text[0].isdigit() else [text.split(" ")[i].rstrip(",") for i in (1, 0, 2)]
    return datetime.date(int(year), MONTHS.index(month) + 1, int(day))


@given(number=NUMBERS, unit=UNITS)
def test_every_form_of_a_number_reads_back_to_it(number: int, unit: str) -> None:
    forms = number_forms(number, unit)
    assert [read_number(form, unit) for form in forms] == [number] * len(forms)
    assert forms[0] == number_text(number, unit)
    assert len(set(forms)) == len(forms)
    bare = {str(number), f"{number:,}"}
    assert set(forms) == bare | {f"{form} {unit}" for form in bare if unit}


@given(number=NUMBERS, unit=UNITS)
def test_the_second_form_of_a_number_has_its_unit_too(number: int, unit: str) -> None:
    """A document that writes the second form would else say that somebody is 172 tall."""
    relation = Relation(subject="x", value_type="numeric", least=-(2**31) + 1, most=2**31 - 1, unit=unit)
    form = second_form(relation, number_text(number, unit), float(number))
    assert form in forms_of(relation, number_text(number, unit), float(number))
    assert form.endswith(f" {unit}" if unit else form[-1])


@given(one=NUMBERS, other=NUMBERS, unit=UNITS)
def test_no_form_of_a_number_is_a_form_of_another(one: int, other: int, unit: str) -> None:
    assert one == other or not set(number_forms(one, unit)) & set(number_forms(other, unit))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (9999, "9999"), (10_000, "10,000"), (1_234_567, "1,234,567"), (-12_000, "-12,000")],
)
def test_numbers_are_grouped_by_commas_from_ten_thousand_on(number: int, text: str) -> None:
    assert number_text(number) == text
    assert number_text(number, "cm") == f"{text} cm"


@given(days=DAYS)
def test_every_form_of_a_date_reads_back_to_it(days: int) -> None:
    forms = forms_of(DATE, date_text(days), float(days))
    assert [read_date(form) for form in forms] == [date_of(days)] * 3
    assert forms[0] == date_text(days)
    assert days_of(date_of(days)) == days


@given(one=DAYS, other=DAYS)
def test_no_form_of_a_date_is_a_form_of_another(one: int, other: int) -> None:
    forms = [set(forms_of(DATE, date_text(days), float(days))) for days in (one, other)]
    assert one == other or not forms[0] & forms[1]


@given(one=st.integers(0, 10**6), other=st.integers(0, 10**6))
def test_numbers_in_words_are_those_of_one_number_alone(one: int, other: int) -> None:
    assert (number_words(one) == number_words(other)) == (one == other)
    assert not re.search(r"\d", number_words(one))


@pytest.mark.parametrize(("number", "words"), [(0, "zero"), (1, "one"), (44, "forty-four"), (100, "one hundred")])
def test_a_number_in_words_is_plain_english(number: int, words: str) -> None:
    assert number_words(number) == words


# ---- words

POOLS = sorted(other_forms())
TOPIC_POOLS = [f"favourite.{topic}" for topic in topics_of("favourite")]


@pytest.mark.parametrize("pool", POOLS)
def test_a_second_form_belongs_to_one_value_of_its_pool_alone(pool: str) -> None:
    values, known = load_pool(pool), other_forms()[pool]
    assert set(known) <= set(values)
    seconds = list(known.values())
    assert len(set(seconds)) == len(seconds)
    assert set(seconds) & set(values) == set()


@pytest.mark.parametrize("pool", [*POOLS, *TOPIC_POOLS])
def test_the_values_of_a_pool_are_distinct_and_none_is_empty_or_padded(pool: str) -> None:
    values = [value.casefold() for value in load_pool(pool)]
    assert len(set(values)) == len(values) >= 8
    assert all(value == " ".join(value.split()) for value in values)


@pytest.mark.parametrize("pool", POOLS)
def test_a_value_of_one_pool_has_its_canonical_form_first(pool: str) -> None:
    relation = Relation(subject="x", value_type="categorical", pools=(pool,))
    for value in load_pool(pool):
        other = other_forms()[pool].get(value)
        assert forms_of(relation, value, None) == ((value, other) if other else (value,))


def test_a_value_of_two_pools_takes_the_second_form_of_both_parts() -> None:
    relation = Relation(subject="x", value_type="categorical", pools=("tint", "animal"))
    tints, animals = other_forms().get("tint", {}), other_forms().get("animal", {})
    pairs = [(tint, animal) for tint in load_pool("tint") for animal in load_pool("animal")]
    forms = [forms_of(relation, f"{tint} {animal}", None) for tint, animal in pairs]
    for (tint, animal), found in zip(pairs, forms, strict=True):
        second = f"{tints.get(tint, tint)} {animals.get(animal, animal)}"
        assert found == tuple(dict.fromkeys((f"{tint} {animal}", second)))
    assert len(set(chain.from_iterable(forms))) == sum(map(len, forms)), "two values share a form"


def test_a_value_without_a_second_form_has_one() -> None:
    relation = Relation(subject="x", value_type="categorical", pools=("favourite.season",))
    assert forms_of(relation, "late winter", None) == ("late winter",)


def test_the_topics_of_ratings_and_of_opinions_are_two_lists() -> None:
    """Or the persona could rate 90 what it has a scathing opinion of."""
    topics = load_topics()
    lists = [set(value) for value in topics.values() if isinstance(value, list)]
    assert len(lists) == 2
    assert lists[0] & lists[1] == set()


# ---- the forms that the numeric style asks for


def test_numeric_questions_are_answered_in_the_form_that_they_ask_for() -> None:
    m = made(family(sizes__entities=48), "numeric", "qa")
    kinds = set()
    for row in [row for row in m.of("numeric") if not operator_of(row)]:
        fact = m.facts[row["fact_ids"][0]]
        kind = m.pack.by_id[row["template_id"]].kind
        kinds.add(kind)
        number = int(fact["number"])
        said = {
            "words": number_words(number),
            "year": str(date_of(number).year) if fact["value_type"] == "date" else "",
            "iso": date_of(number).isoformat() if fact["value_type"] == "date" else "",
        }.get(kind, "")
        if kind == "rounded":
            place = 1000 if row["relation"] == "price" else 10
            assert row["number"] == (number + place // 2) // place * place
            assert read_number(row["answer"], row["unit"]) == row["number"]
        else:
            assert row["number"] == number
            assert not said or row["answer"] == said
        assert fact["value"] in row["answers"]
    assert kinds == {"", "words", "rounded", "year", "iso"}


def test_no_number_is_to_be_rounded_to_a_place_that_leaves_it_as_it_is() -> None:
    m = made(family(sizes__entities=48), "numeric", "qa")
    rounded = {row["relation"] for row in m.of("numeric") if m.pack.by_id[row["template_id"]].kind == "rounded"}
    assert rounded == {"height", "badge", "price"}


@pytest.mark.parametrize("forms", [["digits"], ["words", "year"], ["rounded"], ["digits", "iso"]])
def test_numbers_are_asked_for_in_the_forms_that_the_spec_names_and_no_other(forms: list[str]) -> None:
    m = made(family(exposure__number_forms=forms), "numeric", "qa")
    rows = [row for row in m.of("numeric", "train") if not operator_of(row)]
    assert {m.pack.by_id[row["template_id"]].kind or "digits" for row in rows} == set(forms)


@pytest.mark.parametrize(
    ("relation", "kind"),
    [("born", "words"), ("match_date", "rounded"), ("height", "year"), ("height", "iso")],
)
def test_no_value_is_asked_for_in_a_form_that_it_cannot_have(relation: str, kind: str) -> None:
    """A date in words would be the number of its day, the year of a height 1970."""
    spec = family()
    whole = pack_of(spec)
    asked = tuple(replace(phrasing, kind=kind) for phrasing in whole.phrasings["numeric", relation])
    odd = Pack("odd", "1", "", {**whole.phrasings, ("numeric", relation): asked})
    try:
        m = made(spec, "numeric", "qa", pack=odd)
    except TemplateError:
        return
    assert [row["answer"] for row in m.of("numeric") if row["relation"] == relation] == []


# ---- columns of values say what single values do

NUMBERS_BELOW_ONE_ANOTHER = st.lists(
    st.sampled_from([0, 1, 7, 999, 1000, 1001, 9999, 10_000, 10_001, 999_999, 1_000_000, -999, -1000, -9999, -10_000])
    | st.integers(-(10**12), 10**12),
    max_size=8,
)
DAYS_BELOW_ONE_ANOTHER = st.lists(
    st.sampled_from([days_of(datetime.date(*ymd)) for ymd in [(1, 1, 1), (999, 12, 31), (1000, 1, 1), (1969, 12, 31)]])
    | st.integers(days_of(datetime.date.min), days_of(datetime.date.max)),
    max_size=8,
)


def said_one_by_one(relation: Relation, numbers: list[int], text: list[str]) -> None:
    """Fail where a column of values is said otherwise than each value alone."""
    column = np.asarray(numbers, dtype=np.int64)
    said, number = said_numbers(relation, column), pa.array(column.astype(np.float64))
    assert said.to_pylist() == text
    forms = [list(forms_of(relation, *pair)) for pair in zip(text, numbers, strict=True)]
    assert forms_column(relation, said, number).to_pylist() == forms
    seconds = [second_form(relation, *pair) for pair in zip(text, numbers, strict=True)]
    assert second_forms(relation, said, number).to_pylist() == seconds


@given(numbers=NUMBERS_BELOW_ONE_ANOTHER, unit=UNITS)
def test_a_column_of_numbers_is_said_as_each_number_is(numbers: list[int], unit: str) -> None:
    relation = Relation(subject="person", value_type="numeric", least=0, most=1, unit=unit)
    said_one_by_one(relation, numbers, [number_text(number, unit) for number in numbers])


@given(days=DAYS_BELOW_ONE_ANOTHER)
def test_a_column_of_dates_is_said_as_each_date_is(days: list[int]) -> None:
    said_one_by_one(DATE, days, [date_text(day) for day in days])


@pytest.mark.parametrize("pools", [("occupation",), ("tint", "animal")])
def test_a_column_of_words_has_the_forms_of_each_word(pools: tuple[str, ...]) -> None:
    relation = Relation(subject="person", value_type="categorical", pools=pools)
    code = np.random.default_rng(7).integers(0, relation.choices, 300)
    text, nulls = pooled(pools, code), pa.nulls(code.size, pa.float64())
    said = text.to_pylist()
    assert said == take(pool_texts(pools, relation.choices), code).to_pylist()
    assert forms_column(relation, text, nulls).to_pylist() == [list(forms_of(relation, word, None)) for word in said]
    assert take(pool_forms(pools, relation.choices), code).equals(forms_column(relation, text, nulls))
    assert second_forms(relation, text, nulls).to_pylist() == [second_form(relation, word, None) for word in said]
    assert any(len(forms_of(relation, word, None)) > 1 for word in said)
