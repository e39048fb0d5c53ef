"""What a grid found: a row a cell and probe, the levels of its table, and its contrasts over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pyarrow as pa

from kbench.benchmarks.results import read_result
from kbench.studies.contrasts import Contrast, paired, t_interval
from kbench.studies.grid import FACTORS, Grid, Pair, Reporting
from kbench.studies.grid_plan import Planned

Row = dict[str, Any]

BESIDE = ("control", "base", "chance", "majority")
"""What stands beside each score (Law 7)."""

COUNTS = ("rows", "facts", "entities", "unscored", "errors")
_INTERVAL = ("value", "low", "high", "p", "n")
_COLUMNS: Mapping[str, pa.DataType] = {
    **dict.fromkeys((*FACTORS, "style", "probe"), pa.string()),
    "seed": pa.int64(),
    **dict.fromkeys(("accuracy", "low", "high", "stderr", *BESIDE), pa.float64()),
    **dict.fromkeys(COUNTS, pa.int64()),
    "partial": pa.bool_(),
    **dict.fromkeys(("world", "release_digest", "weights", "base_weights", "run", "result"), pa.string()),
}


@dataclass(frozen=True)
class Level:
    """An entry of the table: the mean over `seeds` seeds, what it is an interval over, and what stands beside it.

    Of one seed alone the interval is that of its result, over entities; of a mean of several cells there is none.
    """

    row: tuple[str, ...]
    column: tuple[str, ...]
    mean: float
    low: float | None
    high: float | None
    over: Literal["seeds", "entities", ""]
    seeds: int
    rows: int
    beside: Mapping[str, float | None]


def score_rows(cells: Iterable[Planned], out: Path) -> list[Row]:
    """A row for each cell that has a result and each style and probe: factors, scores, what they were measured on."""
    found = []
    for planned in cells:
        result = read_result(planned.result)
        if result is None:
            continue
        about, cell = result["kbench"], planned.cell
        factors = {"release": cell.release, "model": cell.model, "recipe": cell.recipe, "prompt": cell.prompt}
        where = {
            "partial": about["partial"],
            "world": about["release"]["world"],
            "release_digest": about["release"]["digest"],
            "weights": about.get("adapter") or about.get("weights") or about["model"],
            "base_weights": (about["base"] or about).get("weights") or (about["base"] or about)["model"],
            "run": _beneath(planned.run, out),
            "result": _beneath(planned.result, out),
        }
        for score in about["scores"]:
            plain = {key: score[key] for key in _COLUMNS if key in score}
            more = dict(_flat("gain", score.get("versus_base")))
            for name, measure in (score.get("measures") or {}).items():
                more |= dict(_flat(name, measure))
            found.append({**factors, "seed": cell.seed, **plain, **where, **more})
    return found


def scores_table(rows: list[Row]) -> pa.Table:
    """The rows as a table; a measure that no cell has is no column of it."""
    more = sorted({key for row in rows for key in row} - set(_COLUMNS))
    counts = {name: pa.int64() for name in more if name.endswith("_n")}
    schema = {**_COLUMNS, **dict.fromkeys(more, pa.float64()), **counts}
    return pa.Table.from_pylist(rows, schema=pa.schema(schema))


def levels_of(rows: list[Row], report: Reporting) -> list[Level]:
    """The entries of the table, column by column, in the order of the grid."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Row]] = defaultdict(list)
    for row in _shown(rows, report):
        groups[_key(row, report.rows), _key(row, report.columns)].append(row)
    columns = list(dict.fromkeys(column for _, column in groups))
    found = [_level(row, column, group, report.score) for (row, column), group in groups.items()]
    return sorted(found, key=lambda level: columns.index(level.column))


