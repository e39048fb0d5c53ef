"""What every engine offers: replies to prompts, and how likely it finds a continuation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kbench.benchmarks.tasks import Item

Progress = Callable[[int], None]
"""Called with the number of items just answered."""

MOST_TOKENS = 32
"""The longest answer a model may give, in tokens."""


@dataclass(frozen=True)
class Decoding:
    """How replies are made: greedily where `temperature` is 0, else `samples` draws from the `top_k` likeliest tokens.

    `max_tokens` bounds a reply; `seed` makes draws the same again where the engine can. With `first_line` a reply may
    end behind its first line that is not blank: nothing more of it is read.
    """

    max_tokens: int = MOST_TOKENS
    temperature: float = 0.0
    top_k: int = 0
    samples: int = 1
    seed: int = 0
    first_line: bool = False


GREEDY = Decoding()


@dataclass(frozen=True)
class Reply:
    """What a model said to one prompt: a text a draw, without special tokens, and the tokens read and written.

    `error` says why there is none; `refused` that the model's service would not answer. Neither is a wrong answer.
    """

    texts: tuple[str, ...]
    prompt_tokens: int = 0
    tokens: int = 0
    error: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Weight:
    """How likely a continuation is: the sum of its tokens' log-probabilities, in nats, and their number."""

    logprob: float
    tokens: int


class Model(Protocol):
    """Something that can be scored."""

    @property
    def name(self) -> str:
        """What the result calls it."""
        ...

    def about(self) -> dict[str, Any]:
        """What a result keeps of it: engine and version, precision, device, digests of weights, base and tokenizer."""
        ...

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The reply to each item with the item's place among them, in whatever order they become ready.

        Each is handed over as soon as its batch is done, so that who keeps them loses no more than a batch.

        Raises:
            ModelError: a prompt is longer than the model's context, or the engine has died; what was handed over holds.
        """
        ...

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """How likely each continuation (as text, with the space that it begins with) is after its item's prompt.

        Raises ModelError where the engine cannot tell.
        """
        ...

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text that the model's own chat template makes of messages, up to where its answer begins.

        Raises ModelError where it has none.
        """
        ...
