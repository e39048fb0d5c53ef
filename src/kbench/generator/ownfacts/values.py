"""The values of a user's facts: every text that says one, which of them are the same, how numbers may be asked for."""

import datetime
from collections import Counter
from typing import cast

from kbench.generator.ownfacts.book import BookRelation, FactBook, OwnFact
from kbench.generator.ownfacts.names import same
from kbench.generator.relations import Relation
from kbench.generator.surface import date_of, date_text, decimal_text, forms_of, number_forms

_FIRST_YEAR, _LAST_YEAR = 1500, 2100
_MOST_SPELT = 10**12
_TEN = 10
_DATED = Relation(subject="subject", value_type="date", first=datetime.date.min, last=datetime.date.max)


def texts_of(relation: BookRelation, fact: OwnFact) -> tuple[str, ...]:
    """Every text that says a fact's value: first what a sentence says, then the value as it was given."""
    texts = [relation.said(fact.value), fact.value, *fact.aliases]
    if relation.value_type == "date":
        texts += forms_of(_DATED, date_text(int(cast(float, fact.number))), fact.number)
    elif fact.number is not None and fact.number.is_integer():
        texts += number_forms(int(fact.number), relation.unit)
    elif fact.number is not None:
        for plain in (relation.bare(fact.value).replace(",", ""), decimal_text(fact.number)):
            texts += [relation.said(plain), plain]
    return tuple(dict.fromkeys(texts))


def classes_of(book: FactBook, name: str, *, rough: bool = False) -> list[int]:
    """Which values of a relation are the same, by the subjects' numbers: -1 where a subject has none.

    Two values are the same where a text says both, so that neither can be a wrong answer to the other's question;
    `rough` ones also where they are of one year, or of one number when rounded.
    """
    relation, facts, heads = book.relations[name], book.of(name), dict[str, str]()

    def head(text: str) -> str:
        while heads.setdefault(text, text) != text:
            heads[text] = heads[heads[text]]
            text = heads[text]
        return text

    for fact in facts:
        if fact:
            texts = [same(text) for text in texts_of(relation, fact)]
            for other in [*texts[1:], *([f"about {_rough(relation, fact)}"] if rough else [])]:
                # The lesser text heads a class, whatever the order of the facts.
                low, high = sorted((head(texts[0]), head(other)))
                heads[high] = low
    found = [head(same(fact.value)) if fact else "" for fact in facts]
    numbers = {text: number for number, text in enumerate(sorted(set(found) - {""}))}
    return [numbers.get(text, -1) for text in found]


def kinds_of(book: FactBook, name: str) -> frozenset[str]:
    """The kinds of generic numeric phrasings that a relation's values can answer.

    Dates are asked for in a form; whole numbers in figures, in words and rounded; numbers that are not whole, or that
    are likely years, in figures alone. Nothing is asked for by its year, or rounded, where more than half of the
    answers would be the same: a false one would often be true.
    """
    relation, facts = book.relations[name], [fact for fact in book.of(name) if fact]
    if relation.value_type == "categorical":
        return frozenset()
    numbers = [cast(float, fact.number) for fact in facts]
    if relation.value_type == "date":
        kinds = {"year", "iso"}
    else:
        whole = all(number.is_integer() and abs(number) < _MOST_SPELT for number in numbers)
        years = not relation.unit and all(_FIRST_YEAR <= number <= _LAST_YEAR for number in numbers)
        kinds = {"", "digits", "words", "rounded"} if whole and not years else {"", "digits"}
        kinds -= {"rounded"} if min(numbers) < _TEN else set()
    told = Counter(_rough(relation, fact) for fact in facts)
    return frozenset(kinds - ({"year", "rounded"} if 2 * max(told.values()) > len(facts) else set()))


def _rough(relation: BookRelation, fact: OwnFact) -> int:
    """The year of a date; a number rounded to ten, as `asking.place_of` has it for whole numbers of two digits."""
    number = int(cast(float, fact.number))
    return date_of(number).year if relation.value_type == "date" else (number + _TEN // 2) // _TEN * _TEN
