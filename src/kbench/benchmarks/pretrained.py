"""A causal model to train: a whole one, long enough for the recipe's rows, and the packages that it is trained with."""

from importlib.metadata import PackageNotFoundError, version

from kbench.benchmarks.models.loading import Loaded, adapter_config, load
from kbench.errors import ModelError

_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "safetensors")


def load_pretrained(name: str, context: int, *, trust_remote_code: bool = False) -> Loaded:
    """A model in 32 bits and its tokenizer, by folder or Hub id, to be trained on rows of `context` tokens.

    Raises ModelError where it cannot be loaded, is an adapter, or reads no rows of that length.
    """
    if adapter_config(name) is not None:
        raise ModelError(f"{name} is an adapter: expected a whole model to train: merge it into its base first")
    loaded = load(name, trust_remote_code=trust_remote_code)
    most = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and context > most:
        raise ModelError(
            f"the model {name!r} reads {most} tokens at most (got a context of {context}): give --context {most}"
        )
    return loaded


def versions() -> dict[str, str]:
    """The packages that a training's weights depend on, each at its version."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
