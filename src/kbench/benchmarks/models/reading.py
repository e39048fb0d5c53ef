"""A batch of rows as a model reads them: left padded, keys and values kept, finished rows dropped."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


def can_read(model: Any) -> bool:
    """Whether a model's keys and values can be handled row by row: plain attention in every layer, and nothing else."""
    wanted = {"input_ids", "attention_mask", "past_key_values", "use_cache"}
    if not wanted <= set(inspect.signature(model.forward).parameters):
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


class Reading:
    """Rows that are read together, a piece at a time."""

    def __init__(self, model: Any, rows: int) -> None:
        self.device = model.device
        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._seen = torch.zeros(rows, 0, dtype=torch.bool, device=model.device)
        takes = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in takes
        self._takes_keep = "logits_to_keep" in takes

    def feed(self, ids: torch.Tensor, present: torch.Tensor, keep: int) -> torch.Tensor:
        """Read one more piece of every row, `present` telling its tokens from padding.

        Gives the logits behind its last `keep` tokens: (rows, keep, vocabulary), in the model's precision.
        """
        before = self._seen.sum(1, keepdim=True)
        self._seen = torch.cat([self._seen, present], dim=1)
        more: dict[str, Any] = {}
        if self._takes_positions:
            more["position_ids"] = (before + present.cumsum(1) - 1).clamp(min=0)
        if self._takes_keep:
            more["logits_to_keep"] = keep
        logits: torch.Tensor = self._model(
            input_ids=ids,
            attention_mask=None if bool(self._seen.all()) else self._seen.long(),
            past_key_values=self._cache,
            use_cache=True,
            **more,
        ).logits
        return logits[:, -keep:]

    def read(self, rows: Sequence[Sequence[int]], keep: int) -> torch.Tensor:
        """Feed rows of several lengths, padded on the left."""
        longest = max(len(row) for row in rows)
        # The padding is never attended to, so any token does.
        ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        columns = torch.arange(longest, device=self.device)
        return self.feed(ids, columns >= longest - lengths[:, None], keep)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""
        chosen = torch.tensor(rows, device=self._seen.device)
        self._seen = self._seen[chosen]
        self._cache.batch_select_indices(chosen)

    def repeat(self, times: Sequence[int]) -> None:
        """Go on with each row so many times, side by side."""
        self.keep([row for row, count in enumerate(times) for _ in range(count)])
