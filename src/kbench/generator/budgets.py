"""Budgets matched by tokens: how much rarer a wordy style states a fact, so that all styles cost the same text."""

from fractions import Fraction

import numpy as np

from kbench.generator.hashing import Ints
from kbench.generator.packs import Pack
from kbench.generator.spec import WorldSpec
from kbench.generator.wording import words_of
from kbench.schema import DOCUMENT_STYLES

REFERENCE = "qa"
"""The style whose exposures are those of the spec; `facts.exposures` is its count."""

_NO_ONE_FACT = frozenset({"multihop", "reverse", "tone"})
"""Styles that are not another way to state a fact: their exposures stay those of the spec."""

_OPTIONS = 4
_NOT_PRINTED = frozenset({"if", "endif", "for", "endfor", "else", "sentences", "turns"})
_VARIABLE_WORDS = 2
"""A name or a value counts for so many words."""


def in_budget(spec: WorldSpec, pack: Pack, style: str, times: Ints) -> Ints:
    """How often facts are said in one style, from how often the spec states them; at least once where at all."""
    if spec.exposure.budget == "facts" or style in _NO_ONE_FACT:
        return times
    share = _share(spec, pack, style)
    scaled = (times * share.numerator * 2 + share.denominator) // (2 * share.denominator)
    return np.maximum(scaled, np.minimum(times, 1))


def _share(spec: WorldSpec, pack: Pack, style: str) -> Fraction:
    """How much rarer a style states a fact, counted once for a spec; the spec is kept, so that its id stays its own."""
    key = (id(spec), style)
    if key not in pack.memory:
        pack.memory[key] = (words_a_fact(spec, pack, REFERENCE) / words_a_fact(spec, pack, style), spec)
    share: Fraction = pack.memory[key][0]
    return share


def words_a_fact(spec: WorldSpec, pack: Pack, style: str) -> Fraction:
    """The words of training text that one exposure of a fact takes in a style, by the pack's phrasings on average."""
    counts = [_words(spec, pack, style, name) for name in spec.relations]
    counts = [count for count in counts if count]
    return sum(counts, Fraction(0)) / len(counts) if counts else Fraction(1)


def _words(spec: WorldSpec, pack: Pack, style: str, name: str) -> Fraction:
    file, kind = spec.template_of(name), spec.relations[name].subject
    if style not in DOCUMENT_STYLES:
        asked = _average(pack, style, file)
        options = _OPTIONS * (1 + _VARIABLE_WORDS) if style == "choice" else 0
        return asked + _VARIABLE_WORDS + options if asked else Fraction(0)
    told = _average(pack, "statement", file)
    if style == "statement":
        return told
    facts = len(spec.relations_of(kind))
    limit = spec.exposure.facts_per_dialogue if style == "dialogue" else spec.exposure.facts_per_article
    frame = _average(pack, style, kind, spec.articles) / min(facts, limit or facts)
    return frame + told + (_average(pack, "qa", file) if style == "dialogue" else 0)


def _average(pack: Pack, folder: str, file: str, kinds: tuple[str, ...] = ()) -> Fraction:
    found = pack.of(folder, file, "train")
    texts = [p.source for p in found if folder != "article" or p.kind in kinds]
    return Fraction(sum(map(_count, texts)), len(texts)) if texts else Fraction(0)


def _count(source: str) -> int:
    """The words of a template's own text, and those of the variables it prints."""
    printed, words = 0, []
    for place, part in enumerate(source.replace("{%", "{{").replace("%}", "}}").split("{{")):
        if place:
            inside, _, part = part.partition("}}")
            printed += inside.strip().split(" ")[0] not in _NOT_PRINTED
        words += words_of(part)
    return len(words) + printed * _VARIABLE_WORDS
