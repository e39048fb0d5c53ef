"""Checks of reasoning: chains, comparisons, differences, counts, lists and extremes worked out again from the facts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Fact, Reading
from kbench.generator.audits.truth import forms_of_facts
from kbench.generator.coherence import OPERATORS
from kbench.generator.surface import number_forms, number_words


@dataclass(frozen=True)
class Asked:
    """A reasoning question: its path and operator, whom it is about, its facts in order, and the answers it gives."""

    row: str
    template: str
    relation: str
    entity: str
    facts: tuple[Fact, ...]
    answers: frozenset[str]

    @property
    def operator(self) -> str:
        """What is done with the facts; empty for a chain."""
        first = self.relation.split(".")[0]
        return first if first in OPERATORS else ""

    @property
    def steps(self) -> list[str]:
        """The relations of its path."""
        return self.relation.split(".")[1 if self.operator else 0 :]


Work = Callable[["Graph", Asked], list[frozenset[str]]]
"""The sets of answers that would be right: one, or that of most and that of least. None where the facts do not fit."""


@dataclass(frozen=True)
class Graph:
    """The facts of a release as reasoning walks them."""

    reading: Reading
    forms: Mapping[str, tuple[str, ...]]
    holders: Mapping[tuple[str, str], list[Fact]]
    """By relation and object, the facts of its subjects."""

    def name_forms(self, fact: Fact) -> frozenset[str]:
        """How an answer says the subject of a fact."""
        entity = self.reading.entities.get(fact.subject_id)
        article = self.reading.article_of(entity.type) if entity else ""
        return frozenset({fact.subject, f"{article} {fact.subject}"} if article else {fact.subject})


def reasoning_true(reading: Reading) -> Check:
    """The answers to questions of several facts follow from them."""
    tally = Tally("reasoning_true", "The answers to a question about several facts are those that its facts give.")
    holders: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in reading.fact_rows:
        if fact.object_id:
            holders[fact.relation, fact.object_id].append(fact)
    graph = Graph(reading, forms_of_facts(reading), holders)
    asked = [question for question in _questions(reading) if "." in question.relation]
    sides: dict[str, Counter[int]] = defaultdict(Counter)
    right: list[list[frozenset[str]]] = []
    for question in asked:
        answers = _WAYS[question.operator](graph, question)
        right.append(answers)
        for side, given in enumerate(answers):
            sides[question.template][side] += given == question.answers
    # Which of two sides a phrasing asks for is no column: it is the one that most of its rows answer.
    for question, answers in zip(asked, right, strict=True):
        side = sides[question.template].most_common(1)[0][0] if answers else 0
        given = answers[side] if answers else frozenset()
        tally.expect(
            given == question.answers,
            f"{question.row} answers {' / '.join(sorted(question.answers))}, "
            f"the facts say {' / '.join(sorted(given)) or 'nothing of the kind'}",
        )
    return tally.check()


def _questions(reading: Reading) -> list[Asked]:
    found = []
    for part in reading.true_questions():
        columns = ("id", "template_id", "relation", "entity_id")
        texts = (part.texts(column) for column in columns)
        for row, template, relation, entity, ids, answers in zip(
            *texts, part.lists("fact_ids"), part.lists("answers"), strict=True
        ):
            facts = tuple(reading.facts[fact] for fact in ids if fact in reading.facts)
            found.append(Asked(row, template, relation, entity, facts, frozenset(answers)))
    return found


def _chain(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    here = asked.entity
    if [fact.relation for fact in asked.facts] != asked.steps:
        return []
    for fact in asked.facts:
        if fact.subject_id != here:
            return []
        here = fact.object_id
    last = asked.facts[-1]
    forms = frozenset(graph.forms[last.fact_id])
    # The release may be of a version that knew fewer forms of the value.
    return [forms & asked.answers if last.value in asked.answers else forms]


def _two_numbers(asked: Asked) -> list[tuple[float, Fact]]:
    """The two facts of a pair by their numbers, the larger first; empty where it is no pair of different ones."""
    found = [(f.number, f) for f in asked.facts if f.relation == asked.steps[0] and f.number is not None]
    if len(found) != 2 or found[0][0] == found[1][0] or found[0][1].subject_id != asked.entity:
        return []
    return sorted(found, key=lambda pair: -pair[0])


def _compare(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    return [graph.name_forms(fact) for _, fact in _two_numbers(asked)]


def _difference(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    pair = _two_numbers(asked)
    if not pair:
        return []
    apart = int(pair[0][0] - pair[1][0])
    return [frozenset({*number_forms(apart, ""), *number_forms(apart, pair[0][1].unit)})]


def _members(graph: Graph, asked: Asked) -> list[Fact]:
    """The facts that make somebody one of the set asked about; empty where the question does not have them all."""
    every = graph.holders.get((asked.steps[0], asked.entity), [])
    mine = {fact.fact_id for fact in asked.facts if fact.relation == asked.steps[0]}
    return every if mine == {fact.fact_id for fact in every} else []


def _count(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    n = len(_members(graph, asked))
    return [frozenset({str(n), number_words(n)})] if n else []


def _list(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    names = sorted(fact.subject for fact in _members(graph, asked))
    if len(names) < 2:
        return []
    return [frozenset({", ".join(names), f"{', '.join(names[:-1])} and {names[-1]}"})]


def _most(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    members = {fact.subject_id for fact in _members(graph, asked)}
    found = [(f.number, f) for f in asked.facts if f.relation == asked.steps[1] and f.number is not None]
    if len(found) < 2 or {fact.subject_id for _, fact in found} != members:
        return []
    ranked = sorted(found, key=lambda pair: -pair[0])
    # Where two are alike on one side only, that side is not asked for.
    most = graph.name_forms(ranked[0][1]) if ranked[0][0] != ranked[1][0] else frozenset[str]()
    least = graph.name_forms(ranked[-1][1]) if ranked[-1][0] != ranked[-2][0] else frozenset[str]()
    return [most, least]


def _both(graph: Graph, asked: Asked) -> list[frozenset[str]]:
    if [fact.relation for fact in asked.facts] != asked.steps or {f.subject_id for f in asked.facts} != {asked.entity}:
        return []
    one, two = ({f.subject_id for f in graph.holders[fact.relation, fact.object_id]} for fact in asked.facts)
    return [graph.name_forms(asked.facts[0])] if one & two == {asked.entity} else []


_WAYS: Mapping[str, Work] = {
    "": _chain,
    "compare": _compare,
    "difference": _difference,
    "count": _count,
    "list": _list,
    "most": _most,
    "both": _both,
}
