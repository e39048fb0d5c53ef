"""A straight scale of a picture: values to pixels, cut at its ends, in one decimal."""

from dataclasses import dataclass
from math import ceil, floor

from kbench.leaderboard.entry import Scores
from kbench.leaderboard.wording import two


@dataclass(frozen=True)
class Scale:
    """From `low` at pixel `start` to `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside is put on the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def moved(self, by: float) -> "Scale":
        """The same, so many pixels further."""
        return Scale(self.low, self.high, self.start + by, self.end + by)


@dataclass(frozen=True)
class Tick:
    """A place on a scale and what is written there."""

    at: float
    text: str


LOWEST = -0.4
"""Where a scale of corrected scores is cut: a corrected score has no lower bound."""


def score_scale(scores: list[Scores], start: float, end: float, *, axes: bool) -> Scale:
    """A scale that holds these headlines with their intervals, and the axes too where asked."""
    lows = [found.low for found in scores]
    if axes:
        lows += [axis.low for found in scores for axis in found.axes.values()]
    least = min([0.0, *lows])
    return Scale(max(LOWEST, floor(least * 10) / 10), 1.0, start, end)


def score_ticks(scale: Scale, step: float) -> list[Tick]:
    """Ticks in steps from 0 to 1, and below it as far as the scale goes."""
    values = [number * step for number in range(ceil(scale.low / step - 1e-9), round(1 / step) + 1)]
    return [Tick(scale.at(value), two(value).removesuffix("0")) for value in values]
