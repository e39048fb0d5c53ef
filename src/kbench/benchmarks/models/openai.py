"""Scoring through any OpenAI-compatible server: `openai:MODEL@URL`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kbench.benchmarks.models.endpoint_name import OPENAI, Address, read_address
from kbench.benchmarks.models.handed_over import handed_over
from kbench.benchmarks.models.protocol import Decoding, Reply, Weight
from kbench.benchmarks.tasks import Item
from kbench.errors import MissingExtra, ModelError, SpecError

if TYPE_CHECKING:
    from kbench.benchmarks.models.endpoint_client import Pace, Tally


@dataclass(frozen=True)
class Settings:
    """How an endpoint is asked.

    `chat` sends a prompt that is no chat as the one message of a chat, for servers without /completions; `price` is in
    dollars for a million tokens read and written; `timeout` is that of one try, in seconds, and `retries` are further
    tries of a request.
    """

    chat: bool = False
    concurrency: int = 16
    requests_per_minute: int | None = None
    price: tuple[float, float] | None = None
    timeout: float = 60.0
    retries: int = 5

    def __post_init__(self) -> None:
        """Raise SpecError unless they can be."""
        if self.concurrency < 1:
            raise SpecError(f"concurrency must be at least 1 (got {self.concurrency})")
        if self.requests_per_minute is not None and self.requests_per_minute < 1:
            raise SpecError(f"requests per minute must be at least 1 (got {self.requests_per_minute})")
        if self.price is not None and not all(0 <= dollars < float("inf") for dollars in self.price):
            raise SpecError(f"prices must be dollars for a million tokens read and written (got {self.price})")
        if not 0 < self.timeout < float("inf"):
            raise SpecError(f"the timeout must be some seconds (got {self.timeout})")
        if self.retries < 0:
            raise SpecError(f"retries must be at least 0 (got {self.retries})")


@dataclass(frozen=True)
class Endpoint:
    """A model behind a server."""

    address: Address
    settings: Settings
    pace: "Pace" = field(repr=False)
    tally: "Tally"

    @property
    def name(self) -> str:
        """The name that it was opened by: it holds no secret."""
        return self.address.name

    def about(self) -> dict[str, Any]:
        """The server, the model as it calls it, and under `usage` what was asked so far, with its price in dollars."""
        from kbench.benchmarks.models.asking import served

        tally, price = self.tally, self.settings.price
        usage: dict[str, Any] = {
            "requests": tally.requests,
            "retries": tally.retries,
            "prompt_tokens": tally.prompt_tokens,
            "tokens": tally.tokens,
            "replies_without_usage": tally.uncounted,
        }
        if price is not None:
            cost = (tally.prompt_tokens * price[0] + tally.tokens * price[1]) / 1e6
            usage |= {"price": list(price), "cost": cost}
        return {
            "engine": "openai",
            "url": self.address.url,
            "model": sorted(tally.models) or [self.address.model],
            "system_fingerprint": sorted(tally.fingerprints),
            "served": served(self),
            "chat": self.settings.chat,
            "usage": usage,
        }

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The reply to each item as it arrives; one that has none for its own sake says so and the work goes on.

        Raises ModelError: the endpoint is dead or talks rubbish. Rows that failed by that are not handed over.
        """
        from kbench.benchmarks.models.asking import ask

        def work(emit: Callable[[tuple[int, Reply]], None]) -> Any:
            return ask(self, items, decoding, emit)

        return handed_over(work)

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """How likely each continuation is, where the server echoes a prompt with its log-probabilities (vLLM does).

        The tokens of a continuation are those of the whole beyond as many as its prompt alone has.
        Raises ModelError where the server does not, or a prompt is a chat, whose template the server alone knows.
        """
        from kbench.benchmarks.models.weighing import weigh

        if any(item.chat for item, _ in asked):
            raise ModelError(f"{self.name} cannot tell how likely a text is in a chat: score it without --likelihood")

        def work(emit: Callable[[tuple[int, Weight]], None]) -> Any:
            return weigh(self, asked, emit)

        return handed_over(work)

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The messages as JSON, as they are sent: the template is the server's."""
        import json

        return json.dumps([dict(message) for message in messages], ensure_ascii=False)


def open_endpoint(
    name: str,
    *,
    chat: bool = False,
    concurrency: int = 16,
    requests_per_minute: int | None = None,
    price: tuple[float, float] | None = None,
    timeout: float = 60.0,
    retries: int = 5,
) -> Endpoint:
    """A model behind `openai:MODEL@URL`. Nothing is sent yet. See Settings for what the numbers mean.

    Raises:
        ModelError: the name has another shape, OPENAI_API_KEY can be no key, or is not set for OpenAI's own service.
        SpecError: a number that cannot be.
        MissingExtra: the client is not installed.
    """
    address = read_address(name)
    settings = Settings(chat, concurrency, requests_per_minute, price, timeout, retries)
    if find_spec("openai") is None:
        raise MissingExtra("openai", "openai")
    from kbench.benchmarks.models.endpoint_client import KEY, Pace, Tally, key_found

    if not key_found() and address.url == OPENAI:
        raise ModelError(f"{name} needs a key: set the environment variable {KEY}")
    return Endpoint(address, settings, Pace(requests_per_minute), Tally())
