"""The table of a study: a row a level, with every factor's level, what stands beside it, and what it was read off."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench.benchmarks.results import read_result
from kbench.studies.grid_outcome import shown
from kbench.studies.study import Study
from kbench.studies.study_means import places, title_of
from kbench.studies.study_plan import part_title
from kbench.studies.study_run import Account

Row = dict[str, Any]
_TEXTS = ("cell", "group", "reading", "title")
_NUMBERS = ("value", "control", "base", "chance")
_COUNTS = ("seed", "rows", "entities")
_SOURCES = ("world", "release_digest", "weights", "base_weights", "result")


def cell_rows(account: Account, out: Path) -> list[Row]:
    """A row a level: of the base and of arms the factors are as they say; of a part they are empty."""
    design, placed = account.design, places(account.design)
    sources = dict(_sources(account, out))
    found = []
    for level in account.levels.every:
        cell = design.cells.get(level.cell)
        factors = {factor: cell.levels.get(factor, "") if cell else "" for factor in design.study.factors}
        ask = _ask(design.study, level.reading) if cell else ""
        beside = {"group": placed[level.cell].group, "title": title_of(design.study, level.reading)}
        found.append({**asdict(level), **beside, **factors, **sources.get((level.cell, level.seed, ask), {})})
    return found


def cells_table(study: Study, rows: list[Row]) -> pa.Table:
    """The rows as a table, whose columns do not depend on what was run."""
    schema = [
        *((name, pa.string()) for name in (*_TEXTS[:2], *study.factors, *_TEXTS[2:])),
        *((name, pa.int64()) for name in _COUNTS[:1]),
        ("value", pa.float64()),
        *((name, pa.int64()) for name in _COUNTS[1:]),
        *((name, pa.float64()) for name in _NUMBERS[1:]),
        *((name, pa.string()) for name in _SOURCES),
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(schema))


def _ask(study: Study, reading: str) -> str:
    return study.readings[reading].ask if reading in study.readings else ""


def _sources(account: Account, out: Path) -> Iterator[tuple[tuple[str, int, str], Mapping[str, str | None]]]:
    """Of each cell, seed and way of asking (none of a part): what its levels were read off."""
    outcome = account.outcome
    for planned in outcome.plan.cells:
        result, seed = read_result(planned.result), planned.cell.seed
        if result is None or seed is None:
            continue
        about = result["kbench"]
        base = about["base"] or about
        yield (
            (planned.cell.recipe, seed, planned.cell.prompt),
            {
                "world": about["release"]["world"],
                "release_digest": about["release"]["digest"],
                "weights": about.get("adapter") or about.get("weights") or about["model"],
                "base_weights": base.get("weights") or base["model"],
                "result": shown(planned.result, out),
            },
        )
    parts = {task.title: task.folder for task in outcome.plan.tasks.values() if task.kind == "part"}
    for name, seed in account.parts:
        if folder := parts.get(part_title(account.design.study.parts[name], seed)):
            yield (name, seed, ""), {"result": shown(folder, out)}
