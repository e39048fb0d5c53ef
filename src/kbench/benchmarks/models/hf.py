"""Scoring through transformers: batched greedy generation, rows of like length together."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from kbench.benchmarks.models.protocol import Decoding, Reply, Weight
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError


@dataclass
class HfModel:
    """A causal language model and its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: Any
    batch: int = 256

    def about(self) -> dict[str, Any]:
        """Engine, precision, device."""
        return {
            "engine": f"transformers {transformers.__version__}",
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": self.model.device.type,
        }

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The greedy reply to each item's prompt, a batch of like length at a time."""
        self.model.eval()
        encoded = self.tokenizer([item.prompt for item in items], return_attention_mask=False)["input_ids"]
        order = sorted(range(len(items)), key=lambda i: len(encoded[i]))
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            texts = self._continue([encoded[i] for i in places], decoding.max_tokens)
            for place, text in zip(places, texts, strict=True):
                yield place, Reply((text,), len(encoded[place]))

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """Not yet."""
        raise ModelError("hf cannot weigh yet")

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's own chat template makes."""
        if not self.tokenizer.chat_template:
            raise ModelError(f"the model {self.name} has no chat template: score it without --chat")
        return str(self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))

    def _continue(self, encoded: list[list[int]], most_tokens: int) -> list[str]:
        longest = max(len(tokens) for tokens in encoded)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(tokens)) + tokens for tokens in encoded])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in encoded])
        device = self.model.device
        with torch.inference_mode():
            out: torch.Tensor = self.model.generate(  # type: ignore[operator]
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=most_tokens,
                do_sample=False,
                pad_token_id=pad,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        decoded: list[str] = self.tokenizer.batch_decode(out[:, longest:].tolist(), skip_special_tokens=True)
        return decoded


def load_hf(name: str, *, batch: int = 256) -> HfModel:
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
    return HfModel(name, model, tokenizer, batch)
