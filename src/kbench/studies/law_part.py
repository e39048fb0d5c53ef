"""The part `law` of a study: how soon each arm fits its facts, and the linear law of known and unknown facts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kbench.benchmarks.results import RUN
from kbench.errors import SpecError
from kbench.store import write_json
from kbench.studies.grid_checks import keys
from kbench.studies.grid_orders import Measure
from kbench.studies.linear_law import Point, fit_law
from kbench.studies.parts import Found, Step

HALF = 0.5
POINTS = "law.json"

Epoch = Mapping[str, Any]


def measure(order: Measure, step: Step) -> Found:
    """`half:CELL`, the epochs until half of the watched training questions are right, and the law's coefficients.

    These are `known`, `unknown` and `r_squared` of accuracy = a + known * N_known/|D| + unknown * N_unknown/|D| over
    every epoch of the arms whose facts are all known or all unknown, and the last of the others. Option `known`: to
    each cell the share of its facts that were known.

    Raises SpecError where a run watched nothing, or too little to fit a law to.
    """
    keys(order.options, ["known"], f"part {order.part}: options")
    histories = {name: _history(name, run) for name, run in order.runs.items()}
    shares = {name: float(order.options.get("known", {}).get(name, -1)) for name in histories}
    points = [point for name, seen in histories.items() for point in _points(order.seed, seen, shares[name])]
    found: Found = {f"half:{name}": _reading(half_learned(seen), len(seen)) for name, seen in histories.items()}
    if points:
        law = fit_law(points)
        found |= {"known": _reading(law.known, len(points)), "unknown": _reading(law.unknown, len(points))}
        if law.r_squared is not None:
            found["r_squared"] = _reading(law.r_squared, len(points))
    write_json(order.out / POINTS, {"points": [vars(point) for point in points]})
    step(1, 1)
    return found


def half_learned(seen: Sequence[Epoch]) -> float:
    """The epoch at which half of the watched training questions are right, between two by a straight line.

    Where none is, the epochs that there were: it takes longer than that.
    """
    before, at = 0.0, 0
    for epoch in seen:
        if epoch["train"] >= HALF:
            rise = epoch["train"] - before
            return float(at + (epoch["epoch"] - at) * ((HALF - before) / rise if rise > 0 else 1.0))
        before, at = epoch["train"], epoch["epoch"]
    return float(seen[-1]["epoch"])


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
