"""`kbench preview`: print rows, write nothing."""

from typing import Annotated

import typer

from kbench.cli.generate import Facts, Seed, Spec, StyleName, Styles, Templates, warn_of


def preview(
    style: Styles = [StyleName.qa],  # noqa: B006
    n: Annotated[int, typer.Option("-n", min=1, max=1000, help="Rows of each style.")] = 5,
    seed: Seed = "0",
    spec: Spec = "default",
    facts: Facts = None,
    templates: Templates = None,
) -> None:
    """Print a few rows of each style, and write nothing.

    They are the rows that `kbench generate` would write, spread over the first block of the world.

    Example: kbench preview --style article -n 2
    """
    from kbench.api.recipes import recipe_of
    from kbench.generator.release import preview_rows

    wanted = [s.value for s in style]
    recipe = recipe_of(wanted, spec=spec, seed=seed, facts=facts, templates=templates)
    warn_of(recipe)
    for name, rows in preview_rows(recipe, n):
        if name in wanted or "all" in wanted:
            for row in rows:
                typer.echo(f"[{name} {row['id']}]")
                typer.echo(row["text"] if "text" in row else f"{row['question']}\n  → {row['answer']}")
                typer.echo("")
