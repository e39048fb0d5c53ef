"""How the questions of a result are asked: what makes two scorings of one model the same."""

from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.models.protocol import GREEDY, Decoding
from kbench.benchmarks.prompting import PLAIN, Prompting

ASKED: tuple[str, ...] = ("train", "test", "control")
"""The splits a model is scored on: recall of what it saw, the held-out questions, and the never-trained twins."""


@dataclass(frozen=True)
class Asking:
    """Which rows (`splits`, the first `limit` of each style and split), in what prompt, decoded how.

    `likelihood` also weighs answers and options by the model's log-probabilities.
    """

    splits: tuple[str, ...] = ASKED
    limit: int | None = None
    prompting: Prompting = PLAIN
    decoding: Decoding = GREEDY
    likelihood: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As a result keeps it."""
        return {
            "splits": list(self.splits),
            "limit": self.limit,
            "prompt": self.prompting.to_dict(),
            "max_tokens": self.decoding.max_tokens,
            "decoding": "greedy" if self.decoding.temperature == 0 else "sampled",
            "likelihood": self.likelihood,
        }
