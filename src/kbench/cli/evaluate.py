"""`kbench eval`: score a model on a release."""

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from kbench.cli.console import ReleaseName, progress_bar, say_aside
from kbench.cli.engines import (
    Backend,
    BackendName,
    BatchSize,
    Concurrency,
    Price,
    RemoteCode,
    RequestsPerMinute,
    Timeout,
    engine_of,
    fetched,
    need_engine,
)
from kbench.cli.versus import print_versus_base
from kbench.errors import SpecError
from kbench.shelf import DEFAULT


class PromptKind(enum.StrEnum):
    """What --prompt takes."""

    plain = "plain"
    cot = "cot"
    chain = "chain"
    open_book = "open-book"


class ShotsSource(enum.StrEnum):
    """What --shots-from takes."""

    same = "same"
    other = "other"


def evaluate(
    model: Annotated[str, typer.Option(help="A folder, a Hub id, openai:MODEL@URL, or oracle, random, majority.")],
    out: Annotated[Path | None, typer.Option(help="The folder for the result. [default: kbench-result-MODEL]")] = None,
    release: ReleaseName = DEFAULT,
    base: Annotated[
        str | None, typer.Option(help="The untuned model, scored on the same rows. [default: the run's or adapter's]")
    ] = None,
    no_base: Annotated[bool, typer.Option("--no-base", help="Do not score the untuned model.")] = False,
    prompt: Annotated[
        PromptKind,
        typer.Option(help="plain; cot: a chain of thought first; chain: as taught; open-book: with the facts."),
    ] = PromptKind.plain,
    shots: Annotated[int, typer.Option(min=0, max=64, help="Worked examples before each question.")] = 0,
    shots_from: Annotated[
        ShotsSource, typer.Option(help="Examples of the same relation as the question, or of others.")
    ] = ShotsSource.same,
    prompt_seed: Annotated[int, typer.Option(min=0, help="Which examples.")] = 0,
    chat: Annotated[bool, typer.Option("--chat", help="Ask through the model's own chat template.")] = False,
    likelihood: Annotated[
        bool, typer.Option("--likelihood", help="Also weigh answers and options by log-probability.")
    ] = False,
    measures: Annotated[
        bool, typer.Option("--measures", help="Print every measure, not exact match alone; the result has all.")
    ] = False,
    style: Annotated[
        list[str] | None,
        typer.Option(metavar="STYLE", help="Ask only questions of a style; may be repeated. [default: all]"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask only the first rows of each style and split; the result says so.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="The longest reply, in tokens. [default: 32; with a chain 128]"),
    ] = None,
    backend: BackendName = Backend.auto,
    batch_size: BatchSize = None,
    trust_remote_code: RemoteCode = False,
    concurrency: Concurrency = 16,
    requests_per_minute: RequestsPerMinute = None,
    price: Price = None,
    timeout: Timeout = 60.0,
) -> None:
    """Score a model on the questions of a release.

    Each score stands beside its control, its base and its chance level. An interrupted scoring goes on.

    Example: kbench eval --release my-world --model run-qa --out run-qa-result
    """
    from kbench.api.scores import asking_of
    from kbench.benchmarks.chat import chat_note
    from kbench.benchmarks.results import SAMPLES, base_of
    from kbench.benchmarks.scoring import score
    from kbench.hub.find import find_release

    with progress_bar("pulling", "bytes") as advance:
        opened = find_release(release, advance, say_aside)
    asking = asking_of(
        prompt=prompt.value,
        shots=shots,
        shots_from=shots_from.value,
        prompt_seed=prompt_seed,
        chat=chat,
        likelihood=likelihood,
        style=style or (),
        limit=limit,
        max_tokens=max_tokens,
    )
    engine = engine_of(backend, batch_size, trust_remote_code, concurrency, requests_per_minute, price, timeout)
    if no_base and base is not None:
        raise SpecError(f"--no-base leaves out the base that --base names ({base}): give one of the two")
    need_engine(model, None if no_base else base or base_of(model), backend)
    there = fetched(model)
    if note := chat_note(there, chat):
        say_aside(note)
    against = None if no_base else base or base_of(there)
    target = out or Path(f"kbench-result-{Path(model.partition('@')[0].replace(':', '-')).name}")
    with progress_bar("scoring", "rows") as advance:
        result = score(
            opened,
            there,
            target,
            asking,
            base=None if against is None else fetched(against),
            engine=engine,
            progress=advance,
        )
    if not result.scored_now:
        typer.echo(f"{target} is this result already: nothing to do")
    _print(result.about)
    if measures:
        _print_measures(result.about["kbench"])
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
            f"{s['low']:.2f}–{s['high']:.2f}" if s["entities"] > 1 else "–",  # of one entity nothing can be said
            *("–" if s[key] is None else f"{s[key]:.2f}" for key in ("control", "base", "chance", "majority")),
            f"{s['rows']:,}",
        )
    Console().print(table)
    kbench = about["kbench"]
    print_versus_base(kbench["scores"])
    if kbench["partial"]:
        limited = kbench["scoring"]["limit"] is not None
        left = "--limit asked first rows only, of few entities" if limited else "--style left styles out"
        typer.echo(f"partial: {left}: no score of the whole release")
    if kbench["errors"]:
        typer.echo(f"{kbench['errors']:,} rows have no reply, so no score: the same command asks them again")


def _print_measures(kbench: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title="every measure", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("style", "probe", "measure", "value", "95 %", "rows"):
        table.add_column(column, justify="left" if column in ("style", "probe", "measure") else "right", no_wrap=True)
    for s in kbench["scores"]:
        for name, m in s["measures"].items():
            interval = f"{m['low']:.2f}–{m['high']:.2f}" if s["entities"] > 1 else "–"
            table.add_row(s["style"], s["probe"], name, f"{m['value']:.2f}", interval, f"{m['n']:,}")
    Console().print(table)
    shown = {name for s in kbench["scores"] for name in s["measures"]}
    for name, line in kbench["definitions"].items():
        if name in shown:
            typer.echo(f"{name}: {line}")
