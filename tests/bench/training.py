"""Training with kbench, with TRL's SFTTrainer and with a bare torch loop, in turn: tokens a CPU second of each.

Runs where both extras `train` and `eval` are installed. All get the same model, release, row length, batch, optimiser,
rates and clipping, learn the same tokens, and keep to one thread. kbench and the loop read the same packed rows; TRL
reads kbench's export and packs it itself: `bfd` keeps the texts of a row apart as kbench does, `wrapped` does not.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from datasets import disable_progress_bars, load_dataset
from rich.table import Table
from transformers import PrinterCallback, TrainerCallback
from transformers.utils.logging import disable_progress_bar
from trl import SFTConfig, SFTTrainer

from kbench.benchmarks.isolation import check_isolation
from kbench.benchmarks.optimizer import optimizer_of, schedule_of
from kbench.benchmarks.packing import PackedRows, training_rows
from kbench.benchmarks.pretrained import load_pretrained
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.train import fit
from kbench.exports.export import export_release
from kbench.shelf import DEFAULT, shelved
from kbench.store import Release, open_release
from kbench.studies.lab import default_cache, lab_base
from tests.bench.report import show, spread
from tests.bench.steps import Measured, StepClock, larger_base, some
from tests.bench.utilisation import of_the_gpu

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Case:
    """What is trained: a model on a style of a release, for so many steps."""

    release: Release
    exported: Path
    model: Path
    recipe: TrainRecipe
    steps: int


Way = Callable[[Case, Path], Measured]


def by_kbench(case: Case, work: Path) -> Measured:
    """`fit`, which `kbench train` is a few checks and a folder around; the check of the packing is counted."""
    clock = StepClock()
    loaded = load_pretrained(str(case.model), case.recipe.context)
    check_isolation(loaded.model)
    every = training_rows(case.release, loaded.tokenizer, case.recipe)
    rows = some(every, case.steps * case.recipe.batch)
    torch.manual_seed(case.recipe.seed)
    fit(loaded.model, rows, case.recipe, work, lambda done, total: clock.tick())
    return clock.measured(rows.tokens, every.tokens)


def by_hand(case: Case, work: Path) -> Measured:
    """The loop that one would write: forward, backward, clip, step; nothing is logged, saved or looked at."""
    clock = StepClock()
    loaded, recipe = load_pretrained(str(case.model), case.recipe.context), case.recipe
    every = training_rows(case.release, loaded.tokenizer, recipe)
    rows = some(every, case.steps * recipe.batch)
    model, order = loaded.model.train(), random.Random(recipe.seed).sample(range(len(rows)), len(rows))
    optimizer = optimizer_of(model, recipe)
    schedule = schedule_of(optimizer, case.steps, recipe)
    for first in range(0, len(order), recipe.batch):
        batch = _stacked(rows, order[first : first + recipe.batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.tick()
    return clock.measured(rows.tokens, every.tokens)


def by_trl(packing: str, case: Case, work: Path) -> Measured:
    """SFTTrainer on the export, with what it logs by itself; its default of recomputing activations is switched off."""
    clock = StepClock()
    recipe = case.recipe
    form = "text" if recipe.styles == ("article",) else "prompt-completion"
    data = load_dataset(
        "parquet", data_files=str(case.exported / form / "train-*.parquet"), split="train", cache_dir=str(work / "data")
    )
    loaded = load_pretrained(str(case.model), recipe.context)
    trainer = SFTTrainer(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        train_dataset=data,
        args=SFTConfig(
            output_dir=str(work / "out"),
            max_steps=case.steps,
            per_device_train_batch_size=recipe.batch,
            packing=True,
            packing_strategy=packing,
            max_length=recipe.context,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=recipe.warmup,
            weight_decay=recipe.weight_decay,
            adam_beta2=0.98,
            bf16=recipe.bf16,
            gradient_checkpointing=False,
            logging_steps=max(1, case.steps // 20),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=True,
        ),
        callbacks=[_Ticking(clock)],
    )
    trainer.remove_callback(PrinterCallback)
    every = trainer.train_dataset
    trainer.train_dataset = every.select(range(case.steps * recipe.batch))
    trainer.train()
    lengths = [len(ids) for ids in every["input_ids"]]
    return clock.measured(sum(lengths[: len(trainer.train_dataset)]), sum(lengths))


class _Ticking(TrainerCallback):
    def __init__(self, clock: StepClock) -> None:
        self._clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._clock.tick()


WAYS: dict[str, Way] = {
    "bare loop": by_hand,
    "kbench": by_kbench,
    "TRL, bfd": partial(by_trl, "bfd"),
    "TRL, wrapped": partial(by_trl, "wrapped"),
}


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


def _stacked(rows: PackedRows, places: list[int]) -> dict[str, torch.Tensor]:
    chosen = [rows[place] for place in places]
    return {key: torch.stack([row[key] for row in chosen]) for key in chosen[0]}


if __name__ == "__main__":
    main()
