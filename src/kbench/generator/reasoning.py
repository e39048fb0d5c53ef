"""Reasoning questions: comparisons, differences, counts, lists, extremes, intersections and reversals.

Everything they need stands in the subject's own block, so each set is complete and a row costs the same in any world.
"""

from dataclasses import dataclass

import numpy as np

from kbench.generator.asking import Asked, hop_ids, label_of, mention_columns
from kbench.generator.hashing import Ints, below, mix, stream_key
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.packs import Pack
from kbench.generator.relations import Relation
from kbench.generator.sections import Section, is_taught
from kbench.generator.surface import number_forms, number_words
from kbench.generator.world import World
from kbench.ids import fact_id


@dataclass(frozen=True)
class Sets:
    """For some objects, who their subjects are: the subjects of object i are `subjects[starts[i]:starts[i + 1]]`."""

    objects: Ints
    starts: Ints
    subjects: Ints

    def of(self, i: int) -> Ints:
        """The subjects of the i-th object."""
        return self.subjects[self.starts[i] : self.starts[i + 1]]

    @property
    def sizes(self) -> Ints:
        """How many subjects each object has."""
        return np.diff(self.starts)


def ask_reasoning(world: World, pack: Pack, section: Section, name: str, kind: str) -> Asked:
    """The questions of one operator about a section's blocks; `kind` is `more` or `less` where it has two sides."""
    operator, *rest = name.split(".")
    if operator in ("compare", "difference"):
        return _pairs(world, pack, section, name, rest[0], kind)
    if operator == "both":
        return _both(world, pack, section, name, rest[0], rest[1])
    sets = holders(world, rest[0], section.blocks)
    return _sets(world, pack, section, name, rest, kind, sets)


def ask_reverse(world: World, pack: Pack, section: Section, name: str) -> Asked:
    """From the object to the one subject that has it; objects of several subjects are not asked about."""
    relation = world.spec.relations[name]
    if isinstance(world, FactWorld):
        index = world.sole_holders(name, section.blocks)
        said = world.said(name, world.values(name, index).text)
    else:
        sets = holders(world, name, section.blocks)
        alone = np.flatnonzero(sets.sizes == 1)
        index = np.asarray([int(sets.of(int(i))[0]) for i in alone], dtype=np.int64)
        order = np.argsort(index, kind="stable")
        said, index = _said(world, relation.object, sets.objects[alone][order]), index[order]
    ids = world.ids(relation.subject, index)
    n = len(ids)
    columns = {
        "value": said,
        "relation": [label_of(relation, name)] * n,
        "topic": [relation.topic] * n,
    }
    facts = [[fact_id(subject, name)] for subject in ids]
    hops = [[hop] for hop in hop_ids(world, pack, section, name, index)]
    answers = _name_forms(world, relation.subject, index)
    return Asked(name, relation.subject, index, ids, columns, answers, "entity", facts, hops, [None] * n)


def holders(world: World, name: str, blocks: Ints) -> Sets:
    """The subjects of each object of a relation in some blocks, objects in order."""
    subjects = world.subjects(name, blocks)
    objects = world.objects(name, subjects)
    order = np.lexsort((subjects, objects))
    found, starts = np.unique(objects[order], return_index=True)
    return Sets(found, np.append(starts, objects.size), subjects[order])


def _pairs(world: World, pack: Pack, section: Section, name: str, relation_name: str, kind: str) -> Asked:
    relation = world.spec.relations[relation_name]
    index = world.subjects(relation_name, section.blocks)
    partner = _partners(world, relation, name, index)
    # Of two who have only each other, one asks for both.
    back = partner[np.searchsorted(index, partner)]
    once = (back != index) | (index < partner)
    index, partner = index[once], partner[once]
    mine, theirs = world.numbers(relation_name, index), world.numbers(relation_name, partner)
    differ = mine != theirs
    index, partner, mine, theirs = index[differ], partner[differ], mine[differ], theirs[differ]
    first = below(stream_key(world.seed, "first", name), index, 2) == 0
    names, others = _said(world, relation.subject, index), _said(world, relation.subject, partner)
    larger = mine > theirs
    columns = {
        "one": [a if f else b for a, b, f in zip(names, others, first, strict=True)],
        "two": [b if f else a for a, b, f in zip(names, others, first, strict=True)],
        "larger": [a if more else b for a, b, more in zip(names, others, larger, strict=True)],
        "smaller": [b if more else a for a, b, more in zip(names, others, larger, strict=True)],
    }
    ids, other_ids = world.ids(relation.subject, index), world.ids(relation.subject, partner)
    facts = [[fact_id(a, relation_name), fact_id(b, relation_name)] for a, b in zip(ids, other_ids, strict=True)]
    hops = [
        [a, b]
        for a, b in zip(
            hop_ids(world, pack, section, relation_name, index),
            hop_ids(world, pack, section, relation_name, partner),
            strict=True,
        )
    ]
    if name.startswith("difference."):
        apart = np.abs(mine - theirs)
        unit = world.source_of(relation_name).unit
        answers = [_difference(int(n), unit) for n in apart]
        number: list[float | None] = [float(n) for n in apart]
        return Asked(name, relation.subject, index, ids, columns, answers, "numeric", facts, hops, number, unit)
    wins = larger if kind != "less" else ~larger
    answers = _name_forms(world, relation.subject, np.where(wins, index, partner))
    return Asked(name, relation.subject, index, ids, columns, answers, "entity", facts, hops, [None] * len(ids))


