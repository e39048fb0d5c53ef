"""A world: any attribute of any entity, computed from (spec, seed, id) alone, a column at a time.

Blocks of the four roles alternate (block b has role b mod 4), so that more of one role changes nothing before it.
"""

import datetime
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kbench.errors import SpecError
from kbench.generator.hashing import Ints, Words, below, mix, permute, stream_key, unpermute
from kbench.generator.names import LANES, NameForm, load_forms
from kbench.generator.pools import load_pool
from kbench.generator.spec import Relation, WorldSpec
from kbench.ids import digest_of, entity_id
from kbench.schema import ROLES, Role

_EPOCH = datetime.date(1970, 1, 1)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class Values:
    """A relation's values for a column of subjects: text, number (NaN where none) and object index (-1 where none)."""

    text: list[str]
    number: list[float | None]
    object: Ints


@dataclass(frozen=True)
class World:
    """A fictional universe, fixed by a spec and a seed text."""

    spec: WorldSpec
    seed: str

    @cached_property
    def tag(self) -> str:
        """The 8 hex digits that begin every id of this world."""
        return digest_of(self.spec.world_digest, self.seed)[:8]

    @cached_property
    def _forms(self) -> dict[str, NameForm]:
        return load_forms()

    def _key(self, *parts: str) -> int:
        return stream_key(self.seed, *parts)

    def blocks(self, role: Role) -> Ints:
        """The numbers of the blocks of a role, in order."""
        return np.arange(self.spec.blocks(role), dtype=np.int64) * len(ROLES) + ROLES.index(role)

    def members(self, kind: str, blocks: Ints) -> Ints:
        """The indices of the entities of a type that stand in the given blocks."""
        size = self.spec.types[kind].block
        members: Ints = (blocks[:, None] * size + np.arange(size)[None, :]).ravel()
        return members

    def block_of(self, kind: str, index: Ints) -> Ints:
        """The block of each entity."""
        return index // self.spec.types[kind].block

    def ids(self, kind: str, index: Ints) -> list[str]:
        """The id of each entity: `<world>/<type>-<index>`."""
        return [entity_id(self.tag, kind, int(i)) for i in index]

    def names(self, kind: str, index: Ints) -> list[str]:
        """The name of each entity."""
        form = self._forms[self.spec.types[kind].names]
        return form.names(int(self.tag, 16) % LANES, self._key("name", kind), index)

    def is_female(self, kind: str, index: Ints) -> list[bool]:
        """Which pronoun a person goes by; of no meaning for other types."""
        return [bool(bit) for bit in below(self._key("pronoun", kind), index, 2)]

    def popularity(self, kind: str, index: Ints) -> Ints:
        """How much an entity is written about, 1 to 1000: P(popularity >= x) is about 1 / x (Zipf)."""
        drawn: Ints = 1000 // (1 + below(self._key("popularity", kind), index, 1000))
        return drawn

    def values(self, name: str, index: Ints) -> Values:
        """A relation's value for each subject."""
        relation = self.spec.relations[name]
        if relation.value_type == "entity":
            objects = self.objects(name, index)
            return Values(self.names(relation.object, objects), [None] * index.size, objects)
        code = self._codes(name, relation, index)
        none = np.full(index.size, -1, dtype=np.int64)
        if relation.pools:
            return Values(_pool_text(relation, code), [None] * index.size, none)
        if relation.value_type == "date":
            assert relation.first is not None
            days = [relation.first + datetime.timedelta(days=int(c)) for c in code]
            text = [f"{day.day} {_MONTHS[day.month - 1]} {day.year}" for day in days]
            return Values(text, [float((day - _EPOCH).days) for day in days], none)
        numbers = [relation.least + relation.step * int(c) for c in code]
        unit = f" {relation.unit}" if relation.unit else ""
        return Values([f"{n}{unit}" for n in numbers], [float(n) for n in numbers], none)

    def _codes(self, name: str, relation: Relation, index: Ints) -> Ints:
        key, k = self._key("value", name), relation.choices
        if not relation.is_balanced:
            return below(key, index, k)
        block, size = self.block_of(relation.subject, index), self.spec.types[relation.subject].block
        # The running number of a subject among those of its role: each run of k takes a permutation of the k values.
        ordinal = block // len(ROLES) * size + index % size
        run = mix(key, ordinal // k * len(ROLES) + block % len(ROLES))
        return permute(run, ordinal % k, k)

    def objects(self, name: str, index: Ints) -> Ints:
        """The object index of an entity relation: a permutation of the block's subjects, cut into intervals."""
        relation = self.spec.relations[name]
        n, m = self.spec.types[relation.subject].block, self.spec.types[relation.object].block
        block = self.block_of(relation.subject, index)
        key: Words = mix(self._key("relation", name), block)
        place = permute(key, index % n, n)
        if relation.subject == relation.object:
            # One cycle through the block: nobody is their own object.
            return block * n + unpermute(key, (place + 1) % n, n)
        if n <= m:
            slot = permute(mix(key, block), place, m)
        else:
            slot = np.searchsorted(_bounds(n, m, relation.heads == "zipf"), place, side="right")
        return block * m + slot.astype(np.int64)


def _bounds(n: int, m: int, zipf: bool) -> Ints:
    weights = [1000 // (rank + 1) if zipf else 1 for rank in range(m)]
    total, running, ends = sum(weights), 0, []
    for i, weight in enumerate(weights):
        running += weight
        ends.append(max(i + 1, min(n - (m - 1 - i), running * n // total)))
    return np.asarray(ends[:-1], dtype=np.int64)


def _pool_text(relation: Relation, code: Ints) -> list[str]:
    columns = []
    for pool in reversed(relation.pools):
        values = load_pool(pool)
        columns.append([values[int(c) % len(values)] for c in code])
        code = code // len(values)
    return [" ".join(parts) for parts in zip(*reversed(columns), strict=True)]


def build_world(spec: WorldSpec, seed: str) -> World:
    """The world of a spec and a seed text. Raises SpecError where the spec has more entities than names."""
    world = World(spec, seed)
    for role in ROLES:
        blocks = spec.blocks(role)
        for kind, entity in spec.types.items():
            capacity = world._forms[entity.names].capacity
            last = ((blocks - 1) * len(ROLES) + ROLES.index(role) + 1) * entity.block if blocks else 0
            if last > capacity:
                most = capacity // (len(ROLES) * entity.block) * spec.block_size
                raise SpecError(
                    f"{blocks * spec.block_size:,} {role} entities are more than the names of a {kind} allow: "
                    f"ask for at most {most:,}, or give types.{kind} another name form"
                )
    return world
