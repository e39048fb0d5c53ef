"""A world of a user's own facts: true of its subjects, and of their control twins what is true of somebody else.

A twin has the name of its subject and the value that another subject has, so its rows ask the same questions with
answers that are false: what a model gives of them it has not learnt from the facts.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from kbench.generator.building import build_world
from kbench.generator.columns import Lists, Texts, take, text_lists, texts
from kbench.generator.hashing import Ints, below, mix, permute
from kbench.generator.ownfacts.book import OwnFact
from kbench.generator.ownfacts.spec import FactSpec
from kbench.generator.ownfacts.values import texts_of
from kbench.generator.spec import WorldSpec
from kbench.generator.world import Mask, Values, World
from kbench.ids import entity_id
from kbench.schema import ROLES

_DRAWS = 16


@dataclass(frozen=True)
class _Column:
    """What a relation says, by the subjects' numbers."""

    facts: list[OwnFact | None]
    classes: Ints
    """Which values are the same; -1 where there is none."""
    donors: Ints
    """The subject whose value the twin takes; -1 where there is none."""
    examples: Ints
    """For each class the first subject that has it."""


@dataclass(frozen=True)
class FactWorld(World):
    """A world whose entities, values and roles come from a fact book: random access by an entity's number."""

    spec: FactSpec

    @cached_property
    def _n(self) -> int:
        return len(self.spec.book.subjects)

    @cached_property
    def _kind(self) -> list[str]:
        return [self.spec.book.types[name] for name in self.spec.book.subjects]

    @cached_property
    def _subjects(self) -> Texts:
        return texts(self.spec.book.subjects)

    @cached_property
    def _columns(self) -> dict[str, _Column]:
        return {name: self._column(name) for name in self.spec.relations}

    # ---- who there is

    def members(self, kind: str, blocks: Ints) -> Ints:
        """The numbers of the entities of a type in the given blocks."""
        everyone = self._in(blocks)
        mine: Ints = everyone[np.asarray([self._kind[i] == kind for i in everyone % self._n], dtype=bool)]
        return mine

    def subjects(self, name: str, blocks: Ints) -> Ints:
        """The numbers of the entities in the given blocks that have a relation, whatever their type."""
        everyone = self._in(blocks)
        holders: Ints = everyone[self.has(name, everyone)]
        return holders

    def _in(self, blocks: Ints) -> Ints:
        """The numbers of the entities in the given blocks, which hold even shares of the subjects."""
        count, role = self.spec.blocks("new"), blocks % len(ROLES) * self._n
        low, high = ((blocks // len(ROLES) + end) * self._n // count for end in (0, 1))
        place = low[:, None] + np.arange(-(-self._n // count))[None, :]
        numbers: Ints = (place + role[:, None])[place < high[:, None]]
        return numbers

    def has(self, name: str, index: Ints) -> Mask:
        """Which entities have a relation; a twin lacks those whose value all subjects share."""
        column = self._columns[name]
        own, twin = column.classes[index % self._n] >= 0, column.donors[index % self._n] >= 0
        return np.where(index < self._n, own, twin)

    def block_of(self, kind: str, index: Ints) -> Ints:
        """The block of each entity."""
        ordinal: Ints = ((index % self._n + 1) * self.spec.blocks("new") - 1) // self._n
        return ordinal * len(ROLES) + index // self._n

    def drawn_as(self, index: Ints) -> Ints:
        """A twin is asked in the phrasings that its subject is asked in."""
        return index % self._n

    # ---- what they are called

    def ids(self, kind: str, index: Ints) -> Texts:
        """The id of each entity: `<world>/<its own type>-<number>`."""
        return texts([entity_id(self.tag, self._kind[int(i) % self._n], int(i)) for i in index])

    def names(self, kind: str, index: Ints) -> Texts:
        """The name of each entity; a twin has that of its subject."""
        return take(self._subjects, index % self._n)

    def popularity(self, kind: str, index: Ints) -> Ints:
        """All are written about alike."""
        return np.ones_like(index)

    def rank(self, stream: str, kind: str, index: Ints, k: int) -> Ints:
        """A number in [0, k) for each entity, such that each run of k of a role has each number once."""
        place = index % self._n
        run = mix(self._key(*stream.split("/")), place // k * len(ROLES) + index // self._n)
        return permute(run, place % k, k)

    # ---- what is true of them, and what is said of their twins

    def values(self, name: str, index: Ints) -> Values:
        """The value of each subject as it was given, and that of another for a twin."""
        facts = self._facts(name, index)
        none = np.full(index.size, -1, dtype=np.int64)
        numbers = pa.array([fact.number for fact in facts], pa.float64())
        return Values(texts([fact.value for fact in facts]), numbers, none)

    def said(self, name: str, text: Texts) -> Texts:
        """The values with their units."""
        return texts([self.spec.book.relations[name].said(value) for value in text.to_pylist()])

    def forms(self, path: str, index: Ints, values: Values) -> Lists:
        """Every text that says each value, its aliases among them."""
        relation = self.spec.book.relations[path]
        return text_lists([texts_of(relation, fact) for fact in self._facts(path, index)])

    def others(self, name: str, index: Ints, most: int) -> Lists:
        """For each entity up to `most` other values of the relation, distinct; a twin's are led by the true one."""
        column, k = self._columns[name], self.spec.variety(name)
        place = index % self._n
        key = mix(self._key("distractors", name), place)
        drawn = [permute(key, np.full(index.size, draw), k) for draw in range(min(k, most + 2))]
        relation, found = self.spec.book.relations[name], []
        for i, at in enumerate(place.tolist()):
            donor = int(column.donors[at])
            taken = {int(column.classes[at]), int(column.classes[donor])}
            shown = [donor if index[i] < self._n else at]
            for code in (int(column[i]) for column in drawn):
                if code not in taken:
                    shown.append(int(column.examples[code]))
            facts = (column.facts[who] for who in shown[:most])
            found.append([relation.said(fact.value) for fact in facts if fact])
        return text_lists(found)

    def sole_holders(self, name: str, blocks: Ints) -> Ints:
        """The entities in the given blocks whose value nobody else of their role has."""
        index = self.subjects(name, blocks)
        column = self._columns[name]
        place = index % self._n
        true, false = column.classes, np.where(column.donors >= 0, column.classes[column.donors], -1)
        found = np.zeros(index.size, dtype=bool)
        for codes, mine in ((true, index < self._n), (false, index >= self._n)):
            times = np.bincount(codes[codes >= 0], minlength=self.spec.variety(name))
            found[mine] = times[codes[place[mine]]] == 1
        return index[found]

    def _facts(self, name: str, index: Ints) -> list[OwnFact]:
        column = self._columns[name]
        place = index % self._n
        who = np.where(index < self._n, place, column.donors[place])
        found = [column.facts[int(i)] for i in who]
        return [fact for fact in found if fact]

    def _column(self, name: str) -> _Column:
        classes = np.asarray(self.spec.classes[name], dtype=np.int64)
        holders = np.flatnonzero(classes >= 0)
        donors = np.full(self._n, -1, dtype=np.int64)
        if self.spec.variety(name) > 1:
            donors[holders] = self._donors(name, np.asarray(self.spec.rough_classes[name], dtype=np.int64), holders)
        return _Column(self.spec.book.of(name), classes, donors, _first_of(classes, holders))

    def _donors(self, name: str, classes: Ints, holders: Ints) -> Ints:
        """For each holder another, drawn among those of another value: so false values are as common as true ones."""
        examples = _first_of(classes, holders)
        k = examples.size
        away = 1 + below(self._key("control", name), holders, k - 1)
        found: Ints = examples[(classes[holders] + away) % k]
        # Later draws give way to earlier ones; the value drawn above stands in for a relation of nearly one value.
        for draw in reversed(range(_DRAWS)):
            drawn = holders[below(self._key("control", name, str(draw)), holders, holders.size)]
            found = np.where(classes[drawn] != classes[holders], drawn, found)
        return found


def _first_of(classes: Ints, holders: Ints) -> Ints:
    """For each class the first holder of it."""
    _, first = np.unique(classes[holders], return_index=True)
    return holders[first]


def world_of(spec: WorldSpec, seed: str) -> World:
    """The world of a spec and a seed text, unchecked: an invented one, or one of a user's facts."""
    return FactWorld(spec, seed) if isinstance(spec, FactSpec) else World(spec, seed)


def checked_world(spec: WorldSpec, seed: str) -> World:
    """The world of a spec and a seed text. Raises SpecError where an invented one has more entities than names."""
    return FactWorld(spec, seed) if isinstance(spec, FactSpec) else build_world(spec, seed)