def _difference(number: int, unit: str) -> list[str]:
    forms = number_forms(number, unit)
    bare = number_forms(number, "")
    return list(dict.fromkeys([*bare, *forms]))


def _partners(world: World, relation: Relation, name: str, index: Ints) -> Ints:
    """The one each is compared with: the next in a keyed ring of those of the block that are taught, or are not."""
    block = world.block_of(relation.subject, index)
    taught = is_taught(world, relation.subject, index).astype(np.int64)
    order = np.lexsort((mix(stream_key(world.seed, "ring", name), index), taught, block))
    group = (block * 2 + taught)[order]
    ends = np.append(group[1:] != group[:-1], True)
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1])) if index.size else np.empty(0, dtype=np.int64)
    following = np.arange(1, index.size + 1)
    following[ends] = starts
    partner = np.empty_like(index)
    partner[order] = index[order][following]
    return partner


def _both(world: World, pack: Pack, section: Section, name: str, one: str, two: str) -> Asked:
    kind = world.spec.relations[one].subject
    index = world.subjects(one, section.blocks)
    index = index[world.has(two, index)]
    first, second = world.objects(one, index), world.objects(two, index)
    pairs = np.stack([first, second])
    _, place, counts = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    alone = counts[place.ravel()] == 1
    index, first, second = index[alone], first[alone], second[alone]
    ids = world.ids(kind, index)
    columns = {
        "one": _said(world, world.spec.relations[one].object, first),
        "two": _said(world, world.spec.relations[two].object, second),
    }
    facts = [[fact_id(i, one), fact_id(i, two)] for i in ids]
    asked = [hop_ids(world, pack, section, step, index) for step in (one, two)]
    hops = [list(pair) for pair in zip(*asked, strict=True)]
    answers = _name_forms(world, kind, index)
    return Asked(name, kind, index, ids, columns, answers, "entity", facts, hops, [None] * len(ids))


def _sets(world: World, pack: Pack, section: Section, name: str, rest: list[str], kind: str, sets: Sets) -> Asked:
    operator, step = name.split(".")[0], rest[0]
    relation, paths = world.spec.relations[step], world.spec.paths
    most = paths.most_counted if operator == "count" else paths.most_listed
    least = 1 if operator == "count" else 2
    members = [sets.of(i) for i in range(sets.objects.size)]
    numbers = {}
    if operator == "most":
        everybody = world.numbers(rest[1], sets.subjects)
        numbers = {int(s): int(n) for s, n in zip(sets.subjects, everybody, strict=True)}
    kept, answers, number = [], [], list[float | None]()
    names = dict(zip(sets.subjects.tolist(), world.names(relation.subject, sets.subjects), strict=True))
    for i, subjects in enumerate(members):
        answer = _set_answer(operator, kind, subjects, names, numbers)
        if least <= subjects.size <= most and answer:
            kept.append(i)
            answers.append(answer)
            number.append(float(subjects.size) if operator == "count" else None)
    index = sets.objects[kept]
    ids = world.ids(relation.object, index)
    steps = rest if operator == "most" else rest[:1]
    hop = {
        s: dict(zip(sets.subjects.tolist(), hop_ids(world, pack, section, s, sets.subjects), strict=True))
        for s in steps
    }
    fact = dict(zip(sets.subjects.tolist(), world.ids(relation.subject, sets.subjects), strict=True))
    facts = [[fact_id(fact[m], s) for m in members[i].tolist() for s in steps] for i in kept]
    hops = [[hop[s][m] for m in members[i].tolist() for s in steps] for i in kept]
    columns = mention_columns(world, relation.object, index, name)
    value_type = "numeric" if operator == "count" else "entity"
    return Asked(name, relation.object, index, ids, columns, answers, value_type, facts, hops, number)


def _set_answer(operator: str, kind: str, subjects: Ints, names: dict[int, str], numbers: dict[int, int]) -> list[str]:
    if operator == "count":
        return [str(subjects.size), number_words(int(subjects.size))]
    if operator == "list":
        ordered = sorted(names[int(s)] for s in subjects)
        return [", ".join(ordered), f"{', '.join(ordered[:-1])} and {ordered[-1]}"]
    ranked = sorted(subjects.tolist(), key=lambda s: numbers[s], reverse=kind != "less")
    if len(ranked) < 2 or numbers[ranked[0]] == numbers[ranked[1]]:
        return []
    return [names[ranked[0]]]


def _said(world: World, kind: str, index: Ints) -> list[str]:
    article = world.spec.types[kind].article
    return [f"{article} {name}" if article else name for name in world.names(kind, index)]


def _name_forms(world: World, kind: str, index: Ints) -> list[list[str]]:
    article = world.spec.types[kind].article
    return [[name, f"{article} {name}"] if article else [name] for name in world.names(kind, index)]
