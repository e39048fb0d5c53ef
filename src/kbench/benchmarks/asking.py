"""How the questions of a result are asked: what makes two scorings of one model the same."""

from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.models.protocol import GREEDY, Decoding
from kbench.benchmarks.prompting import PLAIN, Prompting
from kbench.errors import SpecError

ASKED: tuple[str, ...] = ("train", "test", "control")
"""The splits a model is scored on: recall of what it saw, the held-out questions, and the never-trained twins."""


@dataclass(frozen=True)
class Asking:
    """Which rows (`splits`, the first `limit` of each style and split, some `styles` or `probes` alone), and how.

    `likelihood` also weighs answers and options by the model's log-probabilities. Raises SpecError with a chain of
    thought, whose answer does not follow its prompt.
    """

    splits: tuple[str, ...] = ASKED
    limit: int | None = None
    prompting: Prompting = PLAIN
    decoding: Decoding = GREEDY
    likelihood: bool = False
    styles: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether it leaves out rows, styles or probes that a score of the whole release has."""
        return self.limit is not None or bool(self.styles) or bool(self.probes)

    def __post_init__(self) -> None:
        if self.likelihood and self.prompting.reasons:
            raise SpecError(
                "likelihoods are of answers right behind a prompt, and with the prompt "
                f"{self.prompting.name!r} a chain comes between: score the two apart"
            )

    def to_dict(self) -> dict[str, Any]:
        """As a result keeps it."""
        return {
            **({"probes": list(self.probes)} if self.probes else {}),
            "splits": list(self.splits),
            "styles": list(self.styles),
            "limit": self.limit,
            "prompt": self.prompting.to_dict(),
            "max_tokens": self.decoding.max_tokens,
            "decoding": "greedy" if self.decoding.temperature == 0 else "sampled",
            "likelihood": self.likelihood,
        }
