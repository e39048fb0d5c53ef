"""The ways of training that are compared: a bare torch loop, kbench's `fit`, and TRL's SFTTrainer with two packings."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import load_dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from kbench.benchmarks.isolation import check_isolation
from kbench.benchmarks.optimizer import optimizer_of, schedule_of
from kbench.benchmarks.packing import PackedRows, training_rows
from kbench.benchmarks.pretrained import load_pretrained
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.train import fit
from kbench.store import Release
from tests.bench.steps import Measured, StepClock, some


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


def _stacked(rows: PackedRows, places: list[int]) -> dict[str, torch.Tensor]:
    chosen = [rows[place] for place in places]
    return {key: torch.stack([row[key] for row in chosen]) for key in chosen[0]}
