"""Which relation a sentence is about, told by its words: those of the relation's own phrasings in a release."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Words = frozenset[str]
"""The words of a sentence, without its subject and the value that it states."""


@dataclass(frozen=True)
class RelationWords:
    """The words of each phrasing of some relations, and how telling each word is."""

    phrasings: Mapping[str, frozenset[Words]]
    weights: Mapping[str, float]
    unknown: float
    """The weight of a word that stands in no phrasing."""

    def likeness(self, relation: str, words: Words) -> float:
        """How like a sentence is to the relation's most similar phrasing: 0 to 1, 1 for the same words.

        It is Dice's coefficient with each word weighted by how few relations use it.
        """
        return max((self._dice(words, other) for other in self.phrasings.get(relation, ())), default=0.0)

    def likeliest(self, relations: Iterable[str], words: Words) -> tuple[tuple[str, ...], float]:
        """The relations among some that a sentence is most like, several where they tie, and how like it is.

        Where it says what one relation is always told with and no other is (the topic of an opinion), it is that one's,
        whatever the rest of its words.
        """
        some = list(relations)
        marked = [name for name in some if self._marks(name, some) and self._marks(name, some) <= words]
        likeness = {name: self.likeness(name, words) for name in (marked if len(marked) == 1 else some)}
        most = max(likeness.values(), default=0.0)
        return tuple(sorted(name for name, value in likeness.items() if math.isclose(value, most))), most

    def _marks(self, relation: str, among: Iterable[str]) -> Words:
        """The words that all phrasings of a relation have, and none of the others among which it stands."""
        always = frozenset.intersection(*self.phrasings.get(relation, (Words(),)))
        return always - {w for name in among if name != relation for some in self.phrasings.get(name, ()) for w in some}

    def _dice(self, one: Words, other: Words) -> float:
        whole = self._weight(one) + self._weight(other)
        return 2 * self._weight(one & other) / whole if whole else 1.0

    def _weight(self, words: Words) -> float:
        return math.fsum(self.weights.get(word, self.unknown) for word in words)


def relation_words(phrasings: Iterable[tuple[str, Words]]) -> RelationWords:
    """What tells relations apart, from sentences of which it is known (relation, words)."""
    found: dict[str, set[Words]] = defaultdict(set)
    for relation, words in phrasings:
        found[relation].add(words)
    used = Counter(word for some in found.values() for word in set[str]().union(*some))
    weights = {word: math.log1p(len(found) / n) for word, n in sorted(used.items())}
    return RelationWords(
        {name: frozenset(some) for name, some in found.items()}, weights, math.log1p(max(1, len(found)))
    )
