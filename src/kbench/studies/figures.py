"""The demo's two pictures, as inline SVG whose colours are the page's own, so that they follow light and dark."""

import html
import io
import re

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from kbench.studies.contrasts import Contrast
from kbench.studies.findings import Level
from kbench.studies.palette import HUE_VARIABLES

# Stand-ins that matplotlib draws with and the page replaces by its variables.
INK, SOFT, PAPER, BLUE = "#010101", "#020202", "#070707", "#040404"
_ARMS = {"base": "#030303", "qa": BLUE, "article": "#050505", "statement": "#060606"}
_VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    PAPER: "--paper",
    **{colour: f"--{arm}" for arm, colour in _ARMS.items()},
    **HUE_VARIABLES,
}
_NAMES = {
    "base": "not finetuned",
    "qa": "trained on QA",
    "article": "trained on articles",
    "statement": "trained on statements",
}
_MARKS = {"base": "D", "qa": "o", "article": "s", "statement": "^"}


def levels_figure(levels: tuple[Level, ...]) -> str:
    """Accuracy by probe and arm, with intervals over seeds, the never-trained control and chance."""
    probes = list(dict.fromkeys(level.probe for level in levels))
    figure, axes = canvas(8.6, 1.0 + 0.98 * len(probes))
    for row, probe in enumerate(probes):
        mine = [level for level in levels if level.probe == probe]
        for place, level in enumerate(mine):
            y = row + (place - (len(mine) - 1) / 2) * 0.19
            colour = _ARMS[level.arm]
            axes.plot([level.low, level.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([level.mean], [y], _MARKS[level.arm], color=colour, markersize=6.5)
            if level.control is not None and level.arm != "base":
                axes.plot([level.control], [y], "|", color=SOFT, markersize=9, markeredgewidth=1.6)
        chance = mine[0].chance
        axes.plot([chance, chance], [row - 0.42, row + 0.42], ":", color=SOFT, linewidth=1.4)
    axes.set_yticks(range(len(probes)), probes)
    axes.set_ylim(len(probes) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("exact match, mean over seeds with 95 % interval")
    for arm in _ARMS:
        axes.plot([], [], _MARKS[arm], color=_ARMS[arm], label=_NAMES[arm])
    axes.plot(
        [],
        [],
        "|",
        color=SOFT,
        markersize=9,
        markeredgewidth=1.6,
        linestyle="none",
        label="same model on never-trained twins",
    )
    axes.plot([], [], ":", color=SOFT, label="a uniform guess")
    figure.legend(loc="upper left", bbox_to_anchor=(0.02, 1.0), ncols=3, frameon=False, fontsize=9, labelcolor=INK)
    figure.subplots_adjust(
        left=0.30, right=0.97, top=1 - 0.62 / figure.get_figheight(), bottom=0.55 / figure.get_figheight()
    )
    return as_svg(figure, "levels", "Accuracy by probe and training form")


def contrasts_figure(contrasts: tuple[Contrast, ...]) -> str:
    """Each contrast's mean and interval, with one dot a seed."""
    figure, axes = canvas(8.6, 1.0 + 0.55 * len(contrasts))
    axes.axvline(0, color=SOFT, linewidth=1)
    for row, contrast in enumerate(contrasts):
        axes.plot(
            contrast.differences, [row + 0.2] * len(contrast.differences), "o", color=SOFT, markersize=4, alpha=0.7
        )
        axes.plot([contrast.low, contrast.high], [row - 0.1] * 2, color=_ARMS["qa"], linewidth=3, solid_capstyle="butt")
        axes.plot([contrast.mean], [row - 0.1], "o", color=_ARMS["qa"], markersize=8)
    axes.set_yticks(range(len(contrasts)), [contrast.title for contrast in contrasts])
    axes.set_ylim(len(contrasts) - 0.5, -0.5)
    reach = max(0.5, *(abs(v) for c in contrasts for v in (c.low, c.high, *c.differences))) * 1.08
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("difference of accuracies: mean and 95 % t interval over seeds; one small dot a seed")
    figure.subplots_adjust(left=0.30, right=0.97, top=0.97, bottom=0.55 / figure.get_figheight())
    return as_svg(figure, "contrasts", "Contrasts, paired by seed")


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture of a size in inches, drawn with the stand-ins of the page's colours."""
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    dress(axes)
    return figure, axes


def dress(axes: Axes) -> None:
    """Axes in the page's colours: no frame, a line below, a faint grid."""
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=INK, length=0, labelsize=10)
    axes.xaxis.label.set_color(INK)
    axes.grid(axis="x", color=SOFT, alpha=0.25, linewidth=0.8)


def as_svg(figure: Figure, name: str, title: str) -> str:
    """A picture as SVG for a page: ids begin with its name, colours are the page's variables."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Ids of their own, so that two pictures can stand in one page; colours are no ids.
    text = re.sub(r'(id="|#)(?=[A-Za-z])(?![0-9a-f]{6}\b)', rf"\g<1>{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    told = f'role="img" aria-label="{html.escape(title)}"'
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', lambda _: told, text, count=1)
