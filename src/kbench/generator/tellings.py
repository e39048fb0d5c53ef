"""Which texts are written of the entities of a type: what each states, in which order, and how often it is shown.

The k-th text of an entity takes the k-th frame, order of facts and phrasing of each. Facts that are to be said equally
often share texts, so that the repeats of a fact's texts sum to its exposures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kbench.generator.columns import Ints, runs, starts_of
from kbench.generator.hashing import Words, mix, stream_key
from kbench.generator.sheets import in_order
from kbench.generator.world import World


@dataclass(frozen=True)
class Tellings:
    """Texts in the order in which they are written; text i states `facts[starts[i]:starts[i + 1]]`."""

    who: Ints
    """The position of each text's entity."""
    k: Ints
    """Its number among the texts of its entity."""
    turn: Ints
    """Its number among those that state the same facts."""
    repeat: Ints
    starts: Ints
    facts: Ints
    """Relations, by position among those of the type."""


def tellings(world: World, style: str, kind: str, index: Ints, times: Ints, most: Ints) -> Tellings:
    """The texts of a style about a column of entities of a type.

    Args:
        times: how often each fact is to be stated: shape (relations, entities).
        most: in how many different texts a fact of each relation can be stated.
    """
    blocks = [
        block
        for who in _alike(times)
        for block in _of_one_pattern(world, style, kind, index, who, times[:, who[0]], most)
    ]
    who = _joined([block.who for block in blocks])
    k, turn, repeat, count = (
        np.repeat(
            np.asarray([getattr(block, name) for block in blocks], dtype=np.int64),
            np.asarray([block.who.size for block in blocks], dtype=np.int64),
        )
        for name in ("k", "turn", "repeat", "count")
    )
    order = in_order([who, k])
    facts, starts = runs(starts_of(count)[:-1][order], count[order])
    told = _joined([block.facts.ravel() for block in blocks])[facts]
    return Tellings(who[order], k[order], turn[order], repeat[order], starts, told)


def _alike(times: Ints) -> Iterator[Ints]:
    """The entities whose facts are said equally often, group by group."""
    pattern = np.zeros(times.shape[1], dtype=np.int64)
    for row in times:
        if (row != row[0]).any():
            _, pattern = np.unique(pattern * (row.max() + 1) + row, return_inverse=True)
    order = np.argsort(pattern, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(pattern[order])) + 1)


@dataclass(frozen=True)
class _Block:
    """The k-th texts of entities whose facts are said equally often."""

    who: Ints
    facts: Ints
    """Shape (texts, facts of each)."""
    k: int
    turn: int
    repeat: int

    @property
    def count(self) -> int:
        return int(self.facts.shape[1])


def _of_one_pattern(
    world: World, style: str, kind: str, index: Ints, who: Ints, times: Ints, most: Ints
) -> Iterator[_Block]:
    exposure = world.spec.exposure
    size = exposure.facts_per_dialogue if style == "dialogue" else exposure.facts_per_article
    k = 0
    for said in sorted(set(times.tolist()) - {0}, reverse=True):
        facts = np.flatnonzero(times == said)
        texts = min(exposure.paraphrases, said, int(most[facts].min()))
        for turn in range(texts):
            order = facts[_order(world, kind, index[who], turn, facts.size)]
            for start in range(0, facts.size, size or facts.size):
                chunk = order[:, start : start + (size or facts.size)]
                yield _Block(who, chunk, k, turn, said // texts + (turn < said % texts))
                k += 1


def _order(world: World, kind: str, index: Ints, turn: int, n: int) -> Ints:
    """In which order each entity's text states n facts: shape (entities, n)."""
    if world.spec.exposure.order == "fixed":
        return np.broadcast_to(np.arange(n), (index.size, n))
    key = mix(stream_key(world.seed, "order", kind), index)
    return _ascending(mix(key[:, None], np.arange(n, dtype=np.int64)[None, :] + turn * n))


def _ascending(ranks: Words) -> Ints:
    """The places of each row's numbers in ascending order: `argsort`, by a sort of numbers that carry their places."""
    places = np.uint64((1 << ranks.shape[1].bit_length()) - 1)
    ordered = np.sort((ranks & ~places) | np.arange(ranks.shape[1], dtype=np.uint64), axis=1)
    bare = ordered & ~places
    if (bare[:, 1:] == bare[:, :-1]).any():  # two so alike that their places would decide
        return np.argsort(ranks, axis=1, kind="stable")
    found: Ints = (ordered & places).astype(np.int64)
    return found


def _joined(columns: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *columns])
