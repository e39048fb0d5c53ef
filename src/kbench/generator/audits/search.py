"""Finding names and values in texts by their words, whatever the case and the marks between them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from kbench.generator.wording import MASK, words_of

_BARE_POSSESSIVE = re.compile(r"(?<=s)['\u2019](?=\s)")


def plain(text: str) -> str:
    """The case-folded words of a text with a space on both sides of each, so that `in` is a search by words."""
    return f" {' '.join(words_of(text))} "


def holds(text: str, sought: str) -> bool:
    """Whether one plain text stands in another; one without words stands nowhere."""
    return sought != "  " and sought in text


class NameIndex:
    """Names by their first word: each word of a text is looked up once, however many names there are."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """Index names; each maps to the article that its type has in a sentence, or to an empty text."""
        self._named: dict[tuple[str, ...], str] = {}
        self._articles: dict[tuple[str, ...], str] = {}
        lengths: dict[str, set[int]] = defaultdict(set)
        for name, article in names.items():
            words = tuple(words_of(name))
            if words:
                self._named[words] = name
                self._articles[words] = article
                lengths[words[0]].add(len(words))
        # The longest first: of two names that begin alike, a text that says the longer means the longer.
        self._lengths = {word: sorted(found, reverse=True) for word, found in lengths.items()}

    def __len__(self) -> int:
        return len(self._named)

    def found_in(self, text: str) -> list[str]:
        """The names that a text says, in the order of their places."""
        words = words_of(text)
        return [self._named[words_at] for _, words_at in self._places(words)]

    def masked(self, text: str) -> str:
        """The words of a text with each name, and the article before it, replaced by the mask.

        A possessive has its own word `s` after any name: after one that ends in s too, where only the mark is written.
        """
        words, shown, end = words_of(_BARE_POSSESSIVE.sub("'s", text)), list[str](), 0
        for start, name in self._places(words):
            if start < end:
                continue
            shown += words[end:start]
            if self._articles[name] and shown and shown[-1] == self._articles[name]:
                shown.pop()
            shown.append(MASK)
            end = start + len(name)
        return " ".join([*shown, *words[end:]])

    def _places(self, words: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
        for start, word in enumerate(words):
            for length in self._lengths.get(word, ()):
                candidate = tuple(words[start : start + length])
                if candidate in self._named:
                    yield start, candidate
                    break
