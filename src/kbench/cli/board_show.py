"""`kbench leaderboard show`: the table of the leaderboard."""

import json as json_text
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.board_add import EntriesFolder
from kbench.cli.board_submit import TrackChoice

if TYPE_CHECKING:
    from kbench.leaderboard.table import Section


def show(
    entries: EntriesFolder = None,
    track: Annotated[TrackChoice | None, typer.Option(help="One track alone. [default: both]")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for GitHub.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Print what stands where.

    Ranked are entries that were re-run, among those of their track, base and class of tokens; all else stands below.
    Scores are corrected: what is answered of facts that no training text has is taken off, so they may be negative.

    Example: kbench leaderboard show
    """
    from kbench.errors import SpecError
    from kbench.leaderboard.folder import ENTRIES, read_entries
    from kbench.leaderboard.standing import standing
    from kbench.leaderboard.table import markdown as as_markdown
    from kbench.leaderboard.table import notes, sections

    if markdown and json:
        raise SpecError("--markdown and --json are two ways to print the table: give one of them")
    shown = sections(standing(read_entries(entries or ENTRIES)), track.value if track else None)
    if json:
        typer.echo(json_text.dumps([section.to_dict() for section in shown], indent=2, ensure_ascii=False))
    elif markdown:
        typer.echo(as_markdown(shown))
    else:
        for section in shown:
            _print(section)
        for note in notes(shown):
            typer.echo(note)
        if not shown:
            typer.echo("no entries yet: kbench leaderboard submit")


def _print(section: "Section") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kbench.leaderboard.table import apart_text, interval, kept_text, signed

    typer.echo(f"{section.track}, {section.title}")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("entry", overflow="fold")
    for column in ("score (95 %)", "private", "apart", "kept", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in section.rows:
        table.add_row(
            row.place,
            Text(row.id),
            interval(row),
            "–" if row.private is None else signed(row.private),
            apart_text(row),
            kept_text(row),
            f"{row.times:.1f}×",
        )
    Console().print(table)
    typer.echo("")
