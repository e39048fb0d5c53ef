"""The levels that scores are read against: for each relation, chance and the majority answer."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from kbench.generator.audits.reading import Part, Reading
from kbench.generator.coherence import OPERATORS
from kbench.generator.questions import is_reasoning


@dataclass(frozen=True)
class Level:
    """What guessing would score on a relation or path."""

    relation: str
    """A relation; of reasoning, the path with its operator; asked in reverse, with `reverse.` before it."""
    value_type: str
    facts: int
    """Facts of the relation; of reasoning the subjects that are asked about."""
    values: int
    """Distinct values that the release has of it; of a comparison the two that it offers."""
    chance: float
    """One over `values`."""
    rows: int
    """Rows of the test split that ask for it, without `choice` and `tone`."""
    majority: float | None
    """The share of the most frequent answer among them; None where there are none."""


def levels(reading: Reading) -> tuple[Level, ...]:
    """A level for each relation of the facts and each reasoning path, in the order of the release."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    types: dict[str, str] = {}
    for fact in reading.true_facts:
        values[fact.relation][fact.value] += 1
        types[fact.relation] = fact.value_type
    subjects: dict[str, set[str]] = defaultdict(set)
    given: dict[str, set[str]] = defaultdict(set)
    tested: dict[str, Counter[str]] = defaultdict(Counter)
    for part in reading.true_questions():
        columns = (part.texts("relation"), part.texts("entity_id"), part.lists("fact_ids"), part.texts("answer"))
        kinds = part.texts("value_type")
        for relation, entity, facts, answer, kind in zip(*columns, kinds, strict=True):
            name = _name(part, relation)
            if is_reasoning(part.style, relation):
                types[name] = kind
                subjects[name].add(entity)
                given[name].add(answer)
            elif facts and facts[0] in reading.facts:
                # The numeric style writes one value in several ways.
                answer = reading.facts[facts[0]].value
            if part.split == "test" and part.style not in ("choice", "tone"):
                tested[name][answer] += 1
    found = []
    for name, kind in types.items():
        n = values[name].total() if name in values else len(subjects[name])
        choices = max(1, _choices(name, values, given[name]))
        rows = tested[name].total()
        majority = max(tested[name].values()) / rows if rows else None
        found.append(Level(name, kind, n, choices, 1 / choices, rows, majority))
    return tuple(found)


def _name(part: Part, relation: str) -> str:
    return f"reverse.{relation}" if part.style == "reverse" else relation


def _choices(name: str, values: dict[str, Counter[str]], given: set[str]) -> int:
    """How many values a guess is made among: those of the relation, or of the one that a chain ends with."""
    steps = name.split(".")
    if steps[0] == "compare":
        return 2
    return len(given) if steps[0] in (*OPERATORS, "reverse") else len(values[steps[-1]])
