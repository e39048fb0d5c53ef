"""What a worker of a grid is told: everything of one task, as a small value that goes to another process."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import Engine
from kbench.benchmarks.results import LAB_BASE
from kbench.generator.named import load_recipe
from kbench.generator.recipe import Recipe

Kind = Literal["release", "base", "know", "train", "score", "part"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PART = "part.json"
"""In the folder of a part: what was read of it, last."""

BASE = "base.json"
"""In the folder of a base that was built: where it lies."""


@dataclass(frozen=True)
class BaseRef:
    """A base: a folder or Hub id (`source`), or one that is built into the cache and noted in `folder`."""

    source: str
    folder: Path | None

    @property
    def path(self) -> str:
        """The model, as a training or scoring takes it."""
        if self.folder is None:
            return self.source
        return str(json.loads((self.folder / BASE).read_text(encoding="utf-8"))["path"])

    def is_there(self) -> bool:
        """Whether the folder that it names still holds the base: a cache may be emptied."""
        return (Path(self.path) / LAB_BASE).is_file()


def seeded_recipe(path: str, seed: int | None) -> Recipe:
    """The recipe in a file, of another world where a seed is given."""
    recipe = load_recipe(path)
    return recipe if seed is None else replace(recipe, seed=str(seed))


@dataclass(frozen=True)
class Generate:
    """Write a release from a recipe file, with a seed of its own where it says one."""

    recipe: str
    out: Path
    seed: int | None = None


@dataclass(frozen=True)
class Build:
    """Build the lab's base for a release, of the lab's recipe with some fields otherwise."""

    release: Path
    lab: dict[str, Any]
    out: Path


@dataclass(frozen=True)
class Know:
    """Label the facts of a release by how well a base knows them, by a probe of this name."""

    release: Path
    base: BaseRef
    probe: str
    engine: Engine
    out: Path


@dataclass(frozen=True)
class Train:
    """Finetune a base on a release, by the fields of a recipe that the grid sets."""

    release: Path
    base: BaseRef
    values: dict[str, Any]
    trust_remote_code: bool
    out: Path


@dataclass(frozen=True)
class Score:
    """Score a run beside the result of its base, or (no `run`) a base itself."""

    release: Path
    base: BaseRef
    run: Path | None
    base_result: Path | None
    asking: Asking
    engine: Engine
    out: Path


@dataclass(frozen=True)
class Measure:
    """Do one seed of a part of a study: an experiment of a shape of its own, and the runs that it is about."""

    part: str
    release: Path | None
    base: BaseRef | None
    runs: dict[str, Path]
    options: dict[str, Any]
    seed: int
    out: Path


Order = Generate | Build | Know | Train | Score | Measure
