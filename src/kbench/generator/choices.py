"""Options of multiple-choice questions: distractors of the answer's kind, the right place balanced over entities."""

from dataclasses import replace

import numpy as np

from kbench.generator.asking import Asked
from kbench.generator.hashing import Ints, Words, mix, permute, stream_key
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.surface import date_text, number_text
from kbench.generator.world import World

OPTIONS = 4
LETTERS = "ABCD"


def can_choose(world: World, name: str) -> bool:
    """Whether a relation has at least two values to choose among."""
    return _available(world, name) >= 2


def with_options(world: World, asked: Asked) -> list[Asked]:
    """The same question with its options, in as many turns as there may be places for the right one."""
    wrong = _distractors(world, asked.name, asked.index)
    columns = [[answers[0], *others] for answers, others in zip(asked.answers, wrong, strict=True)]
    most = max((len(options) for options in columns), default=OPTIONS)
    start = world.rank(f"label/{asked.name}", asked.kind, asked.index, most)
    return [_turned(asked, columns, [int(first) + turn for first in start]) for turn in range(OPTIONS)]


def _turned(asked: Asked, columns: list[list[str]], places: list[int]) -> Asked:
    choices, labels, answers = [], [], []
    for options, wanted, given in zip(columns, places, asked.answers, strict=True):
        place = wanted % len(options)
        choices.append([*options[1 : place + 1], options[0], *options[place + 1 :]])
        labels.append(place)
        answers.append([*given, LETTERS[place], f"{LETTERS[place]}. {given[0]}"])
    return replace(asked, choices=choices, label=labels, answers=answers)


def listed(choices: list[str]) -> str:
    """The options as lines below a question."""
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))


def _available(world: World, name: str) -> int:
    if isinstance(world, FactWorld):
        return world.spec.variety(name)
    relation = world.source_of(name)
    if relation.value_type != "entity":
        return relation.choices
    own = world.spec.end_of(name)
    return world.spec.types[own.object].block - (own.object == own.subject)


def _distractors(world: World, name: str, index: Ints) -> list[list[str]]:
    """For each subject up to three other values that the relation could have: distinct, none the answer."""
    if isinstance(world, FactWorld):
        return world.others(name, index, OPTIONS - 1)
    relation = world.spec.relations[name]
    if relation.value_type != "entity" and relation.same_as:
        *steps, last = relation.same_as.split(".")
        return _distractors(world, last, world.follow(steps, index))
    key = mix(stream_key(world.seed, "distractors", name), index)
    if relation.value_type == "entity":
        return _other_entities(world, name, index, key)
    k = relation.choices
    others = []
    for draw in range(min(OPTIONS, k) - 1):
        away = 1 + permute(key, np.full(index.size, draw, dtype=np.int64), k - 1)
        others.append(world.with_code(name, index, away))
    if relation.pools:
        return [list(row) for row in zip(*others, strict=True)]
    said = date_text if relation.value_type == "date" else lambda n: number_text(n, relation.unit)
    return [[said(int(n)) for n in row] for row in zip(*others, strict=True)]


def _other_entities(world: World, name: str, index: Ints, key: Words) -> list[list[str]]:
    relation = world.spec.relations[name]
    objects = world.objects(name, index)
    m = world.spec.types[relation.object].block
    wanted = min(OPTIONS - 1, _available(world, name) - 1)
    found: list[list[int]] = [[] for _ in range(index.size)]
    for draw in range(min(OPTIONS, m - 1)):
        away = 1 + permute(key, np.full(index.size, draw, dtype=np.int64), m - 1)
        other = objects // m * m + (objects % m + away) % m
        for i, candidate in enumerate(other.tolist()):
            itself = relation.object == relation.subject and candidate == int(index[i])
            if not itself and len(found[i]) < wanted:
                found[i].append(candidate)
    flat = np.asarray([c for row in found for c in row], dtype=np.int64)
    names = iter(world.names(relation.object, flat))
    return [[next(names) for _ in row] for row in found]
