"""inspect runs a pushed release as a benchmark of the Hub, from its eval.yaml alone, and scores what kbench scores."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kbench.benchmarks.match import exact_match
from kbench.store import EVAL, Release
from tests.hub import HubServer, run_alone
from tests.tools.conftest import BESIDE, Scored, run_tool

LIMIT = 60
BARE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.fixture
def logs(hub: HubServer, tiny: Release, scored: Scored, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What inspect logged of each task of the pushed release, of which it asked the first rows, by the task's id."""
    pushed = run_alone(hub.env(), "push", tiny.path, "--repo-id", "my-org/kbench-tiny", "--tag", "v1", cwd=tmp_path)
    assert pushed.status == 0, pushed.err
    run_tool(
        "inspect",
        *("eval", "hf/my-org/kbench-tiny@v1", "--model", "hf/local", "-M", f"model_path={scored.model}"),
        # The prompt as it stands, and the likeliest answer: inspect would open with "user: ", and draw.
        *("-M", f'chat_template="{BARE}"', "-M", "do_sample=false", "--max-tokens", "32"),
        *("--limit", str(LIMIT), "--max-connections", str(LIMIT)),
        *("--display", "none", "--log-dir", "logs", "--log-format", "json"),
        cwd=tmp_path,
        **hub.env(),
    )
    read = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "logs").glob("*.json")]
    return {log["eval"]["task"].rsplit("/", 1)[1]: log for log in read}


def test_the_benchmark_file_runs_from_the_hub_and_scores_kbenchs_own_predictions(
    logs: dict[str, dict[str, Any]], tiny: Release, scored: Scored
) -> None:
    tasks = yaml.safe_load((tiny.path / EVAL).read_text(encoding="utf-8"))["tasks"]
    assert set(logs) == {task["id"] for task in tasks}
    for task in tasks:
        log = logs[task["id"]]
        rows = tiny.table(task["config"], task["split"]).slice(0, LIMIT).to_pylist()
        samples = sorted(log["samples"], key=lambda sample: int(sample["id"]))
        assert log["status"] == "success"
        assert len(samples) == len(rows)
        (found,) = log["results"]["scores"]
        if task["id"] == "choice_letter":
            letters = ["ABCD"[row["label"]] for row in rows]
            assert [sample["target"] for sample in samples] == letters
            continue
        right = 0
        for row, sample in zip(rows, samples, strict=True):
            own = scored.samples[row["id"]]
            assert sample["messages"][0]["content"] == own["prompt"]
            right += exact_match(own["said"], [row["answer"]])
        value = found["metrics"]["accuracy"]["value"]
        assert value == pytest.approx(right / len(rows)), task["id"]
        cells = BESIDE.setdefault((task["id"], "eval.yaml"), {})
        cells |= {"inspect": f"{value:.4f}", "its rows": f"{len(rows)}", "kbench": f"{right / len(rows):.4f}"}
