"""Capacity: how many bits of random facts small models from scratch hold, by their size and by how often they read."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pyarrow as pa

from kbench.benchmarks.results import read_ours
from kbench.errors import OutputError, SpecError
from kbench.lock import folder_lock
from kbench.store import prepare_folder, write_json, write_table
from kbench.studies.capacity_cell import LAYERS, RECIPE, STEPS, Capacity, Cell, measure_cell, parameters_of

CAPACITY = "capacity.json"
TABLE = "capacity.parquet"
CELLS = "cells"

LOADS = (1.5, 3.0)
"""Bits of facts offered a parameter: of each cell there is one with fewer facts and one with more than it can hold."""

Progress = Callable[[int, int], None]


def capacity(
    out: Path,
    sizes: Sequence[int],
    exposures: Sequence[int],
    seeds: Sequence[int],
    *,
    loads: Sequence[float] = LOADS,
    progress: Progress = lambda done, total: None,
) -> list[Capacity]:
    """Train a model of each size on the facts of each seed's world, each fact so many times, and count the bits it has.

    Args:
        out: `capacity.json` and `capacity.parquet` are written here; a cell that is done is not trained again.
        sizes: parameters of the models, of which the nearest width is taken.
        exposures: how often each fact is read.
        seeds: one world and one initialisation each.
        loads: bits of facts a parameter: the more facts, the more a model might learn, until it is full.
        progress: called with steps done and steps in all.

    Raises:
        SpecError: a size, a number of exposures or a load is too small.
        OutputError: `out` holds something else.
    """
    _check(sizes, exposures, seeds, loads)
    cells = [Cell(s, size, times, load) for s in seeds for size in sizes for times in exposures for load in loads]
    prepare_folder(out, CELLS, CAPACITY)
    done, total = 0, sum(cell.steps for cell in cells)
    found = list[Capacity]()
    with folder_lock(out):
        (out / CELLS).mkdir(exist_ok=True)
        for cell in cells:
            path = out / CELLS / f"{cell.name}.json"
            if not path.is_file():
                write_json(path, asdict(measure_cell(cell, out, partial(_tell, progress, done, total))))
            found.append(Capacity(**read_ours(path)))
            done += cell.steps
            progress(done, total)
        table = [{**asdict(one), "bits_a_parameter": one.bits_a_parameter} for one in found]
        write_table(out / TABLE, pa.Table.from_pylist(table))
        write_json(out / CAPACITY, {"recipe": {**RECIPE, "layers": LAYERS, "steps_an_exposure": STEPS}, "cells": table})
    return found


def read_capacity(out: Path) -> list[Capacity] | None:
    """What `capacity` found; None where it has not finished. Raises OutputError where the file is another's."""
    if not (out / CAPACITY).is_file():
        return None
    try:
        cells = read_ours(out / CAPACITY)["cells"]
        return [Capacity(**{key: value for key, value in c.items() if key != "bits_a_parameter"}) for c in cells]
    except (AttributeError, KeyError, TypeError):
        raise OutputError(f"{out / CAPACITY} is no capacity of kbench: remove its folder, or give another") from None


def fullest(cells: Sequence[Capacity]) -> dict[tuple[int, int], float]:
    """By size and exposures: the bits a parameter of the load that brought most, on average over seeds."""
    found: dict[tuple[int, int], float] = {}
    for size, times in dict.fromkeys((one.size, one.exposures) for one in cells):
        here = [one for one in cells if (one.size, one.exposures) == (size, times)]
        by_load = [[one.bits_a_parameter for one in here if one.load == load] for load in {one.load for one in here}]
        found[size, times] = max(sum(bits) / len(bits) for bits in by_load)
    return found


def _check(sizes: Sequence[int], exposures: Sequence[int], seeds: Sequence[int], loads: Sequence[float]) -> None:
    least = parameters_of()
    wanted = (("a size is", sizes, least), ("exposures are", exposures, 1), ("a load is", loads, 0.01))
    for what, given, low in wanted:
        if not given or min(given) < low:
            raise SpecError(f"capacity: {what} at least {low:,} (got {min(given) if given else 'none'})")
    if not seeds:
        raise SpecError("capacity: at least one seed is needed (got none)")


def _tell(progress: Progress, before: int, total: int, step: int) -> None:
    progress(before + step, total)
