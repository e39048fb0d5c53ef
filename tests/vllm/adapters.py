"""LoRA adapters trained by PEFT in a moment, changed on disk, and what PEFT itself makes of them."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from kbench.benchmarks.prompts import completion_of
from kbench.benchmarks.tasks import Item

WEIGHTS = "adapter_model.safetensors"
Tensors = dict[str, torch.Tensor]


def train_adapter(base: str, items: Sequence[Item], out: Path, rank: int, targets: list[str] | str) -> Path:
    """Teach an adapter some questions in a few steps, fast enough that its answers are no longer the base's."""
    torch.manual_seed(rank)
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, task_type="CAUSAL_LM")
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), config)
    ids = tokenizer([item.prompt + completion_of(item.row) for item in items], padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=2e-2)
    for _ in range(6):
        model(**ids, labels=ids["input_ids"]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(out)
    return out


def changed(adapter: Path, out: Path, change: Callable[[Tensors], Tensors]) -> Path:
    """A copy of an adapter with other tensors."""
    shutil.copytree(adapter, out)
    save_file(change(load_file(adapter / WEIGHTS)), out / WEIGHTS)
    return out


def peft_replies(base: str, adapter: Path | None, prompts: Sequence[str], most: int) -> list[list[int]]:
    """The tokens that transformers' `generate` says to each prompt, one by one, end token and all."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    replies = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            out = model.eval().generate(**ids, max_new_tokens=most, do_sample=False)
        replies.append(out[0, ids["input_ids"].shape[1] :].tolist())
    return replies
