"""Names: a bijection from an entity's index to a name, in a lane that few worlds share.

Invented names (the default): a word is a fixed number of vowel groups with consonant runs between them, opened by an
onset and closed by a coda. No onset ends another and no coda begins another, and forms that could stand inside one
another close on different codas: so no name of a world is contained in another, by construction rather than by search.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from math import prod

import numpy as np

from kbench.errors import SpecError
from kbench.generator.columns import Texts, spelt, texts
from kbench.generator.hashing import Ints, Words, permute, stream_key
from kbench.ids import json_digest

LANES = 4096
"""Each invented or opaque form's name space is cut into this many lanes; worlds in different lanes share no name."""

_OPAQUE = "23456789BCDFGHJKMNPQRSTVWXYZ"
_OPAQUE_LENGTH = 9


@dataclass(frozen=True)
class NameForm:
    """One way of naming: digits of a mixed-radix number, each drawn from a list of letters or words."""

    form: str
    digits: tuple[tuple[str, ...], ...]
    words: tuple[int, ...]
    """How many digits make each word."""
    lanes: int = LANES

    @cached_property
    def space(self) -> int:
        """How many names the form has, over all lanes."""
        return prod(len(digit) for digit in self.digits)

    @cached_property
    def digest(self) -> str:
        """The digest of the letters and words the form draws from."""
        return json_digest(self.digits)

    @property
    def capacity(self) -> int:
        """How many entities of one world can be named."""
        return self.space // self.lanes

    def may_clash(self, other: "NameForm") -> bool:
        """Whether a name of one form could be alike or contain a name of the other.

        Forms that differ in the length or endings of their first word cannot; nor can two that go on with lists of
        words of which none begins another.
        """
        if self.form == other.form == "opaque":
            heads = [form.digits[0][0].casefold() for form in (self, other)]
            return heads[0].endswith(heads[1]) or heads[1].endswith(heads[0])
        if "natural" in (self.form, other.form) or self.digits[: self.words[0]] != other.digits[: other.words[0]]:
            return self.form == other.form == "natural"
        mine, theirs = self.digits[self.words[0] :], other.digits[other.words[0] :]
        if len(mine) == len(theirs) == 1:
            return any(a.startswith(b) or b.startswith(a) for a in mine[0] for b in theirs[0])
        return True

    @cached_property
    def _spelling(self) -> list[Texts]:
        """Each digit's letters as they are written: capitals where a word begins, spaces between words."""
        opening = {sum(self.words[:k]): " " if k else "" for k in range(len(self.words))}
        return [
            texts([f"{opening[place]}{part[0].upper()}{part[1:]}" if place in opening else part for part in digit])
            for place, digit in enumerate(self.digits)
        ]

    def names(self, lane: int, key: int, index: Ints) -> Texts:
        """The name of each entity index. Raises SpecError where the lane has no more names."""
        return names_of(lane, [(self, key, index)])[0]

    def spelt(self, code: Ints) -> Texts:
        """The names of the form by their numbers among all of them."""
        places = []
        for digit in reversed(self.digits):
            code, place = np.divmod(code, len(digit))
            places.append(place)
        return spelt(self._spelling, places[::-1])


def names_of(lane: int, asked: Sequence[tuple[NameForm, int, Ints]]) -> list[Texts]:
    """The names of some columns of entity indices, each in its form and under its key.

    All together, since each column alone is little work. Raises SpecError where a form's lane has no more names.
    """
    for form, _, index in asked:
        if index.size and int(index.max()) >= form.capacity:
            raise SpecError(
                f"{int(index.max()) + 1:,} entities need names of the form {form.form!r}, which has "
                f"{form.capacity:,} to a world: ask for fewer entities or use another name form"
            )
    sizes = [index.size for _, _, index in asked]

    def each(values: list[int]) -> Ints:
        return np.repeat(np.asarray(values, dtype=np.int64), sizes)

    def keyed(values: list[int]) -> Words:
        return np.repeat(np.asarray(values, dtype=np.uint64), sizes)

    index = np.concatenate([index for _, _, index in asked])
    placed = permute(keyed([key for _, key, _ in asked]), index, each([form.capacity for form, _, _ in asked]))
    placed = each([lane % form.lanes * form.capacity for form, _, _ in asked]) + placed
    keys = keyed([stream_key("names", form.form) for form, _, _ in asked])
    codes = np.split(permute(keys, placed, each([form.space for form, _, _ in asked])), np.cumsum(sizes)[:-1])
    return [form.spelt(code) for (form, _, _), code in zip(asked, codes, strict=True)]


def form_of(kind: str, names: str, locale: str = "") -> NameForm:
    """The name form of a type. Raises SpecError that lists the known forms."""
    if names == "opaque":
        return _opaque_form(kind)
    if names == "natural":
        return _natural_form(locale or "en_US")
    forms = load_forms()
    if names not in forms:
        raise SpecError(f"unknown name form {names!r}: have {', '.join(forms)}, natural, opaque")
    return forms[names]


def _opaque_form(kind: str) -> NameForm:
    """Ids such as `City-7K2P9QXBD`: of one length, so that none contains another; the type's name leads them."""
    head = kind.replace("_", "-").capitalize() + "-"
    return NameForm("opaque", ((head,), *[tuple(_OPAQUE)] * _OPAQUE_LENGTH), (1 + _OPAQUE_LENGTH,))


@cache
def _natural_form(locale: str) -> NameForm:
    """First and last names of one of Faker's locales. They are names of real people, and worlds share them.

    Of names that begin or end one another only the shortest is kept, so that no full name contains another.
    Raises SpecError where Faker has no such locale or it has no list of first and last names.
    """
    from faker.config import AVAILABLE_LOCALES
    from faker.factory import Factory

    if locale not in AVAILABLE_LOCALES:
        near = [name for name in sorted(AVAILABLE_LOCALES) if name[:2] == locale[:2]] or ["en_US", "de_DE", "fr_FR"]
        raise SpecError(f"unknown locale {locale!r}: have {', '.join(near[:8])} and others of Faker's")
    provider = next(p for p in Factory.create(locale).get_providers() if "person" in p.__provider__)
    first = sorted({str(name) for name in getattr(provider, "first_names", ()) if " " not in str(name)})
    last = sorted({str(name) for name in getattr(provider, "last_names", ()) if " " not in str(name)})
    if not first or not last:
        raise SpecError(f"the locale {locale!r} of Faker has no lists of first and last names: try en_US")
    backwards = [name[::-1] for name in _shortest(sorted(name[::-1].casefold() for name in first))]
    kept_first, kept_last = set(backwards), set(_shortest(sorted(name.casefold() for name in last)))
    digits = (
        tuple(name for name in first if name.casefold() in kept_first),
        tuple(name for name in last if name.casefold() in kept_last),
    )
    return NameForm("natural", digits, (1, 1), lanes=1)


def _shortest(ordered: list[str]) -> list[str]:
    """Of sorted words, those that no other of them begins."""
    kept: list[str] = []
    for word in ordered:
        if not kept or not word.startswith(kept[-1]):
            kept.append(word)
    return kept


@cache
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
