"""Scoring one model on one release: every question asked once, every sample kept."""

from collections.abc import Callable, Iterable

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.metrics import Sample
from kbench.benchmarks.models.protocol import GREEDY, Decoding, Model, Reply
from kbench.benchmarks.prompts import prediction_of
from kbench.benchmarks.tasks import Item

ASKED: tuple[str, ...] = ("train", "test", "control")
"""The splits a model is scored on: recall of what it saw, the held-out questions, and the never-trained twins."""


def evaluate(
    model: Model,
    items: list[Item],
    progress: Callable[[int], None] = lambda n: None,
    decoding: Decoding = GREEDY,
) -> list[Sample]:
    """Ask every item and compare by exact match. An empty prediction is a wrong answer; nothing is left out."""
    replies: dict[int, Reply] = {}
    for place, reply in model.ask(items, decoding):
        replies[place] = reply
        progress(1)
    return [judge(item, replies[place]) for place, item in enumerate(items)]


def judge(item: Item, reply: Reply) -> Sample:
    """The verdict on a reply; of an error or a refusal there is none."""
    if reply.error or reply.refused or not reply.texts:
        return Sample(item, reply.texts[0] if reply.texts else "", None, None, "error" if reply.error else "unscored")
    prediction = prediction_of(item.row, reply.texts[0])
    right = exact_match(prediction, item.row["answers"])
    return Sample(item, prediction, right, float(right), "scored")


def mean_correct(samples: Iterable[Sample], **where: str) -> float:
    """The share of right answers among the samples whose row has these column values; NaN where there are none."""
    right = [
        float(bool(s.correct))
        for s in samples
        if s.status == "scored" and all(s.item.row[column] == value for column, value in where.items())
    ]
    return sum(right) / len(right) if right else float("nan")
