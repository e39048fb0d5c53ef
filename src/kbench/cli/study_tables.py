"""What `kbench study` prints: its design and what it will cost, and the verdicts on its claims."""

from typing import TYPE_CHECKING

import typer

from kbench.cli.run_tables import plain_table, print_failures, print_table

if TYPE_CHECKING:
    from kbench.studies.grid_plan import Plan, Task
    from kbench.studies.study_design import Design, Designed
    from kbench.studies.study_run import Account

SECONDS = {"release": 1.8, "base": 37.7, "know": 20.0, "train": 7.6, "score": 1.0, "tones": 1.8, "capacity": 60.0}
SECONDS |= {"theory": 2.0, "subject": 8.0, "law": 0.1, "graph": 2.0, "similarity": 1.0, "biography": 5.0}
"""CPU seconds of each kind of work with the lab's models, as measured, before any was done in the folder."""

_WORDS = {
    "release": "releases to write",
    "base": "bases to build",
    "know": "labellings of facts",
    "train": "trainings",
    "score": "scorings",
    "tones": "tone attributions",
    "capacity": "capacity measurements",
    "theory": "simulations of the theory",
    "subject": "looks at the subject",
    "law": "linear laws",
    "graph": "graph views",
    "similarity": "similarity ladders",
    "biography": "biographies",
}


def print_design(design: "Design", plan: "Plan", jobs: int | None) -> None:
    """Print the cells of a budget, what there is to do for them, and what that costs in CPU time and in wall time."""
    from kbench.studies.grid_run import default_jobs, gpus

    _print_cells(design)
    table = plain_table("what there is to do")
    for name in ("work", "all", "done", "to do", "CPU s each"):
        table.add_column(name, justify="left" if name == "work" else "right")
    total: float | None = 0.0
    for kind, word in _WORDS.items():
        tasks = {folder: task for folder, task in plan.tasks.items() if _kind(task) == kind}
        if not tasks:
            continue
        todo, each, source = len(tasks.keys() & plan.todo.keys()), *_each(design, plan, kind)
        if todo:
            total = None if total is None or each is None else total + todo * each
        told = "unknown" if each is None else f"{each:.1f}{source}"
        table.add_row(word, f"{len(tasks):,}", f"{len(tasks.keys() & plan.done):,}", f"{todo:,}", told)
    print_table(table)
    if not plan.todo:
        typer.echo("nothing to do")
    elif total is None:
        typer.echo("how long it takes is not known: no work of some kind has been done in this folder with this model")
    else:
        count = jobs or default_jobs(gpus())
        typer.echo(f"about {total:,.0f} s of CPU time, {total / count / 60:,.1f} minutes with --jobs {count}")
        if any("*" in _each(design, plan, _kind(task))[1] for task in plan.todo.values()):
            typer.echo("* as measured where the study was made; another machine takes its own time")


def _print_cells(design: "Design") -> None:
    study = design.study
    table = plain_table(f"{study.name}, {design.name}: {design.budget.says}")
    for name in ("cell", *study.factors, "seeds", "asked", "trained otherwise"):
        table.add_column(name, justify="right" if name == "seeds" else "left")
    centre = design.cells["centre"].values
    for cell in design.cells.values():
        levels = [_level(cell, factor, said.centre) for factor, said in study.factors.items()]
        if not cell.levels:
            own = "not trained"
        else:
            own = ", ".join(f"{key} = {value}" for key, value in cell.values.items() if centre.get(key) != value)
        table.add_row(cell.name, *levels, f"{len(cell.seeds)}", ", ".join(cell.asks), own)
    for name, seeds in design.parts.items():
        table.add_row(name, *("" for _ in study.factors), f"{len(seeds)}", "", "")
    print_table(table)
    titles = {name: arm.title for name, arm in study.arms.items() if name in design.cells}
    titles |= {name: study.parts[name].title for name in design.parts}
    for name, title in titles.items():
        typer.echo(f"{name}: {title}")
    named = "the lab's base, built for each seed's world" if design.is_lab else design.model
    typer.echo(f"model: {named}; seeds: {', '.join(map(str, design.seeds))}")


def _level(cell: "Designed", factor: str, centre: str) -> str:
    """A cell's level of a factor, empty where it is the centre's, which is told in the centre's own row."""
    level = cell.levels.get(factor, "")
    return "" if level == centre and cell.name != "centre" else level


def _kind(task: "Task") -> str:
    """The kind of a task; of a part, what it measures."""
    from kbench.studies.grid_orders import Measure

    return task.order.part if isinstance(task.order, Measure) else task.kind


def _each(design: "Design", plan: "Plan", kind: str) -> tuple[float | None, str]:
    """CPU seconds of a task: the mean of those done in this folder, else (`*`) what the lab's took elsewhere."""
    told = [task.told() for task in plan.tasks.values() if _kind(task) == kind and task.folder in plan.done]
    spent = [each["cpu_s"] for each in told if each.get("status") == "done"]
    if spent:
        return sum(spent) / len(spent), ""
    return (SECONDS[kind], "*") if design.is_lab and not design.budget.lab else (None, "")


def print_verdicts(account: "Account") -> None:
    """Print every claim with its verdict, effect and interval; then why those that do not hold do not."""
    from rich.text import Text

    table = plain_table(f"{account.design.study.title}: what came of each claim")
    for name in ("claim", "verdict", "effect", "95 % t interval", "seeds"):
        table.add_column(name, justify="left" if name in ("claim", "verdict") else "right")
    for judged in account.judged:
        first = judged.estimates[0] if judged.estimates else None
        effect = f"{first.mean:+.2f}" if first else "–"
        interval = f"{first.low:+.2f} to {first.high:+.2f}" if first and first.low is not None else "–"
        seeds = str(len(first.seeds)) if first else "–"
        table.add_row(Text(judged.claim.name), judged.verdict.replace("_", " "), effect, interval, seeds)
    print_table(table)
    for verdict, words in (("fails", "fails"), ("inconclusive", "is inconclusive"), ("not_testable", "not testable")):
        for judged in account.judged:
            if judged.verdict == verdict:
                typer.echo(f"{judged.claim.name} {words}: {judged.reason}")


def print_study_failures(account: "Account") -> None:
    """Print what failed, why, and what became of it."""
    print_failures(account.outcome)
