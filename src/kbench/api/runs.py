"""Training and scoring from Python: what to train with, from the words of the command; a run, and a result."""

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
    from kbench.benchmarks.scoring import Result

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
    running = _trainer()
    running.check_styles(opened, recipe)
    if name == LAB:
        lab = import_module("kbench.studies.lab")
        base = lab.lab_base(opened, lab.default_cache())
        for line in base.warnings:
            warnings.warn(line, stacklevel=2)
        name, recipe = str(base.path), recipe.with_context(base.about["context"] if context is None else context)
    run: Run = running.train_run(opened, name, recipe, Path(out), progress)
    return run


def evaluate(
    release: PathLike | Release,
    model: PathLike,
    out: PathLike,
    base: PathLike | None = None,
    *,
    limit: int | None = None,
    batch_size: int = 256,
    max_tokens: int = 32,
    progress: Progress = lambda done, total: None,
) -> "Result":
    """Score a model by exact match, each score beside its control, base and chance level: `kbench eval` in Python.

    A finished result is left alone.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        model: a folder, a Hub id, or "oracle", "random", "majority".
        out: the folder for results.json and samples.parquet.
        base: the untuned model, scored on the same rows; that of the run, if None.
        limit: ask only so many rows of each style and split; the result says so.
        batch_size: prompts generated together.
        max_tokens: the longest answer, in tokens.
        progress: called with questions done and questions in all.

    Returns:
        The result: `scores()` is a row a style and probe, `about` is results.json.

    Raises:
        MissingExtra: torch or transformers is not installed, and a model is to be asked.
        ReleaseError: there is no release, or it has no questions.
        ModelError: a model cannot be found or loaded.
        OutputError: `out` holds something else, or another result.

    >>> release = kbench.generate("my-world", spec="lab", seed=7)
    >>> kbench.evaluate(release, "majority", "guesses")
    result guesses: majority on world b7adeec1
      qa        recall      0.07 (0.04 to 0.12), control 0.02, chance 0.03, 1,296 rows
      qa        paraphrase  0.07 (0.04 to 0.12), control 0.02, chance 0.03, 324 rows
      qa        known       0.04 (0.01 to 0.07), control 0.02, chance 0.03, 324 rows
      qa        control     0.02 (0.00 to 0.06), chance 0.03, 162 rows
    """
    from kbench.benchmarks.asking import Asking
    from kbench.benchmarks.models.protocol import Decoding
    from kbench.benchmarks.results import base_of
    from kbench.benchmarks.scoring import BASELINES, score

    opened, name = load_release(release), str(model)
    against = str(base) if base is not None else base_of(name)
    if name not in BASELINES or against:
        _trainer()
    asking = Asking(limit=limit, decoding=Decoding(max_tokens=max_tokens))
    return score(opened, name, Path(out), asking, base=against, batch=batch_size, progress=progress)


def _trainer() -> Any:
    """The module that trains. Raises MissingExtra where torch or another of its libraries is not installed."""
    try:
        return import_module("kbench.benchmarks.run")
    except ModuleNotFoundError as error:
        raise MissingExtra("train", error.name or "torch") from None
