"""Laws of a world: any value from its index alone, relations inside their block, draws that are balanced."""

import datetime
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.generator.building import build_world
from kbench.generator.hashing import Ints
from kbench.generator.pools import load_pool
from kbench.generator.relations import Relation
from kbench.generator.spec import load_spec, role_of
from kbench.generator.world import Values, World
from kbench.schema import ROLES, Role
from tests.samples import tiny

WORLDS = {
    "tiny": build_world(tiny(), "7"),
    "lab": build_world(load_spec("lab"), "7"),
    "default": build_world(load_spec("default"), "7"),
}
PERSONA = [kind for kind, entity in WORLDS["default"].spec.types.items() if entity.single]


def relation_of(case: tuple[str, str]) -> Relation:
    """The relation of a world."""
    return WORLDS[case[0]].spec.relations[case[1]]


RELATIONS = [(world, name) for world in WORLDS for name in WORLDS[world].spec.relations]
MANY = [case for case in RELATIONS if relation_of(case).subject not in PERSONA]
"""Relations of more than the two personas."""
ENTITY_RELATIONS = [case for case in RELATIONS if relation_of(case).value_type == "entity"]
PLAIN = [c for c in ENTITY_RELATIONS if relation_of(c).link == "any" and not relation_of(c).depends_on]
"""Entity relations that no other relation and no family binds."""
BALANCED = [c for c in MANY if relation_of(c).is_balanced and c not in ENTITY_RELATIONS]
DATES = [case for case in RELATIONS if relation_of(case).value_type == "date"]
FREE_DATES = [case for case in DATES if not relation_of(case).depends_on]
NUMBERS = [case for case in RELATIONS if relation_of(case).value_type == "numeric"]
POOLED = [case for case in RELATIONS if relation_of(case).pools]
MONTHS = [datetime.date(2000, month, 1).strftime("%B") for month in range(1, 13)]


def subjects(world: World, name: str, blocks: int) -> Ints:
    """Every subject of a relation in the first blocks."""
    return world.subjects(name, np.arange(blocks))


def as_list(values: Values) -> list[tuple[str, float | None, int]]:
    """The values row by row."""
    return list(zip(values.text.to_pylist(), values.number.to_pylist(), values.object.tolist(), strict=True))


@cache
def column(world: str, name: str) -> list[tuple[str, float | None, int]]:
    """The values of a relation for every subject of the first 40 blocks."""
    w = WORLDS[world]
    return as_list(w.values(name, subjects(w, name, 40)))


@given(relation=st.sampled_from(RELATIONS), data=st.data())
@settings(max_examples=600)
def test_a_value_computed_alone_is_the_value_in_its_column(relation: tuple[str, str], data: st.DataObject) -> None:
    world, name = relation
    place = data.draw(st.integers(0, len(column(world, name)) - 1))
    one = subjects(WORLDS[world], name, 40)[place : place + 1]
    assert as_list(WORLDS[world].values(name, one)) == column(world, name)[place : place + 1]


@given(data=st.data(), world=st.sampled_from(sorted(WORLDS)))
def test_name_pronoun_and_popularity_computed_alone_are_those_of_the_column(data: st.DataObject, world: str) -> None:
    w = WORLDS[world]
    kind = data.draw(st.sampled_from(list(w.spec.types)))
    index = w.members(kind, np.arange(20))
    i = data.draw(st.integers(0, index.size - 1))
    one = index[i : i + 1]
    assert w.names(kind, one).to_pylist() == w.names(kind, index).to_pylist()[i : i + 1]
    assert w.is_female(kind, one) == w.is_female(kind, index)[i : i + 1]
    assert w.popularity(kind, one).tolist() == w.popularity(kind, index).tolist()[i : i + 1]


@given(order=st.permutations(range(24)))
def test_the_order_of_a_column_does_not_matter(order: list[int]) -> None:
    w, index = WORLDS["tiny"], np.arange(24)
    shuffled = index[np.asarray(order)]
    for name in ("badge", "emblem", "employer", "born"):
        in_order = as_list(w.values(name, index))
        assert as_list(w.values(name, shuffled)) == [in_order[i] for i in order]


