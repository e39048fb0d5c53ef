"""How much of a GPU's arithmetic a training with kbench uses: model FLOPs a second against the card's own.

Model FLOPs are 6 for each weight that multiplies and token, and 12 x layers x width x context a token for attention
(Chowdhery et al. 2022, 2204.02311, appendix B): what a step needs, whatever is computed beside it.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.packing import training_rows
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.train import fit
from kbench.store import Release
from tests.bench.steps import WARM

_STATED = {"A100": 312e12, "H100": 989e12, "H200": 989e12, "L4": 121e12}
"""FLOPs a second in bf16 without sparsity, as the maker states them, by a word of its name (SXM cards)."""


@dataclass(frozen=True)
class Shape:
    """A Llama to train; the default has 97 million weights that multiply, and 12 million in its table of inputs."""

    width: int = 768
    inner: int = 2048
    layers: int = 12
    vocabulary: int = 16_000
    product: int = 8192


def of_the_gpu(release: Release, lab: Path) -> str:
    """The line for the GPU that is here, at 16 rows of 1,024 tokens a step; without one, that there is none."""
    if not torch.cuda.is_available():
        return "utilisation of a GPU: no GPU here, not measured"
    return utilisation(release, lab, TrainRecipe(epochs=10, context=1024, batch=16, bf16=True))


def utilisation(release: Release, lab: Path, recipe: TrainRecipe, shape: Shape = Shape()) -> str:
    """One line: tokens a second, FLOPs a second, their share of a plain matrix product's and of the stated peak."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = AutoTokenizer.from_pretrained(lab)
    model = LlamaForCausalLM(_config(shape, tokenizer.eos_token_id, recipe.context))
    multiplying = model.num_parameters() - shape.vocabulary * shape.width
    rows = training_rows(release, tokenizer, recipe)
    ends: dict[int, float] = {}

    def tick(done: int, total: int) -> None:
        if done in (WARM, total):
            _wait()
            ends[done] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        steps = fit(model, rows, recipe, Path(folder), tick).steps
    rate = rows.tokens * (steps - WARM) / steps / (ends[steps] - ends[WARM])
    flops = rate * (6 * multiplying + 12 * shape.layers * shape.width * recipe.context)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    stated = next((peak for part, peak in _STATED.items() if part in name.replace("-", " ").split()), None)
    return (
        f"{name}: {multiplying / 1e6:.0f}M weights, {rate:,.0f} tokens a second, {flops / 1e12:.3g} TFLOP/s: "
        f"{flops / _product(shape.product, device):.1%} of a bf16 matrix product's"
        + (f", {flops / stated:.1%} of the {stated / 1e12:.0f} stated" if stated else "")
    )


def _config(shape: Shape, end: int, context: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.width // 64,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
        tie_word_embeddings=False,
    )


def _product(size: int, device: torch.device, times: int = 20) -> float:
    """FLOPs a second of a square bf16 matrix product of that size."""
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    began = 0.0
    for number in range(times + 1):
        if number == 1:
            _wait()
            began = time.perf_counter()
        one @ one
    _wait()
    return 2 * size**3 * times / (time.perf_counter() - began)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
