"""Tables as the benchmarks print them, and a median with its quartiles."""

from collections.abc import Sequence
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

_WIDTH = 136
"""Wide enough for every table here; a pipe would otherwise get 80 columns."""


def show(table: Table, *notes: str) -> None:
    """Print a table and the lines that belong below it."""
    console = Console(width=_WIDTH, highlight=False)
    console.print(table)
    for note in notes:
        console.print(note)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """`median (first quartile to third)`, of two values or more; of one, the value."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
