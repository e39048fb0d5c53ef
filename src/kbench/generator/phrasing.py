"""Which phrasings a fact is written in, and how often each: paraphrases and exposures, spread evenly."""

from dataclasses import dataclass

import numpy as np

from kbench.generator.hashing import Ints, below, stream_key
from kbench.generator.packs import Phrasing, PhrasingRole
from kbench.generator.sections import Section, exposures
from kbench.generator.world import World


@dataclass(frozen=True)
class Use:
    """A phrasing, the positions (in the column of subjects) that are written in it, and the repeat of each."""

    phrasing: Phrasing
    rows: Ints
    repeat: Ints


def first_phrasing(world: World, style: str, name: str, role: PhrasingRole, index: Ints, n: int) -> Ints:
    """The phrasing, of n, that a fact starts from: facts of one relation start at different ones."""
    return below(stream_key(world.seed, "phrasing", style, name, role), index, n)


def uses(world: World, section: Section, phrasings: tuple[Phrasing, ...], kind: str, index: Ints) -> list[Use]:
    """How a column of subjects is spread over the phrasings of one style and relation.

    In training text each fact takes `paraphrases` phrasings, whose repeats sum to its exposures; in validation, test
    and control it takes as many as the spec says, once each.
    """
    n = len(phrasings)
    style, name = phrasings[0].style, phrasings[0].relation
    start = first_phrasing(world, style, name, section.phrasing, index, n)
    times = _times(world, section, kind, index, n)
    most = np.minimum(min(n, _distinct(world, section)), times)
    found = []
    for order, phrasing in enumerate(phrasings):
        rank = (order - start) % n
        rows = np.flatnonzero(rank < most)
        repeat = times[rows] // most[rows] + (rank[rows] < times[rows] % most[rows])
        found.append(Use(phrasing, rows, repeat))
    return found


def _distinct(world: World, section: Section) -> int:
    exposure = world.spec.exposure
    return {"train": exposure.paraphrases, "validation": exposure.validation, "test": exposure.test}[section.phrasing]


def _times(world: World, section: Section, kind: str, index: Ints, n: int) -> Ints:
    if section.phrasing == "train":
        return exposures(world, section.role, kind, index)
    return np.full(index.size, min(n, _distinct(world, section)), dtype=np.int64)
