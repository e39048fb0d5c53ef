"""Multiple-choice questions: options that differ, one of them right, its place evenly spread."""

from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings

from kbench.generator.choices import LETTERS, OPTIONS
from kbench.generator.pools import load_pool
from kbench.generator.spec import WorldSpec
from kbench.generator.surface import forms_of
from kbench.generator.world import World
from tests.samples import Row
from tests.small import SEEDS, Made, families, family, made


@cache
def big() -> Made:
    """Many blocks of the family world: the options of every relation."""
    return made(family(sizes__entities=24 * 40, exposure__paraphrases=2, exposure__validation=0), "choice", "qa")


def options_of(row: Row) -> list[str]:
    """The options as the question shows them."""
    lines = row["question"].split("\n")[-len(row["choices"]) :]
    assert [line[:3] for line in lines] == [f"{letter}. " for letter in LETTERS[: len(lines)]]
    return [line[3:] for line in lines]


def check_rows(m: Made) -> None:
    """What must hold of every choice row of any world."""
    spec = m.world.spec
    kinds: dict[str, set[str]] = defaultdict(set)
    for fact in m.facts.values():
        kinds[fact["object_id"].rsplit("/", 1)[-1].rsplit("-", 1)[0]].add(fact["value"])
    names = {(e["block"], e["type"]): set[str]() for e in m.entities.values()}
    for entity in m.entities.values():
        names[entity["block"], entity["type"]].add(entity["name"])
    for row in m.of("choice"):
        fact = m.facts[row["fact_ids"][0]]
        choices = row["choices"]
        assert options_of(row) == choices
        assert len(set(choices)) == len(choices) in range(2, OPTIONS + 1), row
        assert choices.count(fact["value"]) == 1
        assert choices[row["label"]] == fact["value"] == row["answer"]
        letter = LETTERS[row["label"]]
        assert row["answers"][-2:] == [letter, f"{letter}. {fact['value']}"]
        forms = forms_of(m.world.source_of(row["relation"]), fact["value"], fact["number"])
        assert row["answers"][:-2] == list(forms)
        assert not set(forms) & set(choices[: row["label"]] + choices[row["label"] + 1 :])
        relation = spec.relations[row["relation"]]
        if relation.value_type == "entity":
            block = m.entities[fact["object_id"]]["block"]
            assert set(choices) <= names[block, relation.object], "an option of another type or block"
            assert m.entities[row["entity_id"]]["name"] not in choices


def test_every_choice_row_offers_its_answer_once_among_others_of_its_kind() -> None:
    check_rows(big())


@given(spec=families(), seed=SEEDS)
@settings(max_examples=10)
def test_choice_rows_of_any_world_offer_their_answer_once(spec: WorldSpec, seed: str) -> None:
    check_rows(made(spec.with_exposure(paraphrases=2, validation=0), "choice", seed=seed))


def test_options_of_words_are_words_of_the_pool_and_of_numbers_lie_in_their_range() -> None:
    for row in big().of("choice"):
        relation = big().world.source_of(row["relation"])
        if len(relation.pools) == 1:
            assert set(row["choices"]) <= set(load_pool(relation.pools[0])[: relation.size])
        elif relation.value_type == "numeric":
            numbers = [int(c.removesuffix(f" {relation.unit}").replace(",", "")) for c in row["choices"]]
            assert all(relation.least <= n <= relation.most for n in numbers)
            assert all((n - relation.least) % relation.step == 0 for n in numbers)
        elif relation.value_type == "date":
            assert all(len(c.split(" ")) == 3 for c in row["choices"])


def test_dates_offered_lie_in_the_range_of_the_subjects_own_generation() -> None:
    """A date of the other generation could be told from the right one without knowing it."""
    offered: dict[bool, set[int]] = defaultdict(set)
    parents = {f["object_id"] for f in big().facts.values() if f["relation"] in ("mother", "father")}
    for row in big().of("choice"):
        if row["relation"] == "born":
            offered[row["entity_id"] in parents] |= {int(c.rsplit(" ", 1)[1]) for c in row["choices"]}
    assert min(offered[True]) >= 1938
    assert max(offered[True]) <= 1945
    assert min(offered[False]) >= 1965
    assert max(offered[False]) <= 1972


