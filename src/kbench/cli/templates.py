"""`kbench templates`: work with template packs."""

from pathlib import Path
from typing import Annotated

import typer

templates = typer.Typer(no_args_is_help=True, help="Work with template packs.", rich_markup_mode=None)


@templates.callback()
def _group() -> None:
    """Work with template packs."""


@templates.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="A template pack. [default: the built-in pack]")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A relation or type: show its findings alone; repeatable.")
    ] = None,
) -> None:
    """Lint a template pack: each finding with file and line; exit 1 where there is one.

    Example: kbench templates check my-pack
    """
    from kbench.generator.lint import lint_pack
    from kbench.generator.packs import load_pack

    pack = load_pack(folder)
    found = lint_pack(pack)
    if only:
        found = [f for f in found if f.path.split("/", 1)[1].removesuffix(".j2") in only]
    for finding in found:
        typer.echo(str(finding))
    count = sum(len(group) for (style, _), group in pack.phrasings.items() if style != "choice")
    typer.echo(f"{count:,} phrasings, {len(found):,} findings")
    if found:
        raise typer.Exit(1)
