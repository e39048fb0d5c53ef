"""A causal model to train on, by folder or Hub id: weights from safetensors only, and no code of its own unasked."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.hub import cached_file

from kbench.benchmarks.results import model_digests
from kbench.errors import ModelError

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "safetensors")


@dataclass(frozen=True)
class Pretrained:
    """A model and its tokenizer; of one from the Hub also the commit, and the folder that its files were read from."""

    name: str
    model: Any
    tokenizer: Any
    folder: Path
    revision: str | None

    def digests(self) -> dict[str, str]:
        """The digests of its weights and tokenizer, and the commit that they are from."""
        found = model_digests(self.folder)
        return found | ({"revision": self.revision} if self.revision else {})


def check_name(name: str) -> None:
    """Raise ModelError where a name can be no model to train: nothing there, an adapter, or weights in pickle files."""
    path = Path(name)
    if not path.exists():
        if name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise ModelError(f"no model {name!r}: there is no such folder, and it is no Hub id (ORG/NAME)")
        return
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        raise ModelError(f"{name} is an adapter, not a model: expected a whole model to train: merge it into its base")
    if not (path / "config.json").is_file():
        raise ModelError(f"{name} is no model: expected config.json and model.safetensors there")
    pickles = sorted(p.name for pattern in _PICKLES for p in path.glob(pattern) if p.name != "training_args.bin")
    if pickles and not list(path.glob("*.safetensors")):
        raise ModelError(
            f"{name} holds its weights as pickle ({pickles[0]}), which can run code as it is read: expected "
            f"*.safetensors: load it with transformers where you trust it, `save_pretrained` it and train that"
        )


def load_pretrained(name: str, *, trust_remote_code: bool = False) -> Pretrained:
    """A model in 32 bits on the device there is, with its tokenizer. Raises ModelError of one line."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    check_name(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left", trust_remote_code=trust_remote_code)
        model: Any = AutoModelForCausalLM.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, SafetensorError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"the model {name!r} brings Python code of its own, which would run with all your rights: read it, "
                f"then give --trust-remote-code"
            ) from None
        raise ModelError(f"cannot load the model {name!r}: {str(error).strip().splitlines()[0]}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if torch.cuda.is_available():
        model.to(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    return Pretrained(name, model, tokenizer, _folder(name), getattr(model.config, "_commit_hash", None))


def check_context(loaded: Pretrained, context: int) -> None:
    """Raise ModelError where packed rows of `context` tokens are longer than the model can read."""
    most = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and context > most:
        raise ModelError(
            f"the model {loaded.name!r} reads {most} tokens at most (got a context of {context}): give --context {most}"
        )


def versions() -> dict[str, str]:
    """The packages that a training's weights depend on, each at its version."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _folder(name: str) -> Path:
    """Where a model's files lie: its own folder, or the snapshot that the Hub's client keeps."""
    if Path(name).is_dir():
        return Path(name)
    config = cached_file(name, "config.json", local_files_only=True)
    return Path(str(config)).parent
