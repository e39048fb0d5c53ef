"""A small trained model of kbench-tiny and adapters of it, made once; nothing here runs where vLLM is not installed."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.run import train_run
from kbench.benchmarks.tasks import Item, load_items
from kbench.shelf import shelved
from kbench.store import Release, open_release
from tests.vllm.adapters import train_adapter

if find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]

SHAPES: tuple[tuple[int, list[str] | str], ...] = (
    (4, ["q_proj", "v_proj"]),
    (8, "all-linear"),
    (16, ["gate_proj", "up_proj", "down_proj"]),
    (8, ["o_proj"]),
    (4, "all-linear"),
    (8, ["k_proj", "down_proj"]),
    (16, "all-linear"),
    (2, ["q_proj"]),
)
"""Rank and targets of each adapter: an engine must hold unlike ones at once."""


@pytest.fixture(scope="session")
def tiny_release() -> Release:
    path = shelved("kbench-tiny")
    assert path is not None
    return open_release(path)


@pytest.fixture(scope="session")
def items(tiny_release: Release) -> list[Item]:
    """Every question of kbench-tiny."""
    return load_items(tiny_release, ("train", "validation", "test", "control"))


@pytest.fixture(scope="session")
def some(items: list[Item]) -> list[Item]:
    """Questions from all over the release."""
    return items[:: len(items) // 48][:48]


@pytest.fixture(scope="session")
def trained(tiny_release: Release, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small Llama that has been trained on the release from nothing, so that it is right here and wrong there."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from kbench.studies.lab import release_texts
    from kbench.studies.tokenizer import word_tokenizer

    folder = tmp_path_factory.mktemp("vllm")
    tokenizer = word_tokenizer(text for split in release_texts(tiny_release).values() for text in split)
    end = tokenizer.eos_token_id
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    recipe = TrainRecipe(("qa",), epochs=3, learning_rate=5e-3, optimizer="muon", batch=4, context=128)
    return str(train_run(tiny_release, str(folder / "base"), recipe, folder / "run").path)


@pytest.fixture(scope="session")
def adapters(trained: str, items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight adapters of the trained model, each taught other questions."""
    folder = tmp_path_factory.mktemp("adapters")
    return [
        train_adapter(trained, items[number * 97 :][:24], folder / f"adapter-{number}", rank, targets)
        for number, (rank, targets) in enumerate(SHAPES)
    ]
