"""No text of a packed row sees another: on real models, in each way that they are trained."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from kbench.benchmarks.examples import Example
from kbench.benchmarks.isolation import check_isolation
from kbench.benchmarks.packing import pack
from kbench.errors import ModelError

_SHAPE = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": {**_SHAPE, "intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 0},
    "qwen3": {**_SHAPE, "intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 16},
    "gpt2": {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "opt": {**_SHAPE, "ffn_dim": 64, "max_position_embeddings": 64, "word_embed_proj_dim": 32},
    "falcon": _SHAPE,
    "bloom": {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 2},
    "mamba": {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2},
}


def model_of(kind: str, attention: str = "eager") -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SHAPES[kind])
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention)


def with_lora(model: Any) -> Any:
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:  # zero when made: it would do nothing
            torch.nn.init.normal_(weight, std=0.1)
    return adapted


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("way", ["plain", "lora", "checkpointing", "lora and checkpointing"])
def test_a_text_in_a_packed_row_learns_as_if_it_stood_alone(attention: str, way: str) -> None:
    """The gradients of a packed row of two rows are those of its texts one by one, as the model is trained."""
    model = model_of("llama", attention)
    if "lora" in way:
        model = with_lora(model)
    if "checkpointing" in way:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    examples = [Example(list(range(k, k + 9)), 0, 1) for k in (1, 20, 40, 50)]
    rows = pack(examples, 20, 0)
    assert [len(row["input_ids"]) for row in rows] == [20, 20]

    def gradients(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        model.zero_grad()
        # The sum over the texts' tokens, and no cache: as Trainer has it.
        loss = model(**batch, use_cache=False, num_items_in_batch=1).loss
        loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    packed = gradients({key: torch.stack([row[key] for row in rows]) for key in rows[0]})
    alone: dict[str, torch.Tensor] = {}
    for example in examples:
        ids = torch.tensor([example.tokens])
        for name, grad in gradients({"input_ids": ids, "labels": ids}).items():
            alone[name] = alone.get(name, torch.zeros_like(grad)) + grad
    assert packed.keys() == alone.keys()
    for name, grad in packed.items():
        torch.testing.assert_close(grad, alone[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_models_that_keep_texts_apart_pass_and_are_left_as_they_were(kind: str, attention: str) -> None:
    model = model_of(kind, attention).train()
    state, chance = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    check_isolation(model)
    assert model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)


def test_an_adapter_in_a_model_does_not_hide_that_texts_see_each_other() -> None:
    check_isolation(with_lora(model_of("llama")))
    with pytest.raises(ModelError, match="would see each other in this opt model"):
        check_isolation(with_lora(model_of("opt")))


@pytest.mark.parametrize("kind", ["opt", "falcon", "bloom", "mamba"])
def test_a_model_in_which_texts_see_each_other_is_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=rf"would see each other in this {kind} model .*: set packing = false"):
        check_isolation(model_of(kind))
