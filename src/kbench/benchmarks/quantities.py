"""The one number that a reply says, in the unit that its row asks for."""

import re
import unicodedata
from fractions import Fraction

from kbench.benchmarks.spelled import SPELLED, spelled_number
from kbench.benchmarks.units import COUNTS, SCALES, UNITS, Unit, unit_of

_DIGITS = re.compile(
    r"(?P<money>[$€£¥] ?)?(?<![\w.,])(?P<sign>[-+])?"
    r"(?P<number>\d[\d,.]*(?:\u2009\d{3})*(?:e[-+]?\d{1,2}\b)?)"
)
_PLAIN = re.compile(r"(\d+|\d{1,3}(,\d{3})+|\d{1,3}(\u2009\d{3})+)(\.\d+)?(e[-+]?\d{1,2})?")
_BOUND = re.compile(
    r"\b(than|over|under|above|below|not|never|up to|at (least|most)|half|between|minimum|maximum)\b|[<>≤≥]"
)
_NAMES = "|".join(re.escape(name) for name in sorted({*UNITS}, key=len, reverse=True))
_SCALES = "|".join(sorted(SCALES, key=len, reverse=True))
_AFTER = re.compile(rf"(?P<scale>(?:[ -]?(?:{_SCALES})\b)*)[ -]?(?P<unit>(?:{_NAMES})(?!\w))?")
_LETTERS = re.compile(r"\w")
_RATE = re.compile(r" ?(/|per (?!cent))")
_LONGEST = 40
"""A number of more letters than this is none: it would be no number of a row."""

_SPACES = str.maketrans(
    {"\u00a0": "\u2009", "\u202f": "\u2009", "\u2007": "\u2009", "−": "-", "\u2010": "-", "\u2011": "-"}
)


def read_number(text: str, unit: str = "") -> float | None:
    """The number that a text says, in `unit`; None where it says none, or not one.

    Read are `1,234`, `1234`, `1.234e3`, `−5`, `1.2 million` and `twelve hundred and four`, whatever stands around them
    ("about 172 cm tall"). A number without a unit is in the row's. Metric units are converted (`1.61 m` is 161 cm), as
    are `million` and its like; another unit (`161 feet`, `45 dollars` for crowns) is no answer. None too for a bound
    ("more than 100"), two numbers that differ, `12,34`, and a number that is part of a word or name (`X7`).
    """
    said = text.translate(_SPACES).casefold()
    said = unicodedata.normalize("NFC", re.sub(r"(?<!\d)\u2009|\u2009(?!\d{3}(?!\d))", " ", said))
    if _BOUND.search(said):
        return None
    asked = unit_of(unit)
    found = [_quantity(said, match, asked) for match in _DIGITS.finditer(said)]
    if not found:
        found = [_spelled(said, match, asked) for match in SPELLED.finditer(said)]
    return float(found[0]) if found and found[0] is not None and len(set(found)) == 1 else None


def within(number: float, said: float | None, tolerance: float) -> bool:
    """Whether what was said is the number, give or take a share of it."""
    return said is not None and abs(said - number) <= tolerance * abs(number) * (1 + 1e-9)


def _quantity(text: str, match: re.Match[str], asked: Unit) -> Fraction | None:
    digits = match["number"]
    end = match.end() - (len(digits) - len(digits := digits.rstrip(".,")))
    if len(digits) > _LONGEST or not _PLAIN.fullmatch(digits):
        return None
    number = Fraction(re.sub("[,\u2009]", "", digits)) * (-1 if match["sign"] == "-" else 1)
    money = UNITS[match["money"].strip()] if match["money"] else None
    return _in_unit(number, text, end, asked, money)


def _spelled(text: str, match: re.Match[str], asked: Unit) -> Fraction | None:
    number = spelled_number(match[0])
    return None if number is None else _in_unit(number, text, match.end(), asked, None)


def _in_unit(number: Fraction, text: str, end: int, asked: Unit, before: Unit | None) -> Fraction | None:
    """The number in the unit asked for, by the scale and unit that follow it."""
    after = _AFTER.match(text, end)
    scales = re.findall(_SCALES, after["scale"]) if after else []
    name = after["unit"] if after else None
    stop = after.end() if after else end
    if (stop == end and _LETTERS.match(text, end)) or _RATE.match(text, stop):
        return None
    for scale in scales:
        number *= SCALES[scale]
    given = UNITS[name] if name else before
    if given is None and text[stop:].lstrip().startswith(asked.kind) and asked.kind:
        given = Unit(asked.kind, Fraction(1))
    if given is None:
        return number / asked.scale if scales else number
    if given.kind != asked.kind:
        return number if asked.kind == "" and given.kind in COUNTS else None
    return number * given.size / asked.size
