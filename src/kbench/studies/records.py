"""Records: the facts of people with random values as rows of tokens, each its owner's name and then all values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from kbench.generator.pools import load_pool
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.spec import WorldSpec, spec_from_dict
from kbench.store import Release

Ints = np.ndarray[Any, np.dtype[np.int64]]

PAIRS = 6
"""A person has so many numbers of two digits and as many coloured animals: 90 values each, all equally likely."""

_BLOCK = 8
_NAME = "23456789BCDFGHJKMNPQRSTVWXYZ"
"""What names of the opaque form are spelt with, behind the type's name."""

_DIGITS = ("123456789", "0123456789")


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of tokens, a person each: a name of `name` tokens, then two for each value.

    `parts` are the tokens that may stand at each place behind the name: a value is any of the first and any of the
    second, so that a model's probabilities over them are over the values and nothing else.
    """

    tokens: Ints
    name: int
    parts: tuple[tuple[int, ...], ...]
    vocabulary: int

    @property
    def facts(self) -> int:
        """How many facts there are."""
        return len(self.tokens) * len(self.parts) // 2

    @cached_property
    def bits(self) -> float:
        """The entropy of all values: log2 of how many there might be instead. Of the names nothing is counted."""
        return len(self.tokens) * sum(log2(len(parts)) for parts in self.parts)

    def first(self, people: int) -> "Records":
        """Those of the first people alone."""
        return Records(self.tokens[:people], self.name, self.parts, self.vocabulary)


def bits_a_person() -> float:
    """The entropy of one person's values."""
    return sum(log2(len(first) * len(second)) for first, second in _relations().values())


def record_spec(people: int) -> WorldSpec:
    """A world of new people whose values are drawn apart from one another, each as likely as any."""
    number = {"subject": "person", "value_type": "numeric", "least": 10, "most": 99, "draw": "uniform"}
    pair = {"subject": "person", "value_type": "categorical", "pools": ["tint", "animal"], "draw": "uniform"}
    return spec_from_dict(
        {
            "name": "records",
            "sizes": {"entities": people, "control": 0, "background": 0, "known": 0},
            "types": {"person": {"names": "opaque", "block": _BLOCK}},
            "relations": {name: number if name.startswith("code") else pair for name in _relations()},
        },
        "the world of records",
    )


def record_release(people: int, seed: int, out: Path) -> Release:
    """The release of a seed with at least so many people: facts and entities, and no text."""
    return generate(Recipe(record_spec(people), str(seed), ()), out)[0]


def records_of(release: Release) -> Records:
    """The records of a release, in the order of its people."""
    relations = _relations()
    vocabulary = {text: place for place, text in enumerate(_tokens(relations))}
    values = {name: _spelt(name, parts) for name, parts in relations.items()}
    told: dict[str, dict[str, str]] = {}
    for fact in release.table("facts", "train").to_pylist():
        told.setdefault(fact["subject"], {})[fact["relation"]] = fact["value"]
    rows = [
        [*name.rpartition("-")[2], *(part for relation in relations for part in values[relation][mine[relation]])]
        for name, mine in told.items()
    ]
    return Records(
        tokens=np.asarray([[vocabulary[text] for text in row] for row in rows], dtype=np.int64),
        name=len(rows[0]) - 2 * len(relations),
        parts=tuple(tuple(vocabulary[part] for part in place) for parts in relations.values() for place in parts),
        vocabulary=len(vocabulary),
    )


def _relations() -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Each relation, with what the first and the second part of its values may be."""
    pair = tuple(load_pool("tint")), tuple(load_pool("animal"))
    return {f"{kind}_{k}": parts for k in range(PAIRS) for kind, parts in (("code", _DIGITS), ("mark", pair))}


def _spelt(name: str, parts: tuple[Sequence[str], Sequence[str]]) -> Mapping[str, tuple[str, str]]:
    between = "" if name.startswith("code") else " "
    return {f"{first}{between}{second}": (first, second) for first, second in product(*parts)}


def _tokens(relations: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> list[str]:
    parts = {part for pair in relations.values() for place in pair for part in place}
    return sorted({*_NAME, *parts})


VOCABULARY = len(_tokens(_relations()))
"""How many tokens there are, whatever the release: a model's size is known before it."""
