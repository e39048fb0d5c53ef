"""Finetuning with transformers' Trainer: the one training path, for the lab's models and any from the Hub."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from kbench.benchmarks.optimizer import MuonAndAdamW
from kbench.benchmarks.packing import PackedRows
from kbench.benchmarks.recipe import TrainRecipe

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


SAVE_STEPS = 1000
"""Optimiser steps between checkpoints."""

_WHOLE = "kbench_whole"


@dataclass(frozen=True)
class Trained:
    """What a training cost: optimiser steps, tokens seen (without padding), wall and CPU seconds, last loss."""

    steps: int
    tokens: int
    wall_s: float
    cpu_s: float
    loss: float


class _Report(TrainerCallback):
    """Passes progress on, and marks each checkpoint once it is whole."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _WHOLE).touch()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress(state.global_step, state.max_steps)


def fit(model: PreTrainedModel, rows: PackedRows, recipe: TrainRecipe, out: Path, progress: Progress) -> Trained:
    """Train a model in place on packed rows, once over, at the recipe's rate with a cosine to its floor.

    Checkpoints go to `out/checkpoints` every `SAVE_STEPS`; a run that was killed goes on from the last whole one, to
    the same weights (on one CPU thread). They are removed when the training is done.
    """
    steps = -(-len(rows) // recipe.batch)
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        bf16=recipe.bf16,
        seed=recipe.seed,
        data_seed=recipe.seed,
        logging_steps=max(1, steps // 20),
        save_steps=SAVE_STEPS,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),
    )
    optimizer = _optimizer(model, recipe)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=_stack,
        optimizers=(optimizer, LambdaLR(optimizer, _cosine(steps, recipe))),
        callbacks=[_Report(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    wall, cpu = time.perf_counter(), time.process_time()
    result = trainer.train(resume_from_checkpoint=_last_whole(out / "checkpoints"))
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    return Trained(steps, rows.tokens, time.perf_counter() - wall, time.process_time() - cpu, result.training_loss)


def _optimizer(model: PreTrainedModel, recipe: TrainRecipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, recipe.learning_rate, recipe.learning_rate, recipe.weight_decay)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))


def _cosine(steps: int, recipe: TrainRecipe) -> Callable[[int], float]:
    warm = max(1, int(steps * recipe.warmup))

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        gone = torch.tensor((step - warm) / max(1, steps - warm) * torch.pi)
        return recipe.floor + (1 - recipe.floor) * 0.5 * (1 + float(torch.cos(gone)))

    return rate


def _last_whole(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: a half-written one would stop the resume."""
    whole = sorted(folder.glob(f"checkpoint-*/{_WHOLE}"), key=lambda mark: int(mark.parent.name.split("-")[1]))
    return str(whole[-1].parent) if whole else None


def _stack(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
