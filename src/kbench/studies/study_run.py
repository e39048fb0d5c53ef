"""Running a study: its plan, its work, and what it leaves behind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.benchmarks.results import RUN
from kbench.errors import OutputError
from kbench.lock import folder_lock
from kbench.store import prepare_folder, write_json
from kbench.studies.grid_orders import PART
from kbench.studies.grid_plan import Fetch, Find, Plan
from kbench.studies.grid_run import Outcome, Report, run_plan
from kbench.studies.study_claims import Judged, judge_all
from kbench.studies.study_design import Design
from kbench.studies.study_effects import FactorEffect, effects_of
from kbench.studies.study_levels import Level, Levels, planned_levels, read_levels
from kbench.studies.study_plan import PartFolders, plan_study

ABOUT = "study.json"
"""What a study's folder keeps of it, and is known by."""


@dataclass(frozen=True)
class Epoch:
    """What a cell had learned at the end of an epoch: the share of right answers of each split."""

    cell: str
    epoch: int
    validation: tuple[float, ...]
    train: tuple[float, ...]
    """One value a seed."""


@dataclass(frozen=True)
class Account:
    """What became of a study: every level, the claims judged, the effects, the learning curves, and the work done."""

    design: Design
    outcome: Outcome
    levels: Levels
    judged: tuple[Judged, ...]
    effects: tuple[FactorEffect, ...]
    epochs: tuple[Epoch, ...]
    parts: Mapping[tuple[str, int], Mapping[str, Any]]
    """Of each part and seed what its folder says."""


def run_study(
    design: Design,
    out: Path,
    find: Find,
    fetch: Fetch,
    jobs: int | None = None,
    report: Report = lambda done, total: None,
) -> Account:
    """Do what of a study is not done, and judge its claims by all that is.

    Raises:
        OutputError: `out` holds something else, or another process writes it.
        SpecError: its world cannot be.
    """
    prepare_folder(out, ABOUT)
    _check_same(design.study.name, out)
    with folder_lock(out):
        plan, parts = plan_study(design, out, find, fetch)
        if not (out / ABOUT).is_file():
            write_json(out / ABOUT, {"name": design.study.name, "status": "unfinished"})
        outcome = run_plan(plan, "auto", jobs, report)
    return account_of(design, outcome, plan, parts)


def _check_same(name: str, out: Path) -> None:
    """Raise OutputError where a folder holds another study: its claims would be lost."""
    held = _read(out / ABOUT).get("name", name) if (out / ABOUT).is_file() else name
    if held != name:
        raise OutputError(f"{out} holds the study {held!r}, not {name!r}: give another --out")


def account_of(design: Design, outcome: Outcome, plan: Plan, parts: PartFolders) -> Account:
    """What is found in the folders of a plan that are whole."""
    done = outcome.done | outcome.reused
    told = {key: _read(folder / PART) for key, folder in parts.items() if folder in done}
    levels = Levels((*read_levels(design, plan, done), *_part_levels(told)), planned_levels(design))
    return Account(
        design,
        outcome,
        levels,
        tuple(judge_all(design.study, levels)),
        tuple(effects_of(design, levels)),
        tuple(_epochs(plan, done)),
        told,
    )


def _part_levels(told: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[Level]:
    """The readings of parts, as levels of a cell that is called by the part."""
    beside = ("value", "rows", "entities", "control", "base", "chance")
    return [
        Level(name, reading, seed, **{key: found.get(key) for key in beside})
        for (name, seed), part in told.items()
        for reading, found in part["readings"].items()
    ]


def _epochs(plan: Plan, done: frozenset[Path]) -> list[Epoch]:
    """The watched epochs of each cell that has them, over its seeds."""
    runs = {planned.run: planned.cell.recipe for planned in plan.cells if planned.run and planned.result in done}
    found: dict[tuple[str, int], list[Mapping[str, float]]] = {}
    for run, cell in runs.items():
        for seen in _read(run / RUN).get("history", []):
            found.setdefault((cell, seen["epoch"]), []).append(seen)
    return [
        Epoch(cell, epoch, tuple(s["validation"] for s in seen), tuple(s["train"] for s in seen))
        for (cell, epoch), seen in sorted(found.items())
    ]


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
