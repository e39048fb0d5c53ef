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
    spec: Annotated[
        str | None,
        typer.Option(help="A world that the pack must cover. [default: default, for the built-in pack]"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A relation or type: show its findings alone; repeatable.")
    ] = None,
) -> None:
    """Lint a template pack: each finding with file and line.

    Exit 1 where there is a finding.

    Example: kbench templates check my-pack --spec world.toml
    """
    from kbench.errors import TemplateError
    from kbench.generator.lint import lint_coverage, lint_pack
    from kbench.generator.packs import load_pack
    from kbench.generator.shares import report_of
    from kbench.generator.spec import load_spec

    pack = load_pack(folder)
    found = lint_pack(pack)
    covered = spec or ("default" if folder is None else None)
    if covered:
        found += lint_coverage(pack, load_spec(covered))
    if only:
        named = {id(f): f.path.split("/", 1)[1].removesuffix(".j2") for f in found}
        known = sorted({relation for _, relation in pack.phrasings} | set(named.values()))
        for name in set(only) - set(known):
            raise TemplateError(f"nothing in the pack {pack.name!r} is about {name!r}: have {', '.join(known)}")
        found = [f for f in found if named[id(f)] in only]
    for finding in found:
        typer.echo(str(finding))
    phrasings = [p for (style, _), group in pack.phrasings.items() if style != "choice" for p in group]
    phrasings = [p for p in phrasings if not only or p.relation in only]
    typer.echo(f"{len(phrasings):,} phrasings, {len(found):,} findings")
    for line in report_of(phrasings):
        typer.echo(line)
    if found:
        raise typer.Exit(1)
