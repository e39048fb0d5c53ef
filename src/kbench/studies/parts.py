"""The parts of a study: experiments of a shape of their own, each leaving what a claim may read of one seed."""

from collections.abc import Callable
from typing import Any

from kbench.store import open_release, write_json
from kbench.studies.grid_orders import PART, Measure

Step = Callable[..., None]


def measure(order: Measure, step: Step) -> None:
    """Do one seed of a part; what is done of it already is reused. `part.json` is written last.

    Raises SpecError where there is no such part.
    """
    readings = _tones(order, step) if order.part == "tones" else _capacity(order, step)
    write_json(order.out / PART, {"part": order.part, "seed": order.seed, "readings": readings})


def _tones(order: Measure, step: Step) -> dict[str, dict[str, Any]]:
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


def _capacity(order: Measure, step: Step) -> dict[str, dict[str, Any]]:
    raise NotImplementedError
