"""The two pictures of a grid: its table as a heat map, and its contrasts with their intervals."""

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from kbench.studies.contrasts import Contrast
from kbench.studies.figures import BLUE, INK, PAPER, SOFT, as_svg, canvas
from kbench.studies.grid_scores import Level

_INCH_A_LETTER = 0.078
_DARK = 0.7
"""From this shade on, what is written on it is as light as the page."""


def heat_figure(levels: Sequence[Level], metric: str) -> str:
    """Rows by columns of the table, as dark as they are high, with half the width of the interval below each."""
    rows = list(dict.fromkeys(level.row for level in levels))
    columns = list(dict.fromkeys(level.column for level in levels))
    labels, heads = [" ".join(row) for row in rows], [" ".join(column) for column in columns]
    left, top = _room(labels), 0.4 + _room(heads) * 0.72
    width, height = max(8.6, left + 0.9 * len(columns) + 0.9), top + 0.52 * len(rows) + 0.25
    figure, axes = canvas(width, height)
    means = [level.mean for level in levels]
    least, most = (0.0, 1.0) if min(means) >= 0 and max(means) <= 1 else (min(means), max(means))
    for level in levels:
        x, y = columns.index(level.column), rows.index(level.row)
        shade = (level.mean - least) / (most - least) if most > least else 0.5
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=BLUE, alpha=shade, linewidth=0))
        ink = PAPER if shade > _DARK else INK
        axes.text(x, y - 0.08, f"{level.mean:.2f}", ha="center", va="center", color=ink, fontsize=11)
        if level.low is not None and level.high is not None:
            half = f"±{(level.high - level.low) / 2:.2f}"
            axes.text(x, y + 0.27, half, ha="center", va="center", color=ink, fontsize=7.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(columns)), heads, rotation=40, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    right = (left + 0.9 * len(columns)) / width
    figure.subplots_adjust(left=left / width, right=right, top=1 - top / height, bottom=0.1 / height)
    return as_svg(figure, "heat", f"{metric} by {len(rows)} rows and {len(columns)} columns")


def effects_figure(contrasts: Sequence[Contrast], metric: str) -> str:
    """Each contrast's mean and interval, with one dot a seed."""
    left, height = _room([contrast.title for contrast in contrasts]), 1.0 + 0.42 * len(contrasts)
    width = max(8.6, left + 5)
    figure, axes = canvas(width, height)
    axes.axvline(0, color=SOFT, linewidth=1)
    for row, contrast in enumerate(contrasts):
        differences = contrast.differences
        axes.plot(differences, [row + 0.22] * len(differences), "o", color=SOFT, markersize=4, alpha=0.7)
        axes.plot([contrast.low, contrast.high], [row - 0.1] * 2, color=BLUE, linewidth=3, solid_capstyle="butt")
        axes.plot([contrast.mean], [row - 0.1], "o", color=BLUE, markersize=7)
    axes.set_yticks(range(len(contrasts)), [contrast.title for contrast in contrasts])
    axes.set_ylim(len(contrasts) - 0.5, -0.5)
    # An interval over two seeds may be wider than any difference can be: what lies beyond is not drawn.
    widest = max(abs(each) for contrast in contrasts for each in contrast.differences)
    reach = max(0.1, min(max(abs(end) for c in contrasts for end in (c.low, c.high)), 2 * widest), widest) * 1.08
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(f"difference of {metric}, 95 % t interval; one small dot a seed")
    figure.subplots_adjust(left=left / width, right=0.97, top=1 - 0.1 / height, bottom=0.55 / height)
    return as_svg(figure, "effects", "Contrasts, paired by seed")


def _room(labels: Sequence[str]) -> float:
    """Inches that the longest of some labels takes."""
    return 0.3 + _INCH_A_LETTER * max(len(label) for label in labels)
