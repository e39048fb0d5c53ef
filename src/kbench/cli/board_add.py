"""`kbench leaderboard add`: an entry goes into the folder of entries."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import need_training, say_aside

EntriesFolder = Annotated[
    Path | None, typer.Option("--entries", metavar="DIR", help="The folder of entries. [default: releases/leaderboard]")
]


def add(
    entry: Annotated[Path, typer.Argument(help="The file ID.json, with ID.parquet beside it.")],
    entries: EntriesFolder = None,
    release: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The release. [default: found by name, or made anew]")
    ] = None,
) -> None:
    """Check an entry and take it in, as self-reported.

    Its samples must answer the questions of its release, each once, with the verdicts that follow, and its scores must
    be those of the samples. A re-run that an entry brings is dropped: `kbench leaderboard verify` makes one here.

    Example: kbench leaderboard add qa-only-entry/qa-only.json
    """
    need_training(one_thread=True)
    from kbench.leaderboard.adding import add_entry
    from kbench.leaderboard.fixed import fixed_release
    from kbench.leaderboard.folder import ENTRIES, read_entry
    from kbench.leaderboard.rules import rules_of

    brought = read_entry(entry)
    rules = rules_of(brought.track)
    opened = fixed_release(brought.release.name, rules, release)
    found = add_entry(entry, entries or ENTRIES, rules, opened)
    if found.dropped:
        say_aside("the re-run that the entry brought is dropped: it is only taken from a re-run here")
    if found.unchecked:
        say_aside("the re-run that it holds was not checked: only `kbench leaderboard verify` makes one")
    if not found.is_new:
        typer.echo(f"{found.path} was checked and is this entry already: nothing to do")
        return
    typer.echo(f"added {found.path}, self-reported; reproduce it: kbench leaderboard verify {found.path}")
