"""A LoRA adapter on disk: what it says of itself, which tensors it holds, and which it ought to hold."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from kbench.errors import ModelError
from kbench.ids import digest_of, file_sha256

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor, by its key."""


@dataclass(frozen=True)
class Adapter:
    """An adapter folder, read once: its digest tells whether it was changed since."""

    path: Path
    digest: str
    base: str
    """The base that the adapter names, `""` where it names none."""
    config: Mapping[str, Any]
    shapes: Shapes

    @property
    def rank(self) -> int:
        """The highest rank of any of its matrices."""
        ranks = [shape[0] for key, shape in self.shapes.items() if ".lora_A." in key]
        return max(ranks, default=int(self.config.get("r", 1)))

    @property
    def modules(self) -> frozenset[str]:
        """The kinds of module that it changes, by their own names (`q_proj`)."""
        names = (key.split(".lora_", 1)[0] for key in self.shapes if ".lora_" in key)
        return frozenset(name.rsplit(".", 1)[-1] for name in names)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a model."""
    return (folder / CONFIG).is_file()


def read_adapter(folder: Path) -> Adapter:
    """The adapter of a folder, or of a Hub id. Raises ModelError of one line where there is none, or no safetensors."""
    if not folder.exists():
        folder = _fetched(str(folder))
    if not is_adapter(folder):
        raise ModelError(f"{folder} is no adapter: expected {CONFIG} and {WEIGHTS} there")
    weights = folder / WEIGHTS
    if not weights.is_file():
        have = ", ".join(sorted(path.name for path in folder.glob("adapter_model*"))) or "none"
        raise ModelError(f"the adapter {folder} has no {WEIGHTS} (weights there: {have}): save it as safetensors")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        with safe_open(weights, framework="numpy") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (ValueError, SafetensorError) as error:
        raise ModelError(f"cannot read the adapter {folder}: {_first_line(error)}") from None
    if config.get("peft_type") != "LORA":
        raise ModelError(f"the adapter {folder} is of the type {config.get('peft_type')!r}: kbench scores LORA")
    return Adapter(folder, adapter_digest(folder), config.get("base_model_name_or_path") or "", config, shapes)


def _fetched(name: str) -> Path:
    """What an adapter's repository on the Hub holds of it, from the cache or now."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["adapter_*", "*token*", "*.jinja"]))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot get the adapter {name!r}: {_first_line(error)}") from None


def adapter_digest(folder: Path) -> str:
    """The digest of an adapter's weights and of what says how they are applied."""
    return digest_of(file_sha256(folder / WEIGHTS), file_sha256(folder / CONFIG))


def zero_modules(adapter: Adapter) -> list[str]:
    """The modules whose B matrix is zero in every place: the adapter changes nothing there."""
    with safe_open(adapter.path / WEIGHTS, framework="pt") as file:  # numpy has no bfloat16
        return sorted(
            key.split(".lora_", 1)[0]
            for key in adapter.shapes
            if (".lora_B." in key or ".lora_embedding_B" in key) and not file.get_tensor(key).any()
        )


def check_tensors(adapter: Adapter, base: str, *, trust_remote_code: bool = False) -> None:
    """Raise ModelError unless the adapter holds exactly the tensors that its config asks for on this base.

    PEFT lays the adapter out anew on the base's modules without weights, so layer choices, rank patterns and the like
    mean here what they meant in training. An engine that is given other keys leaves them out without a word.
    """
    expected = _expected(adapter, base, trust_remote_code)
    missing, unknown = sorted(expected.keys() - adapter.shapes.keys()), sorted(adapter.shapes.keys() - expected.keys())
    wrong = [key for key in sorted(expected.keys() & adapter.shapes.keys()) if expected[key] != adapter.shapes[key]]
    found = [
        f"{len(keys)} {what}, such as {keys[0]}"
        for what, keys in (("missing", missing), ("that the base has no place for", unknown))
        if keys
    ]
    if wrong:
        key = wrong[0]
        found.append(f"{len(wrong)} of another shape, such as {key}: {adapter.shapes[key]} rather than {expected[key]}")
    if found:
        raise ModelError(
            f"the adapter {adapter.path} does not fit the base {base}: of {len(expected)} tensors {'; '.join(found)}. "
            f"It would be applied in part or not at all: name its own base by --base, or save it by PEFT"
        )


def _expected(adapter: Adapter, base: str, trust_remote_code: bool) -> Shapes:
    import torch
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(base, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
        laid_out = get_peft_model(model, LoraConfig.from_pretrained(str(adapter.path)), low_cpu_mem_usage=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"cannot lay the adapter {adapter.path} on the base {base}: {_first_line(error)}") from None
    return {
        key: tuple(tensor.shape)
        for key, tensor in get_peft_model_state_dict(laid_out, save_embedding_layers=False).items()
    }


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
