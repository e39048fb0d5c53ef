"""What each pass over a recipe's lessons shows: all of them, or of a budget of tokens what is left of it."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, count

from kbench.benchmarks.diet import Lesson
from kbench.benchmarks.examples import Example
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.recipe_rules import BOUNDS
from kbench.errors import SpecError

Shown = tuple[tuple[int, int] | None, Example]
"""A text and the turn of its lesson; None: it is replayed and has none."""


def passes(
    lessons: Sequence[tuple[Lesson, list[Example]]], recipe: TrainRecipe, stream: random.Random
) -> Iterator[list[Shown]]:
    """What each epoch shows of what is taught; of a budget of tokens the last one shows a drawn part.

    Raises SpecError where a budget is one of more epochs than there may be.
    """
    most, left = BOUNDS["epochs"][1], recipe.tokens
    for epoch in count() if left else range(recipe.epochs):
        shown: list[Shown] = [(lesson.turn, texts[place]) for lesson, texts in lessons for place in lesson.shown(epoch)]
        if left is None:
            yield shown
            continue
        tokens = tokens_of(text for _, text in shown)
        if left > tokens * (most - epoch):
            raise SpecError(
                f"tokens = {recipe.tokens:,} is more than {most:,} epochs of the {tokens:,} tokens that are taught: "
                "give fewer, or a larger release"
            )
        part = shown if left >= tokens else _until(shown, left, stream)
        left -= tokens
        yield part
        if left <= 0:
            return


def _until(shown: list[Shown], tokens: int, stream: random.Random) -> list[Shown]:
    """So many of the texts, drawn, that they have the tokens or a few more."""
    drawn = stream.sample(shown, len(shown))
    reached = accumulate(len(text.tokens) for _, text in drawn)
    return drawn[: next(place for place, so_far in enumerate(reached, 1) if so_far >= tokens)]


def in_turn(shown: list[Shown]) -> list[Shown]:
    """Lessons by turn, in the drawn order within one; text that has no turn stays where it was drawn."""
    places = [place for place, (turn, _) in enumerate(shown) if turn is not None]
    ordered = list(shown)
    for place, one in zip(places, sorted((shown[place] for place in places), key=_turn), strict=True):
        ordered[place] = one
    return ordered


def _turn(one: Shown) -> tuple[int, int]:
    return one[0] or (0, 0)


def tokens_of(texts: Iterable[Example]) -> int:
    """How many tokens some texts have."""
    return sum(len(text.tokens) for text in texts)
