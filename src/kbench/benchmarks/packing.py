"""From rows of a release to packed training rows in which no document sees another.

Positions restart at each document; transformers reads that as the block mask, so attention stays inside a document.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch

from kbench.benchmarks.chains import check_has_chains, check_knows_chains
from kbench.benchmarks.diet import Diet, Lesson
from kbench.benchmarks.examples import Example, tokenized
from kbench.benchmarks.passes import in_turn, passes, tokens_of
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.replay import drawing, replay
from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.store import Release

IGNORED = -100
"""The label of a token that is not learned."""

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Training rows of equal length, each laid out when it is asked for; a text shown twice is kept once.

    `tokens` counts the tokens that are not padding. `ordered` says that the rows are to be read as they stand, and
    `epochs` how many there are when each epoch ends. Each row has several texts, or one where they are not packed.
    """

    texts: Ints
    """The tokens of all texts, end to end."""
    starts: Ints
    """Where each text begins, and the last one ends."""
    learned: Ints
    """The place in each text of the first token that is learned."""
    shown: Ints
    """Texts in the order in which they are shown."""
    firsts: Ints
    """The place among `shown` of each row's first text, and the end."""
    width: int
    pad: int
    tokens: int
    ordered: bool
    epochs: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.firsts) - 1

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        if not 0 <= place < len(self):
            raise IndexError(place)
        here = self.shown[self.firsts[place] : self.firsts[place + 1]]
        tokens = np.full(self.width, self.pad)
        labels = np.full(self.width, IGNORED)
        places = np.empty(self.width, dtype=np.int64)
        at = 0
        for text in here:
            length = int(self.starts[text + 1] - self.starts[text])
            learned = int(self.learned[text])
            tokens[at : at + length] = self.texts[self.starts[text] : self.starts[text + 1]]
            labels[at + learned : at + length] = tokens[at + learned : at + length]
            places[at : at + length] = np.arange(length)
            at += length
        places[at:] = np.arange(self.width - at)
        columns = {"input_ids": tokens, "labels": labels, "position_ids": places}
        return {name: torch.from_numpy(column) for name, column in columns.items()}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return (self[place] for place in range(len(self)))

    def filled_up(self, batch: int) -> "PackedRows":
        """The same rows, and as many empty ones after them as fill the last batch.

        Nothing is learned from an empty row. Several processes would take the first rows again to have equal shares.
        """
        missing = -len(self) % batch
        empty = np.full(missing, self.firsts[-1])
        return replace(self, firsts=np.append(self.firsts, empty), ordered=True) if missing else self

    @property
    def rows(self) -> list[dict[str, torch.Tensor]]:
        """Every row, laid out."""
        return list(self)

    @cached_property
    def digest(self) -> str:
        """What names the rows and their order: two trainings of the same digest read the same."""
        ends = np.asarray([self.width, *self.epochs], dtype=np.int64)
        rows = (column.numpy().tobytes() for row in self for column in row.values())
        return digest_of(ends.tobytes(), *rows)


def pack(examples: Iterable[Example], context: int, pad: int) -> PackedRows:
    """Lay examples end to end into rows of `context` tokens, whole: the next row begins where one does not fit."""
    return lay([list(examples)], context, pad)


