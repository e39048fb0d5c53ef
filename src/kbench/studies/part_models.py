"""The models that a part of a study is about, the base and those of cells, opened one after the other."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from kbench.benchmarks.engine import Engine
from kbench.benchmarks.models.adapter_files import is_adapter
from kbench.benchmarks.models.open import open_model
from kbench.benchmarks.models.protocol import Model
from kbench.errors import SpecError
from kbench.store import Release
from kbench.studies.grid_orders import Measure
from kbench.studies.study import BASE

T = TypeVar("T")

_ENGINE = Engine(backend="hf")
"""An engine of vLLM keeps its memory as long as its process lives: there is no second one in it."""


def opened(order: Measure, release: Release) -> Iterator[tuple[str, Model]]:
    """The base as `base`, then each run by its name; only one is in memory. Raises ModelError where one cannot be."""
    assert order.base is not None
    base = order.base.path
    yield BASE, open_model(base, release, _ENGINE)
    for name, path in order.runs.items():
        yield name, opened_run(path, base, release)


def opened_run(path: Path, base: str, release: Release) -> Model:
    """The model of a run or of a checkpoint that it kept; an adapter on its base."""
    return open_model(str(path), release, _ENGINE, base=base if is_adapter(path) else None)


def options_in(kind: str, options: type[T], given: dict[str, Any]) -> T:
    """The options of a part as its dataclass. Raises SpecError for one that it does not have."""
    known = [field.name for field in fields(options)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise SpecError(f"a part of kind {kind!r} has no option {name!r}: have {', '.join(known)}")
    return options(**given)
