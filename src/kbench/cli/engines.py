"""The options that say by what a model is asked, shared by the verbs that ask one."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import need_training, progress_bar
from kbench.errors import SpecError

if TYPE_CHECKING:
    from kbench.benchmarks.engine import Engine


class Backend(enum.StrEnum):
    """What --backend takes."""

    auto = "auto"
    hf = "hf"
    vllm = "vllm"


BackendName = Annotated[
    Backend, typer.Option(help="The engine; auto: vLLM where there are a GPU and vLLM, else transformers (hf).")
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, max=65536, help="Prompts read together. [default: what memory holds]")
]
RemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run the Python code that a model brings with it.")
]
Concurrency = Annotated[int, typer.Option(min=1, max=1024, help="Of an endpoint: requests at a time.")]
RequestsPerMinute = Annotated[int | None, typer.Option(min=1, help="Of an endpoint: requests a minute, at most.")]
Price = Annotated[
    str | None,
    typer.Option(metavar="IN,OUT", help="Of an endpoint: dollars for a million tokens read and written."),
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Of an endpoint: seconds until a request is given up.")]


def engine_of(
    backend: Backend,
    batch_size: int | None,
    trust_remote_code: bool,
    concurrency: int,
    requests_per_minute: int | None,
    price: str | None,
    timeout: float,
) -> "Engine":
    """The engine that the options describe. Raises SpecError where the price is none."""
    from kbench.benchmarks.engine import Engine

    return Engine(
        backend=backend.value,
        batch=batch_size,
        trust_remote_code=trust_remote_code,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        price=_price(price),
        timeout=timeout,
    )


def _price(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        read, written = (float(part) for part in text.split(","))
    except ValueError:
        expected = "dollars for a million tokens read and written, such as 0.15,0.60"
        raise SpecError(f"--price must be {expected} (got {text!r})") from None
    return read, written


def need_engine(model: str, base: str | None, backend: Backend) -> None:
    """Raise MissingExtra unless what the models need is installed; keep its libraries quiet."""
    from kbench.benchmarks.engine import has_weights
    from kbench.benchmarks.results import is_lab

    if has_weights(model) or (base and has_weights(base)):
        need_training(one_thread=is_lab(base or model))


def fetched(model: str) -> str:
    """The model's folder, downloaded where it is one of the Hub; a baseline or an endpoint as it is."""
    from kbench.benchmarks.engine import has_weights
    from kbench.hub.models import fetch_model

    if not has_weights(model) or Path(model).exists():
        return model
    with progress_bar(f"looking for {model} on the Hub"):  # without a network that takes minutes
        return fetch_model(model)
