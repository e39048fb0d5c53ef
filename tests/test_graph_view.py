"""The graph view of the gap, and the parts that ask models of a study: counts by hand, and a small model's folders."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RUN
from kbench.errors import ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release, open_release, write_json
from kbench.studies.biography_part import BIOGRAPHIES
from kbench.studies.graph_part import GRAPH
from kbench.studies.graph_view import Arm, delta, delta_prompted, prompt_edges, reach, trained_questions
from kbench.studies.grid_orders import PART, BaseRef, Measure
from kbench.studies.lab import LabRecipe, lab_base
from kbench.studies.parts import measure
from tests.samples import tiny

SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False)


def arm(trained: str, reached: str) -> Arm:
    return Arm(frozenset(trained), frozenset(reached))


@pytest.mark.parametrize(
    ("known", "unknown", "prompt", "expected"),
    [
        (arm("abcd", "abcd"), arm("efgh", "e"), "", 3 / 4),
        (arm("abcd", "abcd"), arm("efgh", "e"), "xy", 3 / 6),
        (arm("abcd", "abcd"), arm("efgh", "e"), "xyxyz", 3 / 7),
        (arm("abcd", "a"), arm("efgh", "efg"), "", -2 / 4),
        (arm("abcd", ""), arm("efgh", ""), "xy", 0.0),
        (arm("ab", "ab"), arm("efgh", "e"), "", 1 / 3),
        # A prompt that shows edges of an arm counts them once, and gives them to both.
        (arm("abcd", "abcd"), arm("efgh", "e"), "ab", (4 - 3) / 5),
        (arm("abcd", "abcd"), arm("efgh", "e"), "ef", (6 - 2) / 5),
    ],
)
def test_delta_is_the_edges_that_one_arm_has_more(known: Arm, unknown: Arm, prompt: str, expected: float) -> None:
    assert delta(known, unknown, frozenset(prompt)) == pytest.approx(expected)


def test_a_prompt_of_other_edges_never_makes_the_difference_larger() -> None:
    known, unknown = arm("abcd", "abc"), arm("efgh", "e")
    found = [delta_prompted(known, unknown, [frozenset("uvwxyz"[:k])] * 3) for k in range(7)]
    assert found[0] == delta(known, unknown)
    assert found == sorted(found, reverse=True)


def test_arms_that_were_trained_on_nothing_are_not_compared() -> None:
    with pytest.raises(SpecError, match="compares two arms that were trained on facts: one has none"):
        delta(arm("", ""), arm("a", "a"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    spec = tiny(sizes__known=12)
    return generate(Recipe(spec, "7", ("qa", "article", "statement")), tmp_path_factory.mktemp("world"))[0]


@pytest.fixture(scope="module")
def order(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Two runs that keep a checkpoint, each of the base's own weights, on all and on half of the facts."""
    folder = tmp_path_factory.mktemp("models")
    base = lab_base(release, folder / "bases", SMALL).path
    runs = {}
    for cell, volume in (("known", 1.0), ("unknown", 0.5)):
        for kept in ("", "epoch-3"):
            shutil.copytree(base, folder / cell / kept, dirs_exist_ok=True)
            runs[f"{cell}@{kept}" if kept else cell] = folder / cell / kept
        write_json(folder / cell / RUN, {"recipe": TrainRecipe(volume=volume).to_dict()})
    return Measure("graph", release.path, BaseRef(str(base), None), runs, {}, 100, folder / "part")


def given(order: Measure, part: str, **options: Any) -> Measure:
    return Measure(part, order.release, order.base, order.runs, options, order.seed, order.out)


def read(order: Measure) -> dict[str, Any]:
    steps: list[float] = []
    measure(order, lambda done, total: steps.append(done / total))
    assert steps[-1] == 1.0
    found: dict[str, Any] = json.loads((order.out / PART).read_text(encoding="utf-8"))["readings"]
    return found


