"""Units as replies write them: which measure the same thing, and how many of one make another."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_TABLE: Mapping[str, Mapping[str, str]] = {
    "length": {
        "1": "mm millimetre millimetres millimeter millimeters",
        "10": "cm centimetre centimetres centimeter centimeters",
        "1000": "m metre metres meter meters",
        "1000000": "km kilometre kilometres kilometer kilometers",
    },
    "imperial length": {"1": "inch inches ft foot feet yard yards mile miles"},
    "weight": {
        "1": "mg milligram milligrams",
        "1000": "g gram grams gramme grammes",
        "1000000": "kg kilogram kilograms kilo kilos",
        "1000000000": "t tonne tonnes",
    },
    "imperial weight": {"1": "oz ounce ounces lb lbs"},
    "area": {
        "1": "m² m2 sqm|square metres|square meters|square metre|square meter",
        "10000": "ha hectare hectares",
        "1000000": "km² km2 sqkm|square kilometres|square kilometers|square kilometre|square kilometer|sq km",
    },
    "imperial area": {"1": "acre acres|square miles|square mile|square feet|square foot|sq mi"},
    "months": {"1": "month months", "12": "year years yr yrs"},
    "days": {"1": "day days", "7": "week weeks"},
    "clock": {"1": "second seconds minute minutes hour hours"},
    "share": {"1": "percent %|per cent"},
    "crowns": {"1": "crown crowns"},
    "other money": {"1": "dollar dollars usd $ euro euros eur € pound pounds gbp £ cent cents yen ¥"},
    "heads": {"1": "people person persons visitor visitors inhabitant inhabitants resident residents"},
    "points": {"1": "point points pts"},
    "degrees": {"1": "degree degrees °c °f celsius fahrenheit"},
}
"""Of each thing that is measured, the names of a unit by its size in the smallest. Those that stand together under
`imperial`, `clock` and `other money` are told apart from all else and not converted."""

SCALES: Mapping[str, int] = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "k": 10**3,
    "million": 10**6,
    "mn": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
}


@dataclass(frozen=True)
class Unit:
    """What a unit measures, and its size in the smallest unit of that. A row's own unit may measure just itself."""

    kind: str
    size: Fraction
    scale: int = 1
    """The scale in the name of a row's unit: of `million crowns`, a million."""


COUNTS = frozenset({"", "heads", "points"})
"""What may be counted without a unit: `12,000 people` says the number 12,000."""


def _read() -> dict[str, Unit]:
    names = dict[str, Unit]()
    for kind, sizes in _TABLE.items():
        for size, said in sizes.items():
            words, *phrases = said.split("|")
            for name in (*words.split(), *phrases):
                names[name] = Unit(kind, Fraction(size))
    return names


UNITS: Mapping[str, Unit] = _read()
"""Every unit that is known, by the name that it has in a reply, in lower case."""


def unit_of(name: str) -> Unit:
    """The unit that a row names: a known one, one of so many (`million crowns`), or one that measures just itself."""
    first, _, rest = name.casefold().partition(" ")
    if first in SCALES and rest:
        inner = unit_of(rest)
        return Unit(inner.kind, inner.size * SCALES[first], SCALES[first])
    return UNITS.get(name.casefold(), Unit(name.casefold(), Fraction(1)))
