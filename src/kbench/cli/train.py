"""`kbench train`: finetune a model on a release."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import ReleaseName, need_training, progress_bar, say_aside
from kbench.cli.generate import StyleName
from kbench.shelf import DEFAULT


class Method(enum.StrEnum):
    """What --method takes."""

    full = "full"


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
        list[StyleName],
        typer.Option("--style", metavar="STYLE", help="What to train on, or all; may be given more than once."),
    ] = [StyleName.qa],  # noqa: B006
    method: Annotated[Method, typer.Option(help="How: full finetuning.")] = Method.full,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows and their repeats.")] = 1,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", help="Peak learning rate. [default: 2e-3 for lab, else 1e-5]")
    ] = None,
    optimizer: Annotated[
        OptimizerName | None, typer.Option(help="The optimiser. [default: muon for lab, else adamw]")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Packed rows a step.")] = 8,
    context: Annotated[
        int | None, typer.Option(help="Tokens in a packed row. [default: the lab's own, else 512]")
    ] = None,
    loss: Annotated[LossName, typer.Option(help="Which tokens of a question row are learned.")] = LossName.answer,
    replay: Annotated[
        float | None, typer.Option(help="Share of tokens from the pretrain split. [default: 1/3 for lab, else 0]")
    ] = None,
    bf16: Annotated[
        bool | None, typer.Option("--bf16/--fp32", help="Autocast to bfloat16. [default: on for lab, else off]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of shuffling and of the packing.")] = 0,
) -> None:
    """Finetune a model on a release's new facts.

    A finished run is left alone, an interrupted one goes on.

    Example: kbench train --release my-world --style qa --model lab --out run-qa
    """
    need_training(one_thread=model == "lab")
    from kbench.api.runs import train_recipe
    from kbench.benchmarks.results import RUN
    from kbench.benchmarks.run import PLAN, check_styles, train_run
    from kbench.hub.find import find_release
    from kbench.store import prepare_folder
    from kbench.studies.lab import default_cache, lab_base

    with progress_bar("pulling", "bytes") as advance:
        opened = find_release(release, advance, say_aside)
    recipe = train_recipe(
        opened,
        model,
        [s.value for s in style],
        epochs=epochs,
        learning_rate=learning_rate,
        optimizer=optimizer.value if optimizer else None,
        batch_size=batch_size,
        context=context,
        loss=loss.value,
        replay=replay,
        bf16=bf16,
        seed=seed,
    )
    check_styles(opened, recipe)
    target = out or Path(f"kbench-run-{'-'.join(recipe.styles)}")
    if target.exists():  # before a base is built for it
        prepare_folder(target, PLAN, RUN)
    if model == "lab":
        with progress_bar("building the base", "steps") as advance:
            base = lab_base(opened, default_cache(), progress=advance)
        typer.echo(f"base {base.path} ({'built' if base.built else 'reused'})")
        for line in base.warnings:
            typer.echo(line, err=True)
        model = str(base.path)
        recipe = recipe.with_context(base.about["context"] if context is None else context)
    with progress_bar("training", "steps") as advance:
        run = train_run(opened, model, recipe, target, advance)
    if not run.trained_now:
        typer.echo(f"{target} is this run already: nothing to do")
        return
    done = run.about["trained"]
    typer.echo(f"{done['steps']:,} steps, {done['tokens']:,} tokens, {done['wall_s']:.0f} s, loss {done['loss']:.3f}")
    typer.echo(f"score it: kbench eval --release {release} --model {target} --base {model} --out {target}-result")
