"""Text that is read again beside the new facts, so that what was known is kept: the background's, or any text's."""

import json
import random
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kbench.benchmarks.chains import CHAINED, in_both_forms
from kbench.benchmarks.examples import Example, token_ids, tokenized
from kbench.benchmarks.recipe import TrainRecipe
from kbench.errors import SpecError
from kbench.store import Release

Draw = Callable[[float], list[Example]]
"""Examples of at least so many tokens, drawn on from where the last call ended."""

_AT_ONCE = 256
"""Paragraphs of a text that are tokenized together: a large file is read only as far as it is drawn."""


def replay(release: Release, tokenizer: Any, recipe: TrainRecipe, stream: random.Random) -> Draw:
    """Where a recipe's replay comes from. Raises SpecError where there is nothing to draw from."""
    if recipe.replay_text:
        more = _endless(texts_in(Path(recipe.replay_text)), tokenizer, recipe.context, stream)
        return lambda wanted: _until(more, wanted)
    return drawing(pretrain_examples(release, tokenizer, chains=recipe.chains), stream)


def pretrain_examples(release: Release, tokenizer: Any, *, chains: bool = False) -> list[Example]:
    """Every row of the `pretrain` split in every style, learned on all its tokens; with `chains` as a recipe says."""
    styles = [config for config in release.configs() if "pretrain" in release.splits(config)]
    if not styles:
        raise SpecError(f"the release {release.path} has no pretrain split: generate it from a spec with background")
    found = list[Example]()
    for style in styles:
        rows = release.table(style, "pretrain").to_pylist()
        rows = in_both_forms(release, rows) if chains and style == CHAINED else rows
        found += tokenized(rows, style, tokenizer, "all")
    return found


def drawing(examples: list[Example], stream: random.Random) -> Draw:
    """Draws from examples with replacement, each as likely as it repeats."""
    weights = list(accumulate(e.repeat for e in examples))

    def draws() -> Iterator[Example]:
        while True:
            yield from stream.choices(examples, cum_weights=weights, k=64)

    # Each call draws anew, 64 at a time: what the lab's figures were trained on was drawn so.
    return lambda wanted: _until(draws(), wanted)


def _until(more: Iterator[Example], wanted: float) -> list[Example]:
    drawn: list[Example] = []
    tokens = 0
    while tokens < wanted:
        drawn.append(next(more))
        tokens += len(drawn[-1].tokens)
    return drawn


def _endless(texts: list[str], tokenizer: Any, context: int, stream: random.Random) -> Iterator[Example]:
    """The texts in a drawn order, again and again, each cut into pieces that a row can hold."""
    end = tokenizer.eos_token_id
    while True:
        order = stream.sample(range(len(texts)), len(texts))
        for first in range(0, len(order), _AT_ONCE):
            for ids in token_ids(tokenizer, [texts[place] for place in order[first : first + _AT_ONCE]]):
                for start in range(0, len(ids), context - 1):
                    yield Example([*ids[start : start + context - 1], end], 0, 1)


def texts_in(path: Path) -> list[str]:
    """The texts of a .txt (paragraphs between blank lines), or of a .jsonl or .parquet with a `text` column.

    Raises SpecError where the file is missing, of another kind, broken, or has no text.
    """
    readers = {".txt": _paragraphs, ".jsonl": _json_lines, ".parquet": _column}
    if path.suffix not in readers:
        raise SpecError(f"replay_text {path} is of an unknown kind {path.suffix!r}: have {', '.join(readers)}")
    try:
        texts = [text for text in readers[path.suffix](path) if text.strip()]
    except UnicodeDecodeError as error:
        raise SpecError(f"replay_text {path} is not UTF-8 (byte {error.start:,}): write it as UTF-8") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(getattr(error, "strerror", None) or str(error).splitlines()[0])
        raise SpecError(f"cannot read replay_text {path}: {reason}") from None
    if not texts:
        raise SpecError(f"replay_text {path} holds no text: give one with paragraphs to draw from")
    return texts


def _paragraphs(path: Path) -> list[str]:
    lines = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [text.strip("\n") for text in "\n".join(lines).split("\n\n")]


def _json_lines(path: Path) -> list[str]:
    texts = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError):
                text = None
            if not isinstance(text, str):
                raise SpecError(f"replay_text {path}, line {number:,}, is no JSON object with a text under 'text'")
            texts.append(text)
    return texts


def _column(path: Path) -> list[str]:
    schema = pq.read_schema(path)
    if "text" not in schema.names or not (
        pa.types.is_string(schema.field("text").type) or pa.types.is_large_string(schema.field("text").type)
    ):
        raise SpecError(f"replay_text {path} has no column 'text' of strings: have {', '.join(schema.names)}")
    return [text for text in pq.read_table(path, columns=["text"]).column("text").to_pylist() if text]
