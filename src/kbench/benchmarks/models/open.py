"""A model by name: a baseline, an endpoint, or weights by folder or Hub id in the engine that fits the machine."""

from importlib.util import find_spec
from typing import Literal

from kbench.benchmarks.engine import ENDPOINT, ENGINE, Backend, Engine, has_weights
from kbench.benchmarks.models.baselines import Majority, Oracle, Uniform
from kbench.benchmarks.models.protocol import Model
from kbench.benchmarks.tasks import guessing
from kbench.errors import MissingExtra
from kbench.store import Release


def open_model(
    name: str, release: Release, engine: Engine = ENGINE, *, base: str | None = None, chat: bool = False
) -> Model:
    """A baseline, `openai:MODEL@URL`, or a model or adapter by folder or Hub id.

    `base` is what an adapter stands on (None: what its own config names); `chat` says that chats will be asked.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        MissingExtra: `vllm` is asked for and not installed, or the client of endpoints is not.
    """
    if name == "oracle":
        return Oracle()
    if name == "random":
        return Uniform(guessing(release))
    if name == "majority":
        return Majority(guessing(release))
    if name.startswith(ENDPOINT):
        from kbench.benchmarks.models.openai import open_endpoint

        return open_endpoint(
            name,
            chat=chat,
            concurrency=engine.concurrency,
            requests_per_minute=engine.requests_per_minute,
            price=engine.price,
            timeout=engine.timeout,
        )
    if _engine(engine.backend) == "vllm":
        from kbench.benchmarks.models.vllm import open_vllm

        return open_vllm(name, base=base, trust_remote_code=engine.trust_remote_code)
    return _open_hf(name, base, engine)


def asked_by(name: str, engine: Engine = ENGINE) -> str:
    """The engine and device that ask a model, as `hf on cpu`; empty where it has no weights here.

    Raises MissingExtra: `vllm` is asked for and not installed.
    """
    if not has_weights(name):
        return ""
    import torch

    return f"{_engine(engine.backend)} on {'cuda' if torch.cuda.is_available() else 'cpu'}"


def check_model(name: str) -> None:
    """Raise ModelError where a name is plainly no model, before anything costly is done for it."""
    if has_weights(name):
        from kbench.benchmarks.models.loading import adapter_config

        adapter_config(name)


def without_adapter(model: Model) -> Model | None:
    """The base of an adapter in the same engine; None of a model that is none."""
    found: Model | None = model.without_adapter() if hasattr(model, "without_adapter") else None
    return found


def _engine(backend: Backend) -> Literal["hf", "vllm"]:
    # Looked for as a module: a build of vLLM for CPUs is a distribution of another name.
    installed = find_spec("vllm") is not None
    if backend == "vllm" and not installed:
        raise MissingExtra("vllm", "vllm")
    if backend != "auto":
        return backend
    import torch

    return "vllm" if installed and torch.cuda.is_available() else "hf"


def _open_hf(name: str, base: str | None, engine: Engine) -> Model:
    import torch

    from kbench.benchmarks.models.hf import load_hf

    # 16 bits make a CPU slower, and its replies depend on who shares a batch.
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    return load_hf(name, batch=engine.batch, base=base, dtype=dtype, trust_remote_code=engine.trust_remote_code)
