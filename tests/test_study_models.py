"""A study of chosen facts run for real on a tiny world: labels made on the way, kept models, other worlds and bases."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.results import model_digests
from kbench.hub.find import find_release
from kbench.store import Release, open_release, write_text
from kbench.studies.grid_orders import Know, Train
from kbench.studies.study import Study
from kbench.studies.study_design import design
from kbench.studies.study_file import at_checkpoints
from kbench.studies.study_run import Account, run_study
from tests.test_study_file import SMALL
from tests.test_study_run import BASE

pytestmark = pytest.mark.xdist_group("study")

WORLD = """
spec = "known-facts"
seed = "0"
styles = ["qa", "article"]
sizes = { entities = 12, background = 24, known = 36 }
exposure = { exposures = 2, paraphrases = 2 }
background = { exposures = 6, tiers = [6, 2, 0] }
"""
PROBE = "probe:slick-k0-g1-s2-t0.5-topk40"
SEED = 100
KNOWN = {"styles": ["qa"], "probes": ["known"], "roles": ["background"], "relations": ["occupation", "hobby"]}


def study_in(folder: Path) -> Study:
    """A small study that has one of everything that can be turned."""
    write_text(folder / "small.world.toml", WORLD)
    write_text(folder / "tiers.world.toml", WORLD.replace("[6, 2, 0]", "[5, 0]"))
    chosen = {"facts_by": "exposures", "facts_among": ["6", "2"], "relations": ["occupation", "hobby"]}
    watched = {"epochs": 2, "watch": 6, "watch_probes": ["known"], "early_stop": True, "keep": [0.25]}
    raw = {
        **SMALL,
        "world": str(folder / "small.world.toml"),
        "lab": {**BASE, "shots": 3},
        "train": {"styles": ["qa"], **chosen, **watched},
        "train_lab": {"batch": 2},
        "factors": {
            "arm": {"title": "a", "centre": "top", "levels": {"top": {"facts": ["top"]}, "bottom": {"facts": ["2"]}}}
        },
        "within": {},
        "variants": {
            "tiers": {"title": "t", "world": str(folder / "tiers.world.toml")},
            "instruct": {"title": "i", "lab": {"instructed": 1}},
        },
        "arms": {
            "labelled": {
                "title": "by its labels",
                "train": {"facts_by": "knownness", "facts_among": [], "knownness": PROBE},
            },
            "tier": {"title": "t", "variant": "tiers", "train": {"facts": ["5"], "facts_among": ["5", "0"]}},
            "told_base": {"title": "i", "variant": "instruct", "untrained": True},
        },
        "parts": {"law": {"title": "law", "kind": "law", "cells": ["arm=top", "arm=bottom"]}},
        "asks": {"plain": {"styles": ["qa"], "splits": ["test"], "checkpoints": ["at-25", "early-stop"]}},
        "readings": {"any": {"title": "a", **KNOWN}, "own": {"title": "o", "own_form": True, **KNOWN}},
        "shown": ["any"],
        "gates": {},
        "claims": [],
        "budgets": {
            "minute": {
                "says": "all",
                "seeds": 1,
                "one": {"arm": 1},
                "arms": {"labelled": 1, "tier": 1, "told_base": 1},
                "parts": {"law": 1},
            }
        },
    }
    return Study.model_validate(at_checkpoints(raw))


def done(folder: Path) -> Account:
    return run_study(design(study_in(folder), "minute", seeds=(SEED,)), folder / "out", _find, str, jobs=1)


def _find(name: str) -> Release:
    return find_release(name, lambda done, total: None, print)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("turned")


@pytest.fixture(scope="module")
def account(folder: Path) -> Account:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KBENCH_CACHE", str(folder / "cache"))
        return done(folder)


def result(account: Account, cell: str, ask: str = "plain") -> Path:
    """The folder of a cell's result."""
    planned = account.outcome.plan.cells
    return next(p.result for p in planned if (p.cell.recipe, p.cell.prompt) == (cell, ask))


