"""`kbench leaderboard`: enter a result, re-run it, and show what stands where."""

import typer

from kbench.cli.board_add import add
from kbench.cli.board_build import build
from kbench.cli.board_show import show
from kbench.cli.board_submit import submit
from kbench.cli.board_verify import verify

leaderboard = typer.Typer(
    name="leaderboard",
    help="Enter a result, re-run somebody's entry, build the site.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
leaderboard.command("submit")(submit)
leaderboard.command("add")(add)
leaderboard.command("build")(build)
leaderboard.command("show")(show)
leaderboard.command("verify")(verify)
