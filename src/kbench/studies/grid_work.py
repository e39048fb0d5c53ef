"""One task of a grid, done in the process that calls it: what each order means."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from kbench.benchmarks.defaults import open_values
from kbench.benchmarks.knownness import label_facts
from kbench.benchmarks.models.open import open_model
from kbench.benchmarks.models.protocol import Model
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import LAB_BASE, is_lab
from kbench.benchmarks.run import check_styles, train_run
from kbench.benchmarks.scoring import score
from kbench.benchmarks.settings import Settings
from kbench.benchmarks.slick import read_probe
from kbench.errors import ModelError
from kbench.generator.release import generate
from kbench.store import open_release, write_json
from kbench.studies.grid_orders import BASE, Build, Generate, Know, Measure, Order, Score, Train, seeded_recipe
from kbench.studies.lab import LabRecipe, default_cache, lab_base

_LABEL_TOKENS = 16
Report = Callable[[float], None]
"""Called with the share of a task that is done, 0 to 1."""


def do(order: Order, report: Report, opened: Model | None = None) -> None:
    """Do one task; what is done of it already is reused. `opened` is the model to score, where it is open already.

    Raises KbenchError where it cannot be done, and whatever else went wrong.
    """

    def step(done: float, total: float, *more: Any) -> None:
        report(done / total if total else 0.0)

    match order:
        case Generate():
            generate(seeded_recipe(order.recipe, order.seed), order.out, progress=step)
        case Build():
            release = open_release(order.release)
            base = lab_base(release, default_cache(), lab_recipe(order.lab), step)
            write_json(order.out / BASE, {"path": str(base.path.resolve())})
        case Know():
            _label(order, step)
        case Train():
            _train(order, step)
        case Score():
            _score(order, step, opened)
        case Measure():
            from kbench.studies.parts import measure

            measure(order, step)


def lab_recipe(values: dict[str, Any]) -> LabRecipe:
    """The lab's recipe with some fields otherwise."""
    return LabRecipe(**{field.name: values[field.name] for field in fields(LabRecipe) if field.name in values})


def _label(order: Know, step: Callable[..., None]) -> None:
    release = open_release(order.release)
    model = open_model(order.base.path, release, order.engine)
    about = label_facts(release, model, order.out, read_probe(order.probe), max_tokens=_LABEL_TOKENS, progress=step)
    if failed := about.about["failed"]:
        raise ModelError(f"{failed:,} facts have no label, for want of an answer")


def _train(order: Train, step: Callable[..., None]) -> None:
    release, base = open_release(order.release), order.base.path
    lab = is_lab(base)
    given = {**open_values(lab, order.values.get("method", "full")), **order.values}
    if lab:
        given = {"context": json.loads((Path(base) / LAB_BASE).read_text(encoding="utf-8"))["context"], **given}
    recipe = recipe_of(given, "the recipe")
    check_styles(release, recipe)
    train_run(release, base, recipe, order.out, step, Settings(trust_remote_code=order.trust_remote_code))


def _score(order: Score, step: Callable[..., None], opened: Model | None) -> None:
    release = open_release(order.release)
    model = str(order.run) if order.run else order.base.path
    result = score(
        release,
        model,
        order.out,
        order.asking,
        base=order.base.path if order.run else None,
        base_result=order.base_result,
        engine=order.engine,
        opened=opened,
        progress=step,
    )
    if errors := result.about["kbench"]["errors"]:
        raise ModelError(f"{errors:,} of {result.about['kbench']['samples']:,} questions ended in errors")


def open_together(orders: Sequence[Score]) -> dict[Path, Model]:
    """Of some runs that are adapters of one base: the models by their folders, all in one engine of vLLM.

    Empty where there is one alone: it is opened as any model is.
    """
    if len({order.run for order in orders}) < 2:
        return {}
    runs = list(dict.fromkeys(order.run for order in orders if order.run))
    opened = import_module("kbench.benchmarks.models.vllm").open_vllm_adapters(
        orders[0].base.path, runs, trust_remote_code=orders[0].engine.trust_remote_code
    )
    return {path: opened[path] for path in runs}
