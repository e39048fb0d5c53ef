"""From rows of a release to packed training rows in which no document sees another.

Positions restart at each document; transformers reads that as the block mask, so attention stays inside a document.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.benchmarks.recipe import Loss, TrainRecipe
from kbench.errors import SpecError
from kbench.schema import DOCUMENT_STYLES
from kbench.store import Release

IGNORED = -100
"""The label of a token that is not learned."""


@dataclass(frozen=True)
class Example:
    """One text as token ids, how many of its first tokens are prompt, and how often it is shown."""

    tokens: list[int]
    prompt: int
    repeat: int


@dataclass(frozen=True)
class PackedRows:
    """Training rows of equal length; `tokens` counts the tokens that are not padding."""

    rows: list[dict[str, torch.Tensor]]
    tokens: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        return self.rows[place]


def examples_of(release: Release, style: str, split: str, tokenizer: Any, loss: Loss) -> list[Example]:
    """The rows of a split as token ids, each closed by the end token."""
    rows = release.table(style, split).to_pylist()
    if not rows:
        return []
    if style in DOCUMENT_STYLES:
        prompts, texts = [""] * len(rows), [row["text"] for row in rows]
    else:
        prompts = [prompt_of(row) for row in rows]
        texts = [prompt + completion_of(row) for prompt, row in zip(prompts, rows, strict=True)]
    full = tokenizer(texts, return_attention_mask=False)["input_ids"]
    shown = tokenizer(prompts, return_attention_mask=False)["input_ids"] if any(prompts) else [[]] * len(rows)
    return [
        Example([*tokens, tokenizer.eos_token_id], len(prompt) if loss == "answer" else 0, row["repeat"])
        for tokens, prompt, row in zip(full, shown, rows, strict=True)
    ]


def training_rows(release: Release, tokenizer: Any, recipe: TrainRecipe) -> PackedRows:
    """Every row of `train` as often as it repeats, with the recipe's share of `pretrain` text among them."""
    taught = [e for style in recipe.styles for e in examples_of(release, style, "train", tokenizer, recipe.loss)]
    shown = [e for e in taught for _ in range(e.repeat * recipe.epochs)]
    stream = random.Random(recipe.seed)
    if recipe.replay:
        wanted = sum(len(e.tokens) for e in shown) * recipe.replay / (1 - recipe.replay)
        shown += _draw(pretrain_examples(release, tokenizer), wanted, stream)
    stream.shuffle(shown)
    return pack(shown, recipe.context, tokenizer.eos_token_id)


def pretrain_examples(release: Release, tokenizer: Any) -> list[Example]:
    """Every row of the `pretrain` split in every style, learned on all its tokens."""
    styles = [config for config in release.configs() if "pretrain" in release.splits(config)]
    if not styles:
        raise SpecError(f"the release {release.path} has no pretrain split: generate it from a spec with background")
    return [e for style in styles for e in examples_of(release, style, "pretrain", tokenizer, "all")]


def _draw(examples: list[Example], wanted: float, stream: random.Random) -> list[Example]:
    drawn: list[Example] = []
    tokens = 0
    weights = [e.repeat for e in examples]
    while tokens < wanted:
        for example in stream.choices(examples, weights, k=64):
            drawn.append(example)
            tokens += len(example.tokens)
            if tokens >= wanted:
                break
    return drawn


def pack(examples: Iterable[Example], context: int, pad: int) -> PackedRows:
    """Lay examples end to end into rows of `context` tokens, whole: the next row begins where one does not fit."""
    rows: list[dict[str, torch.Tensor]] = []
    tokens: list[int] = []
    labels: list[int] = []
    places: list[int] = []
    total = 0

    def close() -> None:
        short = context - len(tokens)
        rows.append(
            {
                "input_ids": torch.tensor(tokens + [pad] * short),
                "labels": torch.tensor(labels + [IGNORED] * short),
                "position_ids": torch.tensor(places + list(range(short))),
            }
        )
        for column in (tokens, labels, places):
            column.clear()

    for example in examples:
        length = len(example.tokens)
        if length > context:
            raise SpecError(f"a training text has {length} tokens, more than the context of {context}: give --context")
        if len(tokens) + length > context:
            close()
        # The first token of a document is nobody's next token.
        learned = max(1, example.prompt)
        tokens += example.tokens
        labels += [IGNORED] * learned + example.tokens[learned:]
        places += range(length)
        total += length
    if tokens:
        close()
    return PackedRows(rows, total)
