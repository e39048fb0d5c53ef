"""The tokens of prompts and continuations as an engine takes them, and where a reply ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kbench.benchmarks.models.context import encode_asked, encode_prompts
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError


@dataclass(frozen=True)
class Weighed:
    """A continuation behind its prompt, in tokens."""

    prompt: list[int]
    continuation: list[int]


@dataclass
class Ends:
    """When a reply is over: at a token that ends a text or, where the first line is all that is read, behind that."""

    tokenizer: Any
    stops: frozenset[int]
    first_line: bool
    _breaks: dict[int, bool] = field(default_factory=dict)

    def over(self, tokens: Sequence[int]) -> bool:
        """Whether nothing is to follow these tokens of a reply."""
        if tokens[-1] in self.stops:
            return True
        return self.first_line and self._breaks_line(tokens[-1]) and len(self._lines(tokens)) > 1

    def _breaks_line(self, token: int) -> bool:
        if token not in self._breaks:
            self._breaks[token] = len(self._lines([token], before=".")) > 1
        return self._breaks[token]

    def _lines(self, tokens: Sequence[int], before: str = "") -> list[str]:
        """The lines of the tokens' text; a break at its end counts, blank ones at its start do not."""
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return f"{before}{text}.".lstrip().splitlines()

    def cut(self, tokens: list[int]) -> list[int]:
        """A reply's tokens without the one that ended it."""
        return tokens[:-1] if tokens and tokens[-1] in self.stops else tokens


def prompt_tokens(tokenizer: Any, items: Sequence[Item]) -> list[list[int]]:
    """The tokens of each item's prompt, without the end token that some tokenizers put behind every text."""
    extra = _closing(tokenizer)
    found = encode_prompts(tokenizer, items)
    return [tokens[: len(tokens) - extra * (not item.chat)] for item, tokens in zip(items, found, strict=True)]


def weighed_tokens(tokenizer: Any, asked: Sequence[tuple[Item, str]]) -> list[Weighed]:
    """Prompt and continuation read as one text, of which the continuation is what is longer than the prompt alone.

    Raises ModelError where a continuation adds no token, or a prompt has none.
    """
    extra = _closing(tokenizer)
    found = []
    for (item, text), (tokens, length) in zip(asked, encode_asked(tokenizer, asked), strict=True):
        cut = extra * (not item.chat)
        each = Weighed(tokens[: length - cut], tokens[length - cut : len(tokens) - cut])
        if not each.prompt or not each.continuation:
            raise ModelError(
                f"the continuation {text!r} of row {item.row['id']} adds no token to its prompt: it cannot be weighed"
            )
        found.append(each)
    return found


def breaking_tokens(tokenizer: Any) -> frozenset[int]:
    """The tokens that break a line."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return frozenset(token for token, text in enumerate(texts) if len(f".{text}.".splitlines()) > 1)


def stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a text: those of the model's generation config, and the tokenizer's own."""
    named = [getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id]
    lists = [each if isinstance(each, list) else [each] for each in named]
    return frozenset(token for each in lists for token in each if token is not None)


def _closing(tokenizer: Any) -> int:
    """How many tokens the tokenizer puts behind a text: one where it closes each, which nothing could then follow."""
    tokens = tokenizer("a", return_attention_mask=False)["input_ids"]
    return int(len(tokens) > 1 and tokens[-1] == tokenizer.eos_token_id)
