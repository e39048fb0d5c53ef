"""What every verb shows: progress bars on a terminal's stderr, and the name of a missing extra."""

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Annotated

import typer

from kbench.errors import Interrupted, MissingExtra

ReleaseName = Annotated[
    str,
    typer.Option("--release", metavar="DIR|NAME|ORG/NAME", help="A release: a folder, a named one, or one on the Hub."),
]
Advance = Callable[[float, float], None]
"""Called with what is done and what there is in all."""

_QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
}
_TRAIN_MODULES = ("torch", "transformers", "accelerate", "scipy", "matplotlib")


@contextlib.contextmanager
def progress_bar(title: str, unit: str = "") -> Iterator[Advance]:
    """A bar with share, rate and time left on stderr; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")
        first: float | None = None

        def advance(done: float, total: float) -> None:
            nonlocal first
            gone = time.monotonic() - start
            if first is None:  # of an earlier process, it may be: it is shown, but is no measure of the rate
                first = done
                bar.reset(task, completed=int(done), total=total)
            rate = f"{(done - first) / gone:,.0f} {unit}/s" if unit and gone > 0.5 else ""
            bar.update(task, completed=done, total=total, rate=rate)

        try:
            yield advance
        except KeyboardInterrupt:
            raise Interrupted("interrupted: run the same command again to go on from what is done") from None


def say_aside(line: str) -> None:
    """Say on stderr what a user should know and no script reads."""
    typer.echo(f"kbench: {line}", err=True)


def need_training(*, one_thread: bool) -> None:
    """Raise MissingExtra unless everything that trains and scores is installed; keep its libraries quiet.

    `one_thread` is for the lab's small models, which a second thread slows down.
    """
    for module in _TRAIN_MODULES:
        if find_spec(module) is None:
            raise MissingExtra("train", module)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if one_thread:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore", module="torch|transformers|accelerate")
