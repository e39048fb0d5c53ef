"""Reasoning questions: comparisons, differences, counts, lists, extremes, intersections and reversals.

Everything they need stands in the subject's own block, so each set is complete and a row costs the same in any world.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from kbench.generator.asking import Asked, constants_of, fact_ids, hop_ids, mention_columns
from kbench.generator.columns import (
    Ints,
    Lists,
    Texts,
    lists,
    one_each,
    runs,
    side_by_side,
    take,
    text_lists,
)
from kbench.generator.hashing import below, mix, stream_key
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.relations import Relation
from kbench.generator.scene import Scene
from kbench.generator.sections import is_taught
from kbench.generator.setting import Column
from kbench.generator.surface import number_forms, number_words
from kbench.generator.world import Mask, World


@dataclass(frozen=True)
class Sets:
    """For some objects, who their subjects are: the subjects of object i are `subjects[starts[i]:starts[i + 1]]`."""

    objects: Ints
    starts: Ints
    subjects: Ints

    @property
    def sizes(self) -> Ints:
        """How many subjects each object has."""
        return np.diff(self.starts)


def ask_reasoning(scene: Scene, name: str, kind: str) -> Asked:
    """The questions of one operator about a section's blocks; `kind` is `more` or `less` where it has two sides."""
    operator, *rest = name.split(".")
    if operator in ("compare", "difference"):
        return _pairs(scene, name, rest[0], kind)
    if operator == "both":
        return _both(scene, name, rest[0], rest[1])
    return _sets(scene, name, rest, kind, holders(scene.world, rest[0], scene.section.blocks))


def ask_reverse(scene: Scene, name: str) -> Asked:
    """From the object to the one subject that has it; objects of several subjects are not asked about."""
    world = scene.world
    relation = world.spec.relations[name]
    if isinstance(world, FactWorld):
        index = world.sole_holders(name, scene.section.blocks)
        said = world.said(name, world.values(name, index).text)
    else:
        sets = holders(world, name, scene.section.blocks)
        alone = np.flatnonzero(sets.sizes == 1)
        index = sets.subjects[sets.starts[alone]]
        order = np.argsort(index, kind="stable")
        said, index = scene.mention(relation.object, sets.objects[alone][order], "they"), index[order]
    return Asked(
        name,
        relation.subject,
        index,
        scene.world.ids(relation.subject, index),
        {"value": said},
        _name_forms(scene, relation.subject, index),
        "entity",
        one_each(fact_ids(scene, name, index)),
        one_each(hop_ids(scene, name, index)),
        pa.nulls(index.size, pa.float64()),
        constants=constants_of(world, name),
    )


def holders(world: World, name: str, blocks: Ints) -> Sets:
    """The subjects of each object of a relation in some blocks, objects in order."""
    subjects = world.subjects(name, blocks)
    objects = world.objects(name, subjects)
    order = np.lexsort((subjects, objects))
    found, starts = np.unique(objects[order], return_index=True)
    return Sets(found, np.append(starts, objects.size), subjects[order])


def _pairs(scene: Scene, name: str, relation_name: str, kind: str) -> Asked:
    world, relation = scene.world, scene.world.spec.relations[relation_name]
    index = world.subjects(relation_name, scene.section.blocks)
    partner = _partners(world, relation, name, index)
    # Of two who have only each other, one asks for both.
    back = partner[np.searchsorted(index, partner)]
    once = (back != index) | (index < partner)
    index, partner = index[once], partner[once]
    mine, theirs = world.numbers(relation_name, index), world.numbers(relation_name, partner)
    differ = mine != theirs
    index, partner, mine, theirs = index[differ], partner[differ], mine[differ], theirs[differ]
    first = below(stream_key(world.seed, "first", name), index, 2) == 0
    larger = mine > theirs

    def said(wins: Mask) -> Texts:
        return scene.mention(relation.subject, np.where(wins, index, partner), "they")

    def of_both(ids: Callable[[Scene, str, Ints], Texts]) -> Lists:
        return side_by_side([ids(scene, relation_name, who) for who in (index, partner)])

    columns: dict[str, Column] = {
        "one": partial(said, first),
        "two": partial(said, ~first),
        "larger": partial(said, larger),
        "smaller": partial(said, ~larger),
    }
    number, unit, value_type = pa.nulls(index.size, pa.float64()), "", "entity"
    if name.startswith("difference."):
        apart = np.abs(mine - theirs)
        unit, value_type = world.source_of(relation_name).unit, "numeric"
        number = pa.array(apart.astype(np.float64))
        distinct, at = np.unique(apart, return_inverse=True)
        answers = take(text_lists([_difference(int(n), unit) for n in distinct]), at)
    else:
        answers = _name_forms(scene, relation.subject, np.where(larger == (kind != "less"), index, partner))
    facts, hops, ids = of_both(fact_ids), of_both(hop_ids), scene.world.ids(relation.subject, index)
    return Asked(name, relation.subject, index, ids, columns, answers, value_type, facts, hops, number, unit)


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


