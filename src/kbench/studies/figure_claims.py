"""The claims of a study as a forest: effect, interval and what it is held against, by verdict in colour and mark."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kbench.studies.figure_effects import draw_estimate, reach_of
from kbench.studies.figures import INK, SOFT, as_svg, canvas
from kbench.studies.palette import HUES
from kbench.studies.study import Effect, Study
from kbench.studies.study_claims import Estimate, Judged, Verdict, estimate_of
from kbench.studies.study_levels import Levels

_INCH_A_LETTER = 0.078
_ROW = 0.4
_RIGHT, _TOP, _AXIS = 1.5, 0.1, 0.62

VERDICTS: dict[Verdict, tuple[str, str, str]] = {
    "holds": (HUES[0], "o", "●"),
    "fails": (HUES[1], "X", "✖"),
    "inconclusive": (HUES[4], "D", "◆"),
    "not_testable": (SOFT, "o", "○"),
}
"""The colour of each verdict, its mark in the picture, and the same in text."""


@dataclass(frozen=True)
class Row:
    """A row of the forest: a claim, or one effect of several of its; `ends` are what the interval is held against."""

    label: str
    verdict: Verdict
    of_claim: bool
    estimate: Estimate | None
    ends: tuple[float, ...]


def forest_rows(study: Study, levels: Levels, judged: Sequence[Judged]) -> list[Row]:
    """A row a claim of one effect; one of several has a row of its own, and one an effect below it."""
    found = []
    for claim in judged:
        tested = list(zip(claim.claim.effects, claim.estimates, claim.each, strict=False))
        rows = [
            Row(effect.title or claim.claim.name, verdict, False, estimate, ends_of(study, levels, effect, estimate))
            for effect, estimate, verdict in tested
        ]
        if len(rows) == 1:
            found.append(replace(rows[0], label=claim.claim.name, of_claim=True))
        else:
            found += [Row(claim.claim.name, claim.verdict, True, None, ()), *rows]
    return found


def claims_figure(rows: Sequence[Row]) -> str:
    """The interval of each effect, what it is held against in the shade, the claim's verdict in words at the right."""
    labels = [row.label if row.of_claim else f"{row.label}  ·" for row in rows]
    left = 0.3 + _INCH_A_LETTER * max(len(label) for label in labels)
    places = [_ROW * (number + 0.5) for number in range(len(rows))]
    tall = _ROW * len(rows)
    width, height = max(8.6, left + 4.4 + _RIGHT), _TOP + tall + _AXIS
    figure, axes = canvas(width, height)
    estimates = [row.estimate for row in rows if row.estimate]
    reach = max([reach_of(estimates) if estimates else 0.5, *(1.06 * abs(end) for row in rows for end in row.ends)])
    axes.axvline(0, color=SOFT, linewidth=1)
    for y, row in zip(places, rows, strict=True):
        _draw(axes, y, row, reach)
    axes.set_yticks(places, labels)
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontsize(10 if row.of_claim else 9)
        text.set_color(INK if row.of_claim else SOFT)
    axes.set_ylim(tall, 0)
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("effect: mean and 95 % t interval over seeds, in the shade if the claim is to hold", fontsize=9)
    figure.subplots_adjust(left=left / width, right=1 - _RIGHT / width, top=1 - _TOP / height, bottom=_AXIS / height)
    return as_svg(figure, "claims", "Claims: effect, interval, and what it is held against")


def _draw(axes: Axes, y: float, row: Row, reach: float) -> None:
    colour, mark, sign = VERDICTS[row.verdict]
    top, tall = y - _ROW * 0.42, _ROW * 0.84
    if row.ends:
        low, high = row.ends[0], row.ends[1] if len(row.ends) > 1 else reach
        axes.add_patch(Rectangle((low, top), high - low, tall, facecolor=SOFT, alpha=0.16, linewidth=0, zorder=0.5))
    for end in row.ends:
        axes.plot([end, end], [top, top + tall], color=INK, linewidth=1.3, zorder=1.5)
    if row.estimate:
        draw_estimate(axes, y, row.estimate, colour, mark, reach, 10 if mark == "X" else 8)
    if row.of_claim:
        words = f"{sign} {row.verdict.replace('_', ' ')}"
        beside = axes.get_yaxis_transform()
        axes.text(1.02, y, words, transform=beside, va="center", color=colour, fontsize=10, fontweight="bold")


def ends_of(study: Study, levels: Levels, effect: Effect, estimate: Estimate) -> tuple[float, ...]:
    """What the interval of an effect is held against: the least, or both bounds; none where no seed has the bounds."""
    if effect.direction == "above":
        return (effect.least,)
    bound = effect.bound
    if effect.bound_of:
        held = estimate_of(study, effect.bound_of, levels, set(estimate.seeds))
        if not held.values:
            return ()
        bound = held.mean
    return (-bound, bound)
