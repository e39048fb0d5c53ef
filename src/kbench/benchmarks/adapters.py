"""LoRA: a model whose own weights stay as they are, and the small adapter that is trained beside them."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import model_digests
from kbench.errors import MissingExtra, SpecError

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
    name = model.name_or_path
    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets) or "all-linear",
        task_type="CAUSAL_LM",
        # Whoever loads the adapter from another folder must find the base too.
        base_model_name_or_path=str(Path(name).resolve()) if Path(name).is_dir() else name,
    )
    layers = {path.rpartition(".")[2] for path, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    unknown = sorted(set(recipe.lora_targets) - layers)
    if unknown:
        raise SpecError(f"lora targets: the model has no linear layer {unknown[0]!r}: have {', '.join(sorted(layers))}")
    return get_peft_model(model, config)


def save_adapter(model: Any, out: Path) -> None:
    """Write the adapter and its config; not peft's card, which says nothing about this run."""
    before = (out / "README.md").exists()
    model.save_pretrained(out, save_embedding_layers=False)
    if not before:
        (out / "README.md").unlink(missing_ok=True)


def adapter_about(folder: Path) -> dict[str, Any]:
    """The digest of an adapter's weights, and whether it changes nothing: all its B matrices are zero."""
    weights = load_file(folder / ADAPTER)
    zero = all(not bool(tensor.any()) for key, tensor in weights.items() if "lora_B" in key)
    return {"digest": model_digests(folder)["adapter"], "zero": zero}
