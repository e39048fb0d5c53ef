"""`kbench train`: finetune a model on a release."""

import contextlib
import enum
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kbench.cli.console import Advance, ReleaseName, need_training, progress_bar, say_aside
from kbench.cli.generate import StyleName
from kbench.shelf import DEFAULT


class Method(enum.StrEnum):
    """What --method takes."""

    full = "full"
    lora = "lora"


class LossName(enum.StrEnum):
    """What --loss takes."""

    answer = "answer"
    all = "all"


class OptimizerName(enum.StrEnum):
    """What --optimizer takes."""

    adamw = "adamw"
    muon = "muon"


def train(
    out: Annotated[Path | None, typer.Option(help="The folder of the run. [default: kbench-run-STYLE]")] = None,
    release: ReleaseName = DEFAULT,
    model: Annotated[
        str, typer.Option(help="lab (a small base built for this release), a folder or a Hub id.")
    ] = "lab",
    style: Annotated[
        list[StyleName] | None,
        typer.Option(
            "--style", metavar="STYLE", help="What to train on, or all; may be given more than once. [default: qa]"
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A TOML file of the recipe's fields; an option beside it wins.")
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="Train all weights, or an adapter beside them. [default: full]")
    ] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Rank of the adapter. [default: 16]")] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Its scale: times alpha / rank. [default: 32]")] = None,
    lora_dropout: Annotated[float | None, typer.Option(help="Dropout before the adapter. [default: 0]")] = None,
    lora_targets: Annotated[
        list[str] | None,
        typer.Option(
            "--lora-target", help="A layer that gets one; may be repeated. [default: every linear one but the head]"
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training rows and their repeats. [default: 1]")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--lr", help="Peak learning rate. [default: 2e-3 for lab, else 1e-5; with lora 1e-2, else 1e-4]"),
    ] = None,
    optimizer: Annotated[
        OptimizerName | None,
        typer.Option(help="The optimiser. [default: muon for lab's full finetuning, else adamw]"),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step, of all processes together. [default: 8]")] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens in a packed row. [default: the lab's own, else 512]")
    ] = None,
    packing: Annotated[
        bool | None, typer.Option("--packing/--no-packing", help="Several texts in a row. [default: on]")
    ] = None,
    loss: Annotated[
        LossName | None, typer.Option(help="Which tokens of a question row are learned. [default: answer]")
    ] = None,
    chat: Annotated[
        bool | None, typer.Option("--chat/--no-chat", help="By the model's own chat template. [default: off]")
    ] = None,
    replay: Annotated[
        float | None, typer.Option(help="Share of tokens from the pretrain split. [default: 1/3 for lab, else 0]")
    ] = None,
    bf16: Annotated[
        bool | None, typer.Option("--bf16/--fp32", help="Autocast to bfloat16. [default: on for lab, else off]")
    ] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option("--checkpointing/--no-checkpointing", help="Activations computed anew. [default: off]"),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that train together, started by torchrun. [default: 1]")
    ] = None,
    fsdp: Annotated[
        bool | None, typer.Option("--fsdp/--no-fsdp", help="Share the model out over GPUs. [default: off]")
    ] = None,
    watch: Annotated[
        int | None, typer.Option(help="Questions of validation, and of train, asked each epoch. [default: 0]")
    ] = None,
    early_stop: Annotated[
        bool | None,
        typer.Option("--early-stop/--no-early-stop", help="Keep the best epoch's model too. [default: off]"),
    ] = None,
    patience: Annotated[int | None, typer.Option(help="End after so many epochs no better. [default: never]")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of shuffling and of the packing. [default: 0]")] = None,
    save_steps: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 1000,
    report_to: Annotated[str, typer.Option(help="Where figures go, as in Trainer: tensorboard, wandb, ...")] = "none",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let the model run Python code of its own.")
    ] = False,
) -> None:
    """Finetune a model on a release's new facts.

    A finished run is left alone, an interrupted one goes on.

    Example: kbench train --release my-world --style qa --model lab --out run-qa
    """
    need_training(one_thread=model == "lab")
    from kbench.benchmarks.asked_recipe import fitting, train_recipe
    from kbench.benchmarks.distributed import check_processes, is_first
    from kbench.benchmarks.results import RUN, base_of
    from kbench.benchmarks.run import PLAN, check_styles, train_run
    from kbench.benchmarks.settings import Settings
    from kbench.hub.find import find_release
    from kbench.hub.models import fetch_model
    from kbench.store import prepare_folder
    from kbench.studies.lab import LabRecipe, default_cache, lab_base

    with _bar("pulling", "bytes", is_first()) as advance:
        opened = find_release(release, advance, say_aside)
    chosen = train_recipe(
        opened,
        model,
        [s.value for s in style] if style else None,
        recipe,
        method=method.value if method else None,
        lora_rank=lora_rank,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        lora_targets=lora_targets or None,
        epochs=epochs,
        learning_rate=learning_rate,
        optimizer=optimizer.value if optimizer else None,
        batch=batch_size,
        context=context,
        packing=packing,
        loss=loss.value if loss else None,
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
    check_processes(chosen, shlex.join(sys.argv[1:]))
    check_styles(opened, chosen)
    settings = Settings(save_steps=save_steps, report_to=report_to, trust_remote_code=trust_remote_code)
    target = out or Path(f"kbench-run-{'-'.join(chosen.styles)}")
    if target.exists():  # before a base is built for it
        prepare_folder(target, PLAN, RUN)
    first = is_first()
    if model == "lab":
        with _bar("building the base", "steps", first) as advance:
            base = lab_base(opened, default_cache(), LabRecipe(chains=chosen.chains), advance)
        if first:
            typer.echo(f"base {base.path} ({'built' if base.built else 'reused'})")
            for line in base.warnings:
                typer.echo(line, err=True)
        model = str(base.path)
        chosen = fitting(chosen, base.about["context"], recipe, context)
    else:
        model = fetch_model(model)
    with _bar("training", "steps", first) as advance:
        run = train_run(opened, model, chosen, target, advance, settings)
    if first:
        its_base = "" if base_of(str(target)) else f" --base {model}"  # a run names only a base that is a folder
        chat_too = " --chat" if chosen.chat else ""
        _tell(
            run, target, f"kbench eval --release {release} --model {target}{its_base}{chat_too} --out {target}-result"
        )


def _bar(title: str, unit: str, first: bool) -> contextlib.AbstractContextManager[Advance]:
    """The bar of the first process; the others show nothing."""
    return progress_bar(title, unit) if first else contextlib.nullcontext(lambda done, total: None)


def _tell(run: Any, target: Path, scoring: str) -> None:
    if not run.trained_now:
        typer.echo(f"{target} is this run already: nothing to do")
        return
    done = run.about["trained"]
    typer.echo(f"{done['steps']:,} steps, {done['tokens']:,} tokens, {done['wall_s']:.0f} s, loss {done['loss']:.3f}")
    for seen in run.about.get("history", []):
        typer.echo(
            f"epoch {seen['epoch']}: validation {seen['validation']:.2f} (loss {seen['loss']:.3f}), "
            f"train {seen['train']:.2f}{', kept' if seen['epoch'] == run.about['best_epoch'] else ''}"
        )
    if run.about.get("adapter", {}).get("zero"):
        typer.echo("the adapter changes nothing, its B matrices are zero: raise --lr or the epochs", err=True)
    typer.echo(f"score it: {scoring}")
