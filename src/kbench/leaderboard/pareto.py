"""The picture of score against cost: tokens trained, the headline, and who gives most for so many tokens."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, log2

from kbench.leaderboard.boards import article_passes
from kbench.leaderboard.entry import Scores
from kbench.leaderboard.labels import Anchor, Box, Label, placed, text_box
from kbench.leaderboard.scale import Scale, Tick, score_scale, score_ticks
from kbench.leaderboard.standing import Line
from kbench.leaderboard.tracks import CLASSES
from kbench.leaderboard.wording import short

WIDTH, HEIGHT = 900, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 884, 34, 390
_AREA = Box(_LEFT, _TOP, _RIGHT, _BOTTOM)
_LONGEST = 36
"""How many letters of a title a label has."""


@dataclass(frozen=True)
class Dot:
    """An entry in the picture: its place, its interval, its label, and whether nothing cheaper scores as much."""

    line: Line
    x: float
    y: float
    low: float
    high: float
    best: bool
    label: Label | None = None


@dataclass(frozen=True)
class Band:
    """A class of tokens: where it lies and what it is called."""

    left: float
    right: float
    text: str


@dataclass(frozen=True)
class Level:
    """A reference: a line across, and its label where there is room for one."""

    line: Line
    y: float
    label: Label | None


@dataclass(frozen=True)
class Pareto:
    """The picture of one base on one release."""

    base: str
    release: str
    dots: tuple[Dot, ...]
    levels: tuple[Level, ...]
    bands: tuple[Band, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    frontier: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


def pareto_pictures(lines: Sequence[Line]) -> tuple[Pareto, ...]:
    """One picture for each base and release that methods of these lines stand on."""
    stands: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.entry.track == "methods" and (line.entry.is_reference or line.entry.cost.tokens):
            stands[line.entry.base.model, line.entry.release.name].append(line)
    return tuple(
        _picture(base, release, mine)
        for (base, release), mine in sorted(stands.items(), key=lambda stand: stand[0])
        if any(not line.entry.is_reference for line in mine)
    )


def frontier(lines: Sequence[Line]) -> list[Line]:
    """Those that no other beats at the same tokens or fewer, by tokens; who keeps too little of the base is none."""
    best: list[Line] = []
    keeping = [line for line in lines if line.retains is not False]
    for line in sorted(keeping, key=lambda line: (article_passes(line.entry), -line.scores.headline, line.entry.id)):
        if not best or line.scores.headline > best[-1].scores.headline:
            best.append(line)
    return best


def _picture(base: str, release: str, lines: Sequence[Line]) -> Pareto:
    own = sorted(
        (line for line in lines if not line.entry.is_reference),
        key=lambda line: (-line.scores.headline, line.entry.id),
    )
    costs = {line.entry.id: log2(article_passes(line.entry)) for line in own}
    least, most = min(-1.0, floor(min(costs.values()))), max([log2(CLASSES[-1]), *costs.values()]) + 0.3
    across = Scale(least, most, _LEFT, _RIGHT)
    up = score_scale([line.scores for line in lines], _BOTTOM, _TOP, axes=False)
    levels = _levels([line for line in lines if line.entry.is_reference], up)
    best = frontier(own)
    stairs = [(across.at(costs[line.entry.id]), up.at(line.scores.headline)) for line in best]
    dots = [Dot(line, across.at(costs[line.entry.id]), *_heights(line.scores, up), line in best) for line in own]
    labels = placed(
        [(short(dot.line.entry.title, _LONGEST), dot.x, dot.y) for dot in dots],
        _AREA,
        [level.label.box for level in levels if level.label],
        [
            *(Box(dot.x - 1, dot.high, dot.x + 1, dot.low) for dot in dots),
            *(Box(_LEFT, level.y - 1, _RIGHT, level.y + 1) for level in levels),
            *_strokes(stairs),
        ],
    )
    return Pareto(
        base,
        release,
        tuple(replace(dot, label=label) for dot, label in zip(dots, labels, strict=True)),
        levels,
        _bands(across),
        tuple(Tick(across.at(power), _power(power)) for power in range(ceil(least), floor(most) + 1)),
        tuple(score_ticks(up, 0.2)),
        _stairs(stairs),
    )


def _heights(scores: Scores, up: Scale) -> tuple[float, float, float]:
    return up.at(scores.headline), up.at(scores.low), up.at(scores.high)


def _levels(lines: Sequence[Line], up: Scale) -> tuple[Level, ...]:
    """The references, their labels at either end, over or under the line; one that finds no room has none."""
    found: list[Level] = []
    for line in lines:
        text, at = f"{line.entry.kind}: {short(line.entry.title, _LONGEST)}", up.at(line.scores.headline)
        ends: list[tuple[float, Anchor]] = [(_RIGHT - 6, "end"), (_LEFT + 6, "start")]
        places = [
            Label(text, x, round(y, 1), anchor, False, text_box(text, x, y, anchor))
            for x, anchor in ends
            for y in (at - 5, at + 15)
        ]
        taken = [level.label.box for level in found if level.label]
        free = (place for place in places if _AREA.holds(place.box) and not any(map(place.box.hides, taken)))
        found.append(Level(line, at, next(free, None)))
    return tuple(found)


def _bands(x: Scale) -> tuple[Band, ...]:
    edges = [x.start, *(x.at(log2(times)) for times in CLASSES), x.end]
    texts = [*(f"≤ {times}×" for times in CLASSES), ""]
    return tuple(Band(a, b, text) for (a, b), text in zip(pairwise(edges), texts, strict=True))


def _power(power: int) -> str:
    return f"{2**power}" if power >= 0 else f"1/{2**-power}"


def _stairs(points: Sequence[tuple[float, float]]) -> str:
    """The frontier as a path: level until the next that scores more, and on to the right edge."""
    if not points:
        return ""
    path = f"M{points[0][0]} {points[0][1]}"
    for left, top in points[1:]:
        path += f"H{left}V{top}"
    return f"{path}H{_RIGHT}"


def _strokes(points: Sequence[tuple[float, float]]) -> list[Box]:
    """What the frontier covers."""
    found = []
    for (left, top), (right, next_top) in pairwise([*points, (_RIGHT, points[-1][1])] if points else []):
        found += [Box(left, top - 2, right, top + 2), Box(right - 2, next_top, right + 2, top)]
    return found
