"""A model by name: a baseline, an endpoint, or weights by folder or Hub id in the engine that fits the machine."""

from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from kbench.benchmarks.models.baselines import Majority, Oracle, Uniform
from kbench.benchmarks.models.protocol import Model
from kbench.benchmarks.tasks import guessing
from kbench.errors import MissingExtra
from kbench.store import Release

BASELINES = ("oracle", "random", "majority")
ENDPOINT = "openai:"
"""What the name of a model behind an endpoint begins with."""

Backend = Literal["auto", "hf", "vllm"]


def open_model(
    name: str,
    release: Release,
    *,
    backend: Backend = "auto",
    base: str | None = None,
    batch: int | None = None,
    trust_remote_code: bool = False,
) -> Model:
    """A baseline, `openai:MODEL@URL`, or a model or adapter by folder or Hub id.

    `base` is what an adapter stands on (None: what its own config names), `batch` the most rows read together (None: as
    many as memory holds). `auto` is vLLM where there are a GPU and vLLM, else transformers.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        MissingExtra: `vllm` is asked for and not installed.
    """
    if name == "oracle":
        return Oracle()
    if name == "random":
        return Uniform(guessing(release))
    if name == "majority":
        return Majority(guessing(release))
    if name.startswith(ENDPOINT):
        opened: Model = import_module("kbench.benchmarks.models.openai").open_endpoint(name)
        return opened
    if _engine(backend) == "vllm":
        opened = import_module("kbench.benchmarks.models.vllm").open_vllm(
            name, base=base, trust_remote_code=trust_remote_code
        )
        return opened
    return _open_hf(name, base, batch, trust_remote_code)


def _engine(backend: Backend) -> Literal["hf", "vllm"]:
    # Looked for as a module: a build of vLLM for CPUs is a distribution of another name.
    installed = find_spec("vllm") is not None
    if backend == "vllm" and not installed:
        raise MissingExtra("vllm", "vllm")
    if backend != "auto":
        return backend
    import torch

    return "vllm" if installed and torch.cuda.is_available() else "hf"


def _open_hf(name: str, base: str | None, batch: int | None, trust_remote_code: bool) -> Model:
    import torch

    from kbench.benchmarks.models.hf import load_hf

    # 16 bits make a CPU slower, and its replies depend on who shares a batch.
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    return load_hf(name, batch=batch, base=base, dtype=dtype, trust_remote_code=trust_remote_code)
