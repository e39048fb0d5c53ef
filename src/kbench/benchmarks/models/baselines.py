"""Models that need no weights: the oracle, a uniform guess, and the relation's commonest value."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.models.protocol import Decoding, Reply, Weight
from kbench.benchmarks.tasks import Guessing, Item, modal_answer
from kbench.errors import ModelError
from kbench.ids import digest_of


class Baseline(ABC):
    """What the models without weights share: a reply is made from the row alone, and nothing has a likelihood."""

    name: str

    def about(self) -> dict[str, Any]:
        """That there is no engine."""
        return {"engine": "none"}

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The same reply for every draw."""
        for place, item in enumerate(items):
            yield place, Reply((self.reply(item),) * decoding.samples)

    @abstractmethod
    def reply(self, item: Item) -> str:
        """What is said to an item."""

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """Raises ModelError: there are no probabilities."""
        raise ModelError(f"{self.name} has no probabilities: score it without --likelihood")

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The last message: there is no template, and nothing reads it."""
        return messages[-1]["content"]


@dataclass(frozen=True)
class Oracle(Baseline):
    """Always right: the ceiling, and a check of the harness itself."""

    name: str = "oracle"

    def reply(self, item: Item) -> str:
        """The row's own answer."""
        return str(item.row["answer"])


@dataclass(frozen=True)
class Majority(Baseline):
    """The relation's commonest value among the new facts."""

    known: Guessing
    name: str = "majority"

    def reply(self, item: Item) -> str:
        """The same answer to every question of a relation."""
        return modal_answer(self.known, item.row)


@dataclass(frozen=True)
class Uniform(Baseline):
    """A value drawn evenly from those that could be the answer, by a digest of the row's id."""

    known: Guessing
    name: str = "random"

    def reply(self, item: Item) -> str:
        """A guess per row, the same each time."""
        values = self.known.candidates(item.row)
        return values[int(digest_of("random", item.row["id"])[:12], 16) % len(values)]
