"""Reasoning questions, each answered again by brute force from the table of facts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.errors import SpecError
from kbench.generator.questions import question_names
from kbench.generator.spec import WorldSpec, spec_from_dict
from kbench.generator.surface import number_words
from tests.samples import DROP, Row, edited, operator_of
from tests.small import FAMILY, SEEDS, Made, families, family, made

STYLES = ("multihop", "numeric", "reverse")
SMALL = settings(max_examples=10)


@cache
def big() -> Made:
    """Several blocks of the family world, in every reasoning style."""
    return made(family(sizes__entities=96, sizes__control=0.25, sizes__background=48), *STYLES)


def reasoned(m: Made) -> Iterator[Row]:
    """The rows of the reasoning styles, without the numbers of one fact."""
    for style in STYLES:
        yield from (row for row in m.of(style) if style == "reverse" or operator_of(row) or "." in row["relation"])


def of(m: Made, operator: str) -> list[Row]:
    """The rows of one operator."""
    return [row for row in reasoned(m) if operator_of(row) == operator]


def less(m: Made, row: Row) -> bool:
    """Whether the phrasing of a row asks for the lesser one."""
    return m.pack.by_id[row["template_id"]].kind == "less"


def holders(m: Made, relation: str, entity: str) -> dict[str, Row]:
    """By subject, the facts whose value of a relation is an entity."""
    return {fact["subject_id"]: fact for fact in m.named(relation=relation, object_id=entity)}


def called(m: Made, entity: str) -> list[str]:
    """What an entity may be called in an answer."""
    found = m.entities[entity]
    article = m.world.spec.types[found["type"]].article
    return [found["name"], f"{article} {found['name']}"] if article else [found["name"]]


def check_compare(m: Made) -> None:
    for row in of(m, "compare"):
        one, two = (m.facts[fact] for fact in row["fact_ids"])
        assert one["relation"] == two["relation"] == row["relation"].split(".")[1]
        assert one["number"] != two["number"]
        assert m.entities[one["subject_id"]]["block"] == m.entities[two["subject_id"]]["block"]
        right = (min if less(m, row) else max)((one, two), key=lambda fact: fact["number"])
        assert row["answers"] == called(m, right["subject_id"])
        assert all(fact["subject"] in row["question"] for fact in (one, two))


def check_difference(m: Made) -> None:
    for row in of(m, "difference"):
        one, two = sorted((m.facts[fact] for fact in row["fact_ids"]), key=lambda fact: -fact["number"])
        apart = one["number"] - two["number"]
        assert row["number"] == apart > 0
        unit = m.facts[row["fact_ids"][0]]["unit"]
        bare = {f"{apart:.0f}", f"{apart:,.0f}"}
        assert set(row["answers"]) == bare | {f"{form} {unit}" for form in bare if unit}
        assert row["unit"] == unit
        assert row["question"].index(one["subject"]) < row["question"].index(two["subject"]), "the greater one first"


def check_sets(m: Made) -> None:
    for row in [row for row in reasoned(m) if operator_of(row) in ("count", "list", "most")]:
        operator, relation, *number = row["relation"].split(".")
        subjects = holders(m, relation, row["entity_id"])
        assert set(row["fact_ids"]) == {f"{s}/{name}" for s in subjects for name in (relation, *number)}
        names = sorted(fact["subject"] for fact in subjects.values())
        if operator == "count":
            assert row["answers"] == [str(len(names)), number_words(len(names))]
            assert row["number"] == len(names)
        elif operator == "list":
            assert row["answers"] == [", ".join(names), f"{', '.join(names[:-1])} and {names[-1]}"]
        else:
            ranked = sorted((m.facts[f"{s}/{number[0]}"]["number"], s) for s in subjects)
            (best, who), (second, _) = ranked[:2] if less(m, row) else ranked[:-3:-1]
            assert best != second
            assert row["answers"] == [m.entities[who]["name"]]


def check_both(m: Made) -> None:
    for row in of(m, "both"):
        _, *relations = row["relation"].split(".")
        assert row["fact_ids"] == [f"{row['entity_id']}/{relation}" for relation in relations]
        objects = [m.facts[fact]["object_id"] for fact in row["fact_ids"]]
        sets = [set(holders(m, name, thing)) for name, thing in zip(relations, objects, strict=True)]
        assert sets[0] & sets[1] == {row["entity_id"]}
        assert row["answers"] == called(m, row["entity_id"])
        assert all(m.facts[fact]["value"] in row["question"] for fact in row["fact_ids"])


def check_reverse(m: Made) -> None:
    for row in m.of("reverse"):
        fact = m.facts[row["fact_ids"][0]]
        assert fact["relation"] == row["relation"]
        assert set(holders(m, row["relation"], fact["object_id"])) == {row["entity_id"]}
        assert row["answers"] == called(m, row["entity_id"])
        assert fact["value"] in row["question"]
        assert m.entities[row["entity_id"]]["name"] not in row["question"]


CHECKS = [check_compare, check_difference, check_sets, check_both, check_reverse]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.__name__))
def test_every_reasoning_answer_follows_from_the_facts(check: Any) -> None:
    check(big())


def test_every_operator_and_path_of_the_family_world_is_asked() -> None:
    asked = {row["relation"] for style in STYLES for row in big().of(style)}
    assert asked == {name for style in STYLES for name in question_names(big().world, style)}


@given(spec=families(), seed=SEEDS)
@SMALL
def test_every_reasoning_answer_follows_from_the_facts_of_any_world(spec: WorldSpec, seed: str) -> None:
    m = made(spec.with_exposure(paraphrases=2, validation=0), *STYLES, seed=seed)
    for check in CHECKS:
        check(m)
    answers: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in reasoned(m):
        assert row["answer"] == row["answers"][0]
        assert row["hops"] == len(row["fact_ids"])
        assert set(row["fact_ids"]) <= set(m.facts)
        answers[row["question"]].add(tuple(row["answers"]))
    assert all(len(found) == 1 for found in answers.values())


def test_no_two_rows_ask_the_same_question() -> None:
    """Two subjects compared with one another would, if each asked about the other."""
    asked = Counter((row["style"], row["question"]) for row in reasoned(big()))
    assert [text for text, n in asked.items() if n > 1] == []


@pytest.mark.parametrize("operator", ["compare", "difference"])
def test_a_pair_is_compared_with_its_like_taught_or_tested(operator: str) -> None:
    """Or a pair of the tests would have been half seen in training."""
    sides: dict[str, set[str]] = defaultdict(set)
    for split in ("train", "test"):
        for row in [*big().of("multihop", split), *big().of("numeric", split)]:
            if operator_of(row) == operator and big().entities[row["entity_id"]]["role"] == "new":
                sides[split] |= {big().facts[fact]["subject_id"] for fact in row["fact_ids"]}
    assert sides["train"] & sides["test"] == set()
    assert sides["train"]
    assert sides["test"]


@pytest.mark.parametrize(("operator", "least"), [("count", 1), ("list", 2)])
def test_every_new_object_of_a_fitting_number_of_subjects_is_asked_about_once_or_the_other(
    operator: str, least: int
) -> None:
    m = big()
    for relation in getattr(m.world.spec.paths, f"{operator}s"):
        sizes = Counter(fact["object_id"] for fact in m.named(relation=relation, role="new"))
        asked = {row["entity_id"] for row in of(m, operator) if row["relation"] == f"{operator}.{relation}"}
        new = {entity for entity in asked if m.entities[entity]["role"] == "new"}
        assert new == {entity for entity, n in sizes.items() if n >= least}


@pytest.mark.parametrize("role", ["new", "control"])
def test_every_object_of_one_subject_is_asked_about_in_reverse(role: str) -> None:
    m = big()
    for relation in m.world.spec.paths.reverse:
        sizes = Counter(fact["object_id"] for fact in m.named(relation=relation, role=role))
        alone = {f["subject_id"] for f in m.named(relation=relation, role=role) if sizes[f["object_id"]] == 1}
        asked = {row["entity_id"] for row in m.of("reverse") if row["relation"] == relation}
        assert {entity for entity in asked if m.entities[entity]["role"] == role} == alone


@given(most=st.integers(2, 5), counted=st.integers(2, 5))
@SMALL
def test_sets_larger_than_the_spec_allows_are_neither_listed_nor_counted(most: int, counted: int) -> None:
    few = {"exposure__paraphrases": 1, "exposure__validation": 0, "sizes__entities": 48}
    m = made(family(paths__most_listed=most, paths__most_counted=counted, **few), "multihop")
    sizes: dict[str, set[int]] = defaultdict(set)
    for row in reasoned(m):
        facts = {fact for fact in row["fact_ids"] if fact.endswith(f"/{row['relation'].split('.')[1]}")}
        sizes[operator_of(row)].add(len(facts))
    assert max(sizes["count"]) <= counted
    assert max(sizes["list"] | sizes["most"]) <= most
    assert min(sizes["list"] | sizes["most"]) >= 2
    assert min(sizes["count"]) >= 1


def test_every_hop_of_a_reasoning_question_is_a_row_of_the_same_split_that_asks_for_its_fact() -> None:
    m = big()
    for style in STYLES:
        for split in ("pretrain", "train", "validation", "test", "control"):
            asked = {row["id"]: row["fact_ids"] for row in m.of("qa", split)}
            for row in m.of(style, split):
                assert [asked[hop] for hop in row["hop_ids"]] == [[fact] for fact in row["fact_ids"] if row["hop_ids"]]


def test_both_of_two_relations_is_asked_of_those_alone_who_have_both() -> None:
    """Not everybody has a mother in the world."""
    spec = family(paths={"intersections": [["home", "mother"]]}, sizes__entities=240, types__city__block=4)
    m = made(spec, "multihop")
    check_both(m)
    assert {fact for row in m.of("multihop") for fact in row["fact_ids"]} <= set(m.facts)


def test_a_difference_of_numbers_taken_over_from_another_entity_keeps_their_unit() -> None:
    tall = {"subject": "match", "value_type": "numeric", "same_as": "match_winner.height"}
    changes = {"relations__match_height": tall, "paths": {"differences": ["match_height"]}, "types__match__block": 8}
    check_difference(made(family(**changes), "numeric"))


REACHING: list[tuple[list[str], str]] = [
    (["article"], "background.styles needs qa"),
    (["statement", "numeric"], "background.styles needs qa"),
    (["qa", "article"], ""),
    (["multihop"], ""),
]


@pytest.mark.parametrize(("styles", "expected_error"), REACHING)
def test_hops_that_reach_into_the_background_stand_in_the_release_or_the_spec_is_refused(
    styles: list[str], expected_error: str
) -> None:
    changes: dict[str, Any] = {
        "relations.employer.reach": 2,
        "relations.chief": DROP,
        "paths": {"chains": [["employer", "headquarters"]]},
        "sizes": {"entities": 24, "background": 48, "control": 0.5},
        "background.styles": styles,
    }
    if expected_error:
        with pytest.raises(SpecError, match=expected_error):
            spec_from_dict(edited(FAMILY, changes), "w")
        return
    m = made(spec_from_dict(edited(FAMILY, changes), "w"), "multihop")
    asked = {row["id"] for row in m.of("qa")}
    assert {hop for row in m.of("multihop") for hop in row["hop_ids"]} <= asked


def test_a_chain_is_not_asked_of_those_to_whom_it_leads_back() -> None:
    m = made(family(paths={"chains": [["home", "mayor"], ["spouse", "spouse"]]}, sizes__entities=96), "multihop")
    rows = list(m.of("multihop"))
    assert {row["relation"] for row in rows} == {"home.mayor"}
    mayors = {fact["object_id"] for fact in m.named(relation="mayor")}
    assert {row["entity_id"] for row in rows} & mayors == set()
    assert {row["entity_id"] for row in rows} | mayors == {f["subject_id"] for f in m.named(relation="home")}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown", {"counts": ["x"]}, "paths.counts: unknown relation 'x': have occupation, emblem"),
    ("a name compared", {"compares": ["home"]}, "paths.compares: 'home' is entity, expected numeric"),
    ("a difference of dates", {"differences": ["born"]}, "paths.differences: 'born' is date, expected numeric"),
    ("a count of words", {"counts": ["emblem"]}, "paths.counts: 'emblem' must lead to an entity of its own block"),
    ("a list of numbers", {"lists": ["height"]}, "paths.lists: 'height' must lead to an entity of its own block"),
    ("reversed words", {"reverse": ["occupation"]}, "paths.reverse: 'occupation' must lead to an entity"),
    ("most of others", {"extremes": [["mother", "price"]]}, "paths.extremes: 'price' is no relation of a person"),
    ("most of names", {"extremes": [["mother", "home"]]}, "paths.extremes: 'home' is entity, expected numeric"),
    ("both of others", {"intersections": [["home", "maker"]]}, "paths.intersections: 'maker' is no relation of a"),
    ("both of one", {"intersections": [["home", "home"]]}, "'home' must lead to another entity of its own block"),
    ("both of words", {"intersections": [["home", "emblem"]]}, "'emblem' must lead to another entity"),
    ("three in a pair", {"extremes": [["mother", "height", "x"]]}, "paths.extremes.0"),
    ("a list of one", {"most_listed": 1}, "paths.most_listed: Input should be greater than or equal to 2 (got 1)"),
    ("a list of 17", {"most_listed": 17}, "paths.most_listed: Input should be less than or equal to 16 (got 17)"),
    ("a count of 65", {"most_counted": 65}, "paths.most_counted: Input should be less than or equal to 64 (got 65)"),
]


@pytest.mark.parametrize(("paths", "expected_error"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_path_of_the_wrong_kind_is_refused_in_one_line(paths: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as error:
        family(paths=paths)
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)


def test_an_inverse_path_over_a_relation_that_reaches_is_refused() -> None:
    """Its subjects stand in other blocks than its object, so no set could be complete."""
    for key in ("counts", "lists", "reverse"):
        with pytest.raises(SpecError, match=f"paths.{key}: 'home' must lead to an entity of its own block"):
            family(relations__home__reach=1, relations__mayor=DROP, relations__match_host=DROP, paths={key: ["home"]})
