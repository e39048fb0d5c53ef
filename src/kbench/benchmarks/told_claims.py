"""Which values a text says of its subject: those in sentences that are about it, with the words around each."""

from collections.abc import Iterator
from dataclasses import dataclass

from kbench.benchmarks.fact_pools import Pools, Value
from kbench.benchmarks.relation_words import Words
from kbench.benchmarks.said_values import Said, Sentence, Token, tokens_of

HE_OR_SHE = frozenset({"he", "she", "his", "her", "him", "hers"})
IT_OR_THEY = frozenset({"it", "its", "they", "their", "them", "theirs"})

_SAY_NOTHING = HE_OR_SHE | IT_OR_THEY | {"s", "a", "an"}
"""What tells no relation from another: pronouns, the end of a possessive, and articles that the value decides."""


@dataclass(frozen=True)
class Told:
    """A value in a sentence about the subject: what it may mean, the words around it, and where both stand."""

    values: dict[str, Value]
    """By relation that it may be a value of."""
    words: Words
    start: int
    end: int
    sentence: str
    named: bool
    """Whether the sentence names the subject, by name or pronoun; else it goes on like a line of a list."""
    own: bool
    """Whether the value is the subject's own name, in a sentence that speaks of the subject beside it."""


@dataclass(frozen=True)
class TextReader:
    """Reads texts about entities of a release. Of the types in `personal` they say he or she: an "it" is nobody."""

    pools: Pools
    personal: frozenset[str]

    def told(self, text: str, subject_id: str) -> Iterator[Told]:
        """What a text says in sentences about an entity, in order."""
        kind, tokens, here = self.pools.types[subject_id], tokens_of(text), True
        pronouns = HE_OR_SHE if kind in self.personal else HE_OR_SHE | IT_OR_THEY
        for sentence in self.pools.finder.sentences(text, tokens):
            mine = [said for said in sentence.said if self._names(said, subject_id)]
            meant = {said: values for said in sentence.said if (values := self._values(kind, said, mine))}
            pronoun = _first_of(tokens, sentence, pronouns)
            if mine:
                here = True
            elif pronoun is not None:
                # Who is named before it, and is no value of anything here, is whom the pronoun means.
                strangers = [said for said in sentence.said if self._is_name(said) and said not in meant]
                here = here and not any(said.last <= pronoun for said in strangers)
            elif sentence.said and sentence.said[0].first == sentence.first and self._is_name(sentence.said[0]):
                here = False
            if not here:
                continue
            own = not meant and bool(mine) and (pronoun is not None or len(mine) > 1)
            if own:
                meant = {mine[-1]: self.pools.candidates(kind, mine[-1])}
            whole = text[tokens[sentence.first].start : tokens[sentence.last - 1].end].strip()
            named = bool(mine) or pronoun is not None
            for said, values in meant.items():
                words = _words(tokens, sentence, said, list(meant), mine)
                yield Told(values, words, tokens[said.first].start, tokens[said.last - 1].end, whole, named, own)

    def words_beside(self, text: str, subject_id: str, relation: str) -> Words:
        """The words of a text that states or asks a relation, without its subject and values of the relation.

        Of a relation of several hops, whatever value it may end in is left out.
        """
        kind, tokens = self.pools.types[subject_id], tokens_of(text)
        said = [said for sentence in self.pools.finder.sentences(text, tokens) for said in sentence.said]
        mine = [one for one in said if self._names(one, subject_id)]
        far = "." in relation
        values = [one for one in said if one not in mine and (far or relation in self.pools.candidates(kind, one))]
        return _words(tokens, Sentence(0, len(tokens), tuple(said)), None, values, mine)

    def _values(self, kind: str, said: Said, mine: list[Said]) -> dict[str, Value]:
        return {} if said in mine else self.pools.candidates(kind, said)

    def _names(self, said: Said, entity_id: str) -> bool:
        return entity_id in self.pools.entities.get(said.phrase, ())

    def _is_name(self, said: Said) -> bool:
        return said.phrase in self.pools.entities


def _first_of(tokens: list[Token], sentence: Sentence, words: frozenset[str]) -> int | None:
    return next((place for place in range(sentence.first, sentence.last) if tokens[place].text in words), None)


def _words(tokens: list[Token], sentence: Sentence, said: Said | None, values: list[Said], mine: list[Said]) -> Words:
    """The words around a value: of a sentence that says several, those between its neighbours."""
    first = max((o.last for o in values if said and o.last <= said.first), default=sentence.first)
    last = min((o.first for o in values if said and o.first >= said.last), default=sentence.last)
    hidden = {place for one in (*values, *mine) for place in range(one.first, one.last)}
    return frozenset(
        token.text
        for place, token in enumerate(tokens[first:last], start=first)
        if place not in hidden and token.text[0].isalpha() and token.text not in _SAY_NOTHING
    )
