"""The parts of a study: experiments of a shape of their own, each leaving what a claim may read of one seed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from kbench.store import open_release, write_json
from kbench.studies.grid_orders import PART, Measure

Step = Callable[..., None]
Found = dict[str, dict[str, Any]]
"""Each reading by its name: `value, rows, entities, control, base, chance` (None where there is none)."""

_KINDS = {
    "theory": "kbench.studies.theory_part",
    "subject": "kbench.studies.subject_part",
    "biography": "kbench.studies.biography_part",
    "graph": "kbench.studies.graph_part",
    "similarity": "kbench.studies.similarity_part",
    "law": "kbench.studies.law_part",
}
"""Where a kind is measured, by a function `measure(order, step) -> Found`; the others here."""


def measure(order: Measure, step: Step) -> None:
    """Do one seed of a part; what is done of it already is reused. `part.json` is written last.

    Raises SpecError where there is no such part.
    """
    here = {"tones": _tones, "capacity": _capacity}
    way: Callable[[Measure, Step], Found] = here.get(order.part) or import_module(_KINDS[order.part]).measure
    readings = way(order, step)
    write_json(order.out / PART, {"part": order.part, "seed": order.seed, "readings": readings})


def _tones(order: Measure, step: Step) -> Found:
    from kbench.studies.tones import attribute

    assert order.release is not None
    found = attribute(open_release(order.release), order.runs, order.out / "tones", progress=step, **order.options)
    return {
        judge: {
            "value": said.accuracy,
            "rows": said.replies,
            "entities": found.groups,
            "low": said.low,
            "high": said.high,
            "control": None,
            "base": None,
            "chance": found.chance,
        }
        for judge, said in found.judges.items()
    }


def _capacity(order: Measure, step: Step) -> Found:
    """Bits a parameter, by size and exposures, at the load that brought most; and by exposures the mean over sizes."""
    from kbench.studies.capacity import capacity, fullest

    cells = capacity(order.out / "capacity", seeds=[order.seed], progress=step, **order.options)
    most = fullest(cells)
    sizes = dict.fromkeys(size for size, _ in most)
    readings: Found = {}
    for times in dict.fromkeys(times for _, times in most):
        here = {f"{size}x{times}": [size] for size in sizes} | {f"exposures_{times}": list(sizes)}
        for name, meant in here.items():
            value = sum(most[size, times] for size in meant) / len(meant)
            facts = sum(one.facts for one in cells if one.size in meant and one.exposures == times)
            # One who guesses has learned no bits; sizes are what the mean is over.
            readings[name] = {"value": value, "rows": facts, "entities": len(meant), "control": None, "base": None}
            readings[name] |= {"chance": 0.0}
    return readings
