"""Training from Python: what to train with, from the words of the command, and a run."""

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbench.api.recipes import PathLike, Styles
from kbench.api.releases import load_release
from kbench.benchmarks.recipe import Loss, Optimizer, TrainRecipe
from kbench.errors import MissingExtra
from kbench.store import Release

if TYPE_CHECKING:
    from kbench.benchmarks.run import Run

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""

LAB = "lab"
"""In place of a model: a small base that is built for the release."""

_TABLES = ("facts", "entities")


def train_recipe(
    release: Release,
    model: str,
    style: Styles = "qa",
    *,
    epochs: int = 1,
    learning_rate: float | None = None,
    optimizer: Optimizer | None = None,
    batch_size: int = 8,
    context: int | None = None,
    loss: Loss = "answer",
    replay: float | None = None,
    bf16: bool | None = None,
    seed: int = 0,
) -> TrainRecipe:
    """The recipe that `kbench train` and `kbench.train` use, of the same words; what is left open depends on the model.

    Raises SpecError where a value cannot be. That the release has the styles is for the training to check.
    """
    is_lab = model == LAB
    asked = {style} if isinstance(style, str) else set(style)
    styles = tuple(c for c in release.configs() if c in asked or ("all" in asked and c not in _TABLES))
    missing = asked - {"all"} - set(styles)
    return TrainRecipe(
        styles=(*styles, *sorted(missing)),
        epochs=epochs,
        learning_rate=(2e-3 if is_lab else 1e-5) if learning_rate is None else learning_rate,
        optimizer=optimizer or ("muon" if is_lab else "adamw"),
        batch=batch_size,
        context=512 if context is None else context,
        loss=loss,
        replay=replay if replay is not None else (1 / 3 if is_lab else 0.0),
        bf16=is_lab if bf16 is None else bf16,
        seed=seed,
    )


def train(
    release: PathLike | Release,
    out: PathLike,
    model: PathLike = LAB,
    style: Styles = "qa",
    *,
    epochs: int = 1,
    learning_rate: float | None = None,
    optimizer: Optimizer | None = None,
    batch_size: int = 8,
    context: int | None = None,
    loss: Loss = "answer",
    replay: float | None = None,
    bf16: bool | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> "Run":
    """Finetune a model on a release's new facts: `kbench train` in Python.

    A finished run is left alone, an interrupted one goes on from its last checkpoint.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        out: the folder for the trained model, which transformers loads as it stands.
        model: "lab" (a small base, built for this release and kept), a folder, or a Hub id.
        style: what to train on: a style, several, or "all".
        epochs: passes over the training rows and their repeats.
        learning_rate: the peak; 2e-3 for the lab, else 1e-5, if None.
        optimizer: "adamw" or "muon"; muon for the lab, else adamw, if None.
        batch_size: packed rows a step.
        context: tokens in a packed row; the lab's own, else 512, if None.
        loss: which tokens of a question row are learned: those of the "answer", or "all".
        replay: the share of tokens from the `pretrain` split; a third for the lab, else 0, if None.
        bf16: whether to compute in bfloat16; for the lab only, if None.
        seed: of shuffling and packing.
        progress: called with steps done and steps in all, of the training itself.

    Returns:
        The run: its `path`, and `about`, with recipe, digests, steps, tokens, seconds and loss.

    Raises:
        MissingExtra: torch or transformers is not installed.
        ReleaseError: the release lacks a style, or the `pretrain` split that it is to replay.
        ModelError: the model cannot be found or loaded, or there is nothing to build the lab's base from.
        OutputError: `out` holds something else, or another run.
    """
    opened, name = load_release(release), str(model)
    recipe = train_recipe(
        opened,
        name,
        style,
        epochs=epochs,
        learning_rate=learning_rate,
        optimizer=optimizer,
        batch_size=batch_size,
        context=context,
        loss=loss,
        replay=replay,
        bf16=bf16,
        seed=seed,
    )
    running = trainer()
    running.check_styles(opened, recipe)
    if name == LAB:
        lab = import_module("kbench.studies.lab")
        base = lab.lab_base(opened, lab.default_cache())
        for line in base.warnings:
            warnings.warn(line, stacklevel=2)
        name, recipe = str(base.path), recipe.with_context(base.about["context"] if context is None else context)
    run: Run = running.train_run(opened, name, recipe, Path(out), progress)
    return run


def trainer() -> Any:
    """The module that trains. Raises MissingExtra where torch or another of its libraries is not installed."""
    try:
        return import_module("kbench.benchmarks.run")
    except ModuleNotFoundError as error:
        raise MissingExtra("train", error.name or "torch") from None
