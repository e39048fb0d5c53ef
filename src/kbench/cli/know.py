"""`kbench know`: label the facts of a release by how well a model knows them."""

from pathlib import Path
from typing import Annotated

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
from kbench.shelf import DEFAULT


def know(
    model: Annotated[str, typer.Option(help="A folder, a Hub id, openai:MODEL@URL, or oracle, random, majority.")],
    out: Annotated[Path | None, typer.Option(help="The folder for the labels. [default: kbench-known-MODEL]")] = None,
    release: ReleaseName = DEFAULT,
    probe: Annotated[
        str, typer.Option(help="Exemplars, prompts, samples, temperature, top-k; k0-g1 asks without exemplars.")
    ] = "slick-k4-g10-s16-t0.5-topk40",
    split: Annotated[
        list[str],
        typer.Option("--split", metavar="SPLIT", help="Whose questions are asked; may be given more than once."),
    ] = ["train"],  # noqa: B006
    limit: Annotated[int | None, typer.Option(min=1, help="Label only so many facts.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 32,
    backend: BackendName = Backend.auto,
    batch_size: BatchSize = None,
    trust_remote_code: RemoteCode = False,
    concurrency: Concurrency = 16,
    requests_per_minute: RequestsPerMinute = None,
    price: Price = None,
    timeout: Timeout = 60.0,
) -> None:
    """Label facts by how well a model knows them.

    SliCK, of a model before it is finetuned: each fact is asked in many few-shot prompts, greedily and sampled. It is
    HighlyKnown, MaybeKnown, WeaklyKnown or Unknown; `kbench train --recipe` chooses, relabels and orders facts by it.

    Example: kbench know --release my-world --model my-base --out known
    """
    from kbench.benchmarks.knownness import LABELLED, label_facts
    from kbench.benchmarks.models.open import open_model
    from kbench.benchmarks.recipe import LABELS
    from kbench.benchmarks.slick import read_probe
    from kbench.hub.find import find_release

    asked = read_probe(probe)
    with progress_bar("pulling", "bytes") as advance:
        opened = find_release(release, advance, say_aside)
    engine = engine_of(backend, batch_size, trust_remote_code, concurrency, requests_per_minute, price, timeout)
    need_engine(model, None, backend)
    target = out or Path(f"kbench-known-{Path(model.partition('@')[0].replace(':', '-')).name}")
    tuned = open_model(fetched(model), opened, engine)
    with progress_bar("asking", "prompts") as advance:
        found = label_facts(
            opened, tuned, target, asked, splits=tuple(split), limit=limit, max_tokens=max_tokens, progress=advance
        )
    if not found.labelled_now:
        typer.echo(f"{target} is this labelling already: nothing to do")
    about = found.about
    typer.echo(f"{model}: {about['facts']:,} facts asked by {about['probe']}")
    for label in LABELS:
        n = about["labels"][label]
        typer.echo(f"{label:<12} {n:>8,} {n / max(1, about['facts']):>7.1%}")
    if about["failed"]:
        typer.echo(f"{about['failed']:,} facts have no label: their replies failed")
    typer.echo(f"a row a fact: {target / LABELLED}")
