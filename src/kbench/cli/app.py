"""The application and its verbs."""

from typing import Annotated

import typer

from kbench import __version__
from kbench.cli.audit import audit
from kbench.cli.compare import compare
from kbench.cli.demo import demo
from kbench.cli.evaluate import evaluate
from kbench.cli.export import export
from kbench.cli.generate import generate
from kbench.cli.glossary import glossary
from kbench.cli.import_data import import_data
from kbench.cli.init import init
from kbench.cli.know import know
from kbench.cli.leaderboard import leaderboard
from kbench.cli.preview import preview
from kbench.cli.pull import pull
from kbench.cli.push import push
from kbench.cli.run import run
from kbench.cli.study import study
from kbench.cli.templates import templates
from kbench.cli.train import train
from kbench.cli.verify import verify

app = typer.Typer(
    name="kbench",
    help="Invent a world, write its facts, finetune on them, score what was learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(generate)
app.command("import")(import_data)
app.command()(preview)
app.command()(init)
app.command()(verify)
app.command()(audit)
app.command()(export)
app.command()(push)
app.command()(pull)
app.command()(train)
app.command("eval", epilog=glossary())(evaluate)
app.command()(know)
app.command()(compare)
app.command()(run)
app.command()(study)
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(templates, name="templates")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
