"""The picture of the axes: for each axis the scores with their intervals, one line under the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from kbench.leaderboard.axes import AXES, TITLES
from kbench.leaderboard.entry import Scores
from kbench.leaderboard.scale import Scale, Tick, score_scale, score_ticks
from kbench.leaderboard.standing import Line
from kbench.leaderboard.wording import short

_LABEL, _PANEL, _GAP, _HEAD, _ROW, _FOOT = 290, 120, 26, 28, 24, 26
_LONGEST = 38


@dataclass(frozen=True)
class Mark:
    """A score with its interval: pixels."""

    x: float
    y: float
    low: float
    high: float
    reference: bool


@dataclass(frozen=True)
class Panel:
    """One axis: its heading, its ticks, where zero is, and its marks."""

    title: str
    left: float
    right: float
    zero: float
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Forest:
    """All axes beside each other, one line an entry."""

    labels: tuple[Tick, ...]
    panels: tuple[Panel, ...]
    top: int
    bottom: int
    width: int
    height: int
    row: int = _ROW


def forest_of(lines: Sequence[Line]) -> Forest | None:
    """The axes of these lines, best first; None where there is none."""
    if not lines:
        return None
    ordered = sorted(lines, key=lambda line: (-line.scores.headline, line.entry.id))
    scale = score_scale([line.scores for line in ordered], _LABEL, _LABEL + _PANEL, axes=True)
    middles = [_HEAD + _ROW * number + _ROW / 2 for number in range(len(ordered))]
    panels = []
    for number, axis in enumerate(AXES):
        mine = scale.moved(number * (_PANEL + _GAP))
        marks = tuple(
            Mark(mine.at(found.corrected), middle, mine.at(found.low), mine.at(found.high), line.entry.is_reference)
            for line, middle in zip(ordered, middles, strict=True)
            for found in [line.scores.axes[axis]]
        )
        ends = tuple(Tick(mine.at(value), text) for value, text in ((0, "0"), (0.5, ".5"), (1, "1")))
        panels.append(Panel(TITLES[axis], mine.start, mine.end, mine.at(0), ends, marks))
    bottom = _HEAD + _ROW * len(ordered)
    labels = tuple(
        Tick(middle, short(line.entry.title, _LONGEST)) for line, middle in zip(ordered, middles, strict=True)
    )
    width = _LABEL + len(AXES) * (_PANEL + _GAP)
    return Forest(labels, tuple(panels), _HEAD, bottom, width, bottom + _FOOT)


@dataclass(frozen=True)
class Bars:
    """An entry's axes, and its headline: of each the score ranked by, and the private world's under it."""

    rows: tuple["Bar", ...]
    ticks: tuple[Tick, ...]
    left: float
    right: float
    zero: float
    width: int
    height: int
    private: bool


@dataclass(frozen=True)
class Bar:
    """One axis of an entry: the marks of the public and of the private world, and the control's accuracy."""

    title: str
    y: float
    public: Mark
    private: Mark | None
    control: float | None


def bars_of(public: Scores, private: Scores | None) -> Bars:
    """The picture of one entry."""
    both = [public] if private is None else [public, private]
    scale: Scale = score_scale(both, 150, 680, axes=True)
    rows = [_bar("headline", 30, scale, _of(public), None if private is None else _of(private), None)]
    for number, axis in enumerate(AXES, 1):
        mine, theirs = public.axes[axis], None if private is None else private.axes[axis]
        beside = None if theirs is None else (theirs.corrected, theirs.low, theirs.high)
        rows.append(
            _bar(TITLES[axis], 30 + 36 * number, scale, (mine.corrected, mine.low, mine.high), beside, mine.control)
        )
    return Bars(
        tuple(rows), tuple(score_ticks(scale, 0.2)), scale.start, scale.end, scale.at(0), 700, 270, private is not None
    )


def _of(scores: Scores) -> tuple[float, float, float]:
    return scores.headline, scores.low, scores.high


def _bar(
    title: str,
    y: float,
    scale: Scale,
    public: tuple[float, float, float],
    private: tuple[float, float, float] | None,
    control: float | None,
) -> Bar:
    above = y if private is None else y - 6
    return Bar(
        title,
        y,
        Mark(*_place(public, above, scale), reference=False),
        None if private is None else Mark(*_place(private, y + 8, scale), reference=False),
        None if control is None else scale.at(control),
    )


def _place(score: tuple[float, float, float], y: float, scale: Scale) -> tuple[float, float, float, float]:
    value, low, high = (scale.at(part) for part in score)
    return value, y, low, high
