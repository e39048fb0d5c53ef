"""What every engine offers: answers to items, in order."""

from collections.abc import Callable
from typing import Protocol

from kbench.benchmarks.tasks import Item

Progress = Callable[[int], None]
"""Called with the number of items just answered."""


class Model(Protocol):
    """Something that can be scored."""

    @property
    def name(self) -> str:
        """What the result calls it."""
        ...

    def answer(self, items: list[Item], progress: Progress) -> list[str]:
        """The prediction for each item, in order."""
        ...
