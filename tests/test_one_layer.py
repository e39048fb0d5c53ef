"""The one-layer theory: the layer's gradients, its arms, what finetuning leaves alone, and what a study reads of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from kbench.errors import SpecError
from kbench.studies.grid_orders import PART, Measure
from kbench.studies.one_layer import Facts, Setting, Weights, descend, facts_of, salience
from kbench.studies.parts import measure as measure_part
from kbench.studies.theory import ARMS, Theory, arms_of, pretrained, simulate
from kbench.studies.theory_part import TABLE, measure

SMALL = Setting(subjects=80, relations=2, answers=5, pretrain_steps=150, finetune_steps=20)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return facts_of(SMALL, 7)


@pytest.fixture(scope="module")
def base(facts: Facts) -> Weights:
    return pretrained(SMALL, facts)


@pytest.fixture(scope="module")
def theory() -> Theory:
    """The default, of an exploration seed."""
    return simulate(seed=100)


def test_a_step_goes_down_the_gradient_that_torch_finds(facts: Facts, base: Weights) -> None:
    leaves = [torch.tensor(part, requires_grad=True) for part in (base.subject, base.relation, base.score, base.own)]
    subject, relation, score, own = leaves
    attention = torch.sigmoid(score - own)[..., None]
    logits = attention * subject[:, None] + (1 - attention) * relation
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.tensor(facts.token).flatten(), reduction="none"
    )
    (losses * torch.tensor(facts.share).flatten()).sum().backward()
    stepped = descend(base, facts, facts.share, 3.0, "all")
    for leaf, part in zip(leaves, (stepped.subject, stepped.relation, stepped.score, stepped.own), strict=True):
        assert leaf.grad is not None
        assert np.allclose(part, (leaf - 3.0 * leaf.grad).detach().numpy())


@pytest.mark.parametrize(
    ("tuned", "values", "scores"), [("attention", False, True), ("values", True, False), ("all", True, True)]
)
def test_only_what_is_tuned_moves(tuned: Any, values: bool, scores: bool, facts: Facts, base: Weights) -> None:
    after = descend(base, facts, facts.share, 3.0, tuned)
    assert (after.subject is not base.subject, after.relation is not base.relation) == (values, values)
    assert (after.score is not base.score, after.own is not base.own) == (scores, scores)


def test_facts_that_were_read_more_often_are_more_salient(facts: Facts, base: Weights) -> None:
    known = salience(base, facts)
    assert known[:20].mean() > known[20:40].mean() > known[60:].mean() > 0


def test_facts_are_read_in_proportion_to_their_rank_and_half_of_the_subjects_are_held_out(facts: Facts) -> None:
    assert facts.share.sum() == pytest.approx(1)
    assert facts.share[0, 0] / facts.share[9, 0] == pytest.approx(10)
    assert (facts.train.sum(), facts.answer.max()) == (40, 4)


@pytest.mark.parametrize("split", ["salience", "salience_by_answer", "exposures"])
def test_the_halves_are_apart_and_alike_in_size_and_hold_no_subject_that_is_asked_about(
    split: Any, facts: Facts, base: Weights
) -> None:
    arms = arms_of(replace(SMALL, split=split), facts, base, 7)
    assert tuple(arms) == ARMS
    assert not (arms["top"] & arms["bottom"]).any()
    for name, arm in arms.items():
        assert not arm[~facts.train].any()
        assert (arm.sum(axis=0) == arms["top"].sum(axis=0)).all() or name == "whole"
    assert arms["whole"].sum() == 2 * facts.train.sum()
    by = facts.share if split == "exposures" else salience(base, facts)
    assert by[arms["top"]].mean() > by[arms["random"]].mean() > by[arms["bottom"]].mean()


def test_halves_by_salience_among_facts_with_the_same_answer_have_the_same_answers(facts: Facts, base: Weights) -> None:
    def answers(split: Any, arm: str) -> list[int]:
        return sorted(facts.token[arms_of(replace(SMALL, split=split), facts, base, 7)[arm]].tolist())

    assert answers("salience_by_answer", "top") == answers("salience_by_answer", "bottom")
    assert answers("salience", "top") != answers("salience", "bottom")


@pytest.mark.parametrize("tuned", ["attention", "all"])
def test_the_facts_that_are_asked_keep_their_salience_while_their_answers_are_lost(tuned: Any) -> None:
    """The point of the theory: nothing is forgotten, the layer only looks away. And looks are of the held-out facts."""
    told = Setting(pretrain_steps=400, finetune_steps=80, tuned=tuned)
    facts = facts_of(told, 100)
    base = pretrained(told, facts)
    arm = arms_of(told, facts, base, 100)["bottom"]
    after = base
    for _ in range(told.finetune_steps):
        after = descend(after, facts, arm / arm.sum(), told.finetune_rate, tuned)
    asked = ~facts.train
    assert (salience(after, facts)[asked] == salience(base, facts)[asked]).all()
    before, now = (part.logits().argmax(-1) == facts.token for part in (base, after))
    assert now[asked].mean() < before[asked].mean()
    last = simulate(told, 100).last
    assert (last["pre"].accuracy, last["bottom"].accuracy) == (before[asked].mean(), now[asked].mean())
    assert last["bottom"].attention == pytest.approx(after.attention()[asked].mean())
    assert last["bottom"].fitted == now[arm].mean()
    assert last["bottom"].salience == pytest.approx(salience(after, facts)[arm].mean())


def test_the_default_shows_the_order_that_the_theory_expects_of_the_halves(theory: Theory) -> None:
    last = theory.last
    assert last["top"].accuracy > last["random"].accuracy > last["bottom"].accuracy
    assert last["top"].attention > last["random"].attention > last["bottom"].attention
    assert last["bottom"].modal > last["pre"].modal > theory.common["test"]
    assert theory.salience["top"] > theory.salience["whole"] > theory.salience["bottom"]
    assert theory.pull["top"] > 0 > theory.pull["bottom"]


def test_the_order_goes_where_the_halves_have_the_same_answers(theory: Theory) -> None:
    """What the simulation teaches: its bottom half holds the common answers, and most of the effect is theirs."""
    alike = simulate(Setting(split="salience_by_answer"), 100)
    assert theory.common["top"] < theory.common["test"] < theory.common["bottom"]
    assert alike.common["top"] == alike.common["bottom"]
    assert alike.pull["bottom"] > alike.pull["top"] > 0
    apart = theory.last["top"].accuracy - theory.last["bottom"].accuracy
    assert abs(alike.last["top"].accuracy - alike.last["bottom"].accuracy) < apart / 4


def test_every_arm_starts_from_the_pretrained_layer(theory: Theory) -> None:
    pre = theory.last["pre"]
    for arm in ARMS:
        looks = [look for look in theory.looks if look.arm == arm]
        assert [look.step for look in looks] == list(range(0, 101, 5))
        assert (looks[0].accuracy, looks[0].attention, looks[0].modal) == (pre.accuracy, pre.attention, pre.modal)
        assert looks[0].salience == theory.salience[arm]


def test_a_seed_gives_the_same_and_another_seed_another_world() -> None:
    assert simulate(SMALL, 7) == simulate(SMALL, 7)
    assert simulate(SMALL, 7).looks[0] != simulate(SMALL, 8).looks[0]


def test_finetuning_otherwise_leaves_world_and_pretraining_as_they_are() -> None:
    one, other = simulate(SMALL, 7), simulate(replace(SMALL, tuned="all", finetune_steps=3, finetune_rate=1.0), 7)
    assert (one.last["pre"], one.salience, one.facts) == (other.last["pre"], other.salience, other.facts)
    assert one.last["top"] != other.last["top"]


def test_a_study_reads_every_arm_and_keeps_the_way_there(tmp_path: Path) -> None:
    options = {"subjects": 80, "relations": 2, "answers": 5, "pretrain_steps": 150, "finetune_steps": 20}
    measure_part(Measure("theory", None, None, {}, options, 7, tmp_path), lambda done, total: None)
    found = json.loads((tmp_path / PART).read_text(encoding="utf-8"))["readings"]
    same = simulate(SMALL, 7)
    assert set(found) == {
        *(f"{name}:{arm}" for name in ("accuracy", "attention", "modal") for arm in ("pre", *ARMS)),
        *(f"{name}:{arm}" for name in ("salience", "common") for arm in (*ARMS, "test")),
        *(f"{name}:{arm}" for name in ("pull", "fitted") for arm in ARMS),
    }
    top = found["accuracy:top"]
    assert top["value"] == same.last["top"].accuracy
    assert top == {**top, "rows": 80, "entities": 40, "control": None, "base": same.last["pre"].accuracy, "chance": 0.2}
    assert (found["salience:top"]["rows"], found["attention:pre"]["base"]) == (same.facts["top"], None)
    table = pq.read_table(tmp_path / TABLE)
    assert table.column_names == ["arm", "step", "accuracy", "attention", "modal", "salience", "fitted"]
    assert table.num_rows == 1 + len(ARMS) * 21
    assert table.to_pylist()[-1]["accuracy"] == same.last["bottom"].accuracy


@pytest.mark.parametrize(
    ("options", "expected_error"),
    [
        ({"subject": 80}, r"part theory: options: unknown key 'subject': have subjects"),
        ({"subjects": 4}, r"one-layer simulation: subjects must be a whole number, 8 or more \(got 4\)"),
        ({"subjects": 80.0}, r"subjects must be a whole number, 8 or more \(got 80\.0\)"),
        ({"relations": 0}, r"relations must be a whole number, 1 or more \(got 0\)"),
        ({"answers": True}, r"answers must be a whole number, 2 or more \(got True\)"),
        ({"finetune_rate": 0}, r"finetune_rate must be above 0 \(got 0\)"),
        ({"prior": -1}, r"prior must be 0 or more \(got -1\)"),
        ({"frequency": "zipf"}, r"frequency must be a number \(got 'zipf'\)"),
        ({"pretrain_rate": float("inf")}, r"pretrain_rate must be a number \(got inf\)"),
        ({"tuned": "head"}, r"one-layer simulation: unknown tuned 'head': have attention, values, all"),
        ({"split": "half"}, r"unknown split 'half': have salience, salience_by_answer, exposures"),
        (
            {"subjects": 8, "answers": 5000, "prior": 0.0, "relations": 1, "pretrain_steps": 1, "split": "salience_by_answer"},
            r"no two of 8 subjects have the same answer: give more subjects",
        ),
    ],
)  # fmt: skip
def test_a_simulation_that_cannot_be_is_told_in_one_line(
    options: dict[str, Any], expected_error: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=expected_error):
        measure(Measure("theory", None, None, {}, options, 7, tmp_path), lambda done, total: None)
    assert not list(tmp_path.iterdir())
