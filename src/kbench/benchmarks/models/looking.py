"""What a model computes at the last token of prompts: where each layer looks, and what it holds to come next."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import torch

from kbench.benchmarks.models.batching import budget_of, in_batches
from kbench.benchmarks.models.hf import HfModel
from kbench.errors import ModelError

_WEIGHTS = 2**26
"""How many attention weights of all layers and heads are held at once: 256 MiB in 32 bits."""


def attention_at_end(model: HfModel, prompts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Of each prompt (its tokens) the attention that its last token pays to each of its tokens: (layers, tokens).

    The weights are the model's own, the mean over heads; each layer's sum to 1, or less where a model may look at
    nothing (GPT-OSS). Layers without attention, as those that keep a state instead, are left out.

    Raises ModelError where the model gives no attention weights.
    """
    inner = model.inner
    config = inner.config.get_text_config(decoder=True)
    heads = getattr(config, "num_attention_heads", None) or 1
    each = [len(tokens) ** 2 * config.num_hidden_layers * heads for tokens in prompts]
    budget = replace(budget_of(inner, model.batch), logits=_WEIGHTS)
    found: list[torch.Tensor | None] = [None] * len(prompts)

    def look(places: list[int]) -> list[torch.Tensor]:
        ids, mask = _padded([prompts[place] for place in places], inner.device)
        # Of the layers below the head: logits are not needed.
        out = inner.base_model(input_ids=ids, attention_mask=mask, output_attentions=True, use_cache=False)
        weights = _weights_of(model, out, ids.shape[1])
        return [weights[line, :, n - 1, :n] for line, n in enumerate(len(prompts[place]) for place in places)]

    with model.reading(), _eager(inner):
        for places, looked in in_batches([len(tokens) for tokens in prompts], each, budget, look):
            for place, paid in zip(places, looked, strict=True):
                found[place] = paid.float().cpu()
    return [paid for paid in found if paid is not None]


def next_logprobs(model: HfModel, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    """The log-probability of each token of the vocabulary after each prompt: (prompts, vocabulary), in 32 bits."""
    inner = model.inner
    lengths = [len(tokens) for tokens in prompts]
    found: list[torch.Tensor | None] = [None] * len(prompts)

    def read(places: list[int]) -> torch.Tensor:
        ids, mask = _padded([prompts[place] for place in places], inner.device)
        logits = inner(input_ids=ids, attention_mask=mask, use_cache=False).logits
        ends = torch.tensor([lengths[place] - 1 for place in places], device=logits.device)
        chosen: torch.Tensor = logits[torch.arange(len(places), device=logits.device), ends]
        return chosen.float().log_softmax(-1).cpu()

    with model.reading():
        for places, told in in_batches(lengths, lengths, budget_of(inner, model.batch), read):
            for place, line in zip(places, told, strict=True):
                found[place] = line
    return torch.stack([line for line in found if line is not None])


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows padded on the right, and what of them is there.

    On the right no token of a causal model sees the padding, and each stands at its own position, in any architecture.
    """
    longest = max(len(row) for row in rows)
    ids = torch.tensor([list(row) + [0] * (longest - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    return ids, mask


def _weights_of(model: HfModel, out: Any, tokens: int) -> torch.Tensor:
    """The attention of each row and layer, mean over heads: (rows, layers, tokens, tokens)."""
    layers = [layer for layer in getattr(out, "attentions", None) or () if layer is not None]
    # Falcon cannot be switched: in the kind it is in it would give weights that look right and are wrong.
    switched = model.inner.config._attn_implementation == "eager"
    if not layers or not switched or any(layer.dim() != 4 or layer.shape[2:] != (tokens, tokens) for layer in layers):
        raise ModelError(
            f"the model {model.name} ({type(model.inner).__name__}) gives no attention weights: "
            "expected a model with attention over tokens, which transformers can switch to `eager`"
        )
    return torch.stack([layer.float().mean(1) for layer in layers], dim=1)


@contextmanager
def _eager(inner: Any) -> Iterator[None]:
    """The model with the one kind of attention that tells its weights."""
    before = inner.config._attn_implementation
    try:
        # A model without it gives no weights, which is told where they are missed.
        with suppress(ValueError):
            inner.set_attn_implementation("eager")
        yield
    finally:
        with suppress(ValueError):
            inner.set_attn_implementation(before)
