"""A study run for real on tiny worlds: what it trains, what it reads, what it judges, and that nothing is done twice."""

import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.cohort import cohort_of
from kbench.benchmarks.recipe_file import recipe_of
from kbench.errors import OutputError
from kbench.hub.find import find_release
from kbench.store import Release, open_release, write_text
from kbench.studies.study import Study
from kbench.studies.study_design import design
from kbench.studies.study_run import Account, run_study
from tests.test_study_file import SMALL

pytestmark = pytest.mark.xdist_group("study")

WORLD = """
spec = "lab"
seed = "0"
styles = ["qa", "article", "cloze", "multihop", "tone"]
sizes = { entities = 14, background = 14, known = 0 }
exposure = { exposures = 4, paraphrases = 4 }
background = { exposures = 2 }
"""
BASE = {"layers": 1, "width": 32, "heads": 1, "inner": 32, "batch": 64, "bf16": False}


def study_in(folder: Path, **changes: Any) -> Study:
    """The small study, in whose worlds models train in a second."""
    world = folder / "small.world.toml"
    if not world.exists():
        write_text(world, WORLD.replace(', "tone"', ""))
    raw = {
        **SMALL,
        "world": str(world),
        "lab": BASE,
        "train_lab": {"batch": 4},
        "factors": {
            "style": SMALL["factors"]["style"],
            "volume": {"title": "volume", "centre": "1", "levels": {"0.5": {"volume": 0.5}, "1": {}}},
        },
        "asks": {
            "plain": {"styles": ["qa", "multihop"], "limit": None},
            "again": {"splits": ["train"], "styles": ["qa"], "limit": 20},
        },
        "readings": {
            **SMALL["readings"],
            "control": {
                "title": "c",
                "styles": ["qa"],
                "probes": ["control"],
                "roles": ["control"],
                "relations": ["emblem"],
                "taught": None,
            },
            "untaught": {
                "title": "u",
                "styles": ["qa"],
                "probes": ["paraphrase"],
                "relations": ["emblem"],
                "taught": False,
            },
            "seen": {"title": "s", "styles": ["multihop"], "probes": ["multihop"], "bridge": "seen"},
            "unseen": {"title": "n", "styles": ["multihop"], "probes": ["multihop"], "bridge": "unseen"},
            "hops": {"title": "h", "styles": ["multihop"], "probes": ["multihop"]},
            "again": {"title": "a", "ask": "again", "styles": ["qa"], "probes": ["recall"]},
            "net": {"title": "b", "ask": "again", "styles": ["qa"], "probes": ["recall"], "less": "control"},
            "kept": {"title": "k", "styles": ["qa"], "probes": ["known"], "roles": ["background"]},
        },
        "gates": {"known": {"title": "known", "cell": "base", "reading": "emblem", "least": 0.0}},
        "budgets": {
            "minute": {"says": "one", "seeds": 3, "one": {"style": 3}, "levels": {"style": ["qa"]}},
            "coffee": {
                "says": "more",
                "seeds": 3,
                "one": {"style": 3, "volume": 3},
                "levels": {"style": ["qa"]},
                "arms": {"more": 1},
            },
        },
        **changes,
    }
    return Study.model_validate(raw)


def done(study: Study, budget: str, out: Path) -> Account:
    return run_study(design(study, budget, seeds=(100, 101, 102)), out, _find, str, jobs=2)


def _find(name: str) -> Release:
    return find_release(name, lambda done, total: None, print)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def account(folder: Path) -> Account:
    return done(study_in(folder), "coffee", folder / "out")


def samples(account: Account, cell: str, seed: int, ask: str = "plain") -> list[dict[str, Any]]:
    """The rows of a cell's result, found through the plan."""
    for planned in account.outcome.plan.cells:
        if (planned.cell.recipe, planned.cell.seed, planned.cell.prompt) == (cell, seed, ask):
            found: list[dict[str, Any]] = pq.read_table(planned.result / "samples.parquet").to_pylist()
            return found
    raise AssertionError(f"no {cell} {seed} {ask}")


def emblems(account: Account, seed: int) -> set[str]:
    """The emblems that somebody of a seed's world has."""
    release = open_release(next(p.release for p in account.outcome.plan.cells if p.cell.seed == seed))
    return {row["value"] for row in release.table("facts", "train").to_pylist() if row["relation"] == "emblem"}


def test_every_cell_is_trained_and_every_seed_has_a_world_of_its_own(account: Account) -> None:
    assert not account.outcome.failures
    worlds = {planned.cell.seed: open_release(planned.release).world for planned in account.outcome.plan.cells}
    assert len(set(worlds.values())) == 3
    assert set(account.levels.cells) == {"base", "centre", "style=qa", "volume=0.5", "more"}


