"""`kbench eval`: score a model on a release."""

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from kbench.cli.console import ReleaseName, need_training, progress_bar, say_aside
from kbench.shelf import DEFAULT


class Backend(enum.StrEnum):
    """What --backend takes."""

    auto = "auto"
    hf = "hf"


def evaluate(
    model: Annotated[str, typer.Option(help="A folder, a Hub id, or oracle, random, majority.")],
    out: Annotated[Path | None, typer.Option(help="The folder for the result. [default: kbench-result-MODEL]")] = None,
    release: ReleaseName = DEFAULT,
    base: Annotated[
        str | None, typer.Option(help="The untuned model, scored on the same rows. [default: the run's]")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="The engine: transformers.")] = Backend.auto,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask only the first rows of each style and split; the result says so.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=65536, help="Prompts generated together.")] = 256,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 32,
) -> None:
    """Score a model on a release by exact match.

    Each score stands beside its control, its base and its chance level.

    Example: kbench eval --release my-world --model run-qa --out run-qa-result
    """
    from kbench.benchmarks.asking import Asking
    from kbench.benchmarks.models.protocol import Decoding
    from kbench.benchmarks.results import SAMPLES, base_of, is_lab
    from kbench.benchmarks.scoring import BASELINES, score
    from kbench.hub.find import find_release

    with progress_bar("pulling", "bytes") as advance:
        opened = find_release(release, advance, say_aside)
    base = base or base_of(model)
    if model not in BASELINES or base:
        need_training(one_thread=is_lab(base or model))
    asking = Asking(limit=limit, decoding=Decoding(max_tokens=max_tokens))
    target = out or Path(f"kbench-result-{Path(model).name}")
    with progress_bar("scoring", "rows") as advance:
        result = score(opened, model, target, asking, base=base, batch=batch_size, progress=advance)
    if not result.scored_now:
        typer.echo(f"{target} is this result already: nothing to do")
    _print(result.about)
    if result.scored_now:
        typer.echo(f"every sample, with its prompt and prediction: {target / SAMPLES}")


def _print(about: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{about['model_name']} on world {about['kbench']['release']['world']}: exact match",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for column in ("style", "probe", "score", "95 %", "control", "base", "chance", "majority", "rows"):
        table.add_column(column, justify="left" if column in ("style", "probe") else "right", no_wrap=True)
    for s in about["kbench"]["scores"]:
        table.add_row(
            s["style"],
            s["probe"],
            f"{s['accuracy']:.2f}",
            f"{s['low']:.2f}–{s['high']:.2f}",
            *("–" if s[key] is None else f"{s[key]:.2f}" for key in ("control", "base", "chance", "majority")),
            f"{s['rows']:,}",
        )
    Console().print(table)
    if about["kbench"]["partial"]:
        typer.echo("partial: --limit left rows out, so this is no score of the whole release")
