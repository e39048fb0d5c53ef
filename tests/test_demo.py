"""One real cell of the demo, what is read off it, and the page in a real browser."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from playwright.sync_api import Browser

from kbench.errors import OutputError, SpecError
from kbench.studies.cells import ARMS, cell_results, finished_cell, run_cell
from kbench.studies.contrasts import paired, t_interval
from kbench.studies.demo import Demo, run_demo, seeds_of
from kbench.studies.findings import GATE, find
from kbench.studies.report import write_report
from kbench.studies.summary import print_summary
from tests.browsing import OVERLAPS

pytestmark = pytest.mark.xdist_group("demo")  # one worker runs the cell for all of them

SEED = 106
"""A seed of the exploration set: the suite looks at nothing that the demo is judged on."""


@pytest.fixture(scope="session")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell run for real: its world, base, three finetunes and four results (about a minute of one core)."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("cell")
    shares: list[float] = []
    run_cell(SEED, out, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    return out


@pytest.fixture(scope="session")
def demo(cell: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo of three seeds whose cells are found done: copies of the real one, two with a few verdicts changed."""
    out = tmp_path_factory.mktemp("demo")
    seeds = (SEED, 201, 202)
    for shift, seed in enumerate(seeds):
        shutil.copytree(cell, out / "seeds" / str(seed))
        _as_seed(out / "seeds" / str(seed), seed, shift * 0.03)
    shutil.copy(cell / "cell.json", out / "kbench_demo.json")
    return run_demo(out, seeds, 1)


def _as_seed(folder: Path, seed: int, shift: float) -> None:
    from kbench.studies.cells import cell_plan

    about = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
    (folder / "cell.json").write_text(json.dumps({**about, "seed": seed, "plan": cell_plan(seed)}), encoding="utf-8")
    for arm in ARMS:
        _edit_accuracy(folder, arm, lambda s: max(0.0, s["accuracy"] - shift))


def _edit_accuracy(folder: Path, arm: str, change: Any) -> None:
    path = folder / "results" / arm / "results.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    for score in about["kbench"]["scores"]:
        score["accuracy"] = change(score)
    path.write_text(json.dumps(about), encoding="utf-8")


def accuracy(cell: Path, arm: str, style: str, probe: str) -> float:
    scores = cell_results(cell)[arm]["kbench"]["scores"]
    return float(next(s["accuracy"] for s in scores if (s["style"], s["probe"]) == (style, probe)))


def test_the_labs_base_knows_its_background_and_nothing_of_the_new_people(cell: Path) -> None:
    assert accuracy(cell, "base", "qa", "known") >= GATE
    assert accuracy(cell, "base", "qa", "paraphrase") < 0.1


@pytest.mark.parametrize("arm", ARMS)
def test_a_finetune_teaches_the_new_facts_and_leaks_nothing_to_the_controls(cell: Path, arm: str) -> None:
    assert accuracy(cell, arm, "qa", "paraphrase") > accuracy(cell, arm, "qa", "control") + 0.3
    assert accuracy(cell, arm, "qa", "control") < 0.1


def test_training_on_questions_answers_questions_best(cell: Path) -> None:
    by_arm = {arm: accuracy(cell, arm, "qa", "paraphrase") for arm in ARMS}
    assert by_arm["qa"] == max(by_arm.values())
    assert by_arm["qa"] > 0.9


def test_every_result_of_a_cell_stands_beside_its_base(cell: Path) -> None:
    for arm in ARMS:
        for found in cell_results(cell)[arm]["kbench"]["scores"]:
            assert found["base"] == accuracy(cell, "base", found["style"], found["probe"])


def test_a_second_run_of_a_cell_reuses_every_stage(cell: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in cell.rglob("*.safetensors")}
    about = run_cell(SEED, cell)
    assert [stage["reused"] for stage in about["stages"]] == [True] * 6
    assert all(stage["cpu_s"] > 0 for stage in about["stages"])
    assert {p: p.stat().st_mtime_ns for p in cell.rglob("*.safetensors")} == before


def test_a_cell_of_another_plan_or_without_its_results_is_not_taken_for_finished(cell: Path, tmp_path: Path) -> None:
    assert finished_cell(SEED, cell) is not None
    assert finished_cell(SEED + 1, cell) is None
    shutil.copytree(cell, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "results" / "qa")
    assert finished_cell(SEED, tmp_path / "copy") is None
    about = run_cell(SEED, tmp_path / "copy")
    assert [stage["name"] for stage in about["stages"] if not stage["reused"]] == ["score"]
    assert finished_cell(SEED, tmp_path / "copy") is not None


