"""What a text about a subject claims, and how much of it is so: atomic-fact precision against a release's facts.

Every value of a relation's pool in a sentence about the subject is one claim; said twice, it is one claim still. No
model is asked to judge: what a sentence says is found by the release's own values and phrasings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.fact_pools import Pools, Value, pools_of
from kbench.benchmarks.relation_words import RelationWords, Words, relation_words
from kbench.benchmarks.said_values import tokens_of
from kbench.benchmarks.told_claims import HE_OR_SHE, IT_OR_THEY, TextReader, Told
from kbench.errors import ReleaseError
from kbench.store import Release

_ALIKE = 0.5
"""How like the relation's phrasings a sentence without name or pronoun must be to count as about the subject."""
_ALIKE_FAR = 0.8
"""How like a phrasing of several hops one must be to be of somebody else whom the subject is tied to."""
_ALIKE_OWN = 0.8
"""How like them one must be for the subject's own name to be a value in it (somebody married to himself)."""

_PHRASINGS = ("statement", "cloze", "qa")
_ROWS = 2
"""Of each phrasing so many rows show its words."""
_ARTICLES = 400
"""So many articles show what people are called, and, where no style states single facts, the words of relations."""


@dataclass(frozen=True)
class Claim:
    """A value that a text says of its subject, as it is written there, and the sentence.

    `relations` has the one that is meant; several where the words do not tell them apart. It is then right if it is so
    for any of them.
    """

    value: str
    relations: tuple[str, ...]
    right: bool
    sentence: str


@dataclass(frozen=True)
class Checked:
    """The claims of a text about a subject, and how many facts the release has of the subject."""

    subject_id: str
    claims: tuple[Claim, ...]
    facts: int

    @property
    def claimed(self) -> int:
        """How many claims there are."""
        return len(self.claims)

    @property
    def right(self) -> int:
        """How many claims are so."""
        return sum(claim.right for claim in self.claims)

    @property
    def ambiguous(self) -> int:
        """How many claims fit several relations alike."""
        return sum(len(claim.relations) > 1 for claim in self.claims)

    @property
    def precision(self) -> float | None:
        """The share of the claims that are so; None of a text that claims nothing."""
        return self.right / len(self.claims) if self.claims else None

    @property
    def recall(self) -> float | None:
        """The share of the subject's facts that the text states; None where the release has none."""
        return self.right / self.facts if self.facts else None


@dataclass(frozen=True, repr=False)
class FactChecker:
    """What checks texts against a release: its pools of values, and the words by which it speaks of each relation."""

    reader: TextReader
    words: Mapping[str, RelationWords]
    """By type of entity."""

    @property
    def pools(self) -> Pools:
        """The values of each relation, and who has which."""
        return self.reader.pools

    def check(self, text: str, subject_id: str) -> Checked:
        """What a text claims of an entity.

        A sentence is about the subject where it says the subject's name, or goes on about it by a pronoun or like a
        line of a list, and no other entity was turned to since. Of values within one another the longest counts. A
        value that several relations take belongs to the one whose phrasings the words around it are most like; where
        they are more like those of a relation of several hops (her employer's city), it is no claim of the subject.

        Raises ReleaseError where the release has no such entity.
        """
        kind = self.pools.types.get(subject_id)
        if kind is None:
            raise ReleaseError(f"no entity {subject_id!r} in the release: take an entity_id of its table `entities`")
        known = self.pools.facts.get(subject_id, {})
        found: dict[tuple[tuple[str, ...], tuple[Value, ...]], Claim] = {}
        for told in self.reader.told(text, subject_id):
            if relations := self._meant(kind, told):
                values = tuple(told.values[name] for name in relations)
                right = any(told.values[name] in known.get(name, ()) for name in relations)
                claim = Claim(text[told.start : told.end], relations, right, told.sentence)
                found.setdefault((relations, values), claim)
        return Checked(subject_id, tuple(found.values()), sum(map(len, known.values())))

    def chance(self, subject_id: str) -> float:
        """The precision of one who draws each value at random: the mean over the subject's relations of 1 / values."""
        some = [self.pools.sizes[name] for name in self.pools.facts.get(subject_id, {})]
        return sum(1 / size for size in some) / len(some) if some else 0.0

    def _meant(self, kind: str, told: Told) -> tuple[str, ...]:
        """The relations that a value is said for; none where a sentence that names nobody is like no phrasing."""
        words = self.words.get(kind)
        if words is None:
            return tuple(told.values) if told.named and not told.own else ()
        relations, alike = words.likeliest(told.values, told.words)
        least = _ALIKE_OWN if told.own else 0.0 if told.named else _ALIKE
        # "Her husband works as a dentist" is no claim of her own occupation.
        far = max((words.likeness(name, told.words) for name in words.phrasings if "." in name), default=0.0)
        return relations if alike >= least and not far > max(alike, _ALIKE_FAR) else ()


