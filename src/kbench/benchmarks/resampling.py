"""What chance alone would do: intervals by resampling entities, and p by flipping their signs.

scipy has the permutation test too, but is no part of a plain install, and holds all flips in memory at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2000
_STREAM = 20250307
_FLIPS = 10_000
_EXACT = 13
"""Up to so many entities that differ, all flips are counted: 2 ** 13 are less than `_FLIPS`."""

_AT_ONCE = 4_000_000
"""Draws held in memory together."""


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval, and the standard deviation of the resampled means."""

    low: float
    high: float
    stderr: float


@dataclass(frozen=True)
class SignFlip:
    """The two-sided p of a mean difference, the least p that the test could have given, and whether it is exact."""

    p: float
    floor: float
    exact: bool


def intervals(clusters: Sequence[str], values: Floats) -> list[Interval]:
    """The interval of the mean of each column of `values` (rows × measures, NaN where one does not apply).

    The unit of resampling is the cluster; all columns share the draws, of a fixed stream. A resample that has no value
    of a column is left out for it. A column without any value has NaN everywhere.
    """
    means = resampled_means(clusters, values)
    return [interval_of(means[:, column]) for column in range(values.shape[1])]


def resampled_means(clusters: Sequence[str], values: Floats, stream: int = _STREAM) -> Floats:
    """The mean of each column of `values` in each of `RESAMPLES` resamples of the clusters; NaN where it has none."""
    _, places = np.unique(np.asarray(clusters), return_inverse=True)
    there = ~np.isnan(values)
    size = int(places.max(initial=-1)) + 1
    sums = _by_cluster(places, np.where(there, values, 0.0), size)
    counts = _by_cluster(places, there.astype(np.float64), size)
    draws, parts = np.random.default_rng(stream), []
    step = max(1, _AT_ONCE // max(1, size))
    for start in range(0, RESAMPLES, step):
        times = _times_drawn(draws, min(step, RESAMPLES - start), size)
        with np.errstate(invalid="ignore"):  # 0 / 0 is a resample without a value: NaN, and left out of intervals
            parts.append((times @ sums) / (times @ counts))
    return np.concatenate(parts)


def _by_cluster(places: NDArray[np.intp], values: Floats, size: int) -> Floats:
    columns = [np.bincount(places, weights=values[:, column], minlength=size) for column in range(values.shape[1])]
    return np.stack(columns, axis=1)


def _times_drawn(stream: np.random.Generator, resamples: int, size: int) -> Floats:
    """How often each cluster is drawn in each of some resamples."""
    drawn = stream.integers(0, size, size=(resamples, size)) + np.arange(resamples)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(np.float64)


def interval_of(means: Floats) -> Interval:
    """The interval of a figure whose value in each resample is known; those without one (NaN) are left out."""
    kept = means[~np.isnan(means)]
    if kept.size < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(kept, [0.025, 0.975])
    return Interval(float(low), float(high), float(kept.std(ddof=1)))


def sign_flip(clusters: Sequence[str], differences: Floats) -> SignFlip:
    """How often a mean difference as far from 0 comes about if in each cluster the two could as well change places.

    With few clusters that differ all flips are counted; else 10,000 are drawn from a fixed stream, the one that was
    found counted among them (Phipson and Smyth 2010), so that p is never 0.
    """
    _, places = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.bincount(places, weights=differences)
    sums = sums[sums != 0]
    found = abs(float(sums.sum())) * (1 - 1e-12)  # sums of floats in another order differ in their last digits
    if sums.size <= _EXACT:
        flips = (np.arange(2**sums.size)[:, None] >> np.arange(sums.size)) & 1
        extreme = int((np.abs((1 - 2 * flips) @ sums) >= found).sum())
        return SignFlip(extreme / 2**sums.size, min(1.0, 2 / 2**sums.size), exact=True)
    stream, extreme = np.random.default_rng(_STREAM), 1
    total, width = float(sums.sum()), -(-sums.size // 8)
    step = max(1, _AT_ONCE // sums.size)
    for start in range(0, _FLIPS, step):
        bits = stream.integers(0, 256, size=(min(step, _FLIPS - start), width), dtype=np.uint8)
        minus = np.unpackbits(bits, axis=1, count=sums.size).astype(np.float64)
        extreme += int((np.abs(total - 2 * (minus @ sums)) >= found).sum())
    return SignFlip(extreme / (_FLIPS + 1), 1 / (_FLIPS + 1), exact=False)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p adjusted for their number (Holm 1979), in their own order."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, ps[place] * (len(ps) - rank)))
        adjusted[place] = least
    return adjusted