def test_a_finished_demo_says_what_it_reused(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.reused == (SEED, 201, 202)
    print_summary(demo)
    shown = capsys.readouterr().out
    assert "reused what was done: seeds 106, 201, 202" in shown
    assert "QA − article, cloze" in shown
    assert "report.html" in shown


def test_the_findings_hold_every_contrast_beside_its_levels(demo: Demo) -> None:
    names = [c.name for c in demo.findings.contrasts]
    assert names == ["question_format", "cloze_format", "numeric_matched", "two_hop"]
    for contrast in demo.findings.contrasts:
        assert len(contrast.differences) == 3
        assert contrast.mean == pytest.approx(contrast.left - contrast.right)
        assert contrast.low <= contrast.mean <= contrast.high
    assert all(level.rows > 0 and 0 <= level.chance < 1 for level in demo.findings.levels)


def test_the_page_says_whether_its_seeds_are_those_that_the_recipe_was_chosen_on(demo: Demo, tmp_path: Path) -> None:
    assert "no judgement of it" in demo.page.read_text(encoding="utf-8")
    judged = replace(demo.findings, seeds=(0, 1, 2))
    cells = dict.fromkeys(demo.findings.seeds, demo.cells[SEED])
    page = write_report(tmp_path / "report.html", judged, cells, demo.page.parent / "seeds" / str(SEED) / "release")
    assert "judged here on seeds it never saw" in page.read_text(encoding="utf-8")


def test_bases_that_fail_their_check_give_a_reason_and_no_numbers(cell: Path, tmp_path: Path) -> None:
    cells = {}
    for seed in (1, 2, 3):
        shutil.copytree(cell, tmp_path / str(seed))
        cells[seed] = tmp_path / str(seed)
    _edit_accuracy(cells[2], "base", lambda s: 0.5)
    found = find(cells)
    assert found.refusal.startswith("not interpretable: 2 of 3 bases answered at least 80% of the background questions")
    assert "seed 2: 0.50" in found.refusal
    assert (found.levels, found.contrasts, found.beside) == ((), (), ())
    assert found.used == (1, 3)


def test_a_seed_whose_base_fails_is_left_out_of_the_contrasts(cell: Path, tmp_path: Path) -> None:
    cells = {}
    for seed in (1, 2, 3, 4):
        shutil.copytree(cell, tmp_path / str(seed))
        cells[seed] = tmp_path / str(seed)
    _edit_accuracy(cells[3], "base", lambda s: 0.5)
    found = find(cells)
    assert (found.refusal, found.used) == ("", (1, 2, 4))
    assert all(len(c.differences) == 3 for c in found.contrasts)


def test_the_t_interval_is_students() -> None:
    low, high = t_interval([1.0, 2.0, 3.0, 4.0])
    assert [low, high] == pytest.approx([0.4457, 4.5543], abs=1e-3)
    assert t_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    with pytest.raises(ValueError, match="needs at least 2 seeds, got 1"):
        t_interval([1.0])


@pytest.mark.parametrize(
    ("left", "right", "reading"),
    [
        ([0.9, 0.8, 0.9], [0.1, 0.2, 0.1], "above zero"),
        ([0.1, 0.2, 0.1], [0.9, 0.8, 0.9], "below zero"),
        ([0.1, 0.9, 0.5], [0.5, 0.5, 0.4], "inconclusive"),
    ],
)
def test_a_contrast_reads_as_its_interval_says(left: list[float], right: list[float], reading: str) -> None:
    assert paired("x", "x", "", ("a", left), ("b", right)).reading == reading


@pytest.mark.parametrize(
    ("text", "expected"), [("0-7", tuple(range(8))), ("1,2,5", (1, 2, 5)), ("100-101,7", (100, 101, 7))]
)
def test_seeds_are_ranges_or_lists(text: str, expected: tuple[int, ...]) -> None:
    assert seeds_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected_error"),
    [("x", "numbers such as 0-7"), ("1", "3 to 64 different seeds \\(got 1\\)"), ("0-99", "\\(got 100\\)")],
)
def test_seeds_that_cannot_be_are_refused(text: str, expected_error: str) -> None:
    with pytest.raises(SpecError, match=expected_error):
        seeds_of(text)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"holds something else \(thesis\.txt"):
        run_demo(tmp_path, (0, 1, 2), 1)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1100])
def test_the_page_stands_alone_and_no_text_of_a_picture_overlaps(
    demo: Demo, browser: Browser, scheme: Any, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    troubles: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(demo.page.as_uri())
    assert troubles == []
    assert requests == [demo.page.as_uri()]
    assert page.locator("svg").count() == 2
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.browser
def test_the_page_follows_light_and_dark(demo: Demo, browser: Browser) -> None:
    seen = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(demo.page.as_uri())
        script = "e => getComputedStyle(e).fill"
        seen.append(
            (
                page.locator("svg text").first.evaluate(script),
                page.evaluate("getComputedStyle(document.body).backgroundColor"),
            )
        )
        page.close()
    assert seen[0] == ("rgb(27, 31, 36)", "rgb(255, 255, 255)")
    assert seen[1] == ("rgb(227, 232, 238)", "rgb(20, 24, 29)")
