"""Loading a causal model and its tokenizer by folder or Hub id: safetensors only, remote code only when asked for."""

import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar
from transformers.utils.peft_utils import find_adapter_config_file

from kbench.benchmarks.results import model_digests
from kbench.errors import MissingExtra, ModelError

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_ADAPTER = "adapter_model.safetensors"
FAILURES = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
"""What transformers raises of a model that it cannot load."""


@dataclass(frozen=True)
class Loaded:
    """A model and its tokenizer, and what a result says of where they are from.

    `source` holds the digests of weights, tokenizer and adapter, the base's name and a Hub revision, where there are.
    """

    model: PreTrainedModel
    tokenizer: Any
    source: dict[str, Any]


def load(name: str, *, base: str | None = None, dtype: Any = torch.float32, trust_remote_code: bool = False) -> Loaded:
    """A model, or an adapter on its base (`base`, else the one that its config names). Raises ModelError of one line.

    `dtype` is a type of torch, or "auto" for that of the weights.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        disable_progress_bar()  # of the reading of weights
    config = adapter_config(name)
    if config is None:
        return _load_model(name, dtype, trust_remote_code)
    return _load_adapter(name, base or str(config.get("base_model_name_or_path") or ""), dtype, trust_remote_code)


def adapter_config(name: str) -> dict[str, Any] | None:
    """What adapter_config.json says where a folder or Hub id holds an adapter; None where it holds a model.

    Raises ModelError where it holds neither, or is neither.
    """
    path = Path(name)
    if not path.exists() and (name.startswith((".", "/", "~")) or name.count("/") != 1):
        raise ModelError(f"no model {name!r}: there is no such folder, and it is no Hub id (ORG/NAME)")
    if path.exists() and not (path / "config.json").is_file() and not (path / "adapter_config.json").is_file():
        raise ModelError(f"{name} is no model: expected config.json and model.safetensors there")
    try:
        found = find_adapter_config_file(name)
        config = json.loads(Path(found).read_text(encoding="utf-8")) if found else None
    except (OSError, ValueError) as error:
        raise cannot_load(name, error) from None
    if config is not None and not isinstance(config, dict):
        raise ModelError(f"cannot load the adapter {name!r}: its adapter_config.json holds no table of settings")
    return config


def _load_model(name: str, dtype: Any, trust_remote_code: bool) -> Loaded:
    refuse_pickles(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left", trust_remote_code=trust_remote_code)
        found: Any = AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, dtype=dtype, trust_remote_code=trust_remote_code, output_loading_info=True
        )
    except FAILURES as error:
        raise cannot_load(name, error) from None
    model, info = found
    absent = sorted(info["missing_keys"])
    if absent:
        raise ModelError(
            f"the weights of {name} lack {len(absent)} tensors of a {type(model).__name__} ({absent[0]}): "
            "transformers would fill them with random numbers; give a folder that holds a whole causal model"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if torch.cuda.is_available():
        torch.nn.Module.to(model, "cuda")
    revision = getattr(model.config, "_commit_hash", None)
    source = {**model_digests(_folder(name)), **({"revision": revision} if revision else {})}
    return Loaded(model.eval(), tokenizer, source)


def _load_adapter(name: str, base: str, dtype: Any, trust_remote_code: bool) -> Loaded:
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingExtra("train", "peft") from None
    if not base:
        raise ModelError(f"the adapter {name} does not say what its base is: give --base HF_ID|PATH")
    if _file_of(name, _ADAPTER) is None:
        raise ModelError(f"{name} holds no {_ADAPTER}: kbench loads no pickles; save the adapter as safetensors")
    loaded = _load_model(base, dtype, trust_remote_code)
    try:
        with warnings.catch_warnings():
            # Tensors that are not found would leave these layers as if untrained.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            tuned: Any = PeftModel.from_pretrained(loaded.model, name)
    except (*FAILURES, UserWarning) as error:
        raise ModelError(f"cannot put the adapter {name} on the base {base}: {_first_line(error)}") from None
    if tuned.active_peft_config.is_prompt_learning:
        raise ModelError(
            f"the adapter {name} is a {tuned.active_peft_config.peft_type}: expected one that changes layers"
        )
    if not Path(name).is_dir() or (Path(name) / "tokenizer_config.json").is_file():
        own_words = _adapters_tokenizer(name, loaded.tokenizer)
        if not loaded.tokenizer.get_vocab().items() <= own_words.get_vocab().items():  # it may add some
            raise ModelError(
                f"the adapter {name} has a tokenizer of other words than its base {base}: "
                "it was trained on another model; name that one by --base"
            )
        loaded = Loaded(loaded.model, own_words, loaded.source)
    own = model_digests(_folder(name))
    source = {**loaded.source, **{key: own[key] for key in ("adapter", "tokenizer") if own.get(key)}, "base": base}
    return Loaded(tuned.eval(), loaded.tokenizer, source)


def _adapters_tokenizer(name: str, otherwise: Any) -> Any:
    """The tokenizer that was saved beside an adapter, where there is one."""
    if _file_of(name, "tokenizer_config.json") is None:
        return otherwise
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left")
    except FAILURES as error:
        raise cannot_load(name, error) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def refuse_pickles(name: str) -> None:
    """Raise ModelError where a folder has no weights but pickles, which can run any code."""
    folder = Path(name)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = [path.name for pattern in _PICKLES for path in sorted(folder.glob(pattern))]
    if pickles:
        raise ModelError(
            f"{name} holds its weights as a pickle ({pickles[0]}), which can run any code and is not loaded: "
            "save them as model.safetensors (save_pretrained of transformers does)"
        )


def cannot_load(name: str, error: Exception) -> ModelError:
    """What a user is told where transformers cannot load something."""
    if "trust_remote_code" in str(error):
        return ModelError(f"the model {name} brings code of its own: read it, then allow it by --trust-remote-code")
    return ModelError(f"cannot load the model {name!r}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _file_of(name: str, file: str) -> str | None:
    found: str | None = cached_file(
        name, file, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False
    )
    return found


def _folder(name: str) -> Path:
    """Where a model's files lie: the folder itself, or the Hub's in the cache."""
    if Path(name).is_dir():
        return Path(name)
    found = _file_of(name, "config.json") or _file_of(name, "adapter_config.json")
    return Path(found).parent if found else Path(name)
