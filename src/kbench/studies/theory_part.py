"""The theory of lesser-known facts as a part of a study: the one-layer simulation of a seed, and what is read of it."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from kbench.store import write_table
from kbench.studies.grid_checks import keys
from kbench.studies.grid_orders import Measure
from kbench.studies.one_layer import Setting
from kbench.studies.theory import ARMS, PRE, Theory, simulate

TABLE = "theory.parquet"
"""Every look at every arm: `arm, step, accuracy, attention, modal, salience, fitted`."""


def measure(order: Measure, step: Callable[..., None]) -> dict[str, dict[str, Any]]:
    """The readings of a seed; the options are fields of `Setting`. Raises SpecError for others."""
    keys(order.options, [field.name for field in fields(Setting)], f"part {order.part}: options")
    found = simulate(Setting(**order.options), order.seed)
    write_table(order.out / TABLE, found.table())
    return readings_of(found)


def readings_of(theory: Theory) -> dict[str, dict[str, Any]]:
    """What claims may name. Of the held-out facts after finetuning on an arm (`pre`: before it): `accuracy:ARM`,
    `attention:ARM`, `modal:ARM`, each beside the pretrained layer's (`base`). Of an arm's own facts, or of the held-out
    ones (`test`): `salience:ARM` and `common:ARM` before finetuning. Of an arm's own: `pull:ARM` before, `fitted:ARM`
    after it."""
    last, chance = theory.last, {"accuracy": 1 / theory.setting.answers}
    readings = dict[str, dict[str, Any]]()
    for name in ("accuracy", "attention", "modal"):
        for arm, look in last.items():
            base = None if arm == PRE else getattr(last[PRE], name)
            readings[f"{name}:{arm}"] = _reading(theory, "test", getattr(look, name), base, chance.get(name))
    for name, value in theory.salience.items():
        readings[f"salience:{name}"] = _reading(theory, name, value)
        readings[f"common:{name}"] = _reading(theory, name, theory.common[name])
    for arm in ARMS:
        readings[f"pull:{arm}"] = _reading(theory, arm, theory.pull[arm])
        readings[f"fitted:{arm}"] = _reading(theory, arm, last[arm].fitted)
    return readings


def _reading(
    theory: Theory, asked: str, value: float, base: float | None = None, chance: float | None = None
) -> dict[str, Any]:
    """A reading of the facts of an arm, or of those that are asked (`test`)."""
    rows, entities = theory.facts[asked], theory.subjects[asked]
    return {"value": value, "rows": rows, "entities": entities, "control": None, "base": base, "chance": chance}