@pytest.mark.parametrize(("world", "name"), ENTITY_RELATIONS)
def test_a_relation_stays_inside_its_block(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    index = subjects(w, name, 200)
    objects = w.objects(name, index)
    assert np.array_equal(w.block_of(relation.subject, index), w.block_of(relation.object, objects))
    assert w.values(name, index).text.to_pylist() == w.names(relation.object, objects).to_pylist()
    assert np.array_equal(w.values(name, index).object, objects)


@pytest.mark.parametrize(("world", "name"), PLAIN)
def test_every_object_of_a_block_is_taken_or_none_twice(world: str, name: str) -> None:
    """As many subjects as objects or more: all are taken. Fewer: each subject has one of its own."""
    w = WORLDS[world]
    relation = w.spec.relations[name]
    n, m = w.spec.types[relation.subject].block, w.spec.types[relation.object].block
    for block in range(100):
        objects = w.objects(name, w.members(relation.subject, np.asarray([block])))
        assert len(set(objects.tolist())) == min(n, m), block


@pytest.mark.parametrize("block", [2, 3, 4, 9])
def test_no_entity_is_its_own_object(block: int) -> None:
    """Or its statement would say nothing, and its question would hold the answer."""
    mentor = {"subject": "person", "value_type": "entity", "object": "person"}
    w = build_world(tiny(types__person__block=block, relations__mentor=mentor), "7")
    people = w.members("person", np.arange(100))
    assert not (w.objects("mentor", people) == people).any()


@pytest.mark.parametrize(("world", "name"), PLAIN)
def test_head_counts_are_the_same_in_every_block_and_equal_unless_zipf(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    n, m = w.spec.types[relation.subject].block, w.spec.types[relation.object].block
    counts = {
        tuple(sorted(np.bincount(w.objects(name, w.members(relation.subject, np.asarray([b]))) - b * m, minlength=m)))
        for b in range(50)
    }
    assert len(counts) == 1
    least, most = counts.pop()[:: max(1, m - 1)]
    if relation.heads == "zipf" and n > m:
        assert most > 2 * least or n < 3 * m
    elif n >= m:
        assert most - least <= 1


@pytest.mark.parametrize(("world", "name"), ENTITY_RELATIONS)
def test_which_object_a_subject_has_differs_from_block_to_block(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    n, m = w.spec.types[relation.subject].block, w.spec.types[relation.object].block
    patterns = {tuple(w.objects(name, w.subjects(name, np.asarray([b]))) - b * m) for b in range(60)}
    assert len(patterns) >= min(60, n * m) / 4


@pytest.mark.parametrize(("world", "name"), BALANCED)
def test_each_run_of_a_balanced_relation_holds_every_value_once(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    k = relation.choices
    for role in ROLES:
        size = w.spec.types[relation.subject].block
        blocks = np.arange(-(-4 * k // size)) * len(ROLES) + ROLES.index(role)
        text = w.values(name, w.members(relation.subject, blocks)).text.to_pylist()
        runs = [text[start : start + k] for start in range(0, 4 * k, k)]
        assert all(len(set(run)) == k for run in runs)
        assert len({tuple(run) for run in runs}) > 1, "every run is the same"


@pytest.mark.parametrize(("world", "name"), BALANCED)
def test_the_runs_of_two_roles_are_drawn_apart(world: str, name: str) -> None:
    """Or the k-th control entity would give away the k-th new one."""
    w = WORLDS[world]
    relation = w.spec.relations[name]
    blocks = np.arange(-(-3 * relation.choices // w.spec.types[relation.subject].block)) * len(ROLES)
    runs = {
        tuple(w.values(name, w.members(relation.subject, blocks + role)).text.to_pylist()) for role in range(len(ROLES))
    }
    assert len(runs) == len(ROLES)


@pytest.mark.parametrize(("world", "name"), POOLED)
def test_a_pooled_value_is_made_of_words_of_its_pools(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    known = {""}
    for pool in relation.pools:
        known = {f"{before} {value}".strip() for before in known for value in load_pool(pool)}
    values = w.values(name, subjects(w, name, 200))
    assert set(values.text.to_pylist()) <= known
    assert len(set(values.text.to_pylist())) == relation.choices or relation.subject in PERSONA
    assert set(values.number.to_pylist()) == {None}
    assert set(values.object.tolist()) == {-1}


@pytest.mark.parametrize(("world", "name"), NUMBERS)
def test_a_number_lies_on_a_step_of_its_range_and_its_text_says_it(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    values = w.values(name, subjects(w, name, 500))
    for text, number in zip(values.text.to_pylist(), values.number.to_pylist(), strict=True):
        assert number is not None
        assert relation.least <= number <= relation.most
        assert (number - relation.least) % relation.step == 0
        digits = f"{number:,.0f}" if number >= 10_000 else f"{number:.0f}"
        assert text == (f"{digits} {relation.unit}" if relation.unit else digits)


@pytest.mark.parametrize(("world", "name"), [case for case in NUMBERS if case in MANY])
def test_numbers_reach_both_ends_of_their_range(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    numbers = [n for n in w.values(name, subjects(w, name, 8000)).number.to_pylist() if n is not None]
    tenth = (relation.most - relation.least) / 10
    assert min(numbers) <= relation.least + tenth
    assert max(numbers) >= relation.most - tenth


def dates(values: Values) -> list[datetime.date]:
    """The dates that the texts say."""
    parts = [text.split(" ") for text in values.text.to_pylist()]
    return [datetime.date(int(year), MONTHS.index(month) + 1, int(day)) for day, month, year in parts]


@pytest.mark.parametrize(("world", "name"), DATES)
def test_the_number_of_a_date_counts_days_since_1970(world: str, name: str) -> None:
    values = WORLDS[world].values(name, subjects(WORLDS[world], name, 300))
    assert values.number.to_pylist() == [(date - datetime.date(1970, 1, 1)).days for date in dates(values)]


@pytest.mark.parametrize(("world", "name"), FREE_DATES)
def test_a_date_lies_in_its_range_which_for_the_younger_generation_is_later(world: str, name: str) -> None:
    w = WORLDS[world]
    relation = w.spec.relations[name]
    assert relation.first is not None
    assert relation.last is not None
    later = datetime.timedelta(days=relation.gap)
    found = dates(w.values(name, subjects(w, name, 300)))
    old = [date for date in found if relation.first <= date <= relation.last]
    young = [date for date in found if relation.first + later <= date <= relation.last + later]
    assert len(old) + (len(young) if relation.gap else 0) == len(found)
    elders, block = w.spec.types[relation.subject].elders, w.spec.types[relation.subject].block
    if relation.gap:
        assert len(old) == len(found) * elders // block


@pytest.mark.parametrize("role", ROLES)
def test_the_blocks_of_a_role_have_that_role_and_are_as_many_as_the_spec_asks(role: Role) -> None:
    spec = tiny(sizes__known=30)
    blocks = World(spec, "7").blocks(role)
    assert blocks.size == spec.blocks(role) > 0
    assert {role_of(int(block)) for block in blocks} == {role}
    assert np.array_equal(blocks, np.sort(blocks))


@pytest.mark.parametrize("kind", ["person", "company"])
def test_the_members_of_blocks_stand_in_those_blocks_each_once(kind: str) -> None:
    w, blocks = WORLDS["tiny"], np.asarray([3, 0, 7])
    members = w.members(kind, blocks)
    size = w.spec.types[kind].block
    assert w.block_of(kind, members).tolist() == np.repeat(blocks, size).tolist()
    assert len(set(members.tolist())) == 3 * size


def test_popularity_is_zipf_between_1_and_1000() -> None:
    drawn = WORLDS["default"].popularity("person", np.arange(100_000))
    assert drawn.min() == 1
    assert drawn.max() == 1000
    for x in (2, 10, 100):
        assert (drawn >= x).mean() == pytest.approx(1 / x, rel=0.1)


def test_about_half_of_the_people_go_by_each_pronoun() -> None:
    assert np.mean(WORLDS["lab"].is_female("person", np.arange(10_000))) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["emblem", "badge", "height", "born", "employer"])
def test_another_seed_gives_other_values(name: str) -> None:
    index = np.arange(200)
    first, second = (World(tiny(), seed).values(name, index).text.to_pylist() for seed in ("7", "8"))
    assert first != second


@pytest.mark.parametrize("sizes", [{"entities": 600}, {"known": 60}, {"control": 4}])
def test_sizes_change_no_value_of_the_world(sizes: dict[str, Any]) -> None:
    index = np.arange(40)
    other = World(tiny(**{f"sizes__{key}": value for key, value in sizes.items()}), "7")
    assert other.ids("person", index).to_pylist() == WORLDS["tiny"].ids("person", index).to_pylist()
    assert other.names("person", index).to_pylist() == WORLDS["tiny"].names("person", index).to_pylist()
    for name in WORLDS["tiny"].spec.relations:
        assert as_list(other.values(name, index)) == as_list(WORLDS["tiny"].values(name, index))


def test_the_tiny_world_is_the_world_it_always_was() -> None:
    w, people = WORLDS["tiny"], np.arange(4)
    assert w.tag == GOLDEN["tag"]
    assert w.ids("person", people).to_pylist() == [f"{w.tag}/person-{i}" for i in range(4)]
    assert w.names("person", people).to_pylist() == GOLDEN["people"]
    assert w.names("company", np.arange(2)).to_pylist() == GOLDEN["companies"]
    for name in ("emblem", "badge", "height", "born", "employer"):
        assert w.values(name, people).text.to_pylist() == GOLDEN[name]
    assert w.values("born", people).number.to_pylist() == GOLDEN["days"]
    assert w.popularity("person", people).tolist() == GOLDEN["popularity"]


GOLDEN: dict[str, Any] = {
    "tag": "aa3f9ebc",
    "people": ["Yissiadan", "Kriserven", "Trennirtir", "Solvestor"],
    "companies": ["Wilvurkiax", "Hopilnock"],
    "emblem": ["azure falcon", "copper tortoise", "ivory lynx", "ivory heron"],
    "badge": ["15", "12", "11", "10"],
    "height": ["163 cm", "197 cm", "197 cm", "190 cm"],
    "born": ["14 July 1989", "26 March 1979", "24 February 1989", "5 April 1974"],
    "employer": ["Wilvurkiax", "Hopilnock", "Hopilnock", "Wilvurkiax"],
    "days": [7134.0, 3371.0, 6994.0, 1555.0],
    "popularity": [1, 1, 2, 1],
}
