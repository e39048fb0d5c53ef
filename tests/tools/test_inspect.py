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
def logs(tiny: Release, scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What inspect's command line logged of each task of the file, of which it asks the first rows."""
    folder = tmp_path_factory.mktemp("inspect")
    file = export_release(tiny, "inspect", folder / "tasks").about["report"]["file"]
    run_tool(
        "inspect",
        *("eval", file, "--model", "hf/local", "-M", f"model_path={scored.model}"),
        *("--limit", str(LIMIT), "--max-connections", "256", "--max-tasks", "64", "--display", "none"),
        *("--log-dir", "../logs", "--log-format", "json"),
        cwd=folder / "tasks",
    )
    read = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "logs").glob("*.json")]
    return {log["eval"]["task"]: log for log in read}


def test_every_task_runs_to_its_end(logs: dict[str, dict[str, Any]], tiny: Release, tmp_path: Path) -> None:
    tasks = export_release(tiny, "inspect", tmp_path).about["report"]["tasks"]
    assert set(logs) == set(tasks)
    assert {log["status"] for log in logs.values()} == {"success"}
    assert {task: len(log["samples"]) for task, log in logs.items()} == {
        task: min(LIMIT, rows) for task, rows in tasks.items()
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
    assert set(said) == set(scored.accuracies)
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
