"""Models that need no weights: the oracle, a uniform guess, and the relation's commonest value."""

from dataclasses import dataclass

from kbench.benchmarks.models.protocol import Progress
from kbench.benchmarks.tasks import Guessing, Item, modal_answer
from kbench.ids import digest_of


@dataclass(frozen=True)
class Oracle:
    """Always right: the ceiling, and a check of the harness itself."""

    name: str = "oracle"

    def answer(self, items: list[Item], progress: Progress) -> list[str]:
        """The row's own answer."""
        progress(len(items))
        return [str(item.row["answer"]) for item in items]


@dataclass(frozen=True)
class Majority:
    """The relation's commonest value among the new facts."""

    known: Guessing
    name: str = "majority"

    def answer(self, items: list[Item], progress: Progress) -> list[str]:
        """The same answer to every question of a relation."""
        progress(len(items))
        return [modal_answer(self.known, item.row) for item in items]


@dataclass(frozen=True)
class Uniform:
    """A value drawn evenly from those that could be the answer, by a digest of the row's id."""

    known: Guessing
    name: str = "random"

    def answer(self, items: list[Item], progress: Progress) -> list[str]:
        """A guess per row, the same each time."""
        progress(len(items))
        return [self._guess(item) for item in items]

    def _guess(self, item: Item) -> str:
        values = self.known.candidates(item.row)
        return values[int(digest_of("random", item.row["id"])[:12], 16) % len(values)]
