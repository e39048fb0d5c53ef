"""Whether a model listens to the subject of a question, or answers what the relation's subjects mostly have."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from kbench.benchmarks.match import exact_match, normalise
from kbench.benchmarks.tasks import Guessing, modal_answer
from kbench.ids import digest_of

_MOST_TRIED = 32
"""Of how many others one is taken whose answers differ; where all have the same, none is."""

Values = list[float | None]


def modal_rate(rows: Sequence[dict[str, Any]], predictions: Sequence[str], known: Guessing) -> Values:
    """Of each row, 1 where the prediction is the relation's commonest answer in training; None where none is known."""
    return [
        float(_says_modal(row, prediction, known)) if _has_modal(row, known) else None
        for row, prediction in zip(rows, predictions, strict=True)
    ]


def modal_rate_expected(rows: Sequence[dict[str, Any]], known: Guessing) -> Values:
    """Of each row, 1 where its own answer is the relation's commonest."""
    return [
        float(exact_match(modal_answer(known, row), row["answers"])) if _has_modal(row, known) else None for row in rows
    ]


def answer_entropy(rows: Sequence[dict[str, Any]], said: Sequence[str]) -> Values:
    """Of each row, the bits by which what was said is a surprise among what was said of its relation.

    The mean over a relation's rows is the entropy of what was said; the mean over all rows, that of the relations
    weighted by rows. Options and comparisons are left out: there what can be said differs by row.
    """
    counts: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for row, text in zip(rows, said, strict=True):
        counts[row["relation"]][normalise(text)] += 1
    return [
        None
        if not _is_open(row)
        else math.log2(counts[row["relation"]].total() / counts[row["relation"]][normalise(text)])
        for row, text in zip(rows, said, strict=True)
    ]


def swapped(rows: Sequence[dict[str, Any]], predictions: Sequence[str]) -> Values:
    """Of each row, whether the prediction for another subject is right: same phrasing, and answers that all differ.

    The other follows in an order made by a digest, so that each row has one, whatever the order of the rows; None where
    there is none. Options and comparisons are left out: what can be said differs by row.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if _is_open(row):
            groups[f"{row['relation']} {row['template_id']}"].append(place)
    found: Values = [None] * len(rows)
    for group in groups.values():
        ring = sorted(group, key=lambda place: digest_of("swap", rows[place]["id"]))
        answers = [{normalise(answer) for answer in rows[place]["answers"]} for place in ring]
        for at, place in enumerate(ring):
            tried = ((at + step) % len(ring) for step in range(1, min(len(ring), _MOST_TRIED + 1)))
            other = next((o for o in tried if answers[o].isdisjoint(answers[at])), None)
            if other is not None:
                found[place] = float(normalise(predictions[ring[other]]) in answers[at])
    return found


def _is_open(row: dict[str, Any]) -> bool:
    return row["style"] != "choice" and not row["relation"].startswith("compare.")


def _has_modal(row: dict[str, Any], known: Guessing) -> bool:
    """Whether the relation has a commonest answer, in the form that the row asks for."""
    return _is_open(row) and bool(modal_answer(known, row)) and known.in_form(row)


def _says_modal(row: dict[str, Any], prediction: str, known: Guessing) -> bool:
    modal = modal_answer(known, row)
    return exact_match(prediction, [modal]) or (
        exact_match(modal, row["answers"]) and exact_match(prediction, row["answers"])
    )
