"""The effects of a study: each factor's levels against its centre, and how two factors turn each other's effect."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from kbench.studies.study import Study, Term
from kbench.studies.study_claims import Estimate, estimate_of
from kbench.studies.study_design import Design
from kbench.studies.study_levels import Levels


@dataclass(frozen=True)
class FactorEffect:
    """What a level (`left`) does against the centre's (`right`) to a reading, or what one does to another's effect."""

    kind: Literal["main", "interaction"]
    factor: str
    left: str
    right: str
    reading: str
    estimate: Estimate


def effects_of(design: Design, levels: Levels) -> list[FactorEffect]:
    """Main effects and two-way interactions, of all that at least two seeds have."""
    mains = *_mains(design, levels), *_within(design.study, levels)
    found = *mains, *_crossed(design, levels), *_pairs(design, levels)
    return [effect for effect in found if effect.estimate.low is not None]


def _mains(design: Design, levels: Levels) -> Iterator[FactorEffect]:
    """Each level of a training factor against the centre, on each reading that is shown."""
    study = design.study
    for factor, cell, level in _alone(design):
        for reading in study.shown:
            terms: list[Term] = [(1, cell, reading), (-1, "centre", reading)]
            yield _effect("main", study, factor, level, study.factors[factor].centre, reading, terms, levels)


def _within(study: Study, levels: Levels) -> Iterator[FactorEffect]:
    """Each level of a factor inside a cell against its centre, in the middle of the design."""
    for name, factor in study.within.items():
        for level, reading in factor.levels.items():
            if level != factor.centre:
                terms: list[Term] = [(1, "centre", reading), (-1, "centre", factor.levels[factor.centre])]
                yield _effect("main", study, name, level, factor.centre, reading, terms, levels)


def _crossed(design: Design, levels: Levels) -> Iterator[FactorEffect]:
    """How a training factor turns the effect of one inside the cells: a difference of differences."""
    study = design.study
    for factor, cell, level in _alone(design):
        for name, within in study.within.items():
            for inner, reading in within.levels.items():
                if inner == within.centre:
                    continue
                other = within.levels[within.centre]
                here: list[Term] = [(1, cell, reading), (-1, cell, other)]
                terms: list[Term] = [*here, (-1, "centre", reading), (1, "centre", other)]
                names = f"{level} × {inner}", f"{study.factors[factor].centre} × {within.centre}"
                yield _effect("interaction", study, f"{factor} × {name}", *names, reading, terms, levels)


def _pairs(design: Design, levels: Levels) -> Iterator[FactorEffect]:
    """How two training factors turn each other's effect, where both were turned in one cell."""
    study = design.study
    for cell in design.cells.values():
        off = [name for name in study.factors if cell.levels and cell.levels[name] != study.factors[name].centre]
        if len(off) != 2 or cell.name in study.arms:
            continue
        left, right = off
        alone = [study.cell(study.centre | {name: cell.levels[name]}) for name in off]
        for reading in study.shown:
            single: list[Term] = [(-1, one, reading) for one in alone]
            terms: list[Term] = [(1, cell.name, reading), *single, (1, "centre", reading)]
            names = (
                f"{cell.levels[left]} × {cell.levels[right]}",
                f"{study.factors[left].centre} × {study.factors[right].centre}",
            )
            yield _effect("interaction", study, f"{left} × {right}", *names, reading, terms, levels)


def _alone(design: Design) -> Iterable[tuple[str, str, str]]:
    """Each factor, cell and level where that factor alone is off its centre."""
    study = design.study
    for factor, said in study.factors.items():
        for level in said.levels:
            cell = study.cell(study.centre | {factor: level})
            if level != said.centre and cell in design.cells:
                yield factor, cell, level


def _effect(
    kind: Literal["main", "interaction"],
    study: Study,
    factor: str,
    left: str,
    right: str,
    reading: str,
    terms: list[Term],
    levels: Levels,
) -> FactorEffect:
    return FactorEffect(kind, factor, left, right, reading, estimate_of(study, terms, levels))
