"""Ties inside a block: shuffled rows cut into intervals, whose inverse needs no search beyond the block."""

import numpy as np

from kbench.generator.hashing import Ints, Words, mix, permute, unpermute


def cycle(key: Words, place: Ints, n: int) -> Ints:
    """The next of each in one cycle through the block, from its shuffled place: nobody is their own object."""
    return unpermute(key, (place + 1) % n, n)


def slots(key: Words, place: Ints, n: int, m: int, ends: Ints) -> Ints:
    """Which of the m objects each of n subjects has, from its shuffled place: all different, or else intervals."""
    if n <= m:
        return permute(key, place, m)
    return np.searchsorted(ends, place, side="right").astype(np.int64)


def bounds(n: int, m: int, *, zipf: bool) -> Ints:
    """Where the intervals of m objects over n subjects end, but for the last; each has at least one subject."""
    if n <= m:
        return np.empty(0, dtype=np.int64)
    weights = [1000 // (rank + 1) if zipf else 1 for rank in range(m)]
    total, running, ends = sum(weights), 0, []
    for i, weight in enumerate(weights):
        running += weight
        ends.append(max(i + 1, min(n - (m - 1 - i), running * n // total)))
    return np.asarray(ends[:-1], dtype=np.int64)


def pick_one_of(theirs: Ints, row: Ints, wanted: Ints, key: int, index: Ints) -> Ints:
    """For each (row, wanted), one of the columns where that row of `theirs` holds the wanted slot, by a keyed draw."""
    order = np.argsort(theirs, axis=1, kind="stable")
    rows = theirs.shape[0]
    width = int(theirs.max(initial=0)) + 1
    flat = (np.take_along_axis(theirs, order, axis=1) + np.arange(rows)[:, None] * width).ravel()
    low = np.searchsorted(flat, row * width + wanted, side="left")
    high = np.searchsorted(flat, row * width + wanted, side="right")
    drawn = (mix(key, index) % np.maximum(1, high - low).astype(np.uint64)).astype(np.int64)
    picked: Ints = order.ravel()[low + drawn]
    return picked
