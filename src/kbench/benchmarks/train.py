"""Finetuning with transformers' Trainer: the one training path, for the lab's models and any from the Hub."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType
from torch.utils.data import Sampler, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from kbench.benchmarks.adapters import save_adapter
from kbench.benchmarks.checkpoints import CHECKPOINTS, last_whole, mark_whole
from kbench.benchmarks.distributed import first_says, is_first, wait_for_all
from kbench.benchmarks.optimizer import optimizer_of, schedule_of
from kbench.benchmarks.packing import PackedRows
from kbench.benchmarks.recipe import TrainRecipe, kept_name
from kbench.benchmarks.results import EARLY_STOP
from kbench.benchmarks.settings import PLAIN, Settings
from kbench.benchmarks.watch import Watch
from kbench.errors import SpecError

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


@dataclass(frozen=True)
class Trained:
    """What a training cost: optimiser steps, tokens seen (without padding), wall and CPU seconds, mean loss.

    Of a training that ended early, `tokens` are its share of the rows; seconds are those of this process, since it was
    last started.
    """

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
        wait_for_all()  # each process keeps its own random state there
        if is_first():
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if is_first():
            self._progress(state.global_step, state.max_steps)


class _Watcher(TrainerCallback):
    """Looks at the model at each epoch's end, keeps the best, and ends the training when it was best for long."""

    def __init__(self, watch: Watch, ends: dict[int, int], out: Path) -> None:
        self._watch, self._ends, self._out = watch, ends, out

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        epoch = self._ends.get(state.global_step)
        if epoch is None:
            return
        recipe, history, model = self._watch.recipe, self._watch.history, kwargs["model"]
        # One process answers for all: two might differ in a last digit, and then in whether to stop.
        asks = is_first() or recipe.fsdp
        seen = first_says(self._watch.look(model, epoch, state.global_step) if asks else None)
        history.epochs.append(seen)
        if recipe.early_stop and history.best is seen and is_first():
            _keep(model, self._watch.tokenizer, self._out / EARLY_STOP)
        if history.is_over(recipe.patience):
            control.should_training_stop = control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if is_first():
            self._watch.history.write(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class _Keeper(TrainerCallback):
    """Keeps the model as it is after some of the steps, each in a folder of its own."""

    def __init__(self, kept: Mapping[Path, int], tokenizer: Any) -> None:
        self._kept, self._tokenizer = kept, tokenizer

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for folder, step in self._kept.items() if is_first() else ():
            if step == state.global_step:
                _keep(kwargs["model"], self._tokenizer, folder)


class _Trainer(Trainer):
    """Transformers' Trainer with the recipe's optimiser and schedule, and rows in their own order where that counts."""

    def __init__(self, recipe: TrainRecipe, rows: PackedRows, **kwargs: Any) -> None:
        self._recipe, self._rows = recipe, rows
        super().__init__(train_dataset=rows, **kwargs)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The recipe's optimiser."""
        if self.optimizer is None:
            self.optimizer = optimizer_of(self.model if model is None else model, self._recipe)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The recipe's schedule."""
        if self.lr_scheduler is None:
            self.lr_scheduler = schedule_of(optimizer or self.optimizer, num_training_steps, self._recipe)
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        if rows_are_ordered(self._rows):
            return SequentialSampler(self._rows)
        return super()._get_train_sampler(train_dataset)


def fit(
    model: Any,
    rows: PackedRows,
    recipe: TrainRecipe,
    out: Path,
    progress: Progress,
    *,
    settings: Settings = PLAIN,
    watch: Watch | None = None,
    tokenizer: Any = None,
) -> Trained:
    """Train a model in place on packed rows, once over, at the recipe's rate with a cosine to its floor.

    Checkpoints go to `out/checkpoints`; a run that was killed goes on from the last whole one, to the same weights (on
    one CPU thread, with the same packages). They stay, for a caller that is killed before it has saved the model.
    What the recipe keeps on the way goes to `out/at-PERCENT`, with the `tokenizer`.
    """
    steps = -(-len(rows) // recipe.batch)
    trainer = _trainer(
        recipe,
        rows,
        settings,
        model=model,
        args=_arguments(recipe, steps, out, settings),
        data_collator=_stack,
        callbacks=[
            *([_Watcher(watch, epoch_ends(rows, recipe), out)] if watch else []),
            *([_Keeper(kept_at(steps, recipe, out), tokenizer)] if recipe.keep else []),
            _Report(progress),
        ],
    )
    _check_sharing(trainer, recipe)
    wall, cpu = time.perf_counter(), time.process_time()
    checkpoint = last_whole(out / CHECKPOINTS)
    if checkpoint and watch:
        watch.history.read(checkpoint)
    if checkpoint and watch and watch.history.is_over(recipe.patience):
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        loss = _mean_loss(trainer.state)
    elif checkpoint:
        trainer.train(resume_from_checkpoint=str(checkpoint))
        loss = _mean_loss(trainer.state)
    else:
        loss = trainer.train().training_loss
    done = trainer.state.global_step
    if recipe.fsdp:
        trainer.save_model(str(out))  # every process holds a part of it
    wait_for_all()
    tokens = rows.tokens if done == steps else rows.tokens * done // steps
    return Trained(done, tokens, time.perf_counter() - wall, time.process_time() - cpu, loss)


def _trainer(recipe: TrainRecipe, rows: PackedRows, settings: Settings, **kwargs: Any) -> _Trainer:
    try:
        trainer = _Trainer(recipe, rows, **kwargs)
    except (ImportError, RuntimeError, ValueError) as error:
        if settings.report_to == "none":
            raise
        said = str(error).splitlines()[0]
        raise SpecError(f"cannot report to {settings.report_to!r}: {said} Give another --report-to, or none") from None
    trainer.remove_callback(PrinterCallback)
    return trainer


def _mean_loss(state: TrainerState) -> float:
    """The mean over all steps from what was logged: Trainer's own mean forgets those before a resume."""
    total: float = 0.0
    before: int = 0
    for entry in (e for e in state.log_history if "loss" in e):
        total += float(entry["loss"]) * (int(entry["step"]) - before)
        before = int(entry["step"])
    return total / max(1, before)


def rows_are_ordered(rows: PackedRows) -> bool:
    """Whether the order of the rows counts; where it does not, Trainer shuffles them."""
    return rows.ordered


def epoch_ends(rows: PackedRows, recipe: TrainRecipe) -> dict[int, int]:
    """The step at which each epoch's last row has been learned, with the epoch's number from 1."""
    ends = rows.epochs
    return {-(-end // recipe.batch): epoch for epoch, end in enumerate(ends, 1)}


def kept_at(steps: int, recipe: TrainRecipe, out: Path) -> dict[Path, int]:
    """The folders of the models that the recipe keeps by shares of the steps, and after which step each is."""
    return {out / kept_name(share): max(1, round(share * steps)) for share in recipe.keep}


def save_model(model: Any, tokenizer: Any, out: Path) -> None:
    """Write a model, or an adapter alone, with its tokenizer."""
    if hasattr(model, "peft_config"):
        save_adapter(model, out)
    else:
        model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _keep(model: Any, tokenizer: Any, folder: Path) -> None:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    save_model(model, tokenizer, part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _arguments(recipe: TrainRecipe, steps: int, out: Path, settings: Settings) -> TrainingArguments:
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(out / "logs"))
    report = settings.report_to.split(",")
    on_cpu = not torch.cuda.is_available()
    more: dict[str, Any] = {}
    if recipe.fsdp:
        more = {"fsdp": True, "fsdp_config": {"activation_checkpointing": recipe.checkpointing}}
    elif recipe.checkpointing:
        more = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if recipe.processes > 1:
        more |= {"ddp_find_unused_parameters": False, "ddp_backend": "gloo" if on_cpu else "nccl"}
    return TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch // recipe.processes,
        learning_rate=recipe.learning_rate,
        bf16=recipe.bf16,
        seed=recipe.seed,
        data_seed=recipe.seed,
        logging_steps=max(1, steps // 20),
        save_steps=settings.save_steps,
        save_total_limit=2,
        report_to=report if len(report) > 1 else report[0],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=on_cpu,
        **more,
    )


def _check_sharing(trainer: Trainer, recipe: TrainRecipe) -> None:
    """Raise SpecError where the recipe asked for a sharing of the work that Trainer did not set up."""
    if recipe.fsdp:
        wanted = DistributedType.FSDP
    elif recipe.processes > 1:
        wanted = DistributedType.MULTI_GPU if torch.cuda.is_available() else DistributedType.MULTI_CPU
    else:
        return
    got, processes = trainer.accelerator.distributed_type, trainer.accelerator.num_processes
    if got != wanted or processes != recipe.processes:
        raise SpecError(
            f"expected {wanted.value} in {recipe.processes} processes and got {got.value} in {processes}: "
            f"start it with torchrun, or leave fsdp and processes out"
        )


def _stack(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