def lay(
    epochs: Sequence[Sequence[Example]], context: int, pad: int, *, together: bool = True, ordered: bool = False
) -> PackedRows:
    """The examples of each epoch in rows of `context` tokens, each epoch from a row of its own on.

    Where they are not laid `together`, each has a row, as long as the longest (rounded up to 8). Raises SpecError
    where a text is longer than the context.
    """
    pool = list({id(example): example for epoch in epochs for example in epoch}.values())
    number = {id(example): place for place, example in enumerate(pool)}
    lengths = [len(example.tokens) for example in pool]
    longest = max(lengths, default=0)
    if longest > context:
        raise SpecError(f"a training text has {longest} tokens, more than the context of {context}: give --context")
    width = context if together else min(context, -(-longest // 8) * 8)
    shown = [number[id(example)] for epoch in epochs for example in epoch]
    firsts, ends, place = list[int](), list[int](), 0
    for epoch in epochs:
        full = width
        for text in shown[place : place + len(epoch)]:
            if full + lengths[text] > width or not together:
                firsts.append(place)
                full = 0
            full += lengths[text]
            place += 1
        ends.append(len(firsts))
    return PackedRows(
        texts=np.fromiter(chain.from_iterable(example.tokens for example in pool), dtype=np.int64, count=sum(lengths)),
        starts=np.cumsum([0, *lengths], dtype=np.int64),
        # The first token of a document is nobody's next token.
        learned=np.asarray([max(1, example.prompt) for example in pool], dtype=np.int64),
        shown=np.asarray(shown, dtype=np.int64),
        firsts=np.asarray([*firsts, len(shown)], dtype=np.int64),
        width=width,
        pad=pad,
        tokens=sum(lengths[text] for text in shown),
        ordered=ordered,
        epochs=tuple(ends),
    )


def training_rows(release: Release, tokenizer: Any, recipe: TrainRecipe) -> PackedRows:
    """What a recipe reads of a release: `train` as often as it repeats, with its share of replay, epoch by epoch.

    Only `train` and `pretrain` are opened. Raises ReleaseError or SpecError where a method of the recipe has nothing
    to work on, and SpecError where a text is longer than the context.
    """
    if recipe.chains:
        check_has_chains(release, recipe)
        check_knows_chains(tokenizer)
    diet, stream = Diet(release, recipe), random.Random(recipe.seed)
    lessons = [lesson for style in recipe.styles for lesson in _learned(diet, style, tokenizer)]
    if not lessons:
        by = f" by only = {list(recipe.only)}: take other labels" if recipe.only else ": take another release"
        raise ReleaseError(f"the release {release.path} has no {', '.join(recipe.styles)} left to train on{by}")
    more = replay(release, tokenizer, recipe, stream) if recipe.replay else None
    epochs = list[list[Example]]()
    for shown in passes(lessons, recipe, stream):
        if more:
            wanted = tokens_of(text for _, text in shown) * recipe.replay / (1 - recipe.replay)
            shown += [(None, text) for text in more(wanted)]
        stream.shuffle(shown)
        epochs.append([text for _, text in in_turn(shown)])
    if recipe.known_at_end:
        known = [
            e
            for style, rows in diet.known().items()
            for e in tokenized(rows, style, tokenizer, recipe.loss, chat=recipe.chat)
        ]
        wanted = sum(map(tokens_of, epochs)) * recipe.known_at_end / (1 - recipe.known_at_end)
        epochs[-1] += drawing(known, stream)(wanted)
    return lay(
        epochs,
        recipe.context,
        tokenizer.eos_token_id,
        together=recipe.packing,
        ordered=_is_ordered(recipe, len(epochs)),
    )


def taught_tokens(release: Release, tokenizer: Any, recipe: TrainRecipe) -> int:
    """About how many tokens a pass over what a recipe teaches has, without what is replayed or known at the end.

    Each text is read once, however often it is shown; of several wordings the mean counts. Only `train` is opened.
    """
    diet = Diet(release, recipe)
    return sum(
        lesson.repeat * tokens_of(texts) // len(texts)
        for style in recipe.styles
        for lesson, texts in _learned(diet, style, tokenizer)
    )


def _is_ordered(recipe: TrainRecipe, epochs: int) -> bool:
    """Whether the rows are to be read as they stand: what comes first is part of the recipe."""
    in_turn = recipe.order == "sequence" or recipe.curriculum != "none"
    return epochs > 1 or in_turn or recipe.known_at_end > 0


def _learned(diet: Diet, style: str, tokenizer: Any) -> list[tuple[Lesson, list[Example]]]:
    """The lessons of a style, each with its wordings as token ids."""
    lessons = diet.lessons(style)
    rows = [row for lesson in lessons for row in lesson.wordings]
    texts = iter(tokenized(rows, style, tokenizer, diet.recipe.loss, chat=diet.recipe.chat))
    return [(lesson, [next(texts) for _ in lesson.wordings]) for lesson in lessons]
