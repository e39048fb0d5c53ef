"""Families: a block of people cut into parents and children, couples of one generation, mothers and fathers.

The first `elders` places of a permuted block are the parents' couples, the rest are the children's. Children take
their parents in intervals, larger and smaller families, laid so that no couple are brother and sister.
"""

import numpy as np
from numpy.typing import NDArray

from kbench.generator.hashing import Ints, Words, permute, unpermute
from kbench.generator.slots import bounds


def place_of(key: Words, index: Ints, block: int) -> Ints:
    """Where each stands in the family order of its block."""
    return permute(key, index % block, block)


def is_mother(place: Ints) -> NDArray[np.bool_]:
    """Whether the one at a place is the woman of a couple."""
    even: NDArray[np.bool_] = place % 2 == 0
    return even


def partner_of(key: Words, index: Ints, block: int) -> Ints:
    """The other of each couple."""
    partner: Ints = index // block * block + unpermute(key, place_of(key, index, block) ^ 1, block)
    return partner


def parent_of(key: Words, index: Ints, block: int, elders: int, *, mother: bool) -> Ints:
    """The mother or father of each child; of no meaning for elders."""
    young, couples = block - elders, elders // 2
    child = np.maximum(place_of(key, index, block) - elders, 0)
    # The two of a couple stand half of the row apart, and no family is longer than that.
    row = child % 2 * (young // 2) + child // 2
    couple = np.searchsorted(family_bounds(young, couples), row, side="right")
    parent: Ints = index // block * block + unpermute(key, couple * 2 + (0 if mother else 1), block)
    return parent


def peer_of(key: Words, index: Ints, block: int, elders: int, draw: Words) -> Ints:
    """Another of each one's own generation, by a draw."""
    place = place_of(key, index, block)
    young = place >= elders
    start, size = np.where(young, elders, 0), np.where(young, block - elders, elders)
    away = 1 + (draw % (size - 1).astype(np.uint64)).astype(np.int64)
    peer: Ints = index // block * block + unpermute(key, start + (place - start + away) % size, block)
    return peer


def family_bounds(young: int, couples: int) -> Ints:
    """Where the families end in the row of children: of falling size where that keeps couples apart, else equal."""
    ends = bounds(young, couples, zipf=True)
    sizes = np.diff(np.concatenate([[0], ends, [young]]))
    return ends if sizes.max() <= young // 2 else bounds(young, couples, zipf=False)
