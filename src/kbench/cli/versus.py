"""What a result shows beside its base: gain, leak to the controls, retention of the known world."""

from typing import Any

import typer


def print_versus_base(scores: list[dict[str, Any]]) -> None:
    """A table of the differences to the base, of the scores that have one; nothing where none has."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from kbench.benchmarks.compare import p_text, signed

    found = [(s["style"], s["probe"], versus) for s in scores if (versus := s.get("versus_base"))]
    if not found:
        return
    table = Table(title="less the base, on the same rows", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("style", "probe", "is its", "score - base", "95 %", "p", "rows"):
        table.add_column(column, justify="left" if column in ("style", "probe", "is its") else "right", no_wrap=True)
    for style, probe, versus in found:
        table.add_row(
            style,
            probe,
            versus["name"],
            signed(versus["value"]),
            f"{signed(versus['low'])}, {signed(versus['high'])}" if versus["entities"] > 1 else "–",
            p_text(versus["p"], versus["floor"]) if versus["entities"] > 1 else "–",
            f"{versus['rows']:,}",
        )
    typer.echo()
    Console().print(table)