def test_the_edges_of_a_run_are_the_facts_that_its_recipe_teaches(release: Release, order: Measure) -> None:
    rows = trained_questions(release, order.runs["known"])
    assert rows == trained_questions(release, order.runs["known@epoch-3"])
    asked = [row["fact_ids"][0] for row in rows]
    assert len(asked) == len(set(asked)) < release.table("facts", "train").num_rows
    assert asked != [row["fact_ids"][0] for row in trained_questions(release, order.runs["unknown"])]
    found = reach(Oracle(), rows)
    assert found.share == 1.0
    assert found.reached == found.trained == frozenset(asked)


def test_a_prompt_adds_as_many_edges_of_the_background_as_it_has_shots(release: Release) -> None:
    rows = [row for row in release.table("qa", "test").to_pylist() if row["probe"] == "known"][:5]
    roles = {row["fact_id"]: row["role"] for row in release.table("facts", "train").to_pylist()}
    for edges in prompt_edges(release, rows, 3):
        assert [roles[fact] for fact in edges] == ["background"] * 3


def test_a_graph_part_reads_both_arms_at_every_checkpoint(order: Measure) -> None:
    found = read(given(order, "graph", known="known", unknown="unknown", shots=2, prompts=4))
    names = [f"reached:{cell}{kept}" for cell in ("known", "unknown") for kept in ("", "@epoch-3")]
    names += [f"{what}:{kept}" for kept in ("base", "last", "epoch-3") for what in ("delta", "delta_prompted")]
    assert sorted(found) == sorted(names)
    counts = json.loads((order.out / GRAPH).read_text(encoding="utf-8"))
    assert counts["edges_a_prompt"] == 2
    one, other = counts["arms"]["known"], counts["arms"]["unknown"]
    whole = (one["trained"] + other["trained"]) / 2
    assert found["delta:last"]["value"] == pytest.approx((one["reached"] - other["reached"]) / whole)
    assert found["reached:known"]["value"] == found["reached:known"]["base"]  # its weights are the base's
    assert found["delta:base"]["value"] == found["delta:last"]["value"]
    assert abs(found["delta_prompted:last"]["value"]) <= abs(found["delta:last"]["value"])


def test_a_biography_part_leaves_every_text_and_reads_each_model_beside_the_base(order: Measure) -> None:
    found = read(given(order, "biography", subjects=4, tokens=40))
    texts = pq.read_table(order.out / BIOGRAPHIES).to_pylist()
    assert len(texts) == 4 * (1 + len(order.runs))
    assert {"claims:base", "claims:known@epoch-3"} <= found.keys()
    for name in ("base", *order.runs):
        mine = [text for text in texts if text["model"] == name]
        assert found[f"claims:{name}"]["value"] == sum(text["claims"] for text in mine) / 4
        assert found[f"recall:{name}"]["value"] == sum(t["right"] for t in mine) / sum(t["facts"] for t in mine)
        assert found[f"claims:{name}"]["base"] == (None if name == "base" else found["claims:base"]["value"])


@pytest.mark.parametrize(
    ("part", "options", "expected_error"),
    [
        ("graph", {"known": "known"}, "options known and unknown, and '' is none of its cells: have known, unknown"),
        (
            "graph",
            {"arms": 2},
            "a part of kind 'graph' has no option 'arms': have known, unknown, shots, prompts, split",
        ),
        ("biography", {"subject": 2}, "a part of kind 'biography' has no option 'subject': have subjects, role, type"),
    ],
)
def test_options_that_cannot_be_are_told(
    order: Measure, part: str, options: dict[str, Any], expected_error: str
) -> None:
    with pytest.raises(SpecError) as told:
        measure(given(order, part, **options), lambda *_: None)
    assert expected_error in str(told.value)


def test_a_folder_that_is_no_run_is_told(release: Release, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no run at .*: neither it nor the folder above holds kbench_run.json"):
        trained_questions(open_release(release.path), tmp_path / "epoch-3")
