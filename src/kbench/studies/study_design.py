"""The design of a budget: which cells a study trains, on which seeds, and the grid that does it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import ENGINE, Engine
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import Prompting
from kbench.benchmarks.recipe import FactsBy
from kbench.errors import SpecError
from kbench.studies.grid import LAB, Cell, Grid, GridModel, GridPrompt, GridRecipe, GridRelease, Reporting
from kbench.studies.study import BASE, Arm, Asked, Budget, Study, Variant
from kbench.studies.study_turned import (
    arms_by_level,
    as_read,
    can_measure,
    can_vary,
    check_variants,
    chosen_by,
    embedded,
    of_release,
    rehearsing,
    sized,
)

_PLAIN = Variant.model_construct(title="")
WORLD = "world"
MODEL = "model"

CONFIRMATION = tuple(range(8))
EXPLORATION = tuple(range(100, 108))
"""Recipes are chosen on exploration seeds and judged on confirmation seeds (Law 9)."""


@dataclass(frozen=True)
class Designed:
    """A cell of the design: its levels (none of an arm), its recipe, its seeds and how it is asked.

    Of a `variant` it has another world or base; `trained` it is a run, else the base.
    """

    name: str
    levels: dict[str, str]
    values: dict[str, Any]
    seeds: tuple[int, ...]
    asks: tuple[str, ...]
    variant: str = ""
    trained: bool = True


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
    release: str = ""
    """The release that all seeds share, in place of worlds of their own."""
    models: Mapping[str, str] = field(default_factory=dict)
    """The model of a variant, where it is given one."""
    by: FactsBy = ""
    """What facts are chosen by, where that is not what the study says."""

    @property
    def is_lab(self) -> bool:
        """Whether the base is built for each world."""
        return self.model == LAB

    def grid(self, engine: Engine = ENGINE) -> Grid:
        """The grid that trains and scores the cells."""
        chosen = tuple(
            Cell(self.world_of(cell), self.base_of(cell), cell.name, ask, seed)
            for cell in self.cells.values()
            for seed in cell.seeds
            for ask in cell.asks
        )
        return Grid(
            self.study.name,
            tuple(self._releases()),
            tuple(self._models()),
            tuple(GridRecipe(cell.name, cell.values, train=cell.trained) for cell in self.cells.values()),
            tuple(
                GridPrompt(name, asking_of(asked, of_lab=self.is_lab), asked.checkpoint)
                for name, asked in self.study.asks.items()
            ),
            self.seeds,
            (),
            Reporting(("recipe",)),
            engine,
            chosen=chosen,
        )

    def world_of(self, cell: Designed) -> str:
        """The name of a cell's release in the grid."""
        return cell.variant if self._varies(cell.variant).world else WORLD

    def base_of(self, cell: Designed) -> str:
        """The name of a cell's base in the grid."""
        return cell.variant if cell.variant in self.models or self._varies(cell.variant).lab else MODEL

    def _varies(self, variant: str) -> Variant:
        return self.study.variants[variant] if variant else _PLAIN

    def _releases(self) -> Iterator[GridRelease]:
        if self.release:
            yield GridRelease(WORLD, source=self.release)
            return
        yield GridRelease(WORLD, recipe=self.study.world, each_seed=True)
        for name, variant in self.study.variants.items():
            if variant.world:
                yield GridRelease(name, recipe=variant.world, each_seed=True)

    def _models(self) -> Iterator[GridModel]:
        yield GridModel(MODEL, self.model, self.study.lab if self.is_lab else {})
        for name, variant in self.study.variants.items():
            if name in self.models:
                yield GridModel(name, self.models[name], {})
            elif variant.lab and self.is_lab:
                yield GridModel(name, self.model, {**self.study.lab, **variant.lab})


