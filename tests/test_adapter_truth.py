"""Adapters on disk and the proof that one is applied, through transformers; tests/vllm has the same through vLLM."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.models.adapter_files import read_adapter
from kbench.benchmarks.models.adapter_truth import adapter_truth
from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.tasks import Item, load_items
from kbench.errors import ModelError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.studies.lab import release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import tiny
from tests.vllm.adapters import WEIGHTS, Tensors, changed, train_adapter


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Item]]:
    """A very small model with random weights, and the questions of a release that its tokenizer was made for."""
    release, _ = generate(Recipe(tiny(), "7", ("qa",)), tmp_path_factory.mktemp("release") / "r")
    folder = tmp_path_factory.mktemp("base")
    tokenizer = word_tokenizer(text for split in release_texts(release).values() for text in split)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder), load_items(release, ("test",))


@pytest.fixture(scope="module")
def adapter(asked: tuple[str, list[Item]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    base, items = asked
    return train_adapter(base, items[:8], tmp_path_factory.mktemp("adapter") / "a", 4, "all-linear")


def opened(adapter: Path, base: str) -> tuple[HfModel, HfModel]:
    on = load_hf(str(adapter), base=base)
    off = on.without_adapter()
    assert off is not None
    return on, off


@pytest.mark.parametrize(
    ("zeroed", "expected"),
    [(None, (True, False, 0)), ("layers.1", (True, False, 7)), ("", (False, True, 14))],
)
def test_an_adapter_is_recorded_as_what_it_is(
    asked: tuple[str, list[Item]], adapter: Path, tmp_path: Path, zeroed: str | None, expected: tuple[bool, bool, int]
) -> None:
    base, items = asked
    made = changed(
        adapter,
        tmp_path / "a",
        lambda t: {k: v * (not (zeroed is not None and "lora_B" in k and zeroed in k)) for k, v in t.items()},
    )
    found = adapter_truth(*opened(made, base), made, base, items)
    assert (found["applied"], found["zero"], found["zero_modules"]) == expected
    assert (found["largest_change"] > found["noise"]) is expected[0]
    assert found["checked_against_peft"]


def test_a_base_cannot_pass_for_its_adapter(asked: tuple[str, list[Item]], adapter: Path) -> None:
    base, items = asked
    _, off = opened(adapter, base)
    with pytest.raises(ModelError, match=r"was not applied by transformers .*: a score of it would be its base's"):
        adapter_truth(off, off, adapter, base, items)


def test_another_adapter_cannot_pass_for_this_one(asked: tuple[str, list[Item]], adapter: Path, tmp_path: Path) -> None:
    base, items = asked
    other = changed(adapter, tmp_path / "other", lambda t: {k: v.flip(0).contiguous() for k, v in t.items()})
    on, off = opened(other, base)
    with pytest.raises(ModelError, match="is not what was applied: log-probabilities are up to"):
        adapter_truth(on, off, adapter, base, items)
    nothing = changed(adapter, tmp_path / "zero", lambda t: {k: v * ("lora_A" in k) for k, v in t.items()})
    with pytest.raises(ModelError, match=r"is zero, but transformers .* applies something in its place"):
        adapter_truth(on, off, nothing, base, items)


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (
            lambda t: {k.replace("model.model.", "model."): v for k, v in t.items()},
            "28 missing, such as .*; 28 that the base has no place for",
        ),
        (lambda t: {k: v for k, v in t.items() if "layers.1" not in k}, "of 28 tensors 14 missing, such as"),
        (
            lambda t: {k: v[:, :-1].contiguous() if "lora_A" in k else v for k, v in t.items()},
            "14 of another shape, such as",
        ),
    ],
)
def test_tensors_that_the_base_would_not_take_are_told(
    asked: tuple[str, list[Item]],
    adapter: Path,
    tmp_path: Path,
    change: Callable[[Tensors], Tensors],
    expected_error: str,
) -> None:
    base, items = asked
    bad = changed(adapter, tmp_path / "bad", change)
    with pytest.raises(ModelError, match=f"does not fit the base .*{expected_error}"):
        adapter_truth(*opened(adapter, base), bad, base, items)


@pytest.mark.parametrize(
    ("break_it", "expected_error"),
    [
        (lambda folder: (folder / "adapter_config.json").unlink(), "is no adapter: expected adapter_config.json"),
        (lambda folder: (folder / WEIGHTS).rename(folder / "adapter_model.bin"), r"has no adapter_model.safetensors \(weights there: adapter_model.bin\)"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"cut"), "cannot read the adapter"),
        (lambda folder: (folder / "adapter_config.json").write_text("{", encoding="utf-8"), "cannot read the adapter"),
        (lambda folder: (folder / "adapter_config.json").write_text('{"peft_type": "IA3"}', encoding="utf-8"), "is of the type 'IA3': kbench scores LORA"),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_adapter_is_told_in_one_line(
    adapter: Path, tmp_path: Path, break_it: Callable[[Path], object], expected_error: str
) -> None:
    folder = changed(adapter, tmp_path / "a", lambda tensors: tensors)
    break_it(folder)
    with pytest.raises(ModelError, match=expected_error) as told:
        read_adapter(folder)
    assert "\n" not in str(told.value)
