"""The curves of a study: a reading over the numeric levels of a factor, and what was learned epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean

from matplotlib.ticker import NullLocator

from kbench.studies.contrasts import t_interval
from kbench.studies.figures import INK, SOFT, as_svg, canvas
from kbench.studies.palette import HUES, MARKS
from kbench.studies.study import Curve
from kbench.studies.study_design import Design
from kbench.studies.study_levels import Levels
from kbench.studies.study_means import places, title_of


@dataclass(frozen=True)
class Point:
    """The values of all seeds at one place of a curve."""

    x: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Drawn:
    """One line of a picture; `chance` where it has one."""

    title: str
    points: tuple[Point, ...]
    chance: float | None = None


@dataclass(frozen=True)
class Watched:
    """What a cell had learned at the end of an epoch: one share of right answers a seed."""

    cell: str
    epoch: int
    values: tuple[float, ...]


def curve_lines(design: Design, levels: Levels, curve: Curve) -> list[Drawn]:
    """The lines of a curve that have two places or more."""
    study, found = design.study, []
    numbers = {level: float(level) for level in study.factors[curve.factor].levels}
    for reading in curve.readings:
        points, chances = [], []
        for level, x in sorted(numbers.items(), key=lambda each: each[1]):
            column = levels.of(study.cell(study.centre | curve.levels | {curve.factor: level}), reading)
            if column:
                points.append(Point(x, tuple(each.value for each in column.values())))
                chances += [each.chance for each in column.values() if each.chance is not None]
        if len(points) > 1:
            found.append(Drawn(title_of(study, reading), tuple(points), fmean(chances) if chances else None))
    return found


def learning_lines(design: Design, watched: Sequence[Watched]) -> list[Drawn]:
    """A line for the centre and for each level of the first factor, of the cells that were watched."""
    study = design.study
    name, factor = next(iter(study.factors.items()))
    cells = {study.cell(study.centre | {name: level}): level for level in factor.levels}
    found = []
    for cell in (each for each in places(design) if each in cells):
        points = sorted((Point(float(w.epoch), w.values) for w in watched if w.cell == cell), key=lambda p: p.x)
        if points:
            found.append(Drawn(cells[cell], tuple(points)))
    return found


def lines_over(name: str, title: str, x: str, y: str, lines: Sequence[Drawn]) -> str:
    """Lines of means with the t interval over seeds as a band; each has a colour and a mark of its own."""
    figure, axes = canvas(8.6, 4.3)
    places = sorted({point.x for line in lines for point in line.points})
    doubling = len(places) > 2 and all(place > 0 and log2(place).is_integer() for place in places)
    for number, line in enumerate(lines):
        hue, mark = HUES[number % len(HUES)], MARKS[number % len(MARKS)]
        xs, means = [point.x for point in line.points], [fmean(point.values) for point in line.points]
        lows, highs = zip(*(_band(point) for point in line.points), strict=True)
        axes.fill_between(xs, lows, highs, color=hue, alpha=0.14, linewidth=0)
        axes.plot(xs, means, marker=mark, color=hue, markersize=6.5, linewidth=1.8, label=line.title)
        if line.chance is not None:
            axes.axhline(line.chance, color=hue, linestyle=":", linewidth=1, alpha=0.8)
    axes.grid(axis="y", color=SOFT, alpha=0.25, linewidth=0.8)
    if doubling:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.set_xlabel(x)
    axes.set_ylabel(y, color=INK)
    top = max(max(high for _, high in map(_band, line.points)) for line in lines)
    bottom = min(min(low for low, _ in map(_band, line.points)) for line in lines)
    axes.set_ylim(min(-0.02, bottom), max(1.02 if top <= 1.1 else top, 0.1))
    figure.legend(loc="center left", bbox_to_anchor=(0.66, 0.55), frameon=False, fontsize=9, labelcolor=INK)
    figure.subplots_adjust(left=0.08, right=0.65, top=0.97, bottom=0.14)
    return as_svg(figure, name, title)


def _band(point: Point) -> tuple[float, float]:
    """The t interval over seeds; of one seed the value itself. No more than a share can be, where it is one."""
    if len(point.values) < 2:
        return point.values[0], point.values[0]
    low, high = t_interval(list(point.values))
    is_share = min(point.values) >= 0 and max(point.values) <= 1
    return (max(0.0, low), min(1.0, high)) if is_share else (low, high)
