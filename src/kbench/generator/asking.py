"""What is asked: for a relation or path and a column of subjects, its variables, answers and facts."""

from dataclasses import dataclass, field, replace

import numpy as np

from kbench.generator.hashing import Ints
from kbench.generator.mentions import Columns, full_mentions
from kbench.generator.ownfacts.spec import FactRelation
from kbench.generator.packs import Pack
from kbench.generator.phrasing import first_phrasing
from kbench.generator.relations import Relation
from kbench.generator.sections import Section, hop_phrasing
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
    ids: list[str]
    variables: Columns
    answers: list[list[str]]
    """All that count, the one given first."""
    value_type: str
    facts: list[list[str]]
    hops: list[list[str]]
    number: list[float | None]
    unit: str = ""
    choices: list[list[str]] = field(default_factory=list)
    label: list[int] = field(default_factory=list)


def mention_columns(world: World, kind: str, index: Ints, name: str) -> dict[str, list[str]]:
    """The variables of a question about a column of subjects: their full names, and the topic of a family."""
    mentions = full_mentions(world, kind, world.names(kind, index))
    columns = {key: [m[key] for m in mentions] for key in ("name", "They", "they", "Their", "their", "them")}
    relation = world.spec.relations.get(name)
    columns["topic"] = [relation.topic if relation else ""] * len(mentions)
    columns["relation"] = [label_of(relation, name)] * len(mentions)
    return columns


def label_of(relation: Relation | None, name: str) -> str:
    """What a generic frame calls a relation: its name in words, as a user wrote it where the facts are the user's."""
    return relation.label if isinstance(relation, FactRelation) else name.replace("_", " ")


def ask_path(world: World, pack: Pack, section: Section, name: str, index: Ints) -> Asked:
    """Follow a relation or a chain from each subject: the last value is the answer, each step is a fact."""
    chain = name.split(".")
    kind = world.spec.start_of(name)
    ids = world.ids(kind, index)
    facts: list[list[str]] = [[] for _ in ids]
    hops: list[list[str]] = [[] for _ in ids]
    here = index
    for step in chain:
        asked = hop_ids(world, pack, section, step, here) if len(chain) > 1 else []
        for i, subject in enumerate(world.ids(world.spec.relations[step].subject, here)):
            facts[i].append(fact_id(subject, step))
            if asked:
                hops[i].append(asked[i])
        values = world.values(step, here)
        here = values.object
    relation = world.spec.end_of(name)
    columns = mention_columns(world, kind, index, name)
    unit, answers = world.source_of(name).unit, world.forms(name, index, values)
    return Asked(name, kind, index, ids, columns, answers, relation.value_type, facts, hops, values.number, unit)


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
        if relation.value_type == "entity":
            here = np.where(possible, here, 0)
            here = np.where(possible, world.objects(step, here) if here.size else here, 0)
    if len(steps) > 1 and world.spec.end_of(name).object == world.spec.start_of(name):
        possible &= here != index
    return possible


def hop_ids(world: World, pack: Pack, section: Section, step: str, index: Ints) -> list[str]:
    """The id of the `qa` row that asks for each one-hop fact, in the split that asks for it."""
    kind = world.spec.relations[step].subject
    ids = world.ids(kind, index)
    roles = hop_phrasing(world, section, world.block_of(kind, index))
    found = [""] * len(ids)
    for role in sorted(set(roles)):
        rows = np.asarray([i for i, r in enumerate(roles) if r == role], dtype=np.int64)
        phrasings = pack.of("qa", world.spec.template_of(step), role)
        start = first_phrasing(world, "qa", step, role, index[rows], len(phrasings))
        for i, place in zip(rows, start, strict=True):
            found[int(i)] = question_id(ids[int(i)], step, "qa", phrasings[int(place)].id)
    return found


def place_of(relation: Relation) -> tuple[int, str]:
    """The power of ten that a relation's numbers can be rounded to, in digits and words; 0 where none makes sense."""
    for size, word in _PLACES:
        if size > relation.step and relation.least >= size:
            return size, word
    return 0, ""


def in_number_form(asked: Asked, relation: Relation, kind: str) -> Asked:
    """The same question with its answer in the form that a phrasing of the numeric style asks for."""
    size, word = place_of(relation)
    answers, numbers = list[list[str]](), list[float | None]()
    for given, number in zip(asked.answers, asked.number, strict=True):
        assert number is not None
        if number.is_integer():
            first, said = _said(int(number), relation, kind, size)
        else:  # a user's own number, asked for as it is
            first, said = (decimal_text(number),), number
        answers.append(list(dict.fromkeys([*first, *given])))
        numbers.append(float(said))
    variables = {**asked.variables, "place": [word] * len(answers)}
    return replace(asked, answers=answers, number=numbers, variables=variables)


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
