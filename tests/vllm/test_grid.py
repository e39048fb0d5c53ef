"""A grid of adapters in the real vLLM: one engine for all of a base, the verdicts those of transformers."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import open_release
from kbench.studies.grid_file import load_grid
from kbench.studies.grid_run import Outcome, run_grid
from tests.samples import tiny

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("default"),  # vLLM, its plugins and its use of torch warn as they are loaded
]

GRID = """
seeds = [0, 1]
release = ["world"]
[engine]
backend = "vllm"
[[model]]
name = "small"
from = "lab"
lab = { layers = 1, width = 64, heads = 1, inner = 64, batch = 64, bf16 = false }
[[recipe]]
name = "qa"
method = "lora"
lora_rank = 4
batch = 4
[[recipe]]
name = "article"
method = "lora"
styles = ["article"]
batch = 4
[[prompt]]
name = "plain"
limit = 12
max_tokens = 8
"""


def run(folder: Path, out: Path, text: str) -> Outcome:
    (folder / "grid.toml").write_text(text, encoding="utf-8")
    return run_grid(load_grid(folder / "grid.toml"), out, lambda name: open_release(Path(name)), str, 1)


def verdicts(outcome: Outcome) -> dict[str, list[tuple[str, bool]]]:
    found = {}
    for planned in outcome.plan.cells:
        table = pq.read_table(planned.result / "samples.parquet", columns=["id", "correct"]).to_pylist()
        found[str(planned.cell)] = [(row["id"], row["correct"]) for row in table]
    return found


def test_the_adapters_of_a_grid_are_scored_in_one_engine_as_transformers_scores_them(tmp_path: Path) -> None:
    generate(Recipe(tiny(), "7", ("qa", "article")), tmp_path / "world")
    together = run(tmp_path, tmp_path / "out", GRID)
    assert together.failures == {}
    assert len(together.plan.cells) == 4
    for planned in together.plan.cells:
        about = json.loads((planned.result / "results.json").read_text(encoding="utf-8"))["kbench"]
        assert about["engine"]["engine"].startswith("vllm ")
        told = planned.result.with_name(f"{planned.result.name}.task.json")
        assert json.loads(told.read_text(encoding="utf-8"))["together"] == 4
    alone = run(tmp_path, tmp_path / "alone", GRID.replace('"vllm"', '"hf"'))
    assert alone.failures == {}
    assert verdicts(together) == verdicts(alone)
