"""Options of multiple-choice questions: distractors of the answer's kind, the right place balanced over entities."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.generator.asking import Asked
from kbench.generator.columns import (
    Ints,
    Lists,
    Press,
    joined,
    lists,
    one_each,
    runs,
    side_by_side,
    starts_of,
    take,
    texts,
)
from kbench.generator.hashing import Words, mix, permute, stream_key
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.world import World

OPTIONS = 4
LETTERS = "ABCD"
LISTED = "\0listed"
"""The variable that holds the options as lines; no template can name it."""

_LETTERS = texts(LETTERS)


def can_choose(world: World, name: str) -> bool:
    """Whether a relation has at least two values to choose among."""
    return _available(world, name) >= 2


def with_options(world: World, asked: Asked) -> list[Asked]:
    """The same question with its options, in as many turns as there may be places for the right one."""
    n = asked.index.size
    wrong = _distractors(world, asked.name, asked.index)
    right = pc.list_element(asked.answers, 0)
    sizes = 1 + wrong.value_lengths().to_numpy().astype(np.int64)
    # All options of all subjects, the right one of each first.
    options = _below(one_each(right), wrong)
    start = world.rank(f"label/{asked.name}", asked.kind, asked.index, int(sizes.max(initial=OPTIONS if not n else 0)))
    return [_turned(asked, options, sizes, (start + turn) % sizes) for turn in range(OPTIONS)]


def _turned(asked: Asked, options: Lists, sizes: Ints, label: Ints) -> Asked:
    firsts = starts_of(sizes)
    row = np.repeat(np.arange(sizes.size), sizes)
    place = np.arange(row.size) - firsts[row]
    # The right option at its place, the others in their order around it.
    other = np.where(place == label[row], 0, np.where(place < label[row], place + 1, place))
    shown = take(options.values, firsts[row] + other)
    letter, right = take(_LETTERS, label), pc.list_element(asked.answers, 0)
    press = Press()
    lines = press.column(shown)
    plans = np.asarray([press.plan(["" if k == 0 else "\n", f"{LETTERS[k]}. ", lines]) for k in range(OPTIONS)])
    return replace(
        asked,
        choices=lists(shown, firsts),
        label=pa.array(label, pa.int8()),
        answers=_below(asked.answers, side_by_side([letter, joined(letter, ". ", right)])),
        variables={**asked.variables, LISTED: press.print(plans[place], np.arange(row.size), firsts)},
    )


def _below(above: Lists, more: Lists) -> Lists:
    """The lists of each row one after another."""
    n = len(above)
    counts = [column.value_lengths().to_numpy().astype(np.int64) for column in (above, more)]
    firsts = [starts_of(count) for count in counts]
    both = np.stack([firsts[0][:-1], firsts[1][:-1] + firsts[0][-1]], axis=1).ravel()
    at, starts = runs(both, np.stack(counts, axis=1).ravel())
    return lists(take(pa.concat_arrays([above.flatten(), more.flatten()]), at), starts[::2] if n else starts)


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


def _distractors(world: World, name: str, index: Ints) -> Lists:
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
    return side_by_side(others)


def _other_entities(world: World, name: str, index: Ints, key: Words) -> Lists:
    relation = world.spec.relations[name]
    objects = world.objects(name, index)
    m = world.spec.types[relation.object].block
    wanted = min(OPTIONS - 1, _available(world, name) - 1)
    found = np.empty((index.size, min(OPTIONS, m - 1)), dtype=np.int64)
    for draw in range(found.shape[1]):
        away = 1 + permute(key, np.full(index.size, draw, dtype=np.int64), m - 1)
        found[:, draw] = objects // m * m + (objects % m + away) % m
    fit = found != index[:, None] if relation.object == relation.subject else np.ones(found.shape, dtype=bool)
    fit &= np.cumsum(fit, axis=1) <= wanted
    distinct, at = np.unique(found[fit], return_inverse=True)
    return lists(take(world.names(relation.object, distinct), at), starts_of(fit.sum(axis=1)))
