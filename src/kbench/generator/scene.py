"""A section to be written: its world, its pack, and what its entities are called, computed once."""

from dataclasses import dataclass, field, replace
from typing import Any

from kbench.generator.columns import Texts, take
from kbench.generator.hashing import Ints
from kbench.generator.mentions import Columns, full_mentions
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.packs import Pack
from kbench.generator.region import Region
from kbench.generator.sections import Section
from kbench.generator.world import World

_REMEMBERED = 2
"""Blocks of so many sections are remembered: a split's rows and those of the next are about the same entities."""


@dataclass(frozen=True)
class Called:
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
    memory: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)
    """What does not depend on the split, for the sections that follow with the same blocks."""

    def called(self, kind: str) -> Called:
        """What the section's own entities of a type are called."""
        key = ("called", kind)
        if key not in self.memory:
            index = self.world.members(kind, self.section.blocks)
            names = self.world.names(kind, index)
            self.memory[key] = Called(index, self.world.ids(kind, index), full_mentions(self.world, kind, names))
        found: Called = self.memory[key]
        return found

    def mention(self, kind: str, index: Ints, variable: str) -> Texts:
        """A mention of each entity by its full name, the section's own or not."""
        own = self.called(kind)
        if index is own.index:
            return own.mentions[variable]
        at = self.world.places(kind, index) if isinstance(self.world, Region) else None
        if at is None:
            return full_mentions(self.world, kind, self.world.names(kind, index))[variable]
        return take(own.mentions[variable], at)


def scene_of(world: World, pack: Pack, section: Section) -> Scene:
    """The scene of a section, which remembers what was computed for a section of the same blocks before."""
    remembered: dict[bytes, tuple[World, Ints, dict[tuple[str, ...], Any]]] = world.__dict__.setdefault("_scenes", {})
    key = section.blocks.tobytes()
    if key not in remembered:
        own = world if isinstance(world, FactWorld) else Region(world.spec, world.seed, held=section.blocks)
        while len(remembered) >= _REMEMBERED:
            _, _, memory = remembered.pop(next(iter(remembered)))
            memory.clear()  # what it holds knows its scene, which holds it: nothing else would free it soon
        remembered[key] = (own, section.blocks, {})
    region, blocks, memory = remembered[key] = remembered.pop(key)
    return Scene(region, pack, replace(section, blocks=blocks), memory)
