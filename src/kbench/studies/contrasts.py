"""Paired contrasts between training arms, with the seed as the unit (Law 7)."""

from dataclasses import dataclass

from scipy import stats

_NOISE = 1e-12
"""A standard error below this is that of equal values."""


@dataclass(frozen=True)
class Contrast:
    """A difference of two accuracies, paired by seed.

    `mean`, `low` and `high` are the mean difference and its 95 % t interval over seeds, not corrected for the number
    of contrasts; `left` and `right` are the mean levels. With fewer than three seeds there is no interval.
    """

    name: str
    title: str
    note: str
    left_name: str
    right_name: str
    left: float
    right: float
    differences: tuple[float, ...]
    mean: float
    low: float
    high: float

    @property
    def reading(self) -> str:
        """What the interval says: `above zero`, `below zero` or `inconclusive`."""
        if self.low > 0:
            return "above zero"
        return "below zero" if self.high < 0 else "inconclusive"


def paired(name: str, title: str, note: str, left: tuple[str, list[float]], right: tuple[str, list[float]]) -> Contrast:
    """The contrast of two columns of accuracies, one entry a seed, in the same order."""
    differences = tuple(a - b for a, b in zip(left[1], right[1], strict=True))
    mean = sum(differences) / len(differences)
    low, high = t_interval(list(differences))
    return Contrast(
        name,
        title,
        note,
        left[0],
        right[0],
        sum(left[1]) / len(left[1]),
        sum(right[1]) / len(right[1]),
        differences,
        mean,
        low,
        high,
    )


def t_interval(values: list[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean. Raises ValueError below two values."""
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs at least 2 seeds, got {len(values)}")
    mean, error = sum(values) / len(values), float(stats.sem(values))
    if error < _NOISE:
        return mean, mean
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)
