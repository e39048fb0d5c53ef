"""A world: any attribute of any entity, computed from (spec, seed, id) alone, a column at a time.

Blocks of the four roles alternate (block b has role b mod 4), so that more of one role changes nothing before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kbench.generator.columns import Lists, Texts, joined, take
from kbench.generator.hashing import Ints, Words, below, mix, permute, stream_key
from kbench.generator.kinship import is_mother, parent_of, partner_of, peer_of, place_of
from kbench.generator.names import LANES, form_of, names_of
from kbench.generator.relations import Relation
from kbench.generator.slots import bounds, cycle, pick_one_of, slots
from kbench.generator.spec import WorldSpec
from kbench.generator.surface import (
    MOST_KEPT,
    days_of,
    forms_column,
    pool_forms,
    pool_values,
    said_numbers,
)
from kbench.ids import digest_of, entity_id
from kbench.schema import ROLES, Role

Mask = NDArray[np.bool_]
_SINGLES = 2
"""A single type stands in the first block of `new` and of `control`; `personas` says of how many of the background."""


@dataclass(frozen=True)
class Values:
    """A relation's values for a column of subjects: text, number (null where none) and object index (-1 where none)."""

    text: Texts
    number: pa.DoubleArray
    object: Ints
    code: Ints | None = None
    """For pool values: which of the pools' values each is."""