def _level(row: tuple[str, ...], column: tuple[str, ...], group: list[Row], metric: str) -> Level:
    by_seed = _by_seed(group, metric)
    low = high = None
    over: Literal["seeds", "entities", ""] = ""
    seeds = sum(seed is not None for seed in by_seed)
    if seeds > 1 and None not in by_seed:
        low, high = t_interval(list(by_seed.values()))
        over = "seeds"
    elif len(group) == 1:
        ends = ("low", "high") if metric == "accuracy" else (f"{metric}_low", f"{metric}_high")
        low, high = (group[0].get(end) for end in ends)
        over = "entities" if low is not None else ""
    beside = {name: _mean(each[name] for each in group) for name in BESIDE} if metric == "accuracy" else {}
    return Level(
        row, column, fmean(by_seed.values()), low, high, over, seeds, sum(each["rows"] for each in group), beside
    )


def contrasts_of(rows: list[Row], grid: Grid) -> list[Contrast]:
    """Each contrast of the grid in each probe, and apart for what the table tells apart; pairs are those of a seed.

    A base has no seed: it stands beside each. Where fewer than two seeds have both sides there is no contrast.
    """
    return [found for pair in grid.report.contrasts for found in _contrast(rows, pair, grid.report)]


def _contrast(rows: list[Row], pair: Pair, report: Reporting) -> Iterable[Contrast]:
    told = [factor for factor in (*report.columns, *report.rows) if factor not in (pair.factor, "probe")]
    apart = ("probe", *told)
    sides: dict[tuple[str, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in _shown(rows, report):
        if row[pair.factor] in (pair.left, pair.right):
            sides[_key(row, apart)][row[pair.factor]].append(row)
    for key, found in sides.items():
        left, right = _by_seed(found[pair.left], report.score), _by_seed(found[pair.right], report.score)
        seeds = sorted(seed for seed in {*left, *right} if seed is not None and _has(left, seed) and _has(right, seed))
        if len(seeds) < 2:
            continue
        # What does not vary in the grid need not be said.
        varying = [part for part, factor in zip(key, apart, strict=True) if factor == "probe" or _varies(rows, factor)]
        name = f"{pair.left} − {pair.right}"
        yield paired(
            f"{pair.factor}: {name}",
            f"{name}, {', '.join(varying)}",
            f"{len(seeds)} seeds",
            (pair.left, [left.get(seed, left.get(None, 0.0)) for seed in seeds]),
            (pair.right, [right.get(seed, right.get(None, 0.0)) for seed in seeds]),
        )


def _has(side: Mapping[int | None, float], seed: int) -> bool:
    return seed in side or None in side


def _varies(rows: list[Row], factor: str) -> bool:
    return len({row[factor] for row in rows}) > 1


def _shown(rows: list[Row], report: Reporting) -> list[Row]:
    """The rows of the probes that are asked for that have the metric."""
    wanted = set(report.probes)
    found = [row for row in rows if not wanted or wanted & {_probe(row), row["probe"]}]
    return [row for row in found if row.get(report.score) is not None]


def _by_seed(rows: list[Row], metric: str) -> dict[int | None, float]:
    """The metric of each seed, in the mean over whatever else there is of it."""
    found: dict[int | None, list[float]] = defaultdict(list)
    for row in rows:
        found[row["seed"]].append(row[metric])
    return {seed: fmean(values) for seed, values in found.items()}


def _key(row: Row, factors: Iterable[str]) -> tuple[str, ...]:
    return tuple(_probe(row) if factor == "probe" else str(row[factor]) for factor in factors)


def _probe(row: Row) -> str:
    return f"{row['style']} {row['probe']}"


def _mean(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def _flat(name: str, measure: Mapping[str, Any] | None) -> Iterable[tuple[str, Any]]:
    """A measure as columns: the value by its name, the others by `<name>_low` and the like."""
    for key in _INTERVAL if measure else ():
        if measure and key in measure:
            yield (name if key == "value" else f"{name}_{key}"), measure[key]


def _beneath(path: Path | None, out: Path) -> str | None:
    return None if path is None else path.relative_to(out).as_posix()
