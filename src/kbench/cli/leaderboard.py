"""`kbench leaderboard`: enter a result, re-run it, and show what stands where."""

import typer

leaderboard = typer.Typer(
    name="leaderboard",
    help="Enter a result, re-run somebody's entry, build the site.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
