"""Prompts as tokens, and whether they fit into a model's context: the same for every engine that runs here."""

from collections.abc import Sequence
from typing import Any

from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError


def encode_prompts(tokenizer: Any, items: Sequence[Item]) -> list[list[int]]:
    """The tokens of each item's prompt; to a chat's prompt nothing is added, its template wrote what it begins with."""
    plain = [item.prompt for item in items if not item.chat]
    chats = [item.prompt for item in items if item.chat]
    encoded = {
        False: iter(_encode(tokenizer, plain, special=True)),
        True: iter(_encode(tokenizer, chats, special=False)),
    }
    return [next(encoded[item.chat]) for item in items]


def encode_asked(tokenizer: Any, asked: Sequence[tuple[Item, str]]) -> list[tuple[list[int], int]]:
    """The tokens of each prompt with its continuation, and how many of them are the prompt's.

    The two are read as one text, as a model that had said the continuation would have; what is left of its tokens
    after as many as the prompt alone has are the continuation's (lm-eval's convention).
    """
    prompts = encode_prompts(tokenizer, [item for item, _ in asked])
    special = {item.chat for item, _ in asked}
    wholes = {
        chat: iter(_encode(tokenizer, [i.prompt + text for i, text in asked if i.chat == chat], special=not chat))
        for chat in special
    }
    return [(next(wholes[item.chat]), len(prompt)) for (item, _), prompt in zip(asked, prompts, strict=True)]


def check_context(items: Sequence[Item], lengths: Sequence[int], context: int, decoding: Decoding) -> None:
    """Raise ModelError where the longest prompt and the answer to it would not fit; `lengths` are in tokens."""
    longest = max(range(len(items)), key=lambda place: lengths[place], default=None)
    if longest is not None and lengths[longest] + decoding.max_tokens > context:
        answer = f" and {decoding.max_tokens:,} for its answer" if decoding.max_tokens else ""
        raise ModelError(
            f"the prompt of {items[longest].row['id']} has {lengths[longest]:,} tokens{answer}, more than the model's "
            f"context of {context:,}: lower --shots or --max-tokens, or take a model with a longer context"
        )


def _encode(tokenizer: Any, texts: list[str], *, special: bool) -> list[list[int]]:
    if not texts:
        return []
    encoded: list[list[int]] = tokenizer(texts, return_attention_mask=False, add_special_tokens=special)["input_ids"]
    return encoded
