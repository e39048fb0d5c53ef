"""The values, names and pronouns that a text says: found by longest match, sentence by sentence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kbench.benchmarks.days import read_day

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\n|[^\w\s]|_")
_DATE_BEGINS = re.compile(
    r"\d{1,2}|\d{4}|(january|february|march|april|may|june|july|august|september|october|november|december)"
)
_DATE_TOKENS = (3, 4, 5)
"""`3 May 1968`, `May 3, 1968`, `1968-05-03`."""

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Token:
    """A word, number or mark of a text, in lower case, and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Said:
    """A stretch of tokens that says something: a `phrase`, a number (with its unit, where it has one) or a day."""

    first: int
    last: int
    """The token behind its last one."""
    phrase: Phrase = ()
    number: float | None = None
    unit: str | None = None
    """Of a number the unit that follows it, "" where none does; None of all else."""
    day: int | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence: its tokens' places in the text's, and what it says there, in order."""

    first: int
    last: int
    said: tuple[Said, ...]


def tokens_of(text: str) -> list[Token]:
    """A text in words, numbers and marks; the end of a line is a mark."""
    return [Token(match[0].casefold(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def phrase_of(text: str) -> Phrase:
    """A value or name as the tokens that it is looked for by."""
    return tuple(token.text for token in tokens_of(text))


@dataclass(frozen=True)
class Finder:
    """What is looked for: phrases by their first token, longest first, and the units that follow numbers."""

    phrases: Mapping[str, tuple[Phrase, ...]]
    units: Mapping[str, str]
    """A unit as its phrase joined by spaces, to the unit itself."""
    unit_tokens: int

    def sentences(self, text: str, tokens: list[Token]) -> list[Sentence]:
        """The sentences of a text; a full stop inside a value or name ends none."""
        found, said, first, place = list[Sentence](), list[Said](), 0, 0
        while place < len(tokens):
            here = self._at(text, tokens, place)
            if here is not None:
                said.append(here)
                place = here.last
                continue
            place += 1
            if _ends(text, tokens[place - 1]):
                found.append(Sentence(first, place, tuple(said)))
                said, first = [], place
        return [*found, Sentence(first, place, tuple(said))] if first < place else found

    def _at(self, text: str, tokens: list[Token], place: int) -> Said | None:
        """The longest value or name that begins at a token."""
        options = [self._phrase(tokens, place), self._day(text, tokens, place), self._number(tokens, place)]
        return max((said for said in options if said), key=lambda said: said.last, default=None)

    def _phrase(self, tokens: list[Token], place: int) -> Said | None:
        for phrase in self.phrases.get(tokens[place].text, ()):
            last = place + len(phrase)
            if tuple(token.text for token in tokens[place:last]) == phrase:
                return Said(place, last, phrase=phrase)
        return None

    def _day(self, text: str, tokens: list[Token], place: int) -> Said | None:
        if not _DATE_BEGINS.fullmatch(tokens[place].text):
            return None
        for width in _DATE_TOKENS:
            span = tokens[place : place + width]
            if len(span) == width and span[-1].text.isdigit() and span[0].text != span[-1].text:
                day = read_day(text[span[0].start : span[-1].end])
                if day is not None:
                    return Said(place, place + width, day=day)
        return None

    def _number(self, tokens: list[Token], place: int) -> Said | None:
        digits = tokens[place].text.replace(",", "")
        if not re.fullmatch(r"\d+(\.\d+)?", digits):
            return None
        for width in range(self.unit_tokens, 0, -1):
            after = " ".join(token.text for token in tokens[place + 1 : place + 1 + width])
            if after in self.units:
                return Said(place, place + 1 + width, number=float(digits), unit=self.units[after])
        return Said(place, place + 1, number=float(digits), unit="")


def finder_of(phrases: Iterable[Phrase], units: Iterable[str]) -> Finder:
    """What looks for some phrases, for days, and for numbers with or without some units."""
    by_first: dict[str, list[Phrase]] = {}
    for phrase in set(phrases):
        if phrase:
            by_first.setdefault(phrase[0], []).append(phrase)
    ordered = {first: tuple(sorted(some, key=lambda p: (-len(p), p))) for first, some in by_first.items()}
    known = {" ".join(phrase_of(unit)): unit for unit in units if unit}
    return Finder(ordered, known, max((len(unit.split(" ")) for unit in known), default=0))


def _ends(text: str, token: Token) -> bool:
    """Whether a token ends a sentence: a line's end, or a closing mark before a space or at the end."""
    return token.text == "\n" or (token.text in ".!?" and text[token.end : token.end + 1] in ("", " ", "\n", "\t"))
