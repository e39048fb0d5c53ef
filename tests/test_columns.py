"""Columns of text: what Arrow prints of pieces, against the same said in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.generator import columns
from kbench.generator.columns import (
    Ints,
    Lists,
    Press,
    by_distinct,
    concat,
    few,
    first_of_each,
    joined,
    looked_up,
    no_lists,
    one_each,
    runs,
    same,
    side_by_side,
    spelt,
    starts_of,
    take,
    text_lists,
    texts,
)

TEXT = st.text(max_size=4)
POOL = st.lists(TEXT, min_size=1, max_size=5)
PLACES = st.lists(st.integers(0, 10_000), max_size=12)


def ints(values: list[int]) -> Ints:
    """A column of numbers."""
    return np.asarray(values, dtype=np.int64)


def within(places: list[int], n: int) -> list[int]:
    """The places, each within the first n."""
    return [place % n for place in places]


# ---- the press


@dataclass(frozen=True)
class Printable:
    """A press with plans set in it, and what each plan prints for each of its subjects."""

    press: Press
    said: list[dict[int, str]]
    """By plan and subject."""


@st.composite
def printables(draw: st.DrawFn) -> Printable:
    """Plans of texts and columns about several runs of subjects, laid into one press."""
    press, said, shift = Press(), list[dict[int, str]](), 0
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 4))
        pools = draw(st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=3))
        handles = [press.column(texts(pool)) for pool in pools]
        for pieces in draw(st.lists(st.lists(TEXT | st.sampled_from(range(len(pools))), max_size=4), max_size=3)):
            set_in = [piece if isinstance(piece, str) else handles[piece] for piece in pieces]
            assert press.plan(set_in, shift) == len(said)
            rows = [
                "".join(piece if isinstance(piece, str) else pools[piece][row] for piece in pieces) for row in range(n)
            ]
            said.append({shift + row: text for row, text in enumerate(rows)})
        shift += n
    return Printable(press, said or [{}])


@pytest.fixture(params=[4, 16_384])
def run_length(request: pytest.FixtureRequest) -> Iterator[int]:
    """A press that prints so many parts at a time: with four, a few rows are many runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_RUN", request.param)
        yield request.param


def rows_of(printable: Printable, data: st.DataObject, most: int) -> tuple[list[int], list[int], list[str]]:
    """Random rows: their plans, their subjects, and what they say."""
    known = [(plan, who, text) for plan, rows in enumerate(printable.said) for who, text in rows.items()]
    chosen = data.draw(st.lists(st.sampled_from(known), max_size=most) if known else st.just([]))
    return [plan for plan, _, _ in chosen], [who for _, who, _ in chosen], [text for _, _, text in chosen]


@pytest.mark.usefixtures("run_length")
@given(printable=printables(), data=st.data())
def test_a_press_prints_for_each_row_the_pieces_of_its_plan_one_after_another(
    printable: Printable, data: st.DataObject
) -> None:
    plans, who, said = rows_of(printable, data, 30)
    assert printable.press.print(ints(plans), ints(who)).to_pylist() == said
    in_runs = printable.press.print_in_runs(ints(plans), ints(who))
    assert in_runs.type == pa.string()
    assert in_runs.to_pylist() == said


@pytest.mark.usefixtures("run_length")
@given(printable=printables(), data=st.data())
def test_a_row_of_several_plans_is_their_texts_one_after_another(printable: Printable, data: st.DataObject) -> None:
    plans, who, said = rows_of(printable, data, 30)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(plans)), max_size=12)))
    rows = [0, *cuts, len(plans)] if plans or cuts else [0]
    expected = ["".join(said[first:last]) for first, last in pairwise(rows)]
    assert printable.press.print(ints(plans), ints(who), ints(rows)).to_pylist() == expected
    assert printable.press.print_in_runs(ints(plans), ints(who), ints(rows)).to_pylist() == expected


def test_more_rows_than_a_run_are_printed_in_chunks_and_joined_in_order() -> None:
    n = 2 * 16_384 + 5
    press = Press()
    number = press.column(pa.array(np.arange(n)).cast(pa.string()))
    plan = np.full(n, press.plan(["é", number, "."]))
    expected = [f"é{k}." for k in range(n)]
    chunks = press.print_in_runs(plan, np.arange(n))
    assert chunks.num_chunks == 3
    assert chunks.to_pylist() == expected
    assert press.print(plan, np.arange(n)).to_pylist() == expected
    pairs = np.append(np.arange(0, n, 2), n)  # the last row has one part, the others two
    assert press.print(plan, np.arange(n), pairs).to_pylist() == ["".join(expected[k : k + 2]) for k in range(0, n, 2)]


def test_a_row_of_more_parts_than_a_run_stays_whole() -> None:
    n = 16_384 * 2
    press = Press()
    plan = np.full(n, press.plan(["x"]))
    assert press.print(plan, np.zeros(n, dtype=np.int64), ints([0, 1, n - 1, n - 1, n])).to_pylist() == [
        "x",
        "x" * (n - 2),
        "",
        "x",
    ]


def test_a_press_that_has_printed_takes_in_more() -> None:
    press = Press()
    first = press.plan(["one"])
    assert press.print(ints([first]), ints([0])).to_pylist() == ["one"]
    names = press.column(texts(["a", "b"]))
    second = press.plan(["two ", names])
    assert press.print(ints([first, second, second]), ints([0, 1, 0])).to_pylist() == ["one", "two b", "two a"]


