"""The demo's table on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kbench.studies.cells import ARMS
from kbench.studies.demo import Demo
from kbench.studies.findings import PROBES


def print_summary(done: Demo) -> None:
    """Print levels and contrasts, or why there are none, and where the page lies."""
    console = Console()
    findings = done.findings
    if done.reused:
        console.print(f"reused what was done: seeds {', '.join(map(str, done.reused))}")
    if findings.refusal:
        console.print(findings.refusal)
    else:
        _print_levels(console, done)
        _print_contrasts(console, done)
    console.print(f"the page: {done.page}")


def _print_levels(console: Console, done: Demo) -> None:
    found = {(level.probe, level.arm): level for level in done.findings.levels}
    table = Table(
        title=f"exact match, mean over {len(done.findings.used)} seeds (never-trained control in brackets)",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("asked")
    for arm in ("base", *ARMS):
        table.add_column("untuned" if arm == "base" else f"on {arm}", justify="right")
    table.add_column("chance", justify="right")
    for probe, _, _ in PROBES:
        cells = []
        for arm in ("base", *ARMS):
            level = found[probe, arm]
            control = "" if level.control is None else f" ({level.control:.2f})"
            cells.append(f"{level.mean:.2f}{control}")
        table.add_row(probe, *cells, f"{found[probe, 'base'].chance:.2f}")
    console.print(table)


def _print_contrasts(console: Console, done: Demo) -> None:
    table = Table(title="contrasts, paired by seed", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column, side in (
        ("contrast", "left"),
        ("levels", "right"),
        ("difference", "right"),
        ("95 % t interval", "right"),
    ):
        table.add_column(column, justify="left" if side == "left" else "right")
    table.add_column("reading")
    for c in done.findings.contrasts + done.findings.beside:
        table.add_row(
            c.title,
            f"{c.left:.2f} / {c.right:.2f}",
            f"{c.mean:+.2f}",
            f"{c.low:+.2f} to {c.high:+.2f}",
            c.reading,
        )
    console.print(table)
