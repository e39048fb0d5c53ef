"""Training from Python: what to train with, in the words of the command, and a run."""

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbench.api.recipes import PathLike, Styles
from kbench.api.releases import load_release
from kbench.benchmarks.asked_recipe import LAB, fitting, train_recipe
from kbench.benchmarks.distributed import check_processes
from kbench.benchmarks.recipe import Loss, Method, Optimizer
from kbench.benchmarks.settings import Settings
from kbench.errors import MissingExtra
from kbench.hub.models import fetch_model
from kbench.store import Release

if TYPE_CHECKING:
    from kbench.benchmarks.run import Run

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


def train(
    release: PathLike | Release,
    out: PathLike,
    model: PathLike = LAB,
    style: Styles | None = None,
    recipe: PathLike | None = None,
    *,
    method: Method | None = None,
    lora_rank: int | None = None,
    lora_alpha: int | None = None,
    lora_dropout: float | None = None,
    lora_targets: Sequence[str] | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    optimizer: Optimizer | None = None,
    batch_size: int | None = None,
    context: int | None = None,
    packing: bool | None = None,
    loss: Loss | None = None,
    chat: bool | None = None,
    replay: float | None = None,
    bf16: bool | None = None,
    checkpointing: bool | None = None,
    processes: int | None = None,
    fsdp: bool | None = None,
    watch: int | None = None,
    early_stop: bool | None = None,
    patience: int | None = None,
    seed: int | None = None,
    save_steps: int = 1000,
    report_to: str = "none",
    trust_remote_code: bool = False,
    progress: Progress = lambda done, total: None,
) -> "Run":
    """Finetune a model on a release's new facts: `kbench train` in Python.

    A finished run is left alone, an interrupted one goes on from its last checkpoint. What is None is as the recipe
    file has it, else as said here.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        out: the folder for the trained model, which transformers loads as it stands.
        model: "lab" (a small base, built for this release and kept), a folder, or a Hub id.
        style: what to train on: a style, several, or "all"; "qa" where nothing says otherwise.
        recipe: a TOML file whose keys are the fields of `TrainRecipe`.
        method: "full" (the default) or "lora", which trains an adapter beside the model.
        lora_rank: the adapter's rank, 16.
        lora_alpha: its scale, 32: what it adds is multiplied by alpha / rank.
        lora_dropout: the share of its inputs left out at each step, 0.
        lora_targets: names of the layers that get one; every linear layer but the head.
        epochs: passes over the training rows and their repeats, 1.
        learning_rate: the peak; for full and LoRA 2e-3 and 1e-2 for the lab, else 1e-5 and 1e-4.
        optimizer: "adamw" or "muon"; muon for the lab's full finetuning, else adamw.
        batch_size: rows a step, those of all processes together, 8.
        context: tokens in a packed row; the lab's own, else 512.
        packing: whether several texts share a row (none sees another), or each has its own; on.
        loss: which tokens of a question row are learned: those of the "answer" (the default), or "all".
        chat: whether to train in the model's own chat template; off.
        replay: the share of tokens from the `pretrain` split; a third for the lab, else 0.
        bf16: whether to compute in bfloat16; for the lab only.
        checkpointing: whether to compute activations anew rather than keep them; off.
        processes: how many processes train together, as torchrun started them, 1.
        fsdp: whether they share the model out over GPUs; off.
        watch: questions of `validation`, and as many of `train`, asked after each epoch, 0.
        early_stop: whether to keep the epoch that is best on them, in `early-stop`; off.
        patience: end the training after so many epochs that were no better; never.
        seed: of shuffling and packing, 0.
        save_steps: steps between checkpoints.
        report_to: where figures are reported, as transformers takes it: "tensorboard", "wandb", ...
        trust_remote_code: let the model run Python code of its own.
        progress: called with steps done and steps in all, of the training itself.

    Returns:
        The run: its `path`, and `about`, with recipe, digests, steps, tokens, seconds and loss.

    Raises:
        MissingExtra: torch or transformers is not installed.
        SpecError: the recipe cannot be, or does not fit the model or the processes there are.
        ReleaseError: the release lacks a style, or the `pretrain` split that it is to replay.
        ModelError: the model cannot be found or loaded, or there is nothing to build the lab's base from.
        OutputError: `out` holds something else, or another run.
    """
    opened, name = load_release(release), str(model)
    chosen = train_recipe(
        opened,
        name,
        style,
        recipe,
        method=method,
        lora_rank=lora_rank,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        lora_targets=list(lora_targets) if lora_targets else None,
        epochs=epochs,
        learning_rate=learning_rate,
        optimizer=optimizer,
        batch=batch_size,
        context=context,
        packing=packing,
        loss=loss,
        chat=chat,
        replay=replay,
        bf16=bf16,
        checkpointing=checkpointing,
        processes=processes,
        fsdp=fsdp,
        watch=watch,
        early_stop=early_stop,
        patience=patience,
        seed=seed,
    )
    settings = Settings(save_steps=save_steps, report_to=report_to, trust_remote_code=trust_remote_code)
    running = trainer()
    check_processes(chosen)
    running.check_styles(opened, chosen)
    if name == LAB:
        lab = import_module("kbench.studies.lab")
        base = lab.lab_base(opened, lab.default_cache(), lab.LabRecipe(chains=chosen.chains))
        for line in base.warnings:
            warnings.warn(line, stacklevel=2)
        name, chosen = str(base.path), fitting(chosen, base.about["context"], recipe, context)
    else:
        name = fetch_model(name)
    run: Run = running.train_run(opened, name, chosen, Path(out), progress, settings)
    return run


def trainer() -> Any:
    """The module that trains. Raises MissingExtra where torch or another of its libraries is not installed."""
    try:
        return import_module("kbench.benchmarks.run")
    except ModuleNotFoundError as error:
        raise MissingExtra("train", error.name or "torch") from None