def design(
    study: Study,
    budget: str,
    model: str = LAB,
    seeds: tuple[int, ...] | None = None,
    *,
    release: str = "",
    styles: Collection[str] = (),
    models: Mapping[str, str] | None = None,
    by: FactsBy = "",
    pretrained: bool = True,
    embedder: str = "",
) -> Design:
    """The design of a budget of a study, for a model. Raises SpecError where there is no such budget.

    Args:
        release: a folder, a name or a Hub id in place of the study's worlds: all seeds share it, and what is asked of
            the study's own relations is left out.
        styles: those that the release has.
        by: what the arms' facts are chosen by, in place of what the study says; arms of levels of that are left out.
        pretrained: whether the release has a `pretrain` split to replay.
        embedder: the model, by folder or Hub id, whose embeddings say how alike questions are, in place of the base's.
        models: the model that stands for a variant of the base, by the variant's name.
        seeds: those to run in place of the budget's; their first so many in what takes fewer than the budget has.
    """
    if budget not in study.budgets:
        raise SpecError(f"the study {study.name} has no budget {budget!r}: have {', '.join(study.budgets)}")
    said = study.budgets[budget]
    models = models or {}
    check_variants(study, models)
    study = as_read(sized(study, said), of_lab=model == LAB)
    study = of_release(study, styles) if release else study
    left_out = arms_by_level(study, by, release) | (rehearsing(study) if release and not pretrained else frozenset())
    study = chosen_by(study, by, release) if by else study
    study = embedded(study, embedder) if embedder else study
    every = CONFIRMATION[: said.seeds] if seeds is None else seeds
    shared = {**study.train, **(study.train_lab if model == LAB else {})}
    first = next(iter(study.asks))
    fewer = {study.named(name): count for name, count in said.fewer.items()}
    cells: dict[str, Designed] = {}

    def first_seeds(count: int) -> tuple[int, ...]:
        return every if count >= said.seeds else every[:count]

    def add(name: str, levels: dict[str, str], own: dict[str, Any], count: int, arm: Arm | None = None) -> None:
        values = dict(shared)
        for factor, level in levels.items():
            values |= study.factors[factor].levels[level]
        before = cells.get(name)
        wanted = first_seeds(fewer.get(name, max(count, len(before.seeds) if before else 0)))
        named = dict.fromkeys((first, *said.asks, *(arm.asks if arm else ())))
        asked = tuple(ask for ask in study.asks if ask in named or ask.partition("@")[0] in named)
        if arm and arm.untrained:
            asked = tuple(ask for ask in asked if not study.asks[ask].checkpoint)
            cells[name] = Designed(name, {}, {}, wanted, asked, arm.variant, trained=False)
        else:
            cells[name] = Designed(name, levels, {**values, **own}, wanted, asked, arm.variant if arm else "")

    for levels, count in _levels(study, said):
        add(study.cell(levels), levels, {}, count)
    for name, count in said.arms.items():
        arm = study.arms[name]
        is_there = not arm.variant or can_vary(study.variants[arm.variant], arm.variant, model, release, models)
        if is_there and name not in left_out:
            add(name, study.centre | arm.levels, arm.train, count, arm)
    asks = tuple(dict.fromkeys(a for cell in cells.values() for a in cell.asks if not study.asks[a].checkpoint))
    parts = {name: first_seeds(n) for name, n in said.parts.items() if can_measure(study.parts[name], release, styles)}
    base = Designed(BASE, {}, {}, every, asks, trained=False)
    return Design(study, said, budget, model, every, {BASE: base, **cells}, parts, release, models, by)


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


def asking_of(asked: Asked, *, of_lab: bool = False) -> Asking:
    """A study's way of asking, as a scoring takes it."""
    prompt = asked.prompt_lab if of_lab and asked.prompt_lab else asked.prompt
    return Asking(
        splits=asked.splits,
        limit=asked.limit,
        prompting=Prompting(name=prompt, shots=asked.shots, shots_from=asked.shots_from),  # type: ignore[arg-type]
        decoding=Decoding(max_tokens=(asked.max_tokens_lab if of_lab else None) or asked.max_tokens),
        styles=asked.styles,
        probes=asked.probes,
    )
