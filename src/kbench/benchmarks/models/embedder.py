"""Texts as vectors: the mean of a model's last hidden states over each text's tokens."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, get_verbosity, set_verbosity, set_verbosity_error

from kbench.benchmarks.models.batching import Budget, in_batches
from kbench.benchmarks.models.loading import FAILURES, adapter_config, cannot_load, refuse_pickles
from kbench.errors import ModelError

_TOKENS = 8192
"""Tokens read together, padding counted: hidden states alone take little memory."""


@dataclass(frozen=True)
class Embedder:
    """A model without its head, and its tokenizer."""

    name: str
    model: Any
    tokenizer: Any

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The vector of each text: (texts, width), in 32 bits. Raises ModelError where a text is too long for it."""
        tokens: list[list[int]] = self.tokenizer(list(texts), return_attention_mask=False)["input_ids"]
        lengths = [len(each) for each in tokens]
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most and max(lengths, default=0) > most:
            raise ModelError(
                f"the model {self.name} reads {most} tokens at most (got {max(lengths)}): give another embedder"
            )
        found = np.zeros((len(texts), self.model.config.get_text_config().hidden_size), np.float32)

        def read(places: list[int]) -> np.ndarray:
            longest = max(1, *(lengths[place] for place in places))
            rows = [tokens[place] + [0] * (longest - lengths[place]) for place in places]
            there = [[1] * lengths[place] + [0] * (longest - lengths[place]) for place in places]
            ids, mask = (torch.tensor(each, device=self.model.device) for each in (rows, there))
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            summed = (states * mask[:, :, None]).sum(1)
            pooled: np.ndarray = (summed / mask.sum(1, keepdim=True).clamp(min=1)).cpu().numpy()
            return pooled

        with torch.inference_mode():
            for places, vectors in in_batches(lengths, lengths, Budget(_TOKENS, _TOKENS, _TOKENS), read):
                found[places] = vectors
        return found


def load_embedder(name: str) -> Embedder:
    """A model by folder or Hub id: a causal one, whose head is left out, or one that is made to embed texts.

    Raises ModelError where it cannot be loaded, or is an adapter.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        disable_progress_bar()  # of the reading of weights
    if adapter_config(name) is not None:
        raise ModelError(f"{name} is an adapter: expected a whole model to embed texts with: give its base")
    refuse_pickles(name)
    told = get_verbosity()
    set_verbosity_error()  # of the head's weights, which are not wanted here
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        dtype = "auto" if torch.cuda.is_available() else torch.float32
        loaded: Any = AutoModel.from_pretrained(name, use_safetensors=True, dtype=dtype, output_loading_info=True)
    except FAILURES as error:
        raise cannot_load(name, error) from None
    finally:
        set_verbosity(told)
    model, info = loaded
    # The pooler of BERT's kind makes a vector of the first token, which is not read here.
    if absent := sorted(key for key in info["missing_keys"] if not key.startswith("pooler.")):
        raise ModelError(
            f"the weights of {name} lack {len(absent)} tensors of a {type(model).__name__} ({absent[0]}): "
            "give a folder that holds a whole model"
        )
    if torch.cuda.is_available():
        torch.nn.Module.to(model, "cuda")
    return Embedder(name, model.eval(), tokenizer)