def run_of(account: Account, cell: str) -> Path:
    """The folder of a cell's training."""
    run = next(p.run for p in account.outcome.plan.cells if p.cell.recipe == cell)
    assert run is not None
    return run


def rows(account: Account, cell: str, ask: str = "plain") -> list[dict[str, Any]]:
    """The rows of a cell that the readings fit."""
    found = pq.read_table(result(account, cell, ask) / "samples.parquet").to_pylist()
    return [row for row in found if row["probe"] == "known" and row["relation"] in KNOWN["relations"]]


def test_every_cell_comes_to_its_end_at_every_checkpoint(account: Account) -> None:
    assert not account.outcome.failures
    assert set(account.levels.cells) == {"base", "centre", "arm=bottom", "labelled", "tier", "told_base", "law"}
    for cell in ("centre", "arm=bottom", "labelled", "tier"):
        assert all(account.levels.of(cell, reading) for reading in ("any", "any@at-25", "any@early-stop", "own@at-25"))
    assert not account.levels.of("told_base", "any@at-25")


@pytest.mark.parametrize("kept", ["at-25", "early-stop"])
def test_what_is_asked_of_a_checkpoint_is_asked_of_that_model(account: Account, kept: str) -> None:
    about = json.loads((result(account, "centre", f"plain@{kept}") / "results.json").read_text(encoding="utf-8"))
    weights = model_digests(run_of(account, "centre") / kept)["weights"]
    assert weights in json.dumps(about)
    answers = rows(account, "centre", f"plain@{kept}")
    level = account.levels.of("centre", f"any@{kept}")[SEED]
    assert level.value == fmean(row["correct"] for row in answers)
    assert level.base == account.levels.of("base", "any")[SEED].value


def test_in_its_own_form_an_answer_is_right_in_the_first_form_alone(account: Account) -> None:
    answers = rows(account, "centre")
    own = [bool(row["correct"]) and exact_match(row["prediction"], row["answers"][:1]) for row in answers]
    assert account.levels.of("centre", "own")[SEED].value == fmean(own)
    assert account.levels.of("centre", "any")[SEED].value == fmean(row["correct"] for row in answers)
    assert {len(row["answers"]) for row in answers} == {2}


def test_labels_are_made_once_by_the_base_and_choose_what_is_taught(account: Account) -> None:
    (order,) = [task.order for task in account.outcome.plan.tasks.values() if isinstance(task.order, Know)]
    told = pq.read_table(order.out / "knownness.parquet").to_pylist()
    assert {row["greedy"] for row in told} == {1}
    trained = [task.order for task in account.outcome.plan.tasks.values() if isinstance(task.order, Train)]
    assert [each.values["knownness"] for each in trained if each.values.get("knownness")] == [str(order.out)]
    about = json.loads((run_of(account, "labelled") / "kbench_run.json").read_text(encoding="utf-8"))
    assert about["recipe"]["knownness"] == str(order.out)


def test_a_variant_is_trained_and_asked_in_its_own_world_on_its_own_base(account: Account) -> None:
    plan = {planned.cell.recipe: planned for planned in account.outcome.plan.cells if planned.cell.prompt == "plain"}
    assert plan["tier"].release != plan["centre"].release == plan["told_base"].release
    doses = {f["exposures"] for f in open_release(plan["tier"].release).table("facts", "train").to_pylist()}
    assert {5, 0} <= doses
    assert plan["tier"].base != plan["centre"].base == plan["base"].result
    assert plan["told_base"].run is None
    assert plan["told_base"].result != plan["base"].result


def test_the_part_reads_the_histories_of_its_cells(account: Account) -> None:
    history = json.loads((run_of(account, "centre") / "kbench_run.json").read_text(encoding="utf-8"))["history"]
    assert account.levels.of("law", "half:centre")[SEED].rows == len(history) == 2
    assert account.levels.of("law", "half:arm=bottom")


def test_a_finished_study_of_chosen_facts_does_nothing_again(account: Account, folder: Path) -> None:
    again = done(folder)
    assert not again.outcome.done
    assert again.levels == account.levels
