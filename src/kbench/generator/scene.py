"""A section to be written: its world, its pack, and what its entities are called, computed once."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kbench.generator.columns import Texts, take
from kbench.generator.hashing import Ints
from kbench.generator.mentions import Columns, full_mentions
from kbench.generator.packs import Pack
from kbench.generator.sections import Section
from kbench.generator.world import World


class Called(NamedTuple):
    """The entities of a type in a section, by index: their ids, and the mentions that name them in full."""

    index: Ints
    ids: Texts
    mentions: Columns


@dataclass(frozen=True)
class Scene:
    """The blocks of one role in one split, with all that their rows are written from."""

    world: World
    pack: Pack
    section: Section
    _called: dict[str, Called] = field(default_factory=dict, repr=False)

    def called(self, kind: str) -> Called:
        """What the section's own entities of a type are called."""
        if kind not in self._called:
            index = self.world.members(kind, self.section.blocks)
            names = self.world.names(kind, index)
            self._called[kind] = Called(index, self.world.ids(kind, index), full_mentions(self.world, kind, names))
        return self._called[kind]

    def ids(self, kind: str, index: Ints) -> Texts:
        """The id of each entity, the section's own or not."""
        at = self._places(kind, index)
        return self.world.ids(kind, index) if at is None else take(self.called(kind).ids, at)

    def mention(self, kind: str, index: Ints, variable: str) -> Texts:
        """A mention of each entity by its full name, the section's own or not."""
        at = self._places(kind, index)
        if at is None:
            return full_mentions(self.world, kind, self.world.names(kind, index))[variable]
        return take(self.called(kind).mentions[variable], at)

    def _places(self, kind: str, index: Ints) -> Ints | None:
        """Where each entity stands among the section's own of its type; None unless all of them do."""
        own = self.called(kind).index
        at = np.searchsorted(own, index)
        if own.size and index.size and (np.take(own, at, mode="clip") == index).all():
            return at
        return None
