"""Labels beside points: each where it hides no other, on a line of its own where it must stand further off."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Anchor = Literal["start", "middle", "end"]

_NARROW, _BROAD = frozenset("iljtfrI.,:;'|!()[]- "), frozenset("mwMW@%&")
_HEIGHT = 15.0
_REACH = 30
"""How many lines up and down a label may be moved."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def hides(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other: "Box") -> bool:
        """Whether the other lies within."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True)
class Label:
    """A text at a place; `led` where it stands so far off its point that a line leads to it."""

    text: str
    x: float
    y: float
    anchor: Anchor
    led: bool
    box: Box


def text_width(text: str) -> float:
    """About how wide a text of 12 pixels is in any sans-serif type: rather more than less."""
    return sum(_letter(letter) for letter in text)


def text_box(text: str, x: float, y: float, anchor: Anchor) -> Box:
    """What a text whose baseline begins, is centred or ends at a place covers."""
    width = text_width(text)
    left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
    return Box(left - 2, y - 12, left + width + 2, y + 4)


def placed(
    points: Sequence[tuple[str, float, float]], area: Box, taken: Sequence[Box], thin: Sequence[Box] = ()
) -> list[Label | None]:
    """A label for each point (text, x, y) within an area, None where there is no room for it.

    No label covers another, a point or what is `taken`; and nothing `thin` either, where that can be had.
    """
    dots = [Box(x - 7, y - 7, x + 7, y + 7) for _, x, y in points]
    found: list[Label | None] = []
    covered = [*taken, *dots]
    for text, x, y in points:
        label = next((place for place in _places(text, x, y) if _fits(place.box, area, [*covered, *thin])), None)
        label = label or next((place for place in _places(text, x, y) if _fits(place.box, area, covered)), None)
        if label is not None:
            covered.append(label.box)
        found.append(label)
    return found


def _letter(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 12.5
    if letter in _BROAD:
        return 11.5
    return 4.6 if letter in _NARROW else 8.6 if letter.isupper() else 7.2 if letter.isascii() else 9.5


def _fits(box: Box, area: Box, covered: Sequence[Box]) -> bool:
    return area.holds(box) and not any(box.hides(other) for other in covered)


def _places(text: str, x: float, y: float) -> Iterator[Label]:
    """The places of a label, the best first: beside its point, above, below, then further and further off."""
    near: list[tuple[float, float, Anchor]] = [(10, 4, "start"), (-10, 4, "end"), (0, -11, "middle"), (0, 20, "middle")]
    for across, down, anchor in near:
        yield _label(text, x + across, y + down, anchor, led=False)
    for step in range(1, _REACH):
        for down in (-step * _HEIGHT, step * _HEIGHT):
            for across, anchor in ((20.0, "start"), (-20.0, "end")):
                yield _label(text, x + across, y + 4 + down, anchor, led=True)


def _label(text: str, x: float, y: float, anchor: Anchor, *, led: bool) -> Label:
    return Label(text, round(x, 1), round(y, 1), anchor, led, text_box(text, x, y, anchor))
