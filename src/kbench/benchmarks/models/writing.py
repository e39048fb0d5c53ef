"""Replies, token by token: greedy or drawn, finished rows leaving the batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.models.reading import Reading
from kbench.benchmarks.models.tokens import Ends
from kbench.ids import digest_of

_STAY = 0.75
"""Finished rows stay in a batch, and are written on in vain, while it is still this full: dropping them copies it."""


@dataclass(frozen=True)
class Sampler:
    """Draws from the likeliest tokens by numbers of the row's own, so that no other row or batch changes a draw."""

    decoding: Decoding

    def numbers(self, prompt: Sequence[int]) -> torch.Tensor:
        """Even numbers in 0 to 1, a row a draw and a column a token, from the seed and the prompt's tokens."""
        seed = int(digest_of("draws", str(self.decoding.seed), str(list(prompt)))[:15], 16)
        stream = torch.Generator().manual_seed(seed)
        return torch.rand(self.decoding.samples, self.decoding.max_tokens, generator=stream)

    def draw(self, logits: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """The token of each row that its number falls on, of logits (rows, vocabulary)."""
        warm = logits.float() / self.decoding.temperature
        tokens = None
        if 0 < self.decoding.top_k < warm.shape[1]:
            warm, tokens = warm.topk(self.decoding.top_k, dim=1)
        summed = warm.softmax(1).cumsum(1)
        place = torch.searchsorted(summed, numbers[:, None] * summed[:, -1:], right=True)
        place = place.clamp(max=summed.shape[1] - 1)
        return (place if tokens is None else tokens.gather(1, place))[:, 0]


def write_greedily(model: Any, prompts: Sequence[list[int]], ends: Ends, most: int) -> list[list[int]]:
    """The likeliest next token, again and again, until a reply is over: as `generate` does it."""
    reading = Reading(model, len(prompts))
    written = [[token] for token in reading.read(prompts, 1)[:, -1].argmax(-1).tolist()]
    _go_on(reading, written, ends, most, None, None)
    return written


def write_draws(model: Any, prompts: Sequence[list[int]], ends: Ends, sampler: Sampler) -> list[list[list[int]]]:
    """Of each prompt so many drawn replies as `samples` says; the prompt is read once for all of them."""
    decoding, count = sampler.decoding, sampler.decoding.samples
    numbers = torch.cat([sampler.numbers(prompt) for prompt in prompts]).to(model.device)
    reading = Reading(model, len(prompts))
    logits = reading.read(prompts, 1)[:, -1]
    reading.repeat([count] * len(prompts))
    first = sampler.draw(logits.repeat_interleave(count, 0), numbers[:, 0]).tolist()
    written = [[token] for token in first]
    _go_on(reading, written, ends, decoding.max_tokens, sampler, numbers)
    return [written[i : i + count] for i in range(0, len(written), count)]


def _go_on(
    reading: Reading,
    written: list[list[int]],
    ends: Ends,
    most: int,
    sampler: Sampler | None,
    numbers: torch.Tensor | None,
) -> None:
    """Write each row on, in place, until it is over."""
    rows = list(range(len(written)))
    over = [len(tokens) >= most or ends.over(tokens) for tokens in written]
    while True:
        if sum(not over[row] for row in rows) <= _STAY * len(rows):
            stay = [place for place, row in enumerate(rows) if not over[row]]
            if not stay:
                return
            reading.keep(stay)
            rows = [rows[place] for place in stay]
        last = torch.tensor([[written[row][-1]] for row in rows], device=reading.device)
        logits = reading.feed(last, torch.ones_like(last, dtype=torch.bool), 1)[:, -1]
        if sampler is None or numbers is None:
            chosen = logits.argmax(-1)
        else:
            # A row that is over may stay for some steps: its numbers are used up, and what it writes is not kept.
            steps = torch.tensor([min(len(written[row]), most - 1) for row in rows], device=reading.device)
            chosen = sampler.draw(logits, numbers[torch.tensor(rows, device=reading.device), steps])
        for row, token in zip(rows, chosen.tolist(), strict=True):
            if not over[row]:
                written[row].append(token)
                over[row] = len(written[row]) >= most or ends.over(written[row])