def fact_checker(release: Release) -> FactChecker:
    """What checks texts against the facts of a release.

    How each relation is spoken of is taken from the release's single statements, completions and questions, or from its
    articles where it has no statements.

    Raises ReleaseError where a file of the release is missing.
    """
    pools = pools_of(release)
    articles = _rows(release, "article", ("entity_id", "text", "fact_ids"), _ARTICLES)
    reader = TextReader(pools, _personal(pools, articles))
    phrasings: dict[str, list[tuple[str, Words]]] = defaultdict(list)
    for row, text in _single_facts(release):
        if row["relation"] in pools.sizes or "." in row["relation"]:
            words = reader.words_beside(text, row["entity_id"], row["relation"])
            phrasings[pools.types[row["entity_id"]]].append((row["relation"], words))
    if "statement" not in release.configs():
        for row in articles:
            phrasings[pools.types[row["entity_id"]]] += _from_article(reader, row)
    return FactChecker(reader, {kind: relation_words(some) for kind, some in phrasings.items()})


def _single_facts(release: Release) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows that state or ask one relation, a few of each phrasing, and what each says."""
    shown = Counter[str]()
    for style in _PHRASINGS:
        text = "text" if style == "statement" else "question"
        for row in _rows(release, style, ("template_id", "relation", "entity_id", "fact_ids", text)):
            key = f"{row['template_id']} {row['relation']}"
            if shown[key] < _ROWS and (len(row["fact_ids"]) == 1 or style == "statement"):
                shown[key] += 1
                yield row, row[text]


def _from_article(reader: TextReader, row: dict[str, Any]) -> Iterator[tuple[str, Words]]:
    """The sentences of an article in which one of its facts alone can be meant, and that fact's relation."""
    known = reader.pools.facts[row["entity_id"]]
    for told in reader.told(row["text"], row["entity_id"]):
        true = [name for name, value in told.values.items() if value in known.get(name, ())]
        if len(true) == 1:
            yield true[0], told.words


def _personal(pools: Pools, articles: list[dict[str, Any]]) -> frozenset[str]:
    """The types of whom articles say he or she, and not it."""
    said: dict[str, Counter[bool]] = defaultdict(Counter)
    for row in articles:
        words = [token.text for token in tokens_of(row["text"])]
        said[pools.types[row["entity_id"]]].update(
            word in HE_OR_SHE for word in words if word in HE_OR_SHE | IT_OR_THEY
        )
    return frozenset(kind for kind, counts in said.items() if counts[True] > counts[False])


def _rows(release: Release, style: str, columns: tuple[str, ...], most: int | None = None) -> list[dict[str, Any]]:
    """Rows of a style in the splits that are trained on; of each type of entity so many, where `most` is set."""
    found: list[dict[str, Any]] = []
    for split in (s for s in ("train", "pretrain") if style in release.configs() and s in release.splits(style)):
        found += release.table(style, split).select(list(columns)).to_pylist()
    if most is None:
        return found
    seen = Counter[str]()
    kept = []
    for row in found:
        kind = row["entity_id"].rsplit("-", 1)[0]
        seen[kind] += 1
        if seen[kind] <= most:
            kept.append(row)
    return kept
