"""What is asked: for a relation or path and a column of subjects, its variables, answers and facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.generator.columns import (
    Ints,
    Lists,
    Texts,
    first_of_each,
    joined,
    no_lists,
    side_by_side,
    take,
    text_lists,
    texts,
)
from kbench.generator.mentions import MENTIONS
from kbench.generator.ownfacts.spec import FactRelation
from kbench.generator.phrasing import first_phrasing
from kbench.generator.relations import Relation
from kbench.generator.scene import Scene
from kbench.generator.sections import hop_phrasing
from kbench.generator.setting import Column
from kbench.generator.surface import date_of, decimal_text, number_forms, number_text, number_words
from kbench.generator.world import Mask, World
from kbench.ids import fact_id, question_id

_PLACES = ((10, "ten"), (100, "hundred"), (1000, "thousand"))


@dataclass(frozen=True)
class Asked:
    """A relation or path asked of a column of subjects."""

    name: str
    kind: str
    index: Ints
    ids: Texts
    variables: Mapping[str, Column]
    answers: Lists
    """All that count, the one given first."""
    value_type: str
    facts: Lists
    hops: Lists
    number: pa.DoubleArray
    unit: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    """The variables that are the same for all subjects."""
    choices: Lists | None = None
    label: pa.Int8Array | None = None


def mention_columns(scene: Scene, kind: str, index: Ints) -> dict[str, Column]:
    """The variables of a question about a column of subjects: their full names."""
    return {variable: partial(scene.mention, kind, index, variable) for variable in MENTIONS}


def constants_of(world: World, name: str) -> dict[str, str]:
    """The variables that are the same wherever a relation or path is asked or stated: topic of a family, and label."""
    relation = world.spec.relations.get(name)
    return {"topic": relation.topic if relation else "", "relation": label_of(relation, name)}


def label_of(relation: Relation | None, name: str) -> str:
    """What a generic frame calls a relation: its name in words, as a user wrote it where the facts are the user's."""
    return relation.label if isinstance(relation, FactRelation) else name.replace("_", " ")


def ask_path(scene: Scene, name: str, index: Ints) -> Asked:
    """Follow a relation or a chain from each subject: the last value is the answer, each step is a fact."""
    if "." in name:
        return _followed(scene, name, index)
    key = ("asked", name)
    if key not in scene.memory:  # a chain's hops depend on the split, a relation alone is asked alike in all of them
        scene.memory[key] = _followed(scene, name, index)
    asked: Asked = scene.memory[key]
    return asked


def _followed(scene: Scene, name: str, index: Ints) -> Asked:
    world, chain = scene.world, name.split(".")
    kind = world.spec.start_of(name)
    facts, hops, here = [], [], index
    for step in chain:
        facts.append(fact_ids(scene, step, here))
        if len(chain) > 1:
            hops.append(hop_ids(scene, step, here))
        values = world.values(step, here)
        here = values.object
    relation = world.spec.end_of(name)
    return Asked(
        name,
        kind,
        index,
        scene.world.ids(kind, index),
        mention_columns(scene, kind, index),
        world.forms(name, index, values),
        relation.value_type,
        side_by_side(facts),
        side_by_side(hops) if hops else no_lists(index.size),
        values.number,
        world.source_of(name).unit,
        constants_of(world, name),
    )


def can_be_asked(world: World, name: str, index: Ints) -> Mask:
    """Which subjects a path can be asked of: every step is there, and it does not lead back to them.

    A mayor asked for the mayor of the home city would be the own answer.
    """
    possible = np.ones(index.size, dtype=bool)
    here = index.copy()
    steps = name.split(".")
    for step in steps:
        relation = world.spec.relations[step]
        possible[possible] = world.has(step, here[possible])
        if relation.value_type == "entity" and len(steps) > 1:
            here = np.where(possible, here, 0)
            here = np.where(possible, world.objects(step, here) if here.size else here, 0)
    if len(steps) > 1 and world.spec.end_of(name).object == world.spec.start_of(name):
        possible &= here != index
    return possible


def fact_ids(scene: Scene, name: str, index: Ints) -> Texts:
    """The id of the fact that each subject has of a relation."""
    return joined(scene.world.ids(scene.world.spec.relations[name].subject, index), fact_id("", name))


def hop_ids(scene: Scene, step: str, index: Ints) -> Texts:
    """The id of the `qa` row that asks for each one-hop fact, in the split that asks for it."""
    world = scene.world
    kind = world.spec.relations[step].subject
    endings, ending = list[str](), np.zeros(index.size, dtype=np.int64)
    for role, rows in hop_phrasing(world, scene.section, world.block_of(kind, index)).items():
        if rows.any():
            phrasings = scene.pack.of("qa", world.spec.template_of(step), role)
            start = first_phrasing(world, "qa", step, role, index[rows], len(phrasings))
            ending[rows] = start + len(endings)
            endings += [question_id("", step, "qa", phrasing.id) for phrasing in phrasings]
    return joined(scene.world.ids(kind, index), take(texts(endings), ending))


def place_of(relation: Relation) -> tuple[int, str]:
    """The power of ten that a relation's numbers can be rounded to, in digits and words; 0 where none makes sense."""
    for size, word in _PLACES:
        if size > relation.step and relation.least >= size:
            return size, word
    return 0, ""


def in_number_form(asked: Asked, relation: Relation, kind: str) -> Asked:
    """The same question with its answer in the form that a phrasing of the numeric style asks for."""
    size, word = place_of(relation)
    answers, numbers = list[list[str]](), list[float]()
    # Numbers of the same forms are the same; a user's aliases may tell two of one number apart.
    distinct, at = first_of_each(pc.binary_join(asked.answers, "\0"))
    given_answers, given_numbers = take(asked.answers, distinct), take(asked.number, distinct)
    for given, number in zip(given_answers.to_pylist(), given_numbers.to_pylist(), strict=True):
        if number.is_integer():
            first, said = _said(int(number), relation, kind, size)
        else:  # a user's own number, asked for as it is
            first, said = (decimal_text(number),), number
        answers.append(list(dict.fromkeys([*first, *given])))
        numbers.append(float(said))
    return replace(
        asked,
        answers=take(text_lists(answers), at),
        number=take(pa.array(numbers, pa.float64()), at),
        constants={**asked.constants, "place": word},
    )


def _said(number: int, relation: Relation, kind: str, size: int) -> tuple[tuple[str, ...], float]:
    if kind == "year":
        return (str(date_of(number).year),), number
    if kind == "iso":
        return (date_of(number).isoformat(),), number
    if kind == "words":
        return (number_words(number),), number
    if kind == "rounded":
        rounded = (number + size // 2) // size * size
        return (*number_forms(rounded, ""), *number_forms(rounded, relation.unit)), rounded
    return () if relation.value_type == "date" else (number_text(number),), number