@dataclass(frozen=True)
class World:
    """A fictional universe, fixed by a spec and a seed text, which it never prints."""

    spec: WorldSpec
    seed: str = field(repr=False)

    @cached_property
    def tag(self) -> str:
        """The 8 hex digits that begin every id of this world."""
        return digest_of(self.spec.world_digest, self.seed)[:8]

    def _key(self, *parts: str) -> int:
        return stream_key(self.seed, *parts)

    # ---- who there is

    def blocks(self, role: Role) -> Ints:
        """The numbers of the blocks of a role, in order."""
        return np.arange(self.spec.blocks(role), dtype=np.int64) * len(ROLES) + ROLES.index(role)

    def members(self, kind: str, blocks: Ints) -> Ints:
        """The indices of the entities of a type that stand in the given blocks."""
        if self.spec.types[kind].single:
            of_background = blocks % len(ROLES) == ROLES.index("background")
            others = of_background & (blocks // len(ROLES) < self.spec.background.personas)
            singles: Ints = blocks[(blocks < _SINGLES) | others]
            return singles
        size = self.spec.types[kind].block
        members: Ints = (blocks[:, None] * size + np.arange(size)[None, :]).ravel()
        return members

    def subjects(self, name: str, blocks: Ints) -> Ints:
        """The indices of the entities in the given blocks that have a relation."""
        members = self.members(self.spec.relations[name].subject, blocks)
        return members[self.has(name, members)]

    def has(self, name: str, index: Ints) -> Mask:
        """Which entities have a relation: elders have no mother or father in the world, all else is complete."""
        relation = self.spec.relations[name]
        if relation.link not in ("mother", "father"):
            return np.ones(index.size, dtype=bool)
        return self._place(relation.subject, index) >= self.spec.types[relation.subject].elders

    def block_of(self, kind: str, index: Ints) -> Ints:
        """The block of each entity."""
        return index // self.spec.types[kind].block

    def count(self, role: Role) -> int:
        """How many entities there are of a role."""
        blocks = self.blocks(role)
        return sum(int(self.members(kind, blocks).size) for kind in self.spec.types)

    def drawn_as(self, index: Ints) -> Ints:
        """The entity whose phrasings each is written in: its own, but for the twins of a user's facts."""
        return index

    # ---- what they are called

    def ids(self, kind: str, index: Ints) -> Texts:
        """The id of each entity: `<world>/<type>-<index>`."""
        return joined(entity_id(self.tag, kind, ""), pa.array(index).cast(pa.string()))

    def names(self, kind: str, index: Ints) -> Texts:
        """The name of each entity."""
        return self.names_of_all({kind: index})[kind]

    def names_of_all(self, index: Mapping[str, Ints]) -> dict[str, Texts]:
        """The name of each entity of some types."""
        asked = []
        for kind, column in index.items():
            entity = self.spec.types[kind]
            asked.append((form_of(kind, entity.names, entity.locale), self._key("name", kind), column))
        return dict(zip(index, names_of(int(self.tag, 16) % LANES, asked), strict=True))

    def is_female(self, kind: str, index: Ints) -> Mask:
        """Which pronoun a person goes by; of no meaning for other types."""
        if self.spec.types[kind].elders:
            return is_mother(self._place(kind, index))
        drawn: Mask = below(self._key("pronoun", kind), index, 2) == 1
        return drawn

    def popularity(self, kind: str, index: Ints) -> Ints:
        """How much an entity is written about, 1 to 1000: P(popularity >= x) is about 1 / x (Zipf)."""
        drawn: Ints = 1000 // (1 + below(self._key("popularity", kind), index, 1000))
        return drawn

    def rank(self, stream: str, kind: str, index: Ints, k: int) -> Ints:
        """A number in [0, k) for each entity, such that each run of k entities of a role has each number once."""
        ranked: Ints = self.ranks((stream,), kind, index, (k,))[0]
        return ranked

    def ranks(self, streams: tuple[str, ...], kind: str, index: Ints, ks: tuple[int, ...]) -> Ints:
        """What `rank` gives for some streams, each with its k: shape (streams, entities)."""
        block, size = self.block_of(kind, index), self.spec.types[kind].block
        # The running number of a subject among those of its role: each run of k takes a permutation of the k values.
        ordinal = block // len(ROLES) * size + index % size
        keys = np.asarray([self._key(*stream.split("/")) for stream in streams], dtype=np.uint64)[:, None]
        most = np.asarray(ks, dtype=np.int64)[:, None]
        run = mix(keys, ordinal // most * len(ROLES) + block % len(ROLES))
        n = ks[0] if len(ks) == 1 else np.broadcast_to(most, run.shape).ravel()
        return permute(run.ravel(), (ordinal % most).ravel(), n).reshape(run.shape)

    # ---- what is true of them

    def values(self, name: str, index: Ints) -> Values:
        """A relation's value for each subject."""
        relation = self.spec.relations[name]
        if relation.value_type == "entity":
            objects = self.objects(name, index)
            distinct, at = np.unique(objects, return_inverse=True)
            return Values(take(self.names(relation.object, distinct), at), pa.nulls(index.size, pa.float64()), objects)
        if relation.same_as:
            *steps, last = relation.same_as.split(".")
            return self.values(last, self.follow(steps, index))
        none = np.full(index.size, -1, dtype=np.int64)
        if relation.pools:
            code = self._codes(name, relation, index)
            return Values(pool_values(relation, code), pa.nulls(index.size, pa.float64()), none, code)
        numbers = self.numbers(name, index)
        return Values(said_numbers(relation, numbers), pa.array(numbers.astype(np.float64)), none)

    def forms(self, path: str, index: Ints, values: Values) -> Lists:
        """Every text that says each of the values at the end of a path, the canonical one first."""
        source = self.source_of(path)
        if values.code is not None and source.choices <= MOST_KEPT:
            return take(pool_forms(source.pools, source.choices), values.code)
        return forms_column(source, values.text, values.number)

    def said(self, name: str, text: Texts) -> Texts:
        """The values of a relation as a sentence has them."""
        return text

    def numbers(self, name: str, index: Ints) -> Ints:
        """The number of each subject, of a numeric relation; days since 1970-01-01, of a date relation."""
        relation = self.spec.relations[name]
        if relation.same_as:
            *steps, last = relation.same_as.split(".")
            return self.numbers(last, self.follow(steps, index))
        drawn = relation.step * self._codes(name, relation, index)
        if relation.after:
            sources = []
            for path in relation.after:
                *steps, last = path.split(".")
                sources.append(self.numbers(last, self.follow(steps, index)))
            later: Ints = np.maximum.reduce(sources) + relation.least + drawn
            return later
        if relation.value_type == "date":
            assert relation.first is not None
            drawn = drawn + days_of(relation.first)
            if relation.gap:
                young = self._place(relation.subject, index) >= self.spec.types[relation.subject].elders
                drawn = drawn + young * relation.gap
            return drawn
        return relation.least + drawn

    def follow(self, steps: list[str], index: Ints) -> Ints:
        """The entities at the end of a path of entity relations."""
        here = index
        for step in steps:
            here = self.objects(step, here)
        return here

    def with_code(self, name: str, index: Ints, away: Ints) -> Texts:
        """The value each subject would have were its draw so many places on."""
        relation = self.spec.relations[name]
        own = self._codes(name, relation, index)
        other = (own + away) % relation.choices
        if relation.pools:
            return pool_values(relation, other)
        return said_numbers(relation, self.numbers(name, index) + relation.step * (other - own))

    def source_of(self, path: str) -> Relation:
        """The relation that a path's value is drawn by: its last one, or what that one is the same as."""
        relation = self.spec.end_of(path)
        return self.source_of(relation.same_as) if relation.same_as else relation

    def _codes(self, name: str, relation: Relation, index: Ints) -> Ints:
        if relation.is_balanced:
            return self.rank(f"value/{name}", relation.subject, index, relation.choices)
        return below(self._key("value", name), index, relation.choices)

    # ---- whom they are tied to

    def objects(self, name: str, index: Ints) -> Ints:
        """The object index of an entity relation, for subjects that have it."""
        relation = self.spec.relations[name]
        if relation.same_as:
            return self.follow(relation.same_as.split("."), index)
        if relation.link != "any":
            return self._kin(relation, index)
        m = self.spec.types[relation.object].block
        block = self.block_of(relation.subject, index)
        if relation.among:
            return block * self.spec.types[relation.object].block + self._among(name, relation, index)
        if relation.apart_from:
            return self._other(name, relation, self.follow(relation.apart_from.split("."), index), index)
        if relation.reach:
            home = below(self._key("reach", name), block, relation.reach) * len(ROLES) + ROLES.index("background")
        else:
            home = block
        return home * m + self._slots(name, index)

    def _slots(self, name: str, index: Ints) -> Ints:
        """Where in its block the object of a plain relation stands."""
        relation = self.spec.relations[name]
        n, m = self.spec.types[relation.subject].block, self.spec.types[relation.object].block
        block = self.block_of(relation.subject, index)
        key, place = self._block_key(name, block), self._shuffled(name, index)
        if relation.subject == relation.object:
            return cycle(key, place, n)
        return slots(mix(key, block), place, n, m, bounds(n, m, zipf=relation.heads == "zipf"))

    def _block_key(self, name: str, block: Ints) -> Words:
        return mix(self._key("relation", name), block)

    def _shuffled(self, name: str, index: Ints) -> Ints:
        """Where each subject of a plain relation stands in its block, shuffled."""
        kind = self.spec.relations[name].subject
        n = self.spec.types[kind].block
        return permute(self._block_key(name, self.block_of(kind, index)), index % n, n)

    def _other(self, name: str, relation: Relation, apart: Ints, index: Ints) -> Ints:
        """Another of the same block; of people with families, one of the same generation."""
        entity, key = self.spec.types[relation.object], self._key("relation", name)
        m, elders = entity.block, entity.elders
        if not elders:
            away: Ints = 1 + below(key, index, m - 1)
            return apart // m * m + (apart % m + away) % m
        return peer_of(self._kin_key(relation.object, apart), apart, m, elders, mix(key, index))

    def _among(self, name: str, relation: Relation, index: Ints) -> Ints:
        n = self.spec.types[relation.object].block
        blocks, row = np.unique(self.block_of(relation.subject, index), return_inverse=True)
        theirs = self._slots(relation.among, (blocks[:, None] * n + np.arange(n)[None, :]).ravel()).reshape(-1, n)
        wanted = index % self.spec.types[relation.subject].block
        return pick_one_of(theirs, row, wanted, self._key("relation", name), index)

    def _place(self, kind: str, index: Ints) -> Ints:
        size = self.spec.types[kind].block
        return place_of(self._kin_key(kind, index), index, size)

    def _kin_key(self, kind: str, index: Ints) -> Words:
        return mix(self._key("kin", kind), self.block_of(kind, index))

    def _kin(self, relation: Relation, index: Ints) -> Ints:
        entity = self.spec.types[relation.subject]
        key = self._kin_key(relation.subject, index)
        if relation.link == "partner":
            return partner_of(key, index, entity.block)
        return parent_of(key, index, entity.block, entity.elders, mother=relation.link == "mother")
