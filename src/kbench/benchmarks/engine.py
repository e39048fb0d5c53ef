"""By what a model is asked: the engine and its settings, none of which should change an answer."""

from dataclasses import dataclass
from typing import Literal

Backend = Literal["auto", "hf", "vllm"]


@dataclass(frozen=True)
class Engine:
    """The engine of a scoring.

    `backend` is for models with weights: auto takes vLLM where there is a GPU, else transformers; `batch` is the most
    prompts read together (None: as many as fit). The rest is for `openai:MODEL@URL`: requests at a time and a minute,
    dollars for a million tokens read and written, seconds until a request is given up.
    """

    backend: Backend = "auto"
    batch: int | None = None
    trust_remote_code: bool = False
    concurrency: int = 16
    requests_per_minute: int | None = None
    price: tuple[float, float] | None = None
    timeout: float = 60.0


ENGINE = Engine()

BASELINES = ("oracle", "random", "majority")
ENDPOINT = "openai:"
"""What the name of a model behind an endpoint begins with."""


def has_weights(model: str) -> bool:
    """Whether a name is that of a model with weights, by folder or Hub id: no baseline and no endpoint."""
    return model not in BASELINES and not model.startswith(ENDPOINT)
