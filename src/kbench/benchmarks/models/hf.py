"""Scoring through transformers: batched greedy generation, rows of like length together."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from kbench.benchmarks.models.protocol import Progress
from kbench.benchmarks.prompts import prediction_of
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError

MOST_TOKENS = 32
"""The longest answer a model may give, in tokens."""


@dataclass
class HfModel:
    """A causal language model and its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: Any
    batch: int = 256
    most_tokens: int = MOST_TOKENS

    def answer(self, items: list[Item], progress: Progress) -> list[str]:
        """The greedy answer to each item's prompt."""
        texts = self.generate([item.prompt for item in items], progress)
        return [prediction_of(item.row, text) for item, text in zip(items, texts, strict=True)]

    def generate(self, prompts: list[str], progress: Progress = lambda n: None) -> list[str]:
        """The greedy continuation of each prompt, at most `most_tokens` long, without special tokens."""
        self.model.eval()
        encoded = self.tokenizer(prompts, return_attention_mask=False)["input_ids"]
        order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
        texts = [""] * len(prompts)
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            for place, text in zip(places, self._continue([encoded[i] for i in places]), strict=True):
                texts[place] = text
            progress(len(places))
        return texts

    def _continue(self, encoded: list[list[int]]) -> list[str]:
        longest = max(len(tokens) for tokens in encoded)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(tokens)) + tokens for tokens in encoded])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in encoded])
        device = self.model.device
        with torch.inference_mode():
            out: torch.Tensor = self.model.generate(  # type: ignore[operator]
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=self.most_tokens,
                do_sample=False,
                pad_token_id=pad,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        decoded: list[str] = self.tokenizer.batch_decode(out[:, longest:].tolist(), skip_special_tokens=True)
        return decoded


def load_hf(name: str, *, batch: int = 256, most_tokens: int = MOST_TOKENS) -> HfModel:
    """A model by folder or Hub id, weights from safetensors only. Raises ModelError of one line."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    path = Path(name)
    if path.exists() and not (path / "config.json").is_file():
        raise ModelError(f"{name} is no model: expected config.json and model.safetensors there")
    if not path.exists() and (name.startswith((".", "/", "~")) or name.count("/") != 1):
        raise ModelError(f"no model {name!r}: there is no such folder, and it is no Hub id (ORG/NAME)")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"cannot load the model {name!r}: {str(error).strip().splitlines()[0]}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if torch.cuda.is_available():
        torch.nn.Module.to(model, "cuda")
    return HfModel(name, model, tokenizer, batch, most_tokens)