def places(relation: str, m: Made) -> Counter[int]:
    """How often the right option stands in each place, each phrasing counted by itself."""
    return Counter(row["label"] for row in m.of("choice", "test") if row["relation"] == relation)


@pytest.mark.parametrize("relation", ["occupation", "emblem", "height", "born", "spouse", "founder", "manner"])
def test_the_right_option_stands_equally_often_in_each_of_four_places(relation: str) -> None:
    found = places(relation, big())
    assert set(found) == set(range(OPTIONS))
    assert max(found.values()) - min(found.values()) <= OPTIONS


@pytest.mark.parametrize("cities", [2, 3])
def test_the_right_option_stands_equally_often_in_each_of_fewer_places(cities: int) -> None:
    """Or a model that always says A would score above chance."""
    few = {"exposure__paraphrases": 2, "exposure__validation": 0, "sizes__entities": 24 * 24}
    found = places("home", made(family(types__city__block=cities, **few), "choice"))
    assert set(found) == set(range(cities))
    assert max(found.values()) - min(found.values()) <= 0.1 * sum(found.values()) / cities


def test_two_phrasings_of_a_question_have_the_same_options_and_the_right_one_elsewhere() -> None:
    asked: dict[str, list[Row]] = defaultdict(list)
    for row in big().of("choice", "test"):
        asked[row["fact_ids"][0]].append(row)
    assert asked
    for rows in asked.values():
        assert len({frozenset(row["choices"]) for row in rows}) == 1
        assert len({row["label"] for row in rows}) == len(rows)


def test_which_options_are_offered_differs_between_subjects_of_one_answer() -> None:
    offered: dict[str, set[frozenset[str]]] = defaultdict(set)
    for row in big().of("choice", "test"):
        if row["relation"] == "occupation":
            offered[row["answer"]].add(frozenset(row["choices"]))
    assert min(map(len, offered.values())) > 10


def test_a_choice_question_is_the_qa_question_with_its_options() -> None:
    asked = {row["id"]: row["question"] for row in big().of("qa", "test")}
    for row in big().of("choice", "test"):
        stem = row["question"].split("\nA. ")[0]
        assert stem == asked[row["id"].replace("/choice/", "/qa/")]


CANNOT: list[tuple[str, dict[str, Any], str]] = [
    ("one object", {"types.company.block": 1, "relations.maker.heads": "equal"}, "employer"),
    ("two people, one of whom asks", {"types.city.block": 1}, "home"),
]


@pytest.mark.parametrize(("changes", "relation"), [case[1:] for case in CANNOT], ids=[case[0] for case in CANNOT])
def test_a_relation_with_one_value_alone_is_no_choice(changes: dict[str, Any], relation: str) -> None:
    spec = family(**{key.replace(".", "__"): value for key, value in changes.items()})
    m = made(spec, "choice", "qa")
    assert relation in {row["relation"] for row in m.of("qa")}
    assert relation not in {row["relation"] for row in m.of("choice")}


def test_two_people_can_be_told_apart_only_where_a_third_could_be_meant() -> None:
    mentor = {"subject": "person", "value_type": "entity", "object": "person"}
    types = {"person": {"names": "mononym", "block": 2}}
    spec = family(types=types, relations={"mentor": mentor}, paths={})
    assert "choice" not in {style for style, _ in made(spec).rows}
    spec = family(types={"person": {**types["person"], "block": 3}}, relations={"mentor": mentor}, paths={})
    rows = list(made(spec, "choice").of("choice"))
    assert {len(row["choices"]) for row in rows} == {2}


def test_the_options_of_a_fact_do_not_depend_on_the_other_facts() -> None:
    small = made(family(exposure__paraphrases=2, exposure__validation=0), "choice")
    by_id = {row["id"]: row for row in big().of("choice")}
    assert list(small.of("choice"))
    assert all(by_id[row["id"]] == row for row in small.of("choice"))


def test_choice_asks_for_every_value_type_that_has_two_values() -> None:
    types = {row["value_type"] for row in big().of("choice")}
    assert types == {"categorical", "numeric", "date", "entity", "tone"}
    assert World(big().world.spec, "7").spec.relations["manner"].value_type == "tone"
