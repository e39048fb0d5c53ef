"""The heat map of a study: its cells, group by group, by the readings that it shows."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kbench.studies.figures import INK, PAPER, SOFT, as_svg, canvas
from kbench.studies.palette import HUES
from kbench.studies.study_means import Mean

_INCH_A_LETTER = 0.075
_CELL_WIDTH, _ROW, _HEAD = 0.86, 0.54, 0.36
"""Inches of a column, a row, and the line that a group begins with."""
_DARK = 0.7
"""From this shade on, what is written on it is as light as the page."""
_WIDEST = 30
"""Letters of a title in one line."""


def heat_figure(means: Sequence[Mean], title: str) -> str:
    """Cells by readings, as dark as they are high; half the interval's width, and the control where it says more."""
    columns = {mean.reading: _folded(mean.title, 2) for mean in means}
    rows, heads = _rows(means)
    left = 0.35 + _INCH_A_LETTER * max(len(line) for label in rows.values() for line in label[0].split("\n"))
    lean = 0.2 + _INCH_A_LETTER * max(len(line) for label in columns.values() for line in label.split("\n"))
    # Titles stand at an angle of 40 degrees over their columns.
    top = 0.3 + lean * 0.6
    tall = max(y for _, y in rows.values()) + _ROW / 2
    width, height = left + _CELL_WIDTH * len(columns) + lean * 0.8, top + tall + 0.15
    figure, axes = canvas(max(8.0, width), height)
    values = [mean.mean for mean in means]
    ends = (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else (min(values), max(values))
    for mean in means:
        place = list(columns).index(mean.reading) + 0.5
        _draw(axes, place * _CELL_WIDTH, rows[mean.cell][1], mean, ends)
    for head, y in heads.items():
        axes.text(-left + 0.1, y, head, ha="left", va="center", color=SOFT, fontsize=9.5, fontweight="bold")
        axes.plot([-left + 0.1, _CELL_WIDTH * len(columns)], [y - _HEAD / 2] * 2, color=SOFT, alpha=0.4, linewidth=0.8)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    places = [(number + 0.5) * _CELL_WIDTH for number in range(len(columns))]
    axes.set_xticks(places, list(columns.values()), rotation=40, ha="left", rotation_mode="anchor", fontsize=9.5)
    axes.set_yticks([y for _, y in rows.values()], [label for label, _ in rows.values()])
    axes.set_xlim(0, max(8.0, width) - left)
    axes.set_ylim(tall, 0)
    for line in axes.texts:
        line.set_clip_on(False)
    for drawn in axes.lines:
        drawn.set_clip_on(False)
    figure.subplots_adjust(left=left / max(8.0, width), right=1, top=1 - top / height, bottom=0.15 / height)
    return as_svg(figure, "heat", title)


def _draw(axes: Axes, x: float, y: float, mean: Mean, ends: tuple[float, float]) -> None:
    least, most = ends
    shade = (mean.mean - least) / (most - least) if most > least else 0.5
    corner = x - _CELL_WIDTH / 2 + 0.02, y - _ROW / 2 + 0.02
    axes.add_patch(
        Rectangle(corner, _CELL_WIDTH - 0.04, _ROW - 0.04, facecolor=HUES[0], alpha=shade, linewidth=0, clip_on=False)
    )
    ink = PAPER if shade > _DARK else INK
    control = f"control {mean.control:.2f}" if mean.control_is_above_chance and mean.control is not None else ""
    half = "" if mean.low is None or mean.high is None else f"±{(mean.high - mean.low) / 2:.2f}"
    axes.text(x, y - (0.11 if control else 0.06), f"{mean.mean:.2f}", ha="center", va="center", color=ink, fontsize=11)
    axes.text(x, y + (0.045 if control else 0.13), half, ha="center", va="center", color=ink, fontsize=7.5)
    axes.text(x, y + 0.175, control, ha="center", va="center", color=ink, fontsize=7)


def _rows(means: Sequence[Mean]) -> tuple[dict[str, tuple[str, float]], dict[str, float]]:
    """The label and height of each cell, and the height of each group's title, in inches from the top."""
    rows: dict[str, tuple[str, float]] = {}
    heads: dict[str, float] = {}
    y, group = 0.0, ""
    for mean in means:
        if mean.cell in rows:
            continue
        if mean.place.group != group:
            group = mean.place.group
            heads[group] = y + _HEAD / 2 + 0.05
            y += _HEAD + 0.05
        rows[mean.cell] = (_folded(mean.place.title, 3), y + _ROW / 2)
        y += _ROW
    return rows, heads


def _folded(title: str, lines: int) -> str:
    """A long title in so many lines, or what of it fits there."""
    return "\n".join(textwrap.wrap(title, _WIDEST, max_lines=lines, placeholder=" …"))