def _both(scene: Scene, name: str, one: str, two: str) -> Asked:
    world, kind = scene.world, scene.world.spec.relations[one].subject
    index = world.subjects(one, scene.section.blocks)
    index = index[world.has(two, index)]
    first, second = world.objects(one, index), world.objects(two, index)
    order = np.lexsort((second, first))
    differs = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
    alone = np.empty(index.size, dtype=bool)
    alone[order] = np.append(True, differs) & np.append(differs, True) if index.size else True
    index, first, second = index[alone], first[alone], second[alone]
    columns = {
        "one": scene.mention(world.spec.relations[one].object, first, "they"),
        "two": scene.mention(world.spec.relations[two].object, second, "they"),
    }
    facts, hops = (side_by_side([ids(scene, step, index) for step in (one, two)]) for ids in (fact_ids, hop_ids))
    answers, number = _name_forms(scene, kind, index), pa.nulls(index.size, pa.float64())
    return Asked(name, kind, index, scene.world.ids(kind, index), columns, answers, "entity", facts, hops, number)


def _sets(scene: Scene, name: str, rest: list[str], kind: str, sets: Sets) -> Asked:
    operator, step = name.split(".")[0], rest[0]
    world, relation, paths = scene.world, scene.world.spec.relations[step], scene.world.spec.paths
    most = paths.most_counted if operator == "count" else paths.most_listed
    asked = (sets.sizes >= (1 if operator == "count" else 2)) & (sets.sizes <= most)
    number = pa.nulls(sets.sizes.size, pa.float64())
    if operator == "most":
        top, alone = _tops(sets, world.numbers(rest[1], sets.subjects), least=kind == "less")
        answers = one_each(scene.mention(relation.subject, top, "name"))
        asked &= alone
    elif operator == "count":
        answers, number = _counts(sets.sizes), pa.array(sets.sizes.astype(np.float64))
    else:
        answers = _listed(sets, scene.mention(relation.subject, sets.subjects, "name"), asked)
    kept = np.flatnonzero(asked)
    members, starts = runs(sets.starts[kept], sets.sizes[kept])
    subjects, steps = sets.subjects[members], rest if operator == "most" else rest[:1]
    facts, hops = (
        lists(side_by_side([ids(scene, s, subjects) for s in steps]).values, starts * len(steps))
        for ids in (fact_ids, hop_ids)
    )
    index = sets.objects[kept]
    return Asked(
        name,
        relation.object,
        index,
        scene.world.ids(relation.object, index),
        mention_columns(scene, relation.object, index),
        take(answers, kept),
        "numeric" if operator == "count" else "entity",
        facts,
        hops,
        take(number, kept),
        constants=constants_of(world, name),
    )


def _counts(sizes: Ints) -> Lists:
    distinct, at = np.unique(sizes, return_inverse=True)
    return take(text_lists([[str(size), number_words(int(size))] for size in distinct]), at)


def _listed(sets: Sets, names: Texts, asked: Mask) -> Lists:
    """The names of each set in alphabetical order; nothing for those that are not asked."""
    said, found = names.to_pylist(), list[list[str]]()
    for start, end, wanted in zip(sets.starts[:-1].tolist(), sets.starts[1:].tolist(), asked, strict=True):
        ordered = sorted(said[start:end]) if wanted else []
        found.append([", ".join(ordered), f"{', '.join(ordered[:-1])} and {ordered[-1]}"] if wanted else [])
    return text_lists(found)


def _tops(sets: Sets, numbers: Ints, *, least: bool) -> tuple[Ints, Mask]:
    """Of each set the member with the greatest number, or the least; and whether it has it alone."""
    row = np.repeat(np.arange(sets.sizes.size), sets.sizes)
    order = np.lexsort((numbers if least else -numbers, row))
    first = order[sets.starts[:-1]]
    second = order[np.minimum(sets.starts[:-1] + 1, sets.starts[1:] - 1)]
    return sets.subjects[first], (numbers[first] != numbers[second]) & (sets.sizes > 1)


def _name_forms(scene: Scene, kind: str, index: Ints) -> Lists:
    forms = ("name", "they") if scene.world.spec.types[kind].article else ("name",)
    return side_by_side([scene.mention(kind, index, form) for form in forms])
