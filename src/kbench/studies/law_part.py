"""The part `law` of a study: how soon each arm fits its facts, and the linear law of known and unknown facts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import RUN
from kbench.benchmarks.taught import taught
from kbench.benchmarks.watch import watched
from kbench.errors import SpecError
from kbench.store import open_release, write_json
from kbench.studies.grid_checks import keys
from kbench.studies.grid_orders import Measure
from kbench.studies.linear_law import Point, fit_law
from kbench.studies.parts import Found, Step

HALF, MOST = 0.5, 0.9
POINTS = "law.json"

Epoch = Mapping[str, Any]


def measure(order: Measure, step: Step) -> Found:
    """How soon each cell fits what it is taught, and the coefficients of the linear law.

    `half:CELL` and `most:CELL` are the epochs until half and nine tenths of the watched training questions are right,
    `before:CELL` the share that the base answers. `known`, `unknown` and `r_squared` are those of accuracy = a +
    known * N_known/|D| + unknown * N_unknown/|D| over every epoch of the arms whose facts are all known or all
    unknown, and the last of the others. Option `known`: to each cell the share of its facts that were known.

    Raises SpecError where a run watched nothing, or too little to fit a law to.
    """
    keys(order.options, ["known"], f"part {order.part}: options")
    histories = {name: _history(name, run) for name, run in order.runs.items()}
    shares = {name: float(order.options.get("known", {}).get(name, -1)) for name in histories}
    points = [point for name, seen in histories.items() for point in _points(order.seed, seen, shares[name])]
    before = {name: _before(order, run) for name, run in order.runs.items()}
    found: Found = {}
    for name, seen in histories.items():
        found[f"before:{name}"] = _reading(before[name], len(seen))
        found[f"half:{name}"] = _reading(learned(seen, HALF, before[name]), len(seen))
        found[f"most:{name}"] = _reading(learned(seen, MOST, before[name]), len(seen))
    if points:
        law = fit_law(points)
        found |= {"known": _reading(law.known, len(points)), "unknown": _reading(law.unknown, len(points))}
        if law.r_squared is not None:
            found["r_squared"] = _reading(law.r_squared, len(points))
    write_json(order.out / POINTS, {"points": [vars(point) for point in points]})
    step(1, 1)
    return found


def learned(seen: Sequence[Epoch], share: float, before: float) -> float:
    """The epoch at which a share of the watched training questions is right, between two by a straight line.

    0 where the base has it already, by the share that it answers (`before`); where no epoch has it, the epochs that
    there were: it takes longer than that.
    """
    if before >= share:
        return 0.0
    at = 0
    for epoch in seen:
        if epoch["train"] >= share:
            rise = epoch["train"] - before
            return float(at + (epoch["epoch"] - at) * ((share - before) / rise))
        before, at = epoch["train"], epoch["epoch"]
    return float(seen[-1]["epoch"])


def _before(order: Measure, run: Path) -> float:
    """The share of a run's watched training questions that its base answers; 0 where there is none to ask."""
    if order.release is None or order.base is None:
        return 0.0
    recipe = recipe_of(json.loads((run / RUN).read_text(encoding="utf-8"))["recipe"], str(run))
    base = load_hf(order.base.path)
    watch = watched(taught(open_release(order.release)), base.tokenizer, recipe)
    if watch is None:
        raise SpecError(f"the run {run} watched no questions: give its recipe watch, above 0")
    return watch.look(base.model, 0, 0).train


def _points(seed: int, seen: Sequence[Epoch], known: float) -> list[Point]:
    if known < 0:
        return []
    # What of a mixture was fitted of either kind is known only when it was fitted all.
    counted = seen if known in (0.0, 1.0) else seen[-1:]
    return [Point(seed, e["train"] * known, e["train"] * (1 - known), e["validation"]) for e in counted]


def _history(name: str, run: Path) -> list[Epoch]:
    found: list[Epoch] = json.loads((run / RUN).read_text(encoding="utf-8")).get("history", [])
    if not found:
        raise SpecError(f"the cell {name!r} watched no questions: give its recipe watch, above 0")
    return found


def _reading(value: float, rows: int) -> dict[str, Any]:
    return {"value": value, "rows": rows, "entities": 1, "control": None, "base": None, "chance": None}
