"""inspect runs the exported tasks: a local model reads kbench's own prompt, and its answers are scored as kbench does."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from kbench.exports.export import export_release
from kbench.store import Release
from tests.tools.conftest import BESIDE, Scored, run_tool

LIMIT = 48


@pytest.fixture(scope="module")
def asked(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The file of tasks, and how many rows those have that are run here: what was held out, controls, options."""
    export = export_release(tiny, "inspect", tmp_path_factory.mktemp("inspect") / "tasks")
    tasks = export.about["report"]["tasks"]
    left_out = ("_recall", "_recall_mc", "_known", "_known_mc", "_control_mc")
    return export.path / export.about["report"]["file"], {t: n for t, n in tasks.items() if not t.endswith(left_out)}


@pytest.fixture(scope="module")
def logs(scored: Scored, asked: tuple[Path, dict[str, int]]) -> dict[str, dict[str, Any]]:
    """What inspect's command line logged of each task, of which it asks the first rows."""
    file, tasks = asked
    run_tool(
        "inspect",
        *("eval", *(f"{file.name}@{task}" for task in tasks), "--model", "hf/local"),
        *("-M", f"model_path={scored.model}", "--limit", str(LIMIT), "--max-connections", str(LIMIT)),
        *("--display", "none", "--log-dir", "../logs", "--log-format", "json"),
        cwd=file.parent,
    )
    read = [json.loads(path.read_text(encoding="utf-8")) for path in (file.parent.parent / "logs").glob("*.json")]
    return {log["eval"]["task"]: log for log in read}


def test_every_task_runs_to_its_end(logs: dict[str, dict[str, Any]], asked: tuple[Path, dict[str, int]]) -> None:
    assert {log["status"] for log in logs.values()} == {"success"}
    assert {task: len(log["samples"]) for task, log in logs.items()} == {
        task: min(LIMIT, rows) for task, rows in asked[1].items()
    }


def test_every_score_and_answer_of_inspect_is_kbenchs_own_on_the_same_rows(
    scored: Scored, logs: dict[str, dict[str, Any]]
) -> None:
    said = defaultdict[tuple[str, str], list[bool]](list)
    for task, log in logs.items():
        for sample in log["samples"] if not task.endswith("_mc") else []:
            own, found = scored.samples[sample["id"]], sample["scores"]["kbench_exact_match"]
            assert sample["input"] == own["prompt"]
            assert found["answer"] == own["said"]
            assert (found["value"] == "C") == own["right"]
            said[sample["metadata"]["style"], sample["metadata"]["probe"]].append(own["right"])
    assert set(said) == {key for key in scored.accuracies if key[1] not in ("recall", "known")}
    for (style, probe), right in said.items():
        (metrics,) = (score["metrics"] for score in logs[f"kbench_tiny_{style}_{probe}"]["results"]["scores"])
        assert metrics["accuracy"]["value"] == pytest.approx(sum(right) / len(right)), (style, probe)
        cells = BESIDE.setdefault((style, probe), {})
        cells |= {"inspect": f"{metrics['accuracy']['value']:.4f}", "its rows": f"{len(right)}"}


def test_multiple_choice_shows_the_options_once_and_expects_the_right_letter(
    logs: dict[str, dict[str, Any]], tiny: Release
) -> None:
    rows = {row["id"]: row for row in tiny.table("choice", "test").to_pylist()}
    samples = logs["kbench_tiny_choice_choice_mc"]["samples"]
    assert samples
    for sample in samples:
        row = rows[sample["id"]]
        assert sample["choices"] == row["choices"]
        assert row["choices"]["ABCD".index(sample["target"])] == row["answer"]
        asked = sample["messages"][0]["content"]
        assert all(
            asked.count(f"{letter}) {option}") == 1 for letter, option in zip("ABCD", row["choices"], strict=False)
        )
        assert not any(f"{letter}. {option}" in asked for letter, option in zip("ABCD", row["choices"], strict=False))
