"""The levels of a study in the mean over seeds, cell by cell in the groups of its design."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from kbench.studies.contrasts import t_interval
from kbench.studies.study import BASE, Study
from kbench.studies.study_design import Design
from kbench.studies.study_levels import Level, Levels

COMBINED = "several factors at once"
BESIDE = "beside the design"
PARTS = "experiments of their own"
_SEEN = 0.02
"""Of many controls some lie a little above chance by chance."""


@dataclass(frozen=True)
class Place:
    """Where a cell stands: its group (a factor's title; empty of the base and the centre) and its name in it."""

    group: str
    title: str

    def __str__(self) -> str:
        """In words by themselves: a level says of which factor it is."""
        return self.title if self.group in ("", COMBINED, BESIDE, PARTS) else f"{self.group}: {self.title}"


@dataclass(frozen=True)
class Mean:
    """A reading of a cell over its seeds: mean, t interval (None of one seed), counts in all, and what is beside."""

    cell: str
    reading: str
    place: Place
    title: str
    """Of the reading."""
    mean: float
    low: float | None
    high: float | None
    seeds: tuple[int, ...]
    rows: int
    entities: int
    control: float | None
    base: float | None
    chance: float | None
    control_is_above_chance: bool
    """Its t interval over seeds (of one seed its value) lies above chance, and its mean enough above to be seen."""


def means_of(design: Design, levels: Levels) -> list[Mean]:
    """Every reading of every cell that was read, in the order of the design: base, centre, factors, and so on."""
    placed = places(design)
    readings = [*design.study.readings, *dict.fromkeys(level.reading for level in levels.every)]
    found = []
    for cell, place in placed.items():
        for reading in dict.fromkeys(readings):
            if column := levels.of(cell, reading):
                found.append(_mean(design.study, place, [column[seed] for seed in sorted(column)]))
    return found


def places(design: Design) -> dict[str, Place]:
    """Each cell and part of a design by its name, in the order in which they are shown."""
    study = design.study
    found = {BASE: Place("", "base, not trained")}
    if "centre" in design.cells:
        # Of one factor the centre is best told by its level.
        only = next(iter(study.factors.values())).centre if len(study.factors) == 1 else ""
        found["centre"] = Place("", f"centre: {only}" if only else "centre")
    combined, beside = {}, {}
    for cell in design.cells.values():
        off = _off(study, cell.levels)
        if cell.name in study.arms:
            beside[cell.name] = Place(BESIDE, study.arms[cell.name].title)
        elif len(off) > 1:
            told = " × ".join(f"{factor} {level}" for factor, level in off.items())
            combined[cell.name] = Place(COMBINED, told)
    for name, factor in study.factors.items():
        for level in factor.levels:
            cell_name = study.cell(study.centre | {name: level})
            if cell_name in design.cells and level != factor.centre:
                found[cell_name] = Place(factor.title, level)
    parts = {name: Place(PARTS, study.parts[name].title) for name in design.parts}
    return found | combined | beside | parts


def title_of(study: Study, reading: str) -> str:
    """The title of a reading; one that a part reads has its name alone."""
    return study.readings[reading].title if reading in study.readings else reading.replace("_", " ")


def _off(study: Study, levels: dict[str, str]) -> dict[str, str]:
    return {name: level for name, level in levels.items() if level != study.factors[name].centre}


def _mean(study: Study, place: Place, column: Sequence[Level]) -> Mean:
    first, values = column[0], [level.value for level in column]
    low, high = t_interval(values) if len(values) > 1 else (None, None)
    chance = _some(level.chance for level in column)
    return Mean(
        first.cell,
        first.reading,
        place,
        title_of(study, first.reading),
        fmean(values),
        low,
        high,
        tuple(level.seed for level in column),
        sum(level.rows for level in column),
        sum(level.entities for level in column),
        _some(level.control for level in column),
        _some(level.base for level in column),
        chance,
        _is_above([level.control for level in column if level.control is not None], chance),
    )


def _is_above(controls: list[float], chance: float | None) -> bool:
    if not controls or chance is None:
        return False
    least = t_interval(controls)[0] if len(controls) > 1 else controls[0]
    return least > chance and fmean(controls) - chance >= _SEEN


def _some(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None
