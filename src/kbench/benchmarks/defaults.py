"""What a model is trained with where nothing is said."""

from collections.abc import Mapping
from typing import Any


def open_values(is_lab: bool, method: str) -> Mapping[str, Any]:
    """The fields of a recipe that depend on the model and the method, as `kbench train` fills them in.

    LoRA learns best at about ten times the rate of full finetuning, whatever the model (Schulman et al. 2025, LoRA
    Without Regret); its matrices are for AdamW.
    """
    lora = method == "lora"
    if is_lab:
        rate = 1e-2 if lora else 2e-3
        return {"learning_rate": rate, "optimizer": "adamw" if lora else "muon", "replay": 1 / 3, "bf16": True}
    return {"learning_rate": 1e-4 if lora else 1e-5}