def test_a_column_that_is_laid_in_twice_stands_there_once() -> None:
    press, names = Press(), texts(["a", "b"])
    assert press.column(names) == press.column(names)
    assert press.column(texts(["a", "b"])) != press.column(names)


# ---- columns


@given(pool=POOL, places=PLACES, cut=st.integers(0, 2))
def test_take_gives_the_entries_at_the_places(pool: list[str], places: list[int], cut: int) -> None:
    column = texts(["", "cut away", *pool])[cut:]  # a slice does not begin at the start of its memory
    values = column.to_pylist()
    places = within(places, len(values))
    assert take(column, ints(places)).to_pylist() == [values[place] for place in places]


@given(
    pool=st.lists(st.lists(TEXT, max_size=3), min_size=1, max_size=5)
    | st.integers(0, 3).flatmap(lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=5)),
    places=PLACES,
    cut=st.integers(0, 1),
)
def test_take_gives_whole_lists_of_one_length_or_of_several(pool: list[list[str]], places: list[int], cut: int) -> None:
    column = text_lists([["cut", "away"], *pool])[1 - cut :]
    values = column.to_pylist()
    places = within(places, len(values))
    taken = take(column, ints(places))
    assert taken.to_pylist() == [values[place] for place in places]
    assert taken.type == column.type


def test_nothing_can_be_taken_of_nothing() -> None:
    for column in (texts([]), text_lists([]), no_lists(0)):
        assert take(column, ints([])).to_pylist() == []


@given(first=st.lists(st.integers(-5, 5), max_size=6), data=st.data())
def test_runs_are_laid_end_to_end(first: list[int], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 4), min_size=len(first), max_size=len(first)))
    numbers, starts = runs(ints(first), ints(counts))
    pairs = list(zip(first, counts, strict=True))
    assert numbers.tolist() == [start + k for start, count in pairs for k in range(count)]
    assert starts.tolist() == starts_of(ints(counts)).tolist() == [sum(counts[:k]) for k in range(len(counts) + 1)]


@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=6), width=st.integers(1, 3))
def test_columns_side_by_side_are_a_list_a_row(rows: list[tuple[str, str, str]], width: int) -> None:
    beside = side_by_side([texts([row[k] for row in rows]) for k in range(width)])
    assert beside.to_pylist() == [list(row[:width]) for row in rows]
    assert beside.type == no_lists(0).type


@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=6), between=TEXT)
def test_joined_parts_stand_one_after_another(rows: list[tuple[str, str]], between: str) -> None:
    left, right = (texts([row[k] for row in rows]) for k in range(2))
    assert joined(between, left, between, right).to_pylist() == [f"{between}{a}{between}{b}" for a, b in rows]
    assert joined(left, right).to_pylist() == [f"{a}{b}" for a, b in rows]


@given(pools=st.lists(POOL, min_size=1, max_size=4), rows=st.lists(PLACES.filter(lambda r: len(r) >= 4), max_size=5))
def test_spelt_takes_of_each_pool_the_entry_at_its_place(pools: list[list[str]], rows: list[list[int]]) -> None:
    places = [ints([row[k] % len(pool) for row in rows]) for k, pool in enumerate(pools)]
    said = ["".join(pool[int(place[i])] for pool, place in zip(pools, places, strict=True)) for i in range(len(rows))]
    assert spelt([texts(pool) for pool in pools], places).to_pylist() == said


@given(codes=st.lists(st.integers(0, 9), max_size=20))
def test_what_is_looked_up_is_made_once_for_each_code_that_occurs(codes: list[int]) -> None:
    made = list[int]()

    def make(code: int) -> int:
        made.append(code)
        return 7 * code - 3

    assert looked_up(ints(codes), make).tolist() == [7 * code - 3 for code in codes]
    assert made == sorted(set(codes))


@given(keys=st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 2), max_size=12))
def test_what_is_said_of_a_key_is_asked_once_for_each_distinct_one(keys: list[int]) -> None:
    asked = list[int]()

    def say(key: int) -> str:
        asked.append(key)
        return f"<{key}>"

    assert by_distinct(ints(keys), say).to_pylist() == [f"<{key}>" for key in keys]
    assert asked == sorted(set(keys))


@given(column=st.lists(TEXT | st.sampled_from(["a", "b"]), max_size=12))
def test_the_first_of_each_distinct_entry_is_found(column: list[str]) -> None:
    first, at = first_of_each(texts(column))
    assert first.tolist() == [column.index(text) for text in dict.fromkeys(column)]
    assert [column[place] for place in first[at]] == column


@given(values=st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=3), places=PLACES)
def test_few_texts_are_taken_whether_they_are_one_or_several(values: list[str], places: list[int]) -> None:
    places = within(places, len(values))
    assert few(values, ints(places)).to_pylist() == [values[place] for place in places]


def test_columns_below_one_another_may_be_none() -> None:
    none: Lists = no_lists(0)
    assert concat([]).to_pylist() == []
    assert concat([], none) is none
    assert concat([texts(["a"]), same("b", 2)]).to_pylist() == ["a", "b", "b"]
    assert one_each(texts(["a", ""])).to_pylist() == [["a"], [""]]
    assert no_lists(2).to_pylist() == [[], []]
