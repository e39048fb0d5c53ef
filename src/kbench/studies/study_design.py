"""The design of a budget: which cells a study trains, on which seeds, and the grid that does it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import ENGINE, Engine
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import Prompting
from kbench.errors import SpecError
from kbench.studies.grid import LAB, Cell, Grid, GridModel, GridPrompt, GridRecipe, GridRelease, Reporting
from kbench.studies.study import BASE, Asked, Budget, Study

WORLD = "world"
MODEL = "model"

CONFIRMATION = tuple(range(8))
EXPLORATION = tuple(range(100, 108))
"""Recipes are chosen on exploration seeds and judged on confirmation seeds (Law 9)."""


@dataclass(frozen=True)
class Designed:
    """A cell of the design: its levels (none of an arm), its recipe, its seeds and how it is asked."""

    name: str
    levels: dict[str, str]
    values: dict[str, Any]
    seeds: tuple[int, ...]
    asks: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """What a budget runs: its cells by name, the base among them, and the seeds of each part."""

    study: Study
    budget: Budget
    name: str
    model: str
    seeds: tuple[int, ...]
    cells: dict[str, Designed]
    parts: dict[str, tuple[int, ...]]

    @property
    def is_lab(self) -> bool:
        """Whether the base is built for each world."""
        return self.model == LAB

    def grid(self, engine: Engine = ENGINE) -> Grid:
        """The grid that trains and scores the cells."""
        chosen = tuple(
            Cell(WORLD, MODEL, cell.name, ask, seed)
            for cell in self.cells.values()
            for seed in cell.seeds
            for ask in cell.asks
        )
        return Grid(
            self.study.name,
            (GridRelease(WORLD, recipe=self.study.world, each_seed=True),),
            (GridModel(MODEL, self.model, self.study.lab if self.is_lab else {}),),
            tuple(GridRecipe(cell.name, cell.values, train=cell.name != BASE) for cell in self.cells.values()),
            tuple(GridPrompt(name, asking_of(asked)) for name, asked in self.study.asks.items()),
            self.seeds,
            (),
            Reporting(("recipe",)),
            engine,
            chosen=chosen,
        )


def design(study: Study, budget: str, model: str = LAB, seeds: tuple[int, ...] | None = None) -> Design:
    """The design of a budget of a study, for a model. Raises SpecError where there is no such budget.

    Args:
        seeds: those to run in place of the budget's; their first so many in what takes fewer than the budget has.
    """
    if budget not in study.budgets:
        raise SpecError(f"the study {study.name} has no budget {budget!r}: have {', '.join(study.budgets)}")
    said = study.budgets[budget]
    study = _as_read(study, of_lab=model == LAB)
    every = CONFIRMATION[: said.seeds] if seeds is None else seeds
    shared = {**study.train, **(study.train_lab if model == LAB else {})}
    first = next(iter(study.asks))
    fewer = {study.named(name): count for name, count in said.fewer.items()}
    cells: dict[str, Designed] = {}

    def first_seeds(count: int) -> tuple[int, ...]:
        return every if count >= said.seeds else every[:count]

    def add(name: str, levels: dict[str, str], own: dict[str, Any], count: int, asks: tuple[str, ...] = ()) -> None:
        values = dict(shared)
        for factor, level in levels.items():
            values |= study.factors[factor].levels[level]
        before = cells.get(name)
        wanted = first_seeds(fewer.get(name, max(count, len(before.seeds) if before else 0)))
        asked = tuple(dict.fromkeys((first, *said.asks, *asks)))
        cells[name] = Designed(name, levels, {**values, **own}, wanted, asked)

    for levels, count in _levels(study, said):
        add(study.cell(levels), levels, {}, count)
    for name, count in said.arms.items():
        arm = study.arms[name]
        add(name, study.centre | arm.levels, arm.train, count, arm.asks)
    asks = tuple(dict.fromkeys(ask for cell in cells.values() for ask in cell.asks))
    parts = {name: first_seeds(count) for name, count in said.parts.items()}
    return Design(study, said, budget, model, every, {BASE: Designed(BASE, {}, {}, every, asks), **cells}, parts)


def _as_read(study: Study, *, of_lab: bool) -> Study:
    """The study as it is read of the lab's models: every claim; or of another: no gate of the lab's."""
    if of_lab:
        return study.model_copy(update={"claims": tuple(c.model_copy(update={"lab": ""}) for c in study.claims)})
    gates = {name: gate for name, gate in study.gates.items() if not gate.lab}
    claims = [c.model_copy(update={"gates": tuple(name for name in c.gates if name in gates)}) for c in study.claims]
    return study.model_copy(update={"gates": gates, "claims": tuple(claims)})


def _levels(study: Study, budget: Budget) -> Iterator[tuple[dict[str, str], int]]:
    """The levels of each cell and on how many seeds it runs: the centre, one factor at a time, pairs, all crossed."""

    def of(factor: str, only: dict[str, tuple[str, ...]] = budget.levels) -> tuple[str, ...]:
        return only.get(factor, tuple(study.factors[factor].levels))

    centre = study.centre
    yield centre, budget.seeds
    for factor, count in budget.one.items():
        yield from ((centre | {factor: level}, count) for level in of(factor))
    for left, right in budget.pairs:
        for a, b in product(of(left, budget.pair_levels), of(right, budget.pair_levels)):
            yield centre | {left: a, right: b}, budget.seeds
    for levels in product(*(of(factor) for factor in budget.crossed)):
        yield centre | dict(zip(budget.crossed, levels, strict=True)), budget.seeds


def asking_of(asked: Asked) -> Asking:
    """A study's way of asking, as a scoring takes it."""
    return Asking(
        splits=asked.splits,
        limit=asked.limit,
        prompting=Prompting(name=asked.prompt, shots=asked.shots),  # type: ignore[arg-type]
        decoding=Decoding(max_tokens=asked.max_tokens),
        styles=asked.styles,
    )
