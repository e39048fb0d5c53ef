"""How the site writes numbers: fixed forms, so that the same entries give the same bytes."""

from collections.abc import Callable, Mapping

MINUS = "−"


def two(value: float) -> str:
    """A score in two decimals."""
    return _fixed(value, 2)


def three(value: float) -> str:
    """A score in three decimals."""
    return _fixed(value, 3)


def signed(value: float) -> str:
    """A difference in three decimals, with its sign: also what rounds to 0 says on which side it lies."""
    return f"{MINUS if value < 0 else '+'}{abs(value):.3f}"


def percent(share: float) -> str:
    """A share in whole percents, rounded down: what fails a bound is not shown as on it."""
    return f"{int(share * 100 + 1e-9)} %"


def times(value: float) -> str:
    """How many times something is: two digits that count."""
    return f"{value:.2f}×" if value < 1 else f"{value:.1f}×" if value < 100 else f"{value:,.0f}×"


def seconds(value: float) -> str:
    """A time in the unit that reads best."""
    if value < 120:
        return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,}"


def key(value: float | None) -> str:
    """A number as a row's sort key; of none, nothing."""
    return "" if value is None else f"{value:.6f}"


def short(text: str, most: int) -> str:
    """A text cut to so many letters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _fixed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


FILTERS: Mapping[str, Callable[..., str]] = {
    "two": two,
    "three": three,
    "signed": signed,
    "percent": percent,
    "times": times,
    "seconds": seconds,
    "count": count,
    "key": key,
    "short": short,
}
"""What the templates write numbers with."""
