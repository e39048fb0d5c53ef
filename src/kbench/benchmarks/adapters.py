"""LoRA: a model whose own weights stay as they are, and the small adapter that is trained beside them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers.pytorch_utils import Conv1D

from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import model_digests, shown_name
from kbench.errors import MissingExtra, SpecError
from kbench.store import write_json

ADAPTER = "adapter_model.safetensors"


def with_adapter(model: Any, recipe: TrainRecipe) -> Any:
    """The model with a fresh LoRA adapter, which alone can be trained (Hu et al. 2021, 2106.09685).

    Its second matrices (B) are zero, so that it begins as the model itself. Raises SpecError where a target names no
    layer of the model, MissingExtra without peft.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise MissingExtra("train", error.name or "peft") from None
    # GPT-2's layers are of a class of transformers with its weights transposed, which peft adapts as well.
    layers = {path.rpartition(".")[2]: part for path, part in model.named_modules() if _is_linear(part)}
    unknown = sorted(set(recipe.lora_targets) - set(layers))
    if unknown:
        raise SpecError(f"lora targets: the model has no linear layer {unknown[0]!r}: have {', '.join(sorted(layers))}")
    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets) or "all-linear",
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in layers.values()),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def base_name(model: str) -> str:
    """How an adapter names its base: a folder by its full path, a model of the Hub as ORG/NAME, cached or not."""
    shown = shown_name(model)
    if shown != model:  # a folder of the Hub's cache, which other machines have not
        return shown.partition("@")[0]
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def _is_linear(part: Any) -> bool:
    return isinstance(part, torch.nn.Linear | Conv1D)


def save_adapter(model: Any, out: Path) -> None:
    """Write the adapter and its config, which names the base; not peft's card, which says nothing about this run."""
    before = (out / "README.md").exists()
    model.save_pretrained(out, save_embedding_layers=False)
    if not before:
        (out / "README.md").unlink(missing_ok=True)
    # Only here: peft takes the name by which the model was loaded, and looks there when a checkpoint is written.
    path = out / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**config, "base_model_name_or_path": base_name(config["base_model_name_or_path"])})


def adapter_about(folder: Path) -> dict[str, Any]:
    """The digest of an adapter's weights, and whether it changes nothing: all its B matrices are zero."""
    weights = load_file(folder / ADAPTER)
    zero = all(not bool(tensor.any()) for key, tensor in weights.items() if "lora_B" in key)
    return {"digest": model_digests(folder)["adapter"], "zero": zero}
