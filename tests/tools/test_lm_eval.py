"""lm-eval runs the exported tasks: its scores and the answers it saw are kbench's own, digit for digit."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.prompts import prediction_of
from kbench.exports.export import export_release
from kbench.store import Release
from tests.tools.conftest import BESIDE, Scored, run_tool


@dataclass(frozen=True)
class Ran:
    """What lm-eval left: its results by task, its samples by task."""

    results: dict[str, dict[str, Any]]
    samples: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ran(tiny: Release, scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Every task of every group, asked of the trained model by lm-eval's command line."""
    folder = tmp_path_factory.mktemp("lm-eval")
    groups = export_release(tiny, "lm-eval", folder / "tasks").about["report"]["groups"]
    run_tool(
        "lm_eval",
        *("--model", "hf", "--model_args", f"pretrained={scored.model},dtype=float32", "--device", "cpu"),
        *("--include_path", "tasks", "--tasks", ",".join(groups), "--batch_size", "256"),
        *("--output_path", "out", "--log_samples"),
        cwd=folder,
    )
    (path,) = (folder / "out").rglob("results_*.json")
    logs = {p.name.removeprefix("samples_").rsplit("_", 1)[0]: p for p in path.parent.glob("samples_*.jsonl")}
    samples = {
        task: [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] for task, log in logs.items()
    }
    return Ran(json.loads(path.read_text(encoding="utf-8"))["results"], samples)


def test_every_score_of_lm_eval_is_kbenchs_own(scored: Scored, ran: Ran) -> None:
    for (style, probe), own in scored.accuracies.items():
        found = ran.results[f"kbench_tiny_{style}_{probe}"]
        assert found["exact_match,none"] == pytest.approx(own, abs=1e-12), (style, probe)
        assert len(ran.samples[f"kbench_tiny_{style}_{probe}"]) == scored.rows[style, probe]
        cells = BESIDE.setdefault((style, probe), {})
        cells |= {"rows": f"{scored.rows[style, probe]:,}", "kbench": f"{own:.4f}"}
        cells["lm-eval"] = f"{found['exact_match,none']:.4f}"
    assert min(scored.accuracies.values()) < 0.5 < max(scored.accuracies.values()), "a model of one score tells little"


def test_every_prompt_and_every_answer_that_lm_eval_saw_is_kbenchs_own(scored: Scored, ran: Ran) -> None:
    seen = set()
    for task, samples in ran.samples.items():
        for sample in samples if not task.endswith("_mc") else []:
            own = scored.samples[sample["doc"]["id"]]
            assert sample["arguments"]["gen_args_0"]["arg_0"] == own["prompt"]
            assert prediction_of(sample["doc"], sample["filtered_resps"][0]) == own["said"]
            seen.add(sample["doc"]["id"])
    assert seen == set(scored.samples)


def test_the_mean_of_a_group_is_that_of_its_tasks(scored: Scored, ran: Ran) -> None:
    held_out = [own for (_, probe), own in scored.accuracies.items() if probe not in ("known", "recall", "control")]
    assert ran.results["kbench_tiny_test"]["exact_match,none"] == pytest.approx(sum(held_out) / len(held_out))
    controls = [own for (_, probe), own in scored.accuracies.items() if probe == "control"]
    assert ran.results["kbench_tiny_control"]["exact_match,none"] == pytest.approx(sum(controls) / len(controls))


def test_what_was_trained_is_chosen_more_often_than_by_chance_and_what_was_not_is_not(ran: Ran) -> None:
    for probe in ("choice", "known", "recall", "control"):
        found = ran.results[f"kbench_tiny_choice_{probe}_mc"]
        assert {"acc,none", "acc_norm,none"} <= set(found)
        BESIDE.setdefault(("choice", probe), {})["lm-eval mc"] = f"{found['acc,none']:.4f}"
    assert ran.results["kbench_tiny_choice_choice_mc"]["acc,none"] > 0.5
    assert ran.results["kbench_tiny_choice_control_mc"]["acc,none"] < 0.4


def test_the_exported_tasks_need_no_kbench(tmp_path: Path, tiny: Release) -> None:
    export_release(tiny, "lm-eval", tmp_path, styles=("qa",))
    for path in tmp_path.glob("*.py"):
        assert "import kbench" not in path.read_text(encoding="utf-8")
        assert "from kbench" not in path.read_text(encoding="utf-8")
