"""`kbench compare`: two results of one release, paired by row."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import say_aside

if TYPE_CHECKING:
    from kbench.benchmarks.compare import Comparison


def compare(
    a: Annotated[Path, typer.Argument(help="The folder of a result.")],
    b: Annotated[Path, typer.Argument(help="The folder of another result of the same release.")],
    measure: Annotated[
        str, typer.Option(help="What is compared: exact_match, or a measure that samples.parquet has.")
    ] = "exact_match",
    json: Annotated[Path | None, typer.Option("--json", help="A file to write everything to.")] = None,
) -> None:
    """Compare two results of one release, paired row by row.

    Only rows that both were scored on count. The difference is that of b less a. Its interval resamples entities; p is
    of a sign-flip test over entities, and beside it adjusted for the number of lines (Holm). Models that differ by a
    training seed too need more than one seed each: a difference of two runs is not one of two recipes.

    Example: kbench compare base-result run-qa-result
    """
    from kbench.benchmarks.compare import compare_results
    from kbench.store import write_json

    found = compare_results(a, b, measure)
    for note in found.notes:
        say_aside(note)
    if json is not None:
        write_json(json, found.to_dict())
    _print(found)


def _print(found: "Comparison") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from kbench.benchmarks.compare import p_text, signed

    table = Table(
        title=f"{found.measure}: a = {found.a}, b = {found.b}",
        box=SIMPLE_HEAD,
        padding=0,  # ten columns fit into 80 letters
        show_edge=False,
    )
    for column in ("style", "probe", "a", "b", "b - a", "95 %", "p", "Holm", "rows", "entities"):
        table.add_column(column, justify="left" if column in ("style", "probe") else "right", no_wrap=True)
    for line in found.lines:
        table.add_row(
            line.style,
            line.probe,
            f"{line.a:.2f}",
            f"{line.b:.2f}",
            signed(line.difference),
            *(
                (f"{signed(line.low)}, {signed(line.high)}", p_text(line.p, line.floor), p_text(line.p_holm, 0.0))
                if line.entities > 1  # of one entity nothing can be said
                else ("–", "–", "–")
            ),
            f"{line.rows:,}",
            f"{line.entities:,}",
        )
    Console().print(table)
    if left := found.left_out():
        typer.echo(left)
