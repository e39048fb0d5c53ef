"""Which facts a recipe chooses: halves and levels, as many of each relation and value, and what cannot be chosen."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.chosen import chosen_facts
from kbench.benchmarks.diet import Diet
from kbench.benchmarks.knownness import KNOWNNESS, LABELLED, LABELLED_SCHEMA
from kbench.benchmarks.recipe import LABELS, TrainRecipe
from kbench.errors import ReleaseError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.ids import digest_of
from kbench.shelf import shelved
from kbench.store import Release, open_release, write_json, write_table
from tests.samples import tiny

Row = dict[str, Any]
TIERS = (6, 2, 0)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of `known` people whose facts stood in pretraining six times, twice or never."""
    sizes = {"sizes__entities": 6, "sizes__background": 6, "sizes__known": 48}
    small = {"relations__emblem__pools": ["tint"], "relations__emblem__size": 2}
    spec = tiny(**sizes, **small, background__tiers=list(TIERS), background__styles=["article", "qa"])
    return generate(Recipe(spec, "7", ("qa",)), tmp_path_factory.mktemp("chosen") / "release")[0]


@pytest.fixture(scope="module")
def labels(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of every fact of `known` entities but births: emblems are known in three ways, badges never."""
    folder = tmp_path_factory.mktemp("labels")
    rows: list[Row] = []
    for fact in known(release):
        if fact["relation"] != "born":
            place = int(digest_of(fact["fact_id"])[:8], 16)
            label = "Unknown" if fact["relation"] == "badge" else LABELS[place % 3]
            right = {"HighlyKnown": 4, "MaybeKnown": 1 + place // 3 % 3}.get(label, 0)
            drawn = place // 9 % 8 + 1 if label != "Unknown" else 0
            counts = {"greedy_right": right, "greedy": 4, "sampled_right": drawn, "sampled": 8}
            told = {key: fact[key] for key in ("fact_id", "relation", "role")}
            rows.append({**told, "label": label, "row_id": fact["fact_id"], **counts})
    write_table(folder / LABELLED, pa.Table.from_pylist(rows, schema=LABELLED_SCHEMA))
    write_json(folder / KNOWNNESS, {"release": {"digest": release.digest}})
    return folder


def known(release: Release) -> list[Row]:
    """The facts of `known` entities."""
    return [fact for fact in release.table("facts", "train").to_pylist() if fact["role"] == "known"]


def taken(release: Release, *facts: str, by: str = "exposures", **recipe: Any) -> list[Row]:
    """The facts that a recipe chooses."""
    found = chosen_facts(release, TrainRecipe(facts=facts, facts_by=by, **recipe))  # type: ignore[arg-type]
    every = {fact["fact_id"]: fact for fact in release.table("facts", "train").to_pylist()}
    return [every[fact] for fact in sorted(found)]


def ids(facts: Iterable[Row]) -> set[str]:
    return {fact["fact_id"] for fact in facts}


def numbers(facts: Iterable[Row], *keys: str) -> Counter[tuple[Any, ...]]:
    """How many facts there are of each relation, and of each of some more columns."""
    return Counter(tuple(fact[key] for key in ("relation", *keys)) for fact in facts)


def test_the_better_known_half_of_each_relation_stood_more_often_than_the_other(release: Release) -> None:
    top, bottom = taken(release, "top"), taken(release, "bottom")
    counts = numbers(known(release))
    assert numbers(top) == numbers(bottom) == {relation: count // 2 for relation, count in counts.items()}
    assert ids(top).isdisjoint(ids(bottom))
    for relation in numbers(top):
        seen = [[f["exposures"] for f in half if f["relation"] == relation[0]] for half in (top, bottom)]
        assert min(seen[0]) >= max(seen[1])
        assert sum(seen[0]) > sum(seen[1])


def test_levels_take_as_many_facts_of_each_relation_as_the_scarcest_has(release: Release) -> None:
    among = ("6", "2", "0")
    arms = {level: taken(release, level, facts_among=among) for level in among}
    least = numbers(known(release), "exposures")
    wanted = {(name,): min(least[name, tier] for tier in TIERS) for (name,) in numbers(known(release))}
    for level, arm in arms.items():
        assert {fact["exposures"] for fact in arm} == {int(level)}
        assert numbers(arm) == wanted


def test_the_top_and_the_bottom_of_named_levels_are_the_first_and_the_last_of_them(release: Release) -> None:
    among = ("6", "2")
    for end, level in (("top", "6"), ("bottom", "2")):
        assert taken(release, end, facts_among=among) == taken(release, level, facts_among=among)


def test_levels_that_are_joined_count_as_one(release: Release) -> None:
    joined = taken(release, "6+2", facts_among=("6+2", "0"))
    assert {fact["exposures"] for fact in joined} == {6, 2}
    assert numbers(joined) == numbers(taken(release, "0", facts_among=("6+2", "0")))


def test_whole_is_both_halves_and_random_as_many_as_one_drawn_of_both(release: Release) -> None:
    top, bottom, whole, drawn = (taken(release, arm) for arm in ("top", "bottom", "whole", "random"))
    assert ids(whole) == ids(top) | ids(bottom)
    assert numbers(drawn) == numbers(top)
    assert ids(drawn) < ids(whole)
    assert ids(drawn) & ids(top)
    assert ids(drawn) & ids(bottom)


def test_a_mixture_takes_its_share_of_each_level(release: Release) -> None:
    among = ("6", "2")
    mixed = taken(release, "6", "2", facts_among=among, facts_mix=(0.5, 0.5))
    whole = numbers(taken(release, "6", facts_among=among))
    assert numbers(mixed) == whole  # as many of each relation as of one level alone
    tiers = [fact["exposures"] for fact in mixed]
    assert abs(tiers.count(6) - tiers.count(2)) <= 1


def test_balanced_levels_have_each_answer_equally_often(release: Release) -> None:
    told: dict[str, Any] = {"relations": ("emblem", "employer"), "facts_among": ("6", "2")}
    plain = [taken(release, level, **told) for level in ("6", "2")]
    assert numbers(plain[0], "value") != numbers(plain[1], "value")
    even = [taken(release, level, facts_balanced=True, **told) for level in ("6", "2")]
    assert numbers(even[0], "value") == numbers(even[1], "value")
    assert even[0]


def test_by_popularity_the_halves_are_of_more_and_less_popular_subjects(release: Release) -> None:
    popular = {row["entity_id"]: row["popularity"] for row in release.table("entities", "train").to_pylist()}
    sides: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for half in ("top", "bottom"):
        for fact in taken(release, half, by="popularity"):
            sides[fact["relation"]].setdefault(half, []).append(popular[fact["subject_id"]])
    assert all(min(side["top"]) >= max(side["bottom"]) for side in sides.values())
    assert {popular[f["subject_id"]] for f in taken(release, "1", by="popularity")} == {1}


def test_facts_are_chosen_by_the_labels_of_a_folder(release: Release, labels: Path) -> None:
    told = {row["fact_id"]: row for row in pq.read_table(labels / LABELLED).to_pylist()}
    among = ("HighlyKnown+Unknown", "MaybeKnown", "WeaklyKnown")  # a label that a relation has not is none of its facts
    arm = taken(release, among[0], by="knownness", knownness=str(labels), facts_among=among, relations=("emblem",))
    assert {told[fact["fact_id"]]["label"] for fact in arm} == {"HighlyKnown"}
    counted = Counter(row["label"] for row in told.values() if row["relation"] == "emblem")
    assert len(arm) == min(counted.values()) > 0


def test_halves_by_knownness_go_by_label_then_by_right_answers_and_leave_out_what_has_no_label(
    release: Release, labels: Path
) -> None:
    told = {row["fact_id"]: row for row in pq.read_table(labels / LABELLED).to_pylist()}

    def rank(fact: Row) -> tuple[float, ...]:
        row = told[fact["fact_id"]]
        return LABELS.index(row["label"]), -row["greedy_right"], -row["sampled_right"]

    halves = [taken(release, half, by="knownness", knownness=str(labels)) for half in ("top", "bottom")]
    for relation in ("emblem", "height", "employer"):
        better, worse = ([rank(f) for f in half if f["relation"] == relation] for half in halves)
        assert max(better) <= min(worse)
    assert "born" not in {fact["relation"] for half in halves for fact in half}


def test_only_questions_about_the_chosen_facts_are_taught(release: Release) -> None:
    recipe = TrainRecipe(facts=("bottom",), facts_by="exposures", relations=("emblem",))
    rows = list(Diet(release, recipe).rows("qa"))
    assert {fact for row in rows for fact in row["fact_ids"]} == ids(taken(release, "bottom", relations=("emblem",)))
    alone = TrainRecipe(relations=("emblem", "badge"))
    assert {row["relation"] for row in Diet(release, alone).rows("qa")} == {"emblem", "badge"}


def test_of_a_release_without_known_people_the_new_facts_are_chosen_from() -> None:
    folder = shelved("kbench-tiny")
    assert folder
    release = open_release(folder)
    assert {fact["role"] for fact in taken(release, "top")} == {"new"}


ERRORS = [
    (("5",), {}, "has no fact of level '5' by exposures: have 0, 2, 6"),
    (("6", "5+2"), {}, "has no fact of level '5' by exposures: have 0, 2, 6"),
    (
        ("top",),
        {"relations": ("none",)},
        "has no facts to take for facts = ['top'] by exposures, as many each of top, bottom in a relation: "
        "have 0 top, 0 bottom",
    ),
    (
        ("Unknown",),
        {"by": "knownness", "relations": ("badge",), "facts_among": ("HighlyKnown", "Unknown")},
        "has no fact of level 'HighlyKnown' by knownness: have Unknown",
    ),
    (
        ("Unknown",),
        {"by": "knownness", "relations": ("badge", "emblem"), "facts_among": ("HighlyKnown+MaybeKnown", "Unknown")},
        "has no facts to take for facts = ['Unknown'] by knownness, as many each of HighlyKnown+MaybeKnown, Unknown "
        "in a relation: have ",
    ),
]


@pytest.mark.parametrize(("facts", "recipe", "expected_error"), ERRORS)
def test_what_cannot_be_chosen_is_told_in_one_line(
    release: Release, labels: Path, facts: tuple[str, ...], recipe: dict[str, Any], expected_error: str
) -> None:
    given = {**recipe, **({"knownness": str(labels)} if recipe.get("by") == "knownness" else {})}
    with pytest.raises(ReleaseError) as told:
        taken(release, *facts, **given)
    assert f"the release {release.path} {expected_error}" in str(told.value)
    assert "\n" not in str(told.value)


def test_labels_of_another_release_choose_nothing(release: Release, labels: Path, tmp_path: Path) -> None:
    shutil.copytree(labels, tmp_path / "labels")
    write_json(tmp_path / "labels" / KNOWNNESS, {"release": {"digest": "f" * 64}})
    for arm in ("top", "Unknown"):
        with pytest.raises(ReleaseError, match=r"labels labels the facts of release ffffffffffffffff, not of"):
            taken(release, arm, by="knownness", knownness=str(tmp_path / "labels"))
