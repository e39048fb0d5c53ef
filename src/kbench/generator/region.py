"""Some blocks of a world: what is asked of their entities again and again is computed once, for all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kbench.generator.columns import Ints, Texts, take
from kbench.generator.hashing import permute
from kbench.generator.relations import Relation
from kbench.generator.world import World


@dataclass(frozen=True)
class Region(World):
    """A world that remembers whole columns about the entities of some of its blocks; it says what the world says."""

    held: Ints = field(kw_only=True, repr=False)
    """The blocks."""

    @cached_property
    def _columns(self) -> dict[tuple[str, ...], Any]:
        return {}

    # ---- who there is

    def members(self, kind: str, blocks: Ints) -> Ints:
        """The indices of the entities of a type that stand in the given blocks."""
        if blocks is not self.held:
            return super().members(kind, blocks)
        key = ("members", kind)
        if key not in self._columns:
            self._columns[key] = super().members(kind, blocks)
        found: Ints = self._columns[key]
        return found

    def subjects(self, name: str, blocks: Ints) -> Ints:
        """The indices of the entities in the given blocks that have a relation."""
        members = self.members(self.spec.relations[name].subject, blocks)
        has = self.has(name, members)
        return members if has.all() else members[has]

    def places(self, kind: str, index: Ints) -> Ints | None:
        """Where each entity stands among the region's own of its type; None unless all of them are its own."""
        own = self.members(kind, self.held)
        if not own.size or not index.size:
            return None
        at = np.searchsorted(own, index)
        return at if (np.take(own, at, mode="clip") == index).all() else None

    def _own(self, key: tuple[str, ...], kind: str, index: Ints, compute: Callable[[Ints], Any]) -> Any:
        """The entries of a column that is computed for all own entities at once; of others, computed for them."""
        own = self.members(kind, self.held)
        at = None if index is own else self.places(kind, index)
        if at is None and index is not own:
            return compute(index)
        if key not in self._columns:
            self._columns[key] = compute(own)
        column = self._columns[key]
        if at is None:
            return column
        return column[at] if isinstance(column, np.ndarray) else take(column, at)

    # ---- what they are called, what is true of them, whom they are tied to

    def ids(self, kind: str, index: Ints) -> Texts:
        """The id of each entity."""
        found: Texts = self._own(("ids", kind), kind, index, lambda whole: World.ids(self, kind, whole))
        return found

    def names(self, kind: str, index: Ints) -> Texts:
        """The name of each entity."""
        key = ("names", kind)
        if key not in self._columns and self.places(kind, index) is not None:
            every = self.names_of_all({kind: self.members(kind, self.held) for kind in self.spec.types})
            self._columns.update({("names", kind): column for kind, column in every.items()})
        found: Texts = self._own(key, kind, index, lambda whole: World.names(self, kind, whole))
        return found

    def numbers(self, name: str, index: Ints) -> Ints:
        """The number of each subject."""
        kind = self.spec.relations[name].subject
        found: Ints = self._own(("numbers", name), kind, index, lambda whole: World.numbers(self, name, whole))
        return found

    def objects(self, name: str, index: Ints) -> Ints:
        """The object index of an entity relation."""
        kind = self.spec.relations[name].subject
        found: Ints = self._own(("objects", name), kind, index, lambda whole: World.objects(self, name, whole))
        return found

    def _place(self, kind: str, index: Ints) -> Ints:
        found: Ints = self._own(("place", kind), kind, index, lambda whole: World._place(self, kind, whole))
        return found

    def _codes(self, name: str, relation: Relation, index: Ints) -> Ints:
        kind = relation.subject
        if not relation.is_balanced or relation.choices < 2:
            return super()._codes(name, relation, index)
        found: Ints = self._own(("codes", name), kind, index, lambda whole: self._all_codes(kind, whole)[name])
        return found

    def _all_codes(self, kind: str, index: Ints) -> dict[str, Ints]:
        """The codes of all balanced relations of a type: in one go, since each alone is little work."""
        relations = self.spec.relations_of(kind)
        names = [name for name, r in relations.items() if r.is_balanced and r.choices > 1 and not r.same_as]
        ks = tuple(self.spec.relations[name].choices for name in names)
        codes = self.ranks(tuple(f"value/{name}" for name in names), kind, index, ks)
        found = dict(zip(names, codes, strict=True))
        if index is self.members(kind, self.held):
            self._columns.update({("codes", name): column for name, column in found.items()})
        return found

    def _shuffled(self, name: str, index: Ints) -> Ints:
        kind = self.spec.relations[name].subject
        found: Ints = self._own(
            ("shuffled", name), kind, index, lambda whole: self._all_shuffled(name, kind, whole)[name]
        )
        return found

    def _all_shuffled(self, name: str, kind: str, index: Ints) -> dict[str, Ints]:
        """The shuffled places for all plain relations of a type, likewise."""
        if index is not self.members(kind, self.held):
            return {name: World._shuffled(self, name, index)}
        n = self.spec.types[kind].block
        names = [
            key
            for key, r in self.spec.relations_of(kind).items()
            if r.object and r.link == "any" and not (r.same_as or r.among or r.apart_from)
        ]
        names = list(dict.fromkeys([*names, name]))
        keys = np.stack([self._block_key(key, self.block_of(kind, index)) for key in names])
        within = np.broadcast_to(index % n, keys.shape)
        places = permute(keys.ravel(), within.ravel(), n).reshape(keys.shape)
        found = dict(zip(names, places, strict=True))
        self._columns.update({("shuffled", key): column for key, column in found.items()})
        return found
