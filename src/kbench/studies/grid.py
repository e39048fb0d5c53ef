"""A grid: releases, models, recipes, prompts and seeds, and the cells that they make with one another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, get_args

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.definitions import MEASURES
from kbench.benchmarks.engine import ENGINE, Engine, has_weights

Factor = Literal["release", "model", "recipe", "prompt"]
FACTORS: tuple[Factor, ...] = get_args(Factor)
"""What a cell is named by, beside its seed."""

EXACT_MATCH = "exact_match"
METRICS = (EXACT_MATCH, "gain", *MEASURES)
"""What a grid may be read by: exact match, that less the base's, and every other measure of a score."""

LAB = "lab"
"""In place of a model: a small base that is built for the release."""


@dataclass(frozen=True)
class GridRelease:
    """A release by its name in the grid: one that there is (`source`), or one to generate from a recipe file.

    With `each_seed` every seed has a world of its own: the recipe's, with that seed.
    """

    name: str
    source: str = ""
    recipe: str = ""
    each_seed: bool = False


@dataclass(frozen=True)
class GridModel:
    """A base by its name in the grid; `lab` are the fields of the lab's recipe that are to be otherwise."""

    name: str
    source: str
    lab: Mapping[str, Any]

    @property
    def is_lab(self) -> bool:
        """Whether the base is built for each release."""
        return self.source == LAB

    @property
    def has_weights(self) -> bool:
        """Whether it can be trained: not a baseline, nor a model behind an endpoint."""
        return has_weights(self.source)


@dataclass(frozen=True)
class GridRecipe:
    """A training recipe by its name in the grid: the fields that the grid sets. Untuned (no `train`): the base."""

    name: str
    values: Mapping[str, Any]
    train: bool = True


@dataclass(frozen=True)
class GridPrompt:
    """A way of asking by its name in the grid, and which of a run's models is asked: `""`, the last, or one it kept."""

    name: str
    asking: Asking
    checkpoint: str = ""


@dataclass(frozen=True)
class Pair:
    """A contrast: two names of one factor."""

    factor: Factor
    left: str
    right: str


@dataclass(frozen=True)
class Reporting:
    """What the table shows: its rows and columns by factor (and `probe`), the metric, which probes, which contrasts."""

    rows: tuple[str, ...]
    columns: tuple[str, ...] = ("probe",)
    metric: str = EXACT_MATCH
    probes: tuple[str, ...] = ()
    contrasts: tuple[Pair, ...] = ()

    @property
    def score(self) -> str:
        """The metric as the columns of a score name it."""
        return "accuracy" if self.metric == EXACT_MATCH else self.metric


@dataclass(frozen=True)
class Cell:
    """One cell: a name of each factor, and the seed of its training. Of a base None, where all seeds share a world."""

    release: str
    model: str
    recipe: str
    prompt: str
    seed: int | None

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" seed {self.seed}"
        return f"{self.release} {self.model} {self.recipe}{seed} {self.prompt}"


@dataclass(frozen=True)
class Grid:
    """What a grid file says."""

    name: str
    releases: tuple[GridRelease, ...]
    models: tuple[GridModel, ...]
    recipes: tuple[GridRecipe, ...]
    prompts: tuple[GridPrompt, ...]
    seeds: tuple[int, ...]
    skips: tuple[Mapping[str, tuple[Any, ...]], ...]
    report: Reporting
    engine: Engine = ENGINE
    raw: Mapping[str, Any] | None = None
    """The file as it was read, for the account of what was run."""
    chosen: tuple[Cell, ...] | None = None
    """The cells, where they are not all that can be made."""

    def cells(self) -> Iterator[Cell]:
        """Every cell that is not left out: a base once, whatever the seeds."""
        if self.chosen is not None:
            yield from self.chosen
            return
        for release, model, recipe in product(self.releases, self.models, self.recipes):
            for seed, prompt in product(self.seeds if recipe.train else (None,), self.prompts):
                cell = Cell(release.name, model.name, recipe.name, prompt.name, seed)
                if not any(_matches(skip, cell) for skip in self.skips):
                    yield cell


def _matches(skip: Mapping[str, tuple[Any, ...]], cell: Cell) -> bool:
    return all(getattr(cell, name) in values for name, values in skip.items())
