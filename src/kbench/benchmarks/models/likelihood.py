"""How likely continuations are: a prompt is read once, and all that may follow it behind the same keys and values."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from kbench.benchmarks.models.batching import Budget, in_batches
from kbench.benchmarks.models.protocol import Weight
from kbench.benchmarks.models.reading import Reading
from kbench.benchmarks.models.tokens import Weighed


def weigh_behind_prompts(model: Any, asked: Sequence[Weighed], budget: Budget) -> Iterator[list[tuple[int, Weight]]]:
    """The weight of each continuation with its place, the continuations of a batch of prompts at a time."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, each in enumerate(asked):
        groups.setdefault(tuple(each.prompt), []).append(place)
    prompts = list(groups)
    # A prompt's row is repeated for each of its continuations.
    sizes = [len(groups[p]) * (len(p) + max(len(asked[place].continuation) for place in groups[p])) for p in prompts]
    kept = [sum(len(asked[place].continuation) for place in groups[p]) for p in prompts]

    def work(places: list[int]) -> list[tuple[int, Weight]]:
        return _weigh(model, [prompts[i] for i in places], [groups[prompts[i]] for i in places], asked)

    for _, found in in_batches(sizes, kept, budget, work):
        yield found


def weigh_whole(model: Any, asked: Sequence[Weighed], budget: Budget) -> Iterator[list[tuple[int, Weight]]]:
    """The same for any model: each prompt and continuation read as one row, padded on the right."""

    def work(places: list[int]) -> list[tuple[int, Weight]]:
        rows = [[*asked[i].prompt, *asked[i].continuation] for i in places]
        longest = max(len(row) for row in rows)
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        found = []
        for line, place in zip(logits, places, strict=True):
            each = asked[place]
            start = len(each.prompt) - 1
            found.append((place, _sum(line[start : start + len(each.continuation)], each.continuation)))
        return found

    lengths = [len(each.prompt) + len(each.continuation) for each in asked]
    for _, found in in_batches(lengths, lengths, budget, work):
        yield found


def _weigh(
    model: Any, prompts: Sequence[Sequence[int]], groups: Sequence[list[int]], asked: Sequence[Weighed]
) -> list[tuple[int, Weight]]:
    reading = Reading(model, len(prompts))
    first = reading.read(prompts, 1)[:, -1].float().log_softmax(-1)
    rows = [(number, place) for number, group in enumerate(groups) for place in group]
    numbers = torch.tensor([number for number, _ in rows], device=model.device)
    begun = torch.tensor([asked[place].continuation[0] for _, place in rows], device=model.device)
    sums = first[numbers, begun].double().tolist()
    # Of a continuation of one token nothing more needs to be read.
    longer = [i for i, (_, place) in enumerate(rows) if len(asked[place].continuation) > 1]
    if longer:
        reading.keep([rows[i][0] for i in longer])
        rest = [asked[rows[i][1]].continuation for i in longer]
        for i, more in zip(longer, _weigh_rest(reading, rest), strict=True):
            sums[i] += more
    return [
        (place, Weight(total, len(asked[place].continuation))) for (_, place), total in zip(rows, sums, strict=True)
    ]


def _weigh_rest(reading: Reading, continuations: Sequence[list[int]]) -> list[float]:
    """The log-probability of each continuation behind its first token, padded on the right."""
    longest = max(len(tokens) for tokens in continuations) - 1
    read = torch.tensor([c[:-1] + [0] * (longest + 1 - len(c)) for c in continuations], device=reading.device)
    said = torch.tensor([c[1:] + [0] * (longest + 1 - len(c)) for c in continuations], device=reading.device)
    lengths = torch.tensor([len(c) - 1 for c in continuations], device=reading.device)
    present = torch.arange(longest, device=reading.device) < lengths[:, None]
    logits = reading.feed(read, present, longest).float()
    chances = logits.gather(2, said[:, :, None])[:, :, 0] - logits.logsumexp(-1)
    found: list[float] = (chances.double() * present).sum(1).tolist()
    return found


def _sum(logits: torch.Tensor, tokens: Sequence[int]) -> Weight:
    chances = logits.float().log_softmax(-1)
    said = torch.tensor(tokens, device=logits.device)
    return Weight(float(chances.gather(1, said[:, None]).double().sum()), len(tokens))