@pytest.mark.parametrize("cell", ["base", "centre", "style=qa"])
def test_a_level_is_the_share_of_right_answers_among_the_rows_that_fit(account: Account, cell: str) -> None:
    for seed, level in account.levels.of(cell, "emblem").items():
        rows = [
            row
            for row in samples(account, cell, seed)
            if row["relation"] == "emblem" and row["probe"] == "paraphrase" and row["split"] == "test"
        ]
        twins = [
            row for row in samples(account, cell, seed) if row["relation"] == "emblem" and row["split"] == "control"
        ]
        assert level.rows == len(rows) > 0
        assert level.value == fmean(row["correct"] for row in rows)
        assert level.control == fmean(row["correct"] for row in twins)
        assert level.chance == pytest.approx(1 / len(emblems(account, seed)))
        assert (level.base is None) == (cell == "base")


def test_of_a_share_of_the_facts_the_taught_and_the_untaught_are_read_apart(account: Account) -> None:
    told = account.levels.of("volume=0.5", "emblem")
    others = account.levels.of("volume=0.5", "untaught")
    whole = account.levels.of("centre", "emblem")
    for seed in (100, 101, 102):
        assert told[seed].rows + others[seed].rows == whole[seed].rows
        assert told[seed].rows > 0 < others[seed].rows
    release = next(p.release for p in account.outcome.plan.cells if p.cell.seed == 100)
    left = cohort_of(open_release(release), recipe_of({"styles": ["article"], "volume": 0.5}, "")).left_out
    rows = [r for r in samples(account, "volume=0.5", 100) if r["relation"] == "emblem" and r["probe"] == "paraphrase"]
    assert others[100].rows == sum(row["entity_id"] in left for row in rows)
    assert not account.levels.of("centre", "untaught")


def test_a_chain_is_over_a_seen_bridge_where_training_has_one_over_the_same_fact(account: Account) -> None:
    release = open_release(next(p.release for p in account.outcome.plan.cells if p.cell.seed == 101))
    used = {fact for row in release.table("multihop", "train").to_pylist() for fact in row["fact_ids"]}
    rows = [row for row in samples(account, "centre", 101) if row["probe"] == "multihop" and row["split"] == "test"]
    seen = sum(row["fact_ids"][1] in used for row in rows)
    levels = {name: account.levels.of("centre", name).get(101) for name in ("seen", "unseen", "hops")}
    assert (levels["seen"].rows if levels["seen"] else 0) == seen
    assert (levels["unseen"].rows if levels["unseen"] else 0) == len(rows) - seen
    assert levels["hops"] is not None
    assert levels["hops"].rows == len(rows)


def test_another_ask_is_read_where_it_was_asked_alone(account: Account) -> None:
    assert set(account.levels.of("more", "again")) == {100}
    assert not account.levels.of("centre", "again")
    assert account.levels.of("more", "again")[100].rows == 20


def test_the_claim_is_judged_by_the_difference_in_every_seed(account: Account) -> None:
    (judged,) = account.judged
    qa, article = account.levels.of("style=qa", "emblem"), account.levels.of("centre", "emblem")
    assert judged.estimates[0].values == {seed: qa[seed].value - article[seed].value for seed in (100, 101, 102)}
    assert judged.to_dict()["seeds"] == [100, 101, 102]
    assert judged.to_dict()["n"] == sum(level.rows for side in (qa, article) for level in side.values())


def test_a_finished_study_does_nothing_and_a_smaller_budget_needs_nothing_more(account: Account, folder: Path) -> None:
    again = done(study_in(folder), "coffee", folder / "out")
    assert not again.outcome.done
    assert again.levels == account.levels
    smaller = done(study_in(folder), "minute", folder / "out")
    assert not smaller.outcome.done
    assert set(smaller.levels.cells) == {"base", "centre", "style=qa"}


def test_a_folder_of_another_study_is_refused_before_anything_is_done(account: Account, folder: Path) -> None:
    (folder / "out" / "study.json").write_text('{"name": "small"}', encoding="utf-8")
    with pytest.raises(OutputError, match=r"out holds the study 'small', not 'other': give another --out"):
        done(study_in(folder, name="other"), "minute", folder / "out")


def test_what_is_lost_of_a_study_is_done_again_and_nothing_else(account: Account, folder: Path) -> None:
    lost = next(p for p in account.outcome.plan.cells if p.cell.recipe == "style=qa" and p.cell.seed == 102)
    shutil.rmtree(lost.result)
    again = done(study_in(folder), "coffee", folder / "out")
    assert again.outcome.done == {lost.result}
    assert again.levels == account.levels


def test_a_reading_less_its_control_is_not_read_where_no_control_was_asked(account: Account) -> None:
    assert account.levels.of("more", "again")
    assert not account.levels.of("more", "net")


def test_the_background_is_read_whatever_share_of_the_facts_was_taught(account: Account) -> None:
    whole, half = account.levels.of("centre", "kept"), account.levels.of("volume=0.5", "kept")
    assert {seed: level.rows for seed, level in half.items()} == {seed: level.rows for seed, level in whole.items()}
    assert set(half) == {100, 101, 102}


def test_what_was_planned_and_lost_is_not_called_left_out_of_the_budget(account: Account) -> None:
    levels = type(account.levels)((), account.levels.planned)
    assert levels.missing([("more", "again")]) == "planned, but nothing came of it: more: again"
    assert levels.missing([("centre", "again")]) == "not run in this budget: centre: again"
