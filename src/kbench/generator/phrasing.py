"""Which phrasings a fact is written in, and how often each: paraphrases and exposures, spread evenly."""

from dataclasses import dataclass

import numpy as np

from kbench.generator.budgets import in_budget
from kbench.generator.hashing import Ints, below, stream_key
from kbench.generator.packs import Pack, Phrasing, PhrasingRole
from kbench.generator.sections import Section, asked_times, stated
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES


@dataclass(frozen=True)
class Uses:
    """Who is written in which phrasing: a row for each use, in the order of subjects, then of phrasings."""

    subject: Ints
    """The position in the column of subjects."""
    phrasing: Ints
    """The position among the phrasings."""
    repeat: Ints

    def of(self, phrasing: int) -> Ints:
        """The rows of one phrasing."""
        rows: Ints = np.flatnonzero(self.phrasing == phrasing)
        return rows


def first_phrasing(world: World, style: str, name: str, role: PhrasingRole, index: Ints, n: int) -> Ints:
    """The phrasing, of n, that a fact starts from: facts of one relation start at different ones."""
    return below(stream_key(world.seed, "phrasing", style, name, role), world.drawn_as(index), n)


def uses(world: World, section: Section, name: str, phrasings: tuple[Phrasing, ...], index: Ints, times: Ints) -> Uses:
    """How a column of subjects is spread over the phrasings of one style and relation.

    In training text each fact takes `paraphrases` phrasings, whose repeats sum to `times`; in validation, test and
    control it takes as many as the spec says, once each.
    """
    n = len(phrasings)
    start = first_phrasing(world, phrasings[0].style, name, section.phrasing, index, n)
    most = np.minimum(min(n, distinct(world, section)), times)
    rank = (np.arange(n)[None, :] - start[:, None]) % n
    share, rest = np.divmod(times, np.maximum(1, most))
    repeat = share[:, None] + (rank < rest[:, None])
    if (most == n).all():  # the usual case, and the quicker one
        return Uses(np.repeat(np.arange(index.size), n), np.tile(np.arange(n), index.size), repeat.ravel())
    subject, phrasing = np.nonzero(rank < most[:, None])
    return Uses(subject, phrasing, repeat[subject, phrasing])


def distinct(world: World, section: Section) -> int:
    """How many phrasings a fact takes at most."""
    exposure = world.spec.exposure
    return {"train": exposure.paraphrases, "validation": exposure.validation, "test": exposure.test}[section.phrasing]


def times_of(world: World, pack: Pack, section: Section, style: str, name: str, kind: str, index: Ints, n: int) -> Ints:
    """How often each fact of a section is to be said in one style that has n phrasings of it.

    `name` is the relation, `kind` the type of the entities in `index` that it is asked of.
    """
    if section.phrasing != "train":
        times: Ints = np.full(index.size, min(n, distinct(world, section)), dtype=np.int64)
    elif section.role == "known" and (section.untold or style not in DOCUMENT_STYLES):
        times = in_budget(world.spec, pack, style, asked_times(world, name, kind, index))
    else:
        times = in_budget(world.spec, pack, style, stated(world, section.role, name, kind, index))
    if section.untold:
        times = np.where(stated(world, section.role, name, kind, index) == 0, times, 0)
    return times
