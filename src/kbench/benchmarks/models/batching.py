"""Batches: which rows are read together, so that like lengths meet and memory is bounded by tokens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from kbench.errors import ModelError

T = TypeVar("T")

_CPU_TOKENS = 2048
"""Tokens read together on a CPU: more of them leave its cache (1.5 times slower at 8,192), fewer are overhead."""

_CPU_LOGITS = 2**29
_GPU_TOKENS = 2**18
"""Tokens read together on a GPU at most: beyond it nothing gets faster."""

_SHARE = 0.4
"""The share of a GPU's free memory that a batch is planned to take; a plan that fails is halved."""


@dataclass(frozen=True)
class Budget:
    """What a batch may hold: rows, tokens (padding counted), and places whose logits are kept."""

    rows: int
    tokens: int
    logits: int

    def holds(self, rows: int, longest: int, kept: int) -> bool:
        """Whether so many rows of such a length fit; one row always does."""
        fits = rows <= self.rows and rows * longest <= self.tokens and rows * kept <= self.logits
        return fits or rows == 1

    def half_of(self, rows: int, longest: int) -> "Budget":
        """Half of a batch that did not fit."""
        return Budget(rows // 2, min(self.tokens, rows * longest // 2), self.logits // 2)


def budget_of(model: Any, batch: int | None) -> Budget:
    """What fits beside a model where it is; `batch` bounds the rows where it is given."""
    config = model.config.get_text_config(decoder=True)
    if model.device.type != "cuda":
        return Budget(batch or _CPU_TOKENS, _CPU_TOKENS, max(1, _CPU_LOGITS // (4 * config.vocab_size)))
    free = torch.cuda.mem_get_info(model.device)[0] * _SHARE
    width, inner = config.hidden_size, getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    # Keys and values of all layers, twice (a step copies them), and the widest activations of one.
    a_token = model.dtype.itemsize * (4 * config.num_hidden_layers * width + 4 * inner + 8 * width)
    tokens = min(_GPU_TOKENS, int(free / 2 / a_token))
    # Logits in their own precision, and once more in 32 bits.
    return Budget(batch or _GPU_TOKENS, max(1, tokens), max(1, int(free / 2 / (8 * config.vocab_size))))


def batches(lengths: Sequence[int], kept: Sequence[int], budget: Budget) -> Iterator[list[int]]:
    """The places of all rows, the longest first, in batches that the budget holds."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    batch: list[int] = []
    most = 0
    for place in order:
        most = max(most, kept[place])
        if batch and not budget.holds(len(batch) + 1, lengths[batch[0]], most):
            yield batch
            batch, most = [], kept[place]
        batch.append(place)
    if batch:
        yield batch


def in_batches(
    lengths: Sequence[int], kept: Sequence[int], budget: Budget, work: Callable[[list[int]], T]
) -> Iterator[tuple[list[int], T]]:
    """Each batch's places with what `work` makes of them; where a GPU's memory does not do, with half the budget.

    Raises ModelError where it does not even do for one row.
    """
    waiting = list(batches(lengths, kept, budget))[::-1]
    while waiting:
        places = waiting.pop()
        try:
            done = work(places)
        except torch.OutOfMemoryError:
            if len(places) == 1:
                raise ModelError(
                    f"the GPU's memory does not do for one row of {lengths[places[0]]} tokens: "
                    "give fewer --shots, or a smaller model"
                ) from None
            # The failed call's tensors are only free behind this block, when its traceback is gone.
            done = None
        if done is None:
            torch.cuda.empty_cache()
            budget = budget.half_of(len(places), lengths[places[0]])
            rest = [place for group in [places, *waiting[::-1]] for place in group]
            again = batches([lengths[i] for i in rest], [kept[i] for i in rest], budget)
            waiting = [[rest[i] for i in group] for group in again][::-1]
        else:
            yield places, done
