"""Subject sensitivity: how far what a model says of one subject is from what it says on average of all."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kbench.benchmarks.likelihood import continuation
from kbench.benchmarks.models.hf import HfModel
from kbench.benchmarks.models.looking import next_logprobs
from kbench.benchmarks.models.tokens import prompt_tokens
from kbench.benchmarks.tasks import Guessing, Item
from kbench.ids import digest_of

LEAST_SUBJECTS = 2
"""Of one subject there is no other to tell it from."""


@dataclass(frozen=True)
class Sensed:
    """KL(p(answer | subject) || its mean over subjects), in nats, for one question among its likes.

    `first_token` is over the whole vocabulary at the answer's first token; `values` over values of the relation, by the
    likelihood of each as a whole (None where none were asked). Their means over subjects are what the answer tells of
    who was asked about (their mutual information): at most `log(subjects)`.
    """

    subjects: int
    first_token: float
    values: float | None


def subject_sensitivity(
    model: HfModel, items: Sequence[Item], known: Guessing, candidates: int = 24
) -> list[Sensed | None]:
    """How far each question's answer depends on its subject: questions alike but for the subject are set side by side.

    Alike are those of one style, relation and phrasing. None where a question has no other like it. `candidates` is
    how many values of a relation are weighed, the same for all its questions (0: none, which is much quicker).
    """
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        groups[item.row["style"], item.row["relation"], item.row["template_id"]].append(place)
    # Two questions about one subject would count it twice.
    alike = [group for group in (_once_each(items, group) for group in groups.values()) if len(group) >= LEAST_SUBJECTS]
    prompts = prompt_tokens(model.tokenizer, items)
    weighed = _values_of(model, items, [place for group in alike for place in group], known, candidates)
    found: list[Sensed | None] = [None] * len(items)
    for group in alike:
        first = _divergences(next_logprobs(model, [prompts[place] for place in group]))
        values = _divergences(_stacked(weighed, group)) if group[0] in weighed else [None] * len(group)
        for place, token, value in zip(group, first, values, strict=True):
            found[place] = Sensed(len(group), token, value)
    return found


def _once_each(items: Sequence[Item], group: Sequence[int]) -> list[int]:
    first: dict[str, int] = {}
    for place in group:
        first.setdefault(items[place].row["entity_id"], place)
    return list(first.values())


def _divergences(logprobs: torch.Tensor) -> list[float]:
    """KL of each line from the mean of all lines, of (subjects, outcomes) log-probabilities."""
    lines = logprobs.double()
    mean = lines.logsumexp(0) - math.log(len(lines))
    # What a line holds impossible adds nothing: 0 × log 0.
    apart = torch.where(lines.isneginf(), 0.0, lines.exp() * (lines - mean))
    return [max(0.0, each) for each in apart.sum(1).tolist()]


def _values_of(
    model: HfModel, items: Sequence[Item], places: Sequence[int], known: Guessing, candidates: int
) -> dict[int, list[float]]:
    """Of each question how likely each candidate value of its relation is, as log-probabilities not normalised."""
    chosen: dict[tuple[str, str], list[str]] = {}
    asked: list[tuple[int, Item, str]] = []
    for place in places if candidates else ():
        row: dict[str, Any] = items[place].row
        kind = row["style"], row["relation"]
        if kind not in chosen:
            values = known.candidates(row) if _is_open(row) else []
            chosen[kind] = sorted(values, key=lambda value: digest_of("candidate", *kind, value))[:candidates]
        if len(chosen[kind]) > 1:
            asked += [(place, items[place], continuation(items[place], value)) for value in chosen[kind]]
    told = dict(model.weigh([(item, text) for _, item, text in asked])) if asked else {}
    found: dict[int, list[float]] = defaultdict(list)
    for number, (place, _, _) in enumerate(asked):
        found[place].append(told[number].logprob)
    return dict(found)


def _is_open(row: dict[str, Any]) -> bool:
    """Whether all subjects share what can be answered: options and comparisons bring their own."""
    return row["style"] != "choice" and not row["relation"].startswith("compare.")


def _stacked(weighed: dict[int, list[float]], group: Sequence[int]) -> torch.Tensor:
    return torch.tensor([weighed[place] for place in group], dtype=torch.float64).log_softmax(-1)
