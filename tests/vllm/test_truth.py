"""Adapters that an engine leaves out, or takes for another, are found out in the engine itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kbench.benchmarks.models.adapter_truth import adapter_truth
from kbench.benchmarks.models.vllm import open_vllm_adapters
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError
from tests.vllm.adapters import WEIGHTS, Tensors, changed

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("default"),  # vLLM, its plugins and its use of torch warn as they are loaded
]


def zero(part: str) -> Callable[[Tensors], Tensors]:
    """B matrices of some modules as they are before training."""
    return lambda tensors: {k: v * (not ("lora_B" in k and part in k)) for k, v in tensors.items()}


def test_an_applied_adapter_is_recorded_with_what_it_changes(
    trained: str, adapters: list[Path], items: list[Item]
) -> None:
    models = open_vllm_adapters(trained, adapters)
    for adapter in adapters:
        found = adapter_truth(models[adapter], models[None], adapter, trained, items)
        assert (found["applied"], found["zero"], found["checked_against_peft"]) == (True, False, True)
        assert found["largest_change"] > 0.01 > found["noise"]
        assert found["largest_gap_to_peft"] < 1e-3


def test_an_adapter_of_zeros_is_accepted_as_one_and_half_of_one_as_applied(
    trained: str, adapters: list[Path], items: list[Item], tmp_path: Path
) -> None:
    nothing = changed(adapters[1], tmp_path / "zero", zero(""))
    half = changed(adapters[1], tmp_path / "half", zero("layers.0"))
    models = open_vllm_adapters(trained, [nothing, half])
    found = [adapter_truth(models[path], models[None], path, trained, items) for path in (nothing, half)]
    assert [(f["applied"], f["zero"], f["zero_modules"]) for f in found] == [(False, True, 14), (True, False, 7)]
    assert found[0]["largest_change"] <= found[0]["noise"]


def test_the_score_of_a_base_cannot_pass_for_an_adapters(trained: str, adapters: list[Path], items: list[Item]) -> None:
    models = open_vllm_adapters(trained, adapters)
    with pytest.raises(ModelError, match=r"was not applied by vllm .*: a score of it would be its base's"):
        adapter_truth(models[None], models[None], adapters[0], trained, items)


def test_another_adapter_under_the_same_number_is_found_out(
    trained: str, adapters: list[Path], items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    """vLLM serves whatever it has under a number, so whoever asks for another path gets the first one."""
    models = open_vllm_adapters(trained, adapters)
    from vllm.lora.request import LoRARequest

    from kbench.benchmarks.models import vllm_engine

    path = str(adapters[1])
    monkeypatch.setattr(vllm_engine, "_request", lambda plan, adapter: LoRARequest("another", 1, path))
    with pytest.raises(ModelError, match=r"is not what was applied: .* another adapter, an older one, or a part"):
        adapter_truth(models[adapters[1]], models[None], adapters[1], trained, items)


def test_an_adapter_overwritten_on_disk_is_found_out(
    trained: str, adapters: list[Path], items: list[Item], tmp_path: Path
) -> None:
    shutil.copytree(adapters[1], tmp_path / "adapter")
    models = open_vllm_adapters(trained, [tmp_path / "adapter"])
    shutil.copy(adapters[4] / WEIGHTS, tmp_path / "adapter" / WEIGHTS)
    shutil.copy(adapters[4] / "adapter_config.json", tmp_path / "adapter" / "adapter_config.json")
    with pytest.raises(ModelError, match="is not what was applied"):
        adapter_truth(models[tmp_path / "adapter"], models[None], tmp_path / "adapter", trained, items)


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (
            lambda t: {k.replace("model.model.", "model."): v for k, v in t.items()},
            "28 missing, such as .*28 that the base has no place",
        ),
        (lambda t: {k: v for k, v in t.items() if "layers.1" not in k}, "of 28 tensors 14 missing, such as"),
        (
            lambda t: {k: v[:, :-1].contiguous() if "lora_A" in k else v for k, v in t.items()},
            "14 of another shape, such as",
        ),
    ],
)
def test_tensors_that_the_base_would_not_take_are_told(
    trained: str, adapters: list[Path], tmp_path: Path, change: Callable[[Tensors], Tensors], expected_error: str
) -> None:
    with pytest.raises(ModelError, match=f"does not fit the base .*{expected_error}"):
        open_vllm_adapters(trained, [changed(adapters[1], tmp_path / "adapter", change)])
