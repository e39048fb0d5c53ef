"""What `kbench run` prints: its plan, its table, its contrasts, and what failed."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from kbench.studies.grid_plan import Plan
    from kbench.studies.grid_report import Account
    from kbench.studies.grid_run import Outcome


def print_plan(plan: "Plan", target: Path, jobs: int | None) -> None:
    """Print what there is to do of each kind, what of it is done, and about how long the rest takes."""
    from kbench.studies.grid_orders import KINDS
    from kbench.studies.grid_run import default_jobs, gpus

    words = {"release": "releases to generate", "base": "bases to build", "train": "trainings", "score": "scorings"}
    if any(task.kind == "know" for task in plan.tasks.values()):
        words["know"] = "facts to label"
    table = plain_table(f"{len(plan.cells):,} cells in {target}")
    for name in ("work", "all", "done", "to do", "seconds each"):
        table.add_column(name, justify="left" if name == "work" else "right")
    total: float | None = 0.0
    for kind in (each for each in KINDS if each in words):
        folders = {task.folder for task in plan.tasks.values() if task.kind == kind}
        todo, each = len(folders & set(plan.todo)), plan.seconds(kind)
        if todo:
            total = None if total is None or each is None else total + todo * each
        told = "unknown" if each is None else f"{each:.1f}"
        table.add_row(words[kind], f"{len(folders):,}", f"{len(folders & plan.done):,}", f"{todo:,}", told)
    print_table(table)
    if not plan.todo:
        typer.echo("nothing to do")
    elif total is None:
        typer.echo("how long it takes is not known: no work of some kind has been done in this folder yet")
    else:
        count = jobs or default_jobs(gpus())
        typer.echo(f"about {total:,.0f} s of work, {total / count:,.0f} s with --jobs {count}, if each takes as long")


def print_levels(account: "Account") -> None:
    """Print every level of the grid's table beside its control, base and chance level."""
    report = account.grid.report
    if not account.levels:
        typer.echo(f"no cell has a result with {report.metric} in the probes that are asked for")
        return
    named = report.metric.replace("_", " ")
    table = plain_table(f"{account.grid.name}: {named}, mean over seeds")
    told = (*report.columns, *report.rows)
    beside = [name for name in ("control", "base", "chance") if any(name in level.beside for level in account.levels)]
    for column in (*told, "score", "95 %", *beside, "seeds"):
        table.add_column(column, justify="left" if column in told else "right")
    shown: tuple[str, ...] = ()
    for level in account.levels:
        if shown and shown != level.column:
            table.add_section()
        key = ("",) * len(level.column) if shown == level.column else level.column
        shown = level.column
        spread = "–" if level.low is None or level.high is None else f"{level.low:.2f}–{level.high:.2f}"
        mark = "*" if level.over == "entities" else ""
        values = [level.beside.get(name) for name in beside]
        numbers = ["–" if value is None else f"{value:.2f}" for value in values]
        table.add_row(*key, *level.row, f"{level.mean:.2f}", spread + mark, *numbers, str(level.seeds))
    print_table(table)
    if any(level.over == "entities" for level in account.levels):
        typer.echo("* one seed or none: the interval is over entities, not over seeds")
    if any(row["partial"] for row in account.rows):
        typer.echo("partial: a limit left rows out, so these are no scores of the whole release")


def print_contrasts(account: "Account") -> None:
    """Print the contrasts, and say of those that cannot be why."""
    from kbench.studies.grid_report import missing_contrasts

    if account.contrasts:
        table = plain_table("contrasts, paired by seed")
        for column in ("contrast", "levels", "difference", "95 % t interval", "seeds"):
            table.add_column(column, justify="left" if column == "contrast" else "right")
        table.add_column("reading")
        for c in account.contrasts:
            levels, interval = f"{c.left:.2f} / {c.right:.2f}", f"{c.low:+.2f} to {c.high:+.2f}"
            table.add_row(c.title, levels, f"{c.mean:+.2f}", interval, str(len(c.differences)), c.reading)
        print_table(table)
    for name in missing_contrasts(account):
        typer.echo(f"no contrast {name}: no two seeds have both sides")


def print_failures(outcome: "Outcome") -> None:
    """Print what failed, why, and what became of it."""
    from kbench.studies.grid_outcome import lost_cells, own_failures

    typer.echo(f"{outcome.failed_cells():,} of {len(outcome.plan.cells):,} cells have no result:")
    for failure in own_failures(outcome):
        task, cells = failure.task, len(lost_cells(failure, outcome))
        kept = f" (traceback: {task.traceback})" if task.traceback.is_file() else ""
        needed = f", which {cells:,} cell{'s need' if cells != 1 else ' needs'}" if cells else ""
        typer.echo(f"  {task.title}{needed}: {failure.reason}{kept}")
    typer.echo("run the same command again to try these anew")


def plain_table(title: str) -> "Table":
    """An empty table as kbench prints them: no frame."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, title_style="")


def print_table(table: "Table") -> None:
    """Print a table as wide as it is: a cut-off figure is none."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    wide = Measurement.get(console, console.options.update(max_width=400), table).maximum
    Console(width=max(console.width, wide)).print(table)
