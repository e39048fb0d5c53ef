"""`--dry-run`: what would be written, as a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kbench.cli.console import progress_bar

if TYPE_CHECKING:
    from kbench.generator.packs import Pack
    from kbench.generator.world import World


def show_plan(world: "World", pack: "Pack", styles: tuple[str, ...], target: Path, workers: int) -> None:
    """Print rows, tokens, bytes and time of each split, estimated from one block of each."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from kbench.generator.estimate import estimates

    with progress_bar("estimating") as advance:
        found = list(estimates(world, pack, styles, advance))
    table = Table(
        title=f"world {world.tag}: about what would be written to {target}", box=box.SIMPLE_HEAD, title_style=""
    )
    for name in ("split", "files", "rows", "tokens", "bytes"):
        table.add_column(name, justify="left" if name == "split" else "right")
    for e in found:
        table.add_row(f"{e.config}/{e.split}", str(e.files), f"{e.rows:,}", f"{e.tokens:,}", f"{e.bytes:,}")
    seconds = sum(e.seconds for e in found)
    table.add_section()
    totals = [sum(getattr(e, key) for e in found) for key in ("files", "rows", "tokens", "bytes")]
    table.add_row("all", *(f"{n:,}" for n in totals))
    Console(width=100).print(table)
    typer.echo(f"about {_told(seconds)} CPU seconds, {_told(seconds / workers)} s with --workers {workers}")
    typer.echo("tokens at 4 characters each; bytes as Parquet, fewer where a file is large")


def _told(seconds: float) -> str:
    """Seconds as an estimate says them: tenths only where they matter."""
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"
