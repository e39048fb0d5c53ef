"""Rows of a release as token ids, with what of them is learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.chains import CHAIN
from kbench.benchmarks.chat import answered, chat_tokens
from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.benchmarks.reasoning import REASONED, TAUGHT
from kbench.benchmarks.recipe import Loss
from kbench.errors import ModelError
from kbench.schema import DOCUMENT_STYLES
from kbench.store import Release

PLAIN = frozenset({"article", "statement"})
"""Styles that are text in a chat model's training too: nobody speaks."""


@dataclass(frozen=True)
class Example:
    """One text as token ids, how many of its first tokens are prompt, and how often it is shown."""

    tokens: list[int]
    prompt: int
    repeat: int


def examples_of(release: Release, style: str, split: str, tokenizer: Any, loss: Loss) -> list[Example]:
    """The rows of a split as token ids, each closed by the end token."""
    return tokenized(release.table(style, split).to_pylist(), style, tokenizer, loss)


def tokenized(
    rows: Sequence[Mapping[str, Any]], style: str, tokenizer: Any, loss: Loss, *, chat: bool = False
) -> list[Example]:
    """Rows of one style as token ids, each closed by the end token; where `chat`, by the model's own template.

    Raises ModelError where the tokenizer has no end token: a model that never saw one does not stop.
    """
    if not rows:
        return []
    end = tokenizer.eos_token_id
    if end is None:
        raise ModelError("the tokenizer has no end token, which closes each text that is trained on: set its eos_token")
    if chat and style not in PLAIN:
        return [_chatted(row, style, tokenizer, loss) for row in rows]
    if style in DOCUMENT_STYLES:
        full = token_ids(tokenizer, [row["text"] for row in rows])
        return [Example([*tokens, end], 0, row["repeat"]) for tokens, row in zip(full, rows, strict=True)]
    prompts = [taught_prompt(row) for row in rows]
    full = token_ids(tokenizer, [prompt + taught_completion(row) for prompt, row in zip(prompts, rows, strict=True)])
    shown: list[list[int]] = token_ids(tokenizer, prompts) if loss == "answer" else [[]] * len(rows)
    return [
        Example([*tokens, end], _shared(prompt, tokens), row["repeat"])
        for tokens, prompt, row in zip(full, shown, rows, strict=True)
    ]


def taught_prompt(row: Mapping[str, Any]) -> str:
    """The prompt of a question row in training: where the row has its chain, the one that asks for it."""
    return REASONED.format(question=row["question"]) if CHAIN in row else prompt_of(dict(row))


def taught_completion(row: Mapping[str, Any]) -> str:
    """What follows that prompt: the answer, behind its chain where the row has one."""
    return TAUGHT.format(chain=row[CHAIN], answer=row["answer"]) if CHAIN in row else completion_of(dict(row))


def token_ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Texts as the tokenizer has them, with what it puts before a text and no end token."""
    found: list[list[int]] = tokenizer(texts, return_attention_mask=False)["input_ids"]
    end = tokenizer.eos_token_id
    return [ids[:-1] if ids and ids[-1] == end else ids for ids in found]


def _chatted(row: Mapping[str, Any], style: str, tokenizer: Any, loss: Loss) -> Example:
    said = chat_tokens(tokenizer, row["turns"] if style == "dialogue" else answered(dict(row)))
    asked = 0 if loss == "all" or style == "dialogue" else said.prompt
    return Example(said.tokens, asked, row["repeat"])


def _shared(prompt: list[int], tokens: list[int]) -> int:
    """How many tokens of the prompt begin the whole: all, unless the answer's first letters joined its last token."""
    if tokens[: len(prompt)] == prompt:
        return len(prompt)
    return next(place for place, (a, b) in enumerate(zip(prompt, [*tokens, -1], strict=False)) if a != b)
