"""Training with kbench, with TRL's SFTTrainer and with a bare torch loop, in turn: tokens a CPU second of each.

Runs where both extras `train` and `eval` are installed. All get the same model, release, row length, batch, optimiser,
rates and clipping, learn the same tokens, and keep to one thread. kbench and the loop read the same packed rows; TRL
reads kbench's export and packs it itself: `bfd` keeps the texts of a row apart as kbench does, `wrapped` does not.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from datasets import disable_progress_bars
from rich.table import Table
from transformers.utils.logging import disable_progress_bar

from kbench.benchmarks.recipe import TrainRecipe
from kbench.exports.export import export_release
from kbench.shelf import DEFAULT, shelved
from kbench.store import open_release
from kbench.studies.lab import default_cache, lab_base
from tests.bench.report import show, spread
from tests.bench.steps import Measured, larger_base
from tests.bench.training_ways import WAYS, Case
from tests.bench.utilisation import of_the_gpu


def main() -> None:
    """Print, for each model, style and precision, tokens a CPU second and the ratios to the loop and to TRL."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- training", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=("lab", "20m"), default=["lab", "20m"])
    parser.add_argument("--styles", nargs="+", choices=("qa", "article"), default=["qa", "article"])
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, nargs=2, default=[40, 4], metavar=("LAB", "20M"), help="of each run")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="of all ways in turn")
    asked = parser.parse_args()
    disable_progress_bars()
    disable_progress_bar()
    torch.set_num_threads(1)
    release = open_release(shelved(DEFAULT) or Path())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        base = lab_base(release, default_cache()).path
        models = {"lab": base, "20m": larger_base(base, work / "20m")}
        for style in asked.styles:
            export_release(release, "trl", work / style, styles=(style,))
            for name in asked.models:
                steps = dict(zip(("lab", "20m"), asked.steps, strict=True))[name]
                for precision in asked.precisions:
                    recipe = TrainRecipe(
                        styles=(style,), context=asked.context, batch=asked.batch, bf16=precision == "bf16"
                    )
                    case = Case(release, work / style, models[name], recipe, steps)
                    _show(f"{name} model, {style}, {precision}", _rounds(case, asked.rounds))
        print(of_the_gpu(release, base))


def _rounds(case: Case, rounds: int) -> dict[str, list[Measured]]:
    """Every way in turn, in another order each round, so that none always comes first."""
    found: dict[str, list[Measured]] = {name: [] for name in WAYS}
    for number in range(rounds):
        names = list(WAYS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(WAYS[name](case, Path(folder)))
    return found


def _show(title: str, found: dict[str, list[Measured]]) -> None:
    shown = Table("way", title=title)
    for column in ("tokens / CPU s", "x bare loop", "kbench is x", "tokens a step", "before, CPU s", "all rows, CPU s"):
        shown.add_column(column, justify="right")
    for name, runs in found.items():
        loop = [run.rate / other.rate for run, other in zip(runs, found["bare loop"], strict=True)]
        own = [other.rate / run.rate for run, other in zip(runs, found["kbench"], strict=True)]
        shown.add_row(
            name,
            spread([run.rate for run in runs], 0),
            spread(loop, 2),
            spread(own, 2),
            f"{median(run.tokens_a_step for run in runs):,.0f}",
            spread([run.before for run in runs]),
            spread([run.whole for run in runs]),
        )
    show(shown, "tokens that are not padding; bfd and kbench keep texts apart, wrapped lets them see each other")


if __name__ == "__main__":
    main()
