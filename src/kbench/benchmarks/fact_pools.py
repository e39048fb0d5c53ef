"""The facts of a release as a text is checked against them: pools of values by type and relation, and who has which."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from kbench.benchmarks.said_values import Finder, Phrase, Said, finder_of, phrase_of
from kbench.schema import QUESTION_STYLES
from kbench.store import Release

Value = str | float
"""A value as it is compared: text in lower case as tokens joined by spaces, a number, or a date as days."""


@dataclass(frozen=True)
class Pools:
    """Every relation of every type of entity, the values that it takes, and those of each subject."""

    finder: Finder
    names: Mapping[str, str]
    """Of each entity its name."""
    types: Mapping[str, str]
    entities: Mapping[Phrase, frozenset[str]]
    """Whose name a phrase is."""
    relations: Mapping[str, tuple[str, ...]]
    """The relations that entities of a type have."""
    words: Mapping[tuple[str, Phrase], frozenset[tuple[str, str]]]
    """Of a type and a phrase, the relations whose pool holds it, each with the value that it says."""
    numbers: Mapping[str, frozenset[float]]
    """Of a relation of numbers or dates, its pool."""
    units: Mapping[str, str]
    """Of a relation of numbers, its unit; dates have none."""
    facts: Mapping[str, Mapping[str, frozenset[Value]]]
    """Of each subject, by relation, the values that are true."""
    sizes: Mapping[str, int]
    """How many values each relation takes."""

    def candidates(self, kind: str, said: Said) -> dict[str, Value]:
        """The relations of a type that something said may be a value of, each with that value.

        A number with a unit belongs to the relations of that unit, a day to those of dates, whether their pools hold
        it or not: nothing else can be meant. A bare number belongs to those whose pool holds it.
        """
        mine = self.relations.get(kind, ())
        if said.day is not None:
            return {name: float(said.day) for name in mine if name in self.numbers and name not in self.units}
        if said.number is not None:
            measured = [name for name in mine if said.unit and self.units.get(name) == said.unit]
            fitting = measured or [name for name in mine if name in self.units and said.number in self.numbers[name]]
            return dict.fromkeys(fitting, said.number)
        return dict(sorted(self.words.get((kind, said.phrase), frozenset())))


def pools_of(release: Release) -> Pools:
    """The pools of a release, with every form of a value that its questions count as right.

    Raises ReleaseError where a file of it is missing.
    """
    entities = release.table("entities", "train").to_pylist()
    types = {row["entity_id"]: row["type"] for row in entities}
    named: dict[Phrase, set[str]] = defaultdict(set)
    for row in entities:
        named[phrase_of(row["name"])].add(row["entity_id"])
    relations: dict[str, dict[str, None]] = defaultdict(dict)
    words: dict[tuple[str, Phrase], set[tuple[str, str]]] = defaultdict(set)
    numbers: dict[str, set[float]] = defaultdict(set)
    units: dict[str, str] = {}
    facts: dict[str, dict[str, set[Value]]] = defaultdict(lambda: defaultdict(set))
    values: dict[str, set[Value]] = defaultdict(set)
    forms = _forms(release)
    for row in release.table("facts", "train").to_pylist():
        relation, kind = row["relation"], types[row["subject_id"]]
        relations[kind][relation] = None
        if row["value_type"] in ("numeric", "date") and row["number"] is not None:
            value: Value = float(row["number"])
            numbers[relation].add(float(row["number"]))
            if row["value_type"] == "numeric":
                units[relation] = row["unit"]
        else:
            value = " ".join(phrase_of(row["value"]))
            for form in {row["value"], *forms.get((relation, row["value"]), ())}:
                words[kind, phrase_of(form)].add((relation, value))
        facts[row["subject_id"]][relation].add(value)
        values[relation].add(value)
    return Pools(
        finder_of([*named, *(phrase for _, phrase in words)], units.values()),
        {row["entity_id"]: row["name"] for row in entities},
        types,
        {phrase: frozenset(ids) for phrase, ids in named.items()},
        {kind: tuple(some) for kind, some in relations.items()},
        {key: frozenset(some) for key, some in words.items()},
        {name: frozenset(some) for name, some in numbers.items()},
        units,
        {who: {name: frozenset(some) for name, some in known.items()} for who, known in facts.items()},
        {name: len(some) for name, some in values.items()},
    )


def _forms(release: Release) -> dict[tuple[str, str], set[str]]:
    """Every way to say a value of a relation that a question of one fact counts as right."""
    values = {row["fact_id"]: row["value"] for row in release.table("facts", "train").to_pylist()}
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for style in set(release.configs()) & (QUESTION_STYLES - {"multihop", "reverse", "choice", "tone", "numeric"}):
        for split in release.splits(style):
            columns = ["relation", "fact_ids", "answers", "value_type"]
            for row in release.table(style, split).select(columns).to_pylist():
                if len(row["fact_ids"]) == 1 and row["value_type"] not in ("numeric", "date"):
                    found[row["relation"], values[row["fact_ids"][0]]].update(row["answers"])
    return found
