"""`kbench leaderboard show`: the table of the leaderboard."""

from pathlib import Path
from typing import Annotated

import typer


def show(
    entries: Annotated[Path | None, typer.Option(help="The folder of entries. [default: releases/leaderboard]")] = None,
) -> None:
    """Print what stands where.

    Example: kbench leaderboard show
    """
    from kbench.leaderboard.folder import ENTRIES, read_entries
    from kbench.leaderboard.standing import standing

    for line in standing(read_entries(entries or ENTRIES)):
        typer.echo(f"{line.rank or '–'} {line.entry.id} {line.scores.headline:.3f}")
