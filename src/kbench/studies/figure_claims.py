"""The claims of a study as a forest: effect, interval and what it is held against, by verdict in colour and mark."""

from collections.abc import Sequence
from dataclasses import dataclass

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
class Held:
    """A claim as it is drawn, and the ends that its interval is held against: the least, or both bounds."""

    judged: Judged
    ends: tuple[float, ...]


def held_against(study: Study, levels: Levels, judged: Sequence[Judged]) -> list[Held]:
    """Each claim with the ends that its first effect's interval is held against."""
    return [
        Held(each, ends_of(study, levels, each.claim.effects[0], each.estimates[0]) if each.estimates else ())
        for each in judged
    ]


def claims_figure(claims: Sequence[Held]) -> str:
    """A row a claim: the interval of its first effect, the least or the bounds, the verdict in words at the right."""
    left = 0.3 + _INCH_A_LETTER * max(len(held.judged.claim.name) for held in claims)
    tall = _ROW * len(claims)
    width, height = max(8.6, left + 4.4 + _RIGHT), _TOP + tall + _AXIS
    figure, axes = canvas(width, height)
    estimates = [held.judged.estimates[0] for held in claims if held.judged.estimates]
    reach = max([reach_of(estimates) if estimates else 0.5, *(1.06 * abs(end) for held in claims for end in held.ends)])
    axes.axvline(0, color=SOFT, linewidth=1)
    for number, held in enumerate(claims):
        _draw(axes, _ROW * (number + 0.5), held, reach)
    axes.set_yticks([_ROW * (number + 0.5) for number in range(len(claims))], [h.judged.claim.name for h in claims])
    axes.set_ylim(tall, 0)
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("effect: mean and 95 % t interval over seeds, in the shade if the claim is to hold", fontsize=9)
    figure.subplots_adjust(left=left / width, right=1 - _RIGHT / width, top=1 - _TOP / height, bottom=_AXIS / height)
    return as_svg(figure, "claims", "Claims: effect, interval, and what it is held against")


def _draw(axes: Axes, y: float, held: Held, reach: float) -> None:
    judged = held.judged
    colour, mark, sign = VERDICTS[judged.verdict]
    if held.ends:
        low, high = held.ends[0], held.ends[1] if len(held.ends) > 1 else reach
        corner, size = (low, y - _ROW * 0.42), (high - low, _ROW * 0.84)
        axes.add_patch(Rectangle(corner, *size, facecolor=SOFT, alpha=0.16, linewidth=0, zorder=0.5))
    for end in held.ends:
        axes.plot([end, end], [y - _ROW * 0.42, y + _ROW * 0.42], color=INK, linewidth=1.3, zorder=1.5)
    if judged.estimates:
        draw_estimate(axes, y, judged.estimates[0], colour, mark, reach)
    words = judged.verdict.replace("_", " ")
    axes.text(
        1.02,
        y,
        f"{sign} {words}",
        transform=axes.get_yaxis_transform(),
        ha="left",
        va="center",
        color=colour,
        fontsize=10,
        fontweight="bold",
    )


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
