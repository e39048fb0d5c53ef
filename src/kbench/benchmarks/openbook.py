"""Facts of a release as plain sentences, and the open book of a question: what it needs, among others."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.store import Release

DISTRACTORS = 4
"""How many facts that the question does not need stand in its open book."""

_OTHERS = 256
"""How many facts of a relation distractors are drawn from."""

_TRIES = 8
"""How many facts of a relation are drawn at most to find one about somebody else."""

_LABELS: Mapping[str, str] = {
    "born": "date of birth",
    "graduated": "graduation date",
    "founded": "founding date",
    "established": "founding date",
    "launched": "launch date",
    "activated": "activation date",
    "manner": "manner of speaking",
    "badge": "badge number",
    "employees": "number of employees",
    "students": "number of students",
    "mayor_since": "day on which the mayor took office",
    "term": "mayor's term of office",
    "founding_of": "company founded",
    "accident_injured": "number of injured people",
    "festival_visitors": "number of visitors",
    "festival_prize": "prize winner",
    "match_points": "winner's score",
}
"""Relations whose name alone is no noun for their value."""
_TOPICS = ("opinion", "rating")
"""What opens the name of a relation about a topic: `opinion_chess`."""


@dataclass(frozen=True)
class Fact:
    """A fact as a prompt tells it."""

    fact_id: str
    subject_id: str
    subject: str
    relation: str
    value: str
    number: float | None

    @property
    def label(self) -> str:
        """What the relation is called in a sentence: `alma mater`, `date of birth`."""
        if self.relation in _LABELS:
            return _LABELS[self.relation]
        kind = self.subject_id.rpartition("/")[2].rpartition("-")[0]
        words = self.relation.removeprefix(f"{kind}_").split("_")
        return " ".join([words[0], "of", *words[1:]] if words[0] in _TOPICS and words[1:] else words)


@dataclass(frozen=True)
class Facts:
    """The facts that some questions need, all others of their subjects, and some of each relation."""

    by_id: Mapping[str, Fact]
    by_subject: Mapping[str, list[Fact]]
    by_relation: Mapping[str, list[Fact]]

    def of(self, row: dict[str, Any]) -> list[Fact]:
        """The facts that a question needs, in the order of its hops. Raises ReleaseError where one is missing."""
        for fact in row["fact_ids"]:
            if fact not in self.by_id:
                raise ReleaseError(
                    f"the row {row['id']!r} needs the fact {fact!r}, which the release's facts do not hold: "
                    "generate the release again"
                )
        return [self.by_id[fact] for fact in row["fact_ids"]]


def load_facts(release: Release, rows: Iterable[dict[str, Any]]) -> Facts:
    """The facts about and around some questions."""
    table = release.table("facts", "train").select(["fact_id", "subject_id", "subject", "relation", "value", "number"])
    needed = {fact for row in rows for fact in row["fact_ids"]}
    subjects = pc.unique(_where(table, "fact_id", needed).column("subject_id")).to_pylist()
    near = _facts(_where(table, "subject_id", subjects))
    by_subject: dict[str, list[Fact]] = defaultdict(list)
    for fact in near:
        by_subject[fact.subject_id].append(fact)
    relations = pc.unique(table.column("relation")).to_pylist()
    some = {name: _facts(_where(table, "relation", [name]).slice(0, _OTHERS)) for name in relations}
    return Facts({fact.fact_id: fact for fact in near}, by_subject, some)


def sentence(fact: Fact) -> str:
    """A fact in plain words."""
    return f"The {fact.label} of {fact.subject} is {fact.value}."


def open_book(facts: Facts, row: dict[str, Any], seed: int) -> list[str]:
    """The facts that a question needs among `DISTRACTORS` others, in an order that follows from the row's id.

    Half of the others are about the same subjects, half are of the same relations about others, as far as there are.
    """
    rng = Random(int(digest_of("open-book", str(seed), row["id"])[:16], 16))
    needed = facts.of(row)
    ids, subjects = {f.fact_id for f in needed}, list(dict.fromkeys(f.subject_id for f in needed))
    own = [fact for subject in subjects for fact in facts.by_subject[subject] if fact.fact_id not in ids]
    like = _like(facts, needed, rng)
    rng.shuffle(own)
    half = DISTRACTORS // 2
    others = [*own[:half], *like[: DISTRACTORS - min(half, len(own))]]
    others += own[half : half + DISTRACTORS - len(others)]
    told = [sentence(fact) for fact in [*needed, *others]]
    rng.shuffle(told)
    return told


def _like(facts: Facts, needed: list[Fact], rng: Random) -> list[Fact]:
    """Facts of the needed relations about others, the relations in turn from the answer's on, which comes last."""
    subjects = {fact.subject_id for fact in needed}
    relations = list(dict.fromkeys(fact.relation for fact in reversed(needed)))
    found: dict[str, Fact] = {}
    for turn in range(DISTRACTORS):
        held = facts.by_relation[relations[turn % len(relations)]]
        drawn = (held[rng.randrange(len(held))] for _ in range(_TRIES))
        fact = next((f for f in drawn if f.subject_id not in subjects and f.fact_id not in found), None)
        if fact:
            found[fact.fact_id] = fact
    return list(found.values())


def _where(table: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    return table.filter(pc.is_in(table.column(column), value_set=pa.array(sorted(values), pa.string())))


def _facts(table: pa.Table) -> list[Fact]:
    return [Fact(**row) for row in table.to_pylist()]
