"""`kbench leaderboard build`: the static site of a folder of entries."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import say_aside

_ENTRIES = Path("releases") / "leaderboard"


def build(
    out: Annotated[Path, typer.Option(help="The folder to write the site to: a new one, or an earlier build.")],
    entries: Annotated[Path, typer.Option(help="The folder of entries.")] = _ENTRIES,
) -> None:
    """Write the leaderboard as a static site: plain files that open from a disk or any web server.

    A table of each track that sorts and filters, a picture of score against cost, one of each axis, and a page for
    every entry with its recipe, the commands that run it again, and samples. The same entries give the same bytes; a
    build into the folder of an earlier one takes away the pages of entries that are gone.

    Example: kbench leaderboard build --out leaderboard-site
    """
    from kbench.leaderboard.site import build_site

    built = build_site(entries, out)
    for name in built.removed:
        say_aside(f"took away {name}: its entry is gone")
    typer.echo(f"{built.index}: {built.entries} entries")
