"""`kbench init`: a world spec and a template pack to start from."""

from pathlib import Path
from typing import Annotated

import typer


def init(folder: Annotated[Path, typer.Argument(help="The folder to make; it must not hold anything.")]) -> None:
    """Write a world spec and a template pack to start from.

    Both pass the checks as they are; the spec's JSON schema lies beside it, for your editor.

    Example: kbench init my-world
    """
    from kbench.generator.starter import PACK, SCHEMA, SPEC, write_starter

    written = write_starter(folder)
    typer.echo(f"{folder / SPEC}           the world: types, relations, sizes")
    typer.echo(f"{folder / SCHEMA}    what may stand in it, for your editor")
    typer.echo(f"{folder / PACK}/            {len(written) - 2} files: the words")
    typer.echo("next:")
    typer.echo(f"  kbench templates check {folder / PACK} --spec {folder / SPEC}")
    typer.echo(f"  kbench preview --spec {folder / SPEC} --templates {folder / PACK} --style all -n 2")
    typer.echo(f"  kbench generate --spec {folder / SPEC} --templates {folder / PACK} --style all --out release")
