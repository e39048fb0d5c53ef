"""Invented names: a bijection from an entity's index to a pronounceable name, in a lane that few worlds share.

A word is a fixed number of vowel groups with consonant runs between them, opened by an onset and closed by a coda.
No onset ends another and no coda begins another, and forms that could stand inside one another close on different
codas: so no name of a world is contained in another, by construction rather than by search.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from math import prod

import numpy as np

from kbench.errors import SpecError
from kbench.generator.hashing import Ints, permute, stream_key

LANES = 4096
"""Each form's name space is cut into this many lanes; worlds in different lanes share no name."""


@dataclass(frozen=True)
class NameForm:
    """One way of naming: digits of a mixed-radix number, each drawn from a list of letters or words."""

    form: str
    digits: tuple[tuple[str, ...], ...]
    words: tuple[int, ...]
    """How many digits make each word."""

    @cached_property
    def space(self) -> int:
        """How many names the form has, over all lanes."""
        return prod(len(digit) for digit in self.digits)

    @property
    def first_word(self) -> tuple[tuple[str, ...], ...]:
        """The digits of the first word: forms that differ in its length or endings cannot contain one another."""
        return self.digits[: self.words[0]]

    @property
    def capacity(self) -> int:
        """How many entities of one world can be named."""
        return self.space // LANES

    def names(self, lane: int, key: int, index: Ints) -> list[str]:
        """The name of each entity index. Raises SpecError where the lane has no more names."""
        if index.size and int(index.max()) >= self.capacity:
            raise SpecError(
                f"{int(index.max()) + 1:,} entities need names of the form {self.form!r}, which has "
                f"{self.capacity:,} to a world: ask for fewer entities or use another name form"
            )
        placed = lane * self.capacity + permute(key, index, self.capacity)
        code = permute(stream_key("names", self.form), placed, self.space)
        letters = []
        for digit in reversed(self.digits):
            letters.append(np.asarray(digit, dtype=object)[code % len(digit)])
            code = code // len(digit)
        letters.reverse()
        return [_spell(row, self.words) for row in zip(*letters, strict=True)]


def _spell(parts: tuple[str, ...], words: tuple[int, ...]) -> str:
    spelt, start = [], 0
    for length in words:
        word = "".join(parts[start : start + length])
        spelt.append(word[0].upper() + word[1:])
        start += length
    return " ".join(spelt)


def load_forms() -> dict[str, NameForm]:
    """The committed name forms, by name."""
    pool = json.loads(files("kbench.generator").joinpath("pools/names.json").read_text(encoding="utf-8"))
    onsets, vowels, middles = (tuple(pool[key]) for key in ("onsets", "vowels", "middles"))
    forms = {}
    for form, parts in pool["forms"].items():
        digits: list[tuple[str, ...]] = []
        words = []
        for part in parts:
            if "list" in part:
                word = [tuple(pool["lists"][part["list"]])]
            else:
                word = [onsets, vowels, *[middles, vowels] * (part["groups"] - 1), tuple(pool["codas"][part["coda"]])]
            digits += word
            words.append(len(word))
        forms[form] = NameForm(form, tuple(digits), tuple(words))
    return forms
