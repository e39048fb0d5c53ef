"""Where in a prompt its subject is named: the places of those tokens that write the name."""

import re
from collections.abc import Sequence
from typing import Any

from kbench.benchmarks.models.tokens import prompt_tokens
from kbench.benchmarks.tasks import Item

Places = list[tuple[list[int], list[int]]]


def named_tokens(tokenizer: Any, items: Sequence[Item], names: Sequence[str]) -> Places:
    """The tokens of each prompt, and the places among them of those that write the subject's name.

    There are no places where the prompt does not name it. A token that writes more than the name, as a space before it,
    counts; where the name stands more than once, each time.
    """
    prompts = prompt_tokens(tokenizer, items)
    if not tokenizer.is_fast:
        return [(tokens, _searched(tokenizer, tokens, name)) for tokens, name in zip(prompts, names, strict=True)]
    found: Places = []
    for item, tokens, name in zip(items, prompts, names, strict=True):
        read = tokenizer(item.prompt, return_offsets_mapping=True, add_special_tokens=not item.chat)
        spans = _spans(item.prompt, name)
        places = [
            place
            for place, (start, end) in enumerate(read["offset_mapping"][: len(tokens)])
            if any(start < last and end > first for first, last in spans)
        ]
        found.append((tokens, places))
    return found


def _spans(prompt: str, name: str) -> list[tuple[int, int]]:
    """Where a name stands in a text as whole words; in other capitals only where it is nowhere in its own."""
    if not name:
        return []
    whole = rf"(?<!\w){re.escape(name)}(?!\w)"
    return [m.span() for m in re.finditer(whole, prompt)] or [m.span() for m in re.finditer(whole, prompt, re.I)]


def _searched(tokenizer: Any, tokens: list[int], name: str) -> list[int]:
    """The places of a name's own tokens, for tokenizers that do not tell which letters a token writes."""
    for written in (f" {name}", name):
        wanted = tokenizer(written, add_special_tokens=False)["input_ids"]
        starts = [i for i in range(len(tokens) - len(wanted) + 1) if wanted and tokens[i : i + len(wanted)] == wanted]
        if starts:
            return sorted({start + step for start in starts for step in range(len(wanted))})
    return []
