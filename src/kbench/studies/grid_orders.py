"""What a worker of a grid is told: everything of one task, as a small value that goes to another process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import Engine
from kbench.benchmarks.results import LAB_BASE

Kind = Literal["release", "base", "train", "score"]
KINDS: tuple[Kind, ...] = ("release", "base", "train", "score")

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


@dataclass(frozen=True)
class Generate:
    """Write a release from a recipe file."""

    recipe: str
    out: Path


@dataclass(frozen=True)
class Build:
    """Build the lab's base for a release, of the lab's recipe with some fields otherwise."""

    release: Path
    lab: dict[str, Any]
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


Order = Generate | Build | Train | Score
