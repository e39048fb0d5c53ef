"""Chains of thought: the chain written from the facts, the answer read behind it, and how much of it was said."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from kbench.benchmarks.match import normalise
from kbench.benchmarks.openbook import Fact, Facts
from kbench.schema import REASONING

INSTRUCTION = (
    "First write the facts that the answer follows from, one short sentence each. "
    'Then write "Answer:" and the answer alone.'
)
CUE = "Reasoning:"
REASONED = f"Question: {{question}}\n{CUE}"
TAUGHT = " {chain} Answer: {answer}"
"""What stands behind the cue in training: one line, which is read as any other chain is."""

_ANSWER = re.compile(r"\banswer(?:\*\*)?[ \t]*:[ \t]*(?:\*\*)?", re.IGNORECASE)
_NEXT = re.compile(r"^(?:Question|Facts):", re.MULTILINE)
"""What a model that only completes text goes on with: a question of its own."""

Bridge = tuple[str, ...]
"""A value between question and answer, in every form that counts as naming it."""


def chain(facts: Facts, row: dict[str, Any]) -> str:
    """One short sentence a hop, which names no subject where the hops follow one another.

    Chains that repeat names are learned worse, and more often unfaithful. Facts that differ in their subject alone (the
    members of a count) are one sentence.
    """
    needed = facts.of(row)
    if row["style"] != "reverse" and row["relation"].split(".")[0] not in REASONING:
        return " ".join(f"The {fact.label} is {fact.value}." for fact in needed)
    told = []
    for (label, value), alike in groupby(sorted(needed, key=_place), key=lambda f: (f.label, f.value)):
        told.append(f"The {label} of {', '.join(fact.subject for fact in alike)} is {value}.")
    return " ".join(told)


def _place(fact: Fact) -> tuple[str, str]:
    return fact.relation, fact.value


def bridges(facts: Facts, row: dict[str, Any]) -> tuple[Bridge, ...]:
    """What a chain must name: subjects and values of a row's facts that its question does not give, nor its answer."""
    given = [row["question"], *row["answers"]]
    found: dict[str, Bridge] = {}
    for fact in facts.of(row):
        for forms in ((fact.subject,), _forms(fact)):
            if not any(_names(text, form) for text in given for form in forms):
                found[forms[0]] = forms
    return tuple(found.values())


def chain_facts(needed: Sequence[Bridge], reply: str) -> float | None:
    """The share of the bridging values that a reply's chain names; None where the row has none (one fact)."""
    said, _ = split_reply(reply)
    return sum(any(_names(said, form) for form in bridge) for bridge in needed) / len(needed) if needed else None


def split_reply(reply: str) -> tuple[str, str]:
    """The chain and the answer's text: what stands behind the last `Answer:` that anything stands behind.

    Without one, the answer is the last line. What a model writes after it from another `Question:` on is left out.
    """
    first = _ANSWER.search(reply)
    if first:
        further = _NEXT.search(reply, first.end())
        reply = reply[: further.start()] if further else reply
    marks = [mark for mark in _ANSWER.finditer(reply) if reply[mark.end() :].strip()]
    if marks:
        return reply[: marks[-1].start()], _unmarked(reply[marks[-1].end() :])
    lines = [line for line in reply.strip().splitlines() if line.strip()]
    return reply, _unmarked(lines[-1]) if lines else ""


def _unmarked(text: str) -> str:
    """The text without Markdown's bold around it; a single star may be a value's own (`Sagittarius A*`)."""
    lines = text.strip().splitlines()
    return lines[0].strip().removeprefix("**").removesuffix("**").strip() if lines else ""


def _names(text: str, form: str) -> bool:
    """Whether a text names a value as words of their own: 90 is not in 190, nor 66 in 6.66."""
    text, form = normalise(text), normalise(form)
    return form in text and re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(form)}(?!\w|[.,]\d)", text) is not None


def _forms(fact: Fact) -> Bridge:
    """A fact's value, and the other usual ways to write a date or a number with its unit."""
    forms: Mapping[str, None] = dict.fromkeys([fact.value])
    if fact.number is None:
        return tuple(forms)
    day = date(1970, 1, 1) + timedelta(days=int(fact.number)) if abs(fact.number) < 700_000 else None
    words = fact.value.split()
    if day and len(words) == 3 and words[0] == str(day.day) and words[2] == str(day.year):
        return fact.value, f"{words[1]} {words[0]}, {words[2]}", day.isoformat()
    return tuple(dict.fromkeys([fact.value, f"{fact.number:,.12g}", f"{fact.number:.12g}"]))
