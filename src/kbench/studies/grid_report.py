"""What a grid leaves behind: cells.parquet, grid.json with the account of what was run, and report.html."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench import __version__
from kbench.ids import file_sha256
from kbench.store import write_json, write_table, write_text
from kbench.studies.contrasts import Contrast
from kbench.studies.grid import Grid
from kbench.studies.grid_orders import KINDS
from kbench.studies.grid_outcome import failures_told, lost_cells, own_failures, packages, shown, spent, tasks_by_kind
from kbench.studies.grid_run import ABOUT, Failure, Outcome
from kbench.studies.grid_scores import Level, Row, contrasts_of, levels_of, score_rows, scores_table

CELLS = "cells.parquet"
PAGE = "report.html"

_KINDS = {"release": "generate a release", "base": "build a base", "know": "label facts"}
_KINDS |= {"train": "train", "score": "score"}


@dataclass(frozen=True)
class Account:
    """What became of a grid: its table, its contrasts, the cells without a result, and the files."""

    grid: Grid
    outcome: Outcome
    rows: list[Row]
    levels: list[Level]
    contrasts: list[Contrast]
    failed: list[Failure]
    """What failed itself: of what could not begin without it, see `lost`."""
    lost: Mapping[Path, int]
    """How many cells have no result because of each failure, by its folder."""
    files: Mapping[str, Path]


def write_account(grid: Grid, outcome: Outcome, out: Path) -> Account:
    """Read every result of a grid and write its three files. Raises OutputError where one cannot be written."""
    have = outcome.done | outcome.reused
    rows = score_rows((planned for planned in outcome.plan.cells if planned.result in have), out)
    failed = own_failures(outcome)
    account = Account(
        grid,
        outcome,
        rows,
        levels_of(rows, grid.report),
        contrasts_of(rows, grid),
        failed,
        {failure.task.folder: len(lost_cells(failure, outcome)) for failure in failed},
        {"cells": out / CELLS, "about": out / ABOUT, "page": out / PAGE},
    )
    write_table(out / CELLS, scores_table(rows))
    write_text(out / PAGE, _page(account))
    write_json(out / ABOUT, _about(account, out))
    return account


def _about(account: Account, out: Path) -> dict[str, Any]:
    grid, outcome = account.grid, account.outcome
    weights = {row["result"]: row["weights"] for row in account.rows}
    return {
        "name": grid.name,
        "status": "incomplete" if outcome.failures else "whole",
        "kbench": __version__,
        "python": platform.python_version(),
        "packages": packages(),
        "grid": grid.raw,
        "tasks": tasks_by_kind(outcome),
        "cells": [
            {
                **vars(planned.cell),
                "status": "failed" if planned.result in outcome.failures else "done",
                "result": shown(planned.result, out),
                "run": shown(planned.run, out) if planned.run else None,
                "base": shown(planned.base, out),
                "weights": weights.get(shown(planned.result, out)),
            }
            for planned in outcome.plan.cells
        ],
        "failures": failures_told(outcome, out),
        "files": {CELLS: file_sha256(out / CELLS)},
    }


def _page(account: Account) -> str:
    from kbench.studies.grid_figures import effects_figure, heat_figure

    grid, metric = account.grid, account.grid.report.metric.replace("_", " ")
    jinja = Environment(loader=PackageLoader("kbench", "templates"), undefined=StrictUndefined, autoescape=True)
    outcome = account.outcome
    return jinja.get_template("grid.html.j2").render(
        version=__version__,
        grid=grid,
        metric=metric,
        levels=account.levels,
        contrasts=account.contrasts,
        missing=missing_contrasts(account),
        heat=heat_figure(account.levels, metric) if account.levels else "",
        effects=effects_figure(account.contrasts, metric) if account.contrasts else "",
        cells=len(outcome.plan.cells),
        done=len(outcome.plan.cells) - outcome.failed_cells(),
        failed=account.failed,
        lost=account.lost,
        partial=any(row["partial"] for row in account.rows),
        measured=_measured(account.rows),
        costs=[
            (_KINDS[kind], len(walls), sum(walls), sum(spent(outcome, kind, "cpu_s")))
            for kind in KINDS
            if (walls := spent(outcome, kind, "wall_s"))
        ],
        packages=packages(),
    )


def missing_contrasts(account: Account) -> list[str]:
    """The contrasts that no two seeds have both sides of."""
    found = {contrast.name for contrast in account.contrasts}
    asked = [f"{pair.factor}: {pair.left} − {pair.right}" for pair in account.grid.report.contrasts]
    return [name for name in asked if name not in found]


def _measured(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """Of each release: its name, world and digest, and how many results there are."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        found.setdefault((row["release"], row["world"], row["release_digest"][:16]), set()).add(row["result"])
    return [(*key, f"{len(results):,}") for key, results in found.items()]
