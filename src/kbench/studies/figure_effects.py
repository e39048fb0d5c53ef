"""The effects of a study with their intervals: a panel a reading, or a line an effect, in groups."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from kbench.studies.figures import INK, PAPER, SOFT, as_svg, canvas, dress
from kbench.studies.palette import HUES
from kbench.studies.study_claims import Estimate

_INCH_A_LETTER = 0.075
_ROW, _HEAD = 0.34, 0.34
_PLAIN = 5.0
"""The size of a mean's mark; a larger one is set off from its interval."""
_AXIS = 0.62
"""Inches of the numbers and the title under a picture."""


@dataclass(frozen=True)
class Line:
    """One effect as it is drawn: the group it stands in, its label there, the panel (a reading's title), and itself."""

    group: str
    label: str
    panel: str
    estimate: Estimate


def panels_figure(name: str, title: str, lines: Sequence[Line]) -> str:
    """Rows of effects, the same in every panel; a panel a reading, all of one scale."""
    panels = list(dict.fromkeys(line.panel for line in lines))
    rows, heads, tall = _rows(lines)
    left, each = _room([label for _, label in rows], heads), 1.9
    top = 0.2 + 0.17 * max(len(_wrapped(panel).split("\n")) for panel in panels)
    width, height = left + each * len(panels) + 0.15, top + tall + _AXIS
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    reach = reach_of([line.estimate for line in lines])
    for number, panel in enumerate(panels):
        place = ((left + each * number + 0.08) / width, _AXIS / height, (each - 0.16) / width, tall / height)
        axes = figure.add_axes(place)
        dress(axes)
        _scale(axes, reach, tall)
        axes.set_title(_wrapped(panel), fontsize=9.5, color=INK, pad=6)
        axes.tick_params(axis="x", labelsize=8.5)
        for line in lines:
            if line.panel == panel:
                draw_estimate(axes, rows[line.group, line.label], line.estimate, HUES[0], "o", reach)
        if number == 0:
            _label(axes, rows, heads, (left - 0.1) / (each - 0.16))
        else:
            axes.set_yticks([])
    figure.supxlabel(_CAPTION, fontsize=9, color=INK, y=0.1 / height)
    return as_svg(figure, name, title)


def lines_figure(name: str, title: str, lines: Sequence[Line]) -> str:
    """One effect a row, in groups."""
    rows, heads, tall = _rows(lines)
    left = _room([label for _, label in rows], heads)
    width, height = max(8.6, left + 4.6), tall + _AXIS + 0.1
    figure, axes = canvas(width, height)
    reach = reach_of([line.estimate for line in lines])
    _scale(axes, reach, tall)
    for line in lines:
        draw_estimate(axes, rows[line.group, line.label], line.estimate, HUES[0], "o", reach)
    right = width - 0.25
    _label(axes, rows, heads, (left - 0.1) / (right - left))
    figure.supxlabel(_CAPTION, fontsize=9, color=INK, y=0.1 / height)
    figure.subplots_adjust(left=left / width, right=right / width, top=1 - 0.1 / height, bottom=_AXIS / height)
    return as_svg(figure, name, title)


_CAPTION = "difference: mean and 95 % t interval over seeds; one small dot a seed; < and > go on beyond the picture"


def draw_estimate(
    axes: Axes, y: float, estimate: Estimate, colour: str, mark: str, reach: float, size: float = _PLAIN
) -> None:
    """An interval, its mean, and a small dot a seed below; what ends beyond the picture has an arrow's head."""
    seen = [value for value in estimate.values.values() if abs(value) <= reach]
    axes.plot(seen, [y + 0.09] * len(seen), "o", color=SOFT, markersize=2.8, alpha=0.75, markeredgewidth=0)
    if estimate.low is not None and estimate.high is not None:
        low, high = max(estimate.low, -reach), min(estimate.high, reach)
        axes.plot([low, high], [y - 0.03] * 2, color=colour, linewidth=2.4, solid_capstyle="butt")
        for end, inside, head in ((estimate.low, low, "<"), (estimate.high, high, ">")):
            if end != inside:
                axes.plot([inside], [y - 0.03], head, color=colour, markersize=6, clip_on=False)
    if abs(estimate.mean) <= reach:
        edge = PAPER if size > _PLAIN else colour
        axes.plot([estimate.mean], [y - 0.03], mark, color=colour, markersize=size, markeredgecolor=edge)


def reach_of(estimates: Sequence[Estimate], least: float = 0.1) -> float:
    """How far a picture goes to either side: an interval over few seeds may be wider than any difference can be."""
    widest = max(abs(value) for estimate in estimates for value in (*estimate.values.values(), estimate.mean))
    ends = max(abs(end or 0.0) for estimate in estimates for end in (estimate.low, estimate.high))
    return max(least, min(ends, 1.5 * widest), widest) * 1.06


def _scale(axes: Axes, reach: float, tall: float) -> None:
    axes.axvline(0, color=SOFT, linewidth=1)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(tall, 0)


def _label(axes: Axes, rows: dict[tuple[str, str], float], heads: dict[str, float], left: float) -> None:
    axes.set_yticks(list(rows.values()), [label for _, label in rows], fontsize=9.5)
    for head, y in heads.items():
        axes.text(
            -left,
            y,
            head,
            transform=axes.get_yaxis_transform(),
            ha="left",
            va="center",
            color=SOFT,
            fontsize=9.5,
            fontweight="bold",
        )


def _rows(lines: Sequence[Line]) -> tuple[dict[tuple[str, str], float], dict[str, float], float]:
    """The height of each row and of each group's title, in inches from the top, and that of all."""
    rows: dict[tuple[str, str], float] = {}
    heads: dict[str, float] = {}
    y = 0.0
    for line in lines:
        if line.group not in heads:
            heads[line.group] = y + _HEAD / 2
            y += _HEAD
        if (line.group, line.label) not in rows:
            rows[line.group, line.label] = y + _ROW / 2
            y += _ROW
    return rows, heads, y


def _room(labels: Sequence[str], heads: dict[str, float]) -> float:
    """Inches that the longest label takes; a group's title is bold."""
    return 0.3 + _INCH_A_LETTER * max(*(len(label) for label in labels), *(1.1 * len(head) for head in heads))


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(title, 24, max_lines=3, placeholder=" …"))
