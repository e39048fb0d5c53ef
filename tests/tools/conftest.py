"""A model trained on kbench-tiny and kbench's own score of it, beside which the scores of other tools are put."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.recipe import TrainRecipe
from kbench.shelf import DEFAULT, shelved
from kbench.store import Release, open_release

BESIDE: dict[tuple[str, str], dict[str, str]] = {}
"""Of each style and probe the scores by tool, for the table at the end."""


@dataclass(frozen=True)
class Scored:
    """A trained model and what kbench itself says of it: accuracies by (style, probe), samples by row id."""

    model: Path
    base: Path
    accuracies: dict[tuple[str, str], float]
    rows: dict[tuple[str, str], int]
    samples: dict[str, dict[str, Any]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.tools)


@pytest.fixture(scope="session")
def tiny() -> Release:
    """The release on the shelf. It is part of the tree: read it, never write to it."""
    folder = shelved(DEFAULT)
    assert folder is not None
    return open_release(folder)


@pytest.fixture(scope="session")
def scored(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """A lab base finetuned on some styles of the release, scored by kbench on everything that it asks."""
    import torch

    from kbench.benchmarks.run import train_run
    from kbench.benchmarks.scoring import score
    from kbench.studies.lab import LabRecipe, lab_base

    folder = tmp_path_factory.mktemp("tools")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # So small that it is made in a minute, and half taught: a model that is always right would hide a difference.
    base = lab_base(tiny, folder / "bases", LabRecipe(width=64, inner=64, batch=16))
    recipe = TrainRecipe(
        styles=("qa", "choice"),
        learning_rate=2e-3,
        optimizer="muon",
        context=base.about["context"],
        bf16=True,
    )
    run = train_run(tiny, str(base.path), recipe, folder / "run")
    result = score(tiny, str(run.path), folder / "result")
    torch.set_num_threads(threads)
    own = {(s["style"], s["probe"]): s for s in result.about["kbench"]["scores"]}
    return Scored(
        run.path,
        base.path,
        {key: s["accuracy"] for key, s in own.items()},
        {key: s["rows"] for key, s in own.items()},
        {s.item.row["id"]: {"prompt": s.item.prompt, "said": s.prediction, "right": s.correct} for s in result.samples},
    )


def run_tool(*words: str, cwd: Path, **settings: str) -> str:
    """Run a command of this environment as a user would, without kbench's path, and give what it printed."""
    program, *rest = words
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", **settings}
    command = [str(Path(sys.executable).with_name(program)), *rest]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The scores side by side."""
    if not BESIDE:
        return
    tools = ("rows", "kbench", "lm-eval", "lm-eval mc", "inspect", "its rows")
    terminalreporter.section("one model, scored by each tool")
    terminalreporter.write_line(f"{'style':<10}{'probe':<13}" + "".join(f"{tool:>12}" for tool in tools))
    for (style, probe), values in sorted(BESIDE.items()):
        cells = "".join(f"{values.get(tool, '–'):>12}" for tool in tools)
        terminalreporter.write_line(f"{style:<10}{probe:<13}{cells}")
