"""Chat JSONL for hosted finetuning: train and validation, each example checked before any is handed over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kbench.disk import told_in_one_line
from kbench.errors import ReleaseError
from kbench.exports.examples import Message, chat, check_messages, messages_of, pieces, trained_styles
from kbench.schema import DOCUMENT_STYLES
from kbench.store import Release

SPLITS = ("train", "validation")
LEAST_EXAMPLES = 10
"""Fewer are refused by OpenAI's service."""

MOST_TOKENS = 16_385
"""The longest example of the smallest context that OpenAI states for a model it finetunes (gpt-3.5-turbo); longer ones
are cut there. Counted as the bytes of the texts and 8 for each message: no tokenizer of bytes makes more of them."""

_AROUND_A_MESSAGE = 8
_LETTERS_A_TOKEN = 4


def write_openai(
    release: Release, styles: tuple[str, ...], folder: Path, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Write train.jsonl and validation.jsonl; the report counts rows, examples, characters and tokens."""
    trained = trained_styles(release, styles)
    units = [(split, style) for split in SPLITS for style in trained if split in release.splits(style)]
    total, done = sum(release.manifest["splits"][f"{style}/{split}"]["rows"] for split, style in units), 0
    names = _names(release) if set(trained) & (DOCUMENT_STYLES - {"dialogue"}) else None
    counts: dict[str, dict[str, int]] = {}
    for split in dict.fromkeys(split for split, _ in units):
        count = {"rows": 0, "examples": 0, "characters": 0, "tokens": 0}
        path = folder / f"{split}.jsonl"
        with told_in_one_line(path), path.open("w", encoding="utf-8", newline="\n") as lines:
            for style in (style for part, style in units if part == split):
                for file in release.files(style, split):
                    for rows, repeats in pieces(release.read(file)):
                        for messages, repeat in zip(_chats(rows, style, names), repeats, strict=True):
                            line = json.dumps({"messages": messages}, ensure_ascii=False)
                            lines.writelines([f"{line}\n"] * repeat)
                            count["characters"] += repeat * sum(len(message["content"]) for message in messages)
                            count["examples"] += repeat
                        count["rows"] += len(rows)
                        done += len(rows)
                        progress(done, total)
        count["tokens"] = -(-count["characters"] // _LETTERS_A_TOKEN)
        if count["examples"]:
            counts[split] = count
        else:
            path.unlink()
    held = counts.get("train", {"examples": 0})["examples"]
    if held < LEAST_EXAMPLES:
        raise ReleaseError(
            f"the release {release.path} has {held} training examples, hosted finetuning takes no fewer than "
            f"{LEAST_EXAMPLES}: generate more, or give more of --style"
        )
    return {"splits": counts}


def _chats(rows: list[dict[str, Any]], style: str, names: pa.Table | None) -> list[list[Message]]:
    """Each row as a chat that passes every check."""
    if style in DOCUMENT_STYLES - {"dialogue"}:
        assert names is not None
        of = pc.index_in(pa.array([row["entity_id"] for row in rows]), value_set=names.column("entity_id"))
        subjects = names.column("name").take(of).to_pylist()
        made = [chat(f"Write about {name}.", row["text"]) for name, row in zip(subjects, rows, strict=True)]
    else:
        made = [messages_of(row) for row in rows]
    for row, messages in zip(rows, made, strict=True):
        check_messages(row["id"], messages)
        tokens = sum(len(message["content"].encode()) + _AROUND_A_MESSAGE for message in messages)
        if tokens > MOST_TOKENS:
            raise ReleaseError(
                f"row {row['id']!r} may have up to {tokens:,} tokens, more than the {MOST_TOKENS:,} that every hosted "
                f"model takes in one example: shorten its template, or leave {style!r} out with --style"
            )
    return made


def _names(release: Release) -> pa.Table:
    """What each entity is called."""
    tables = [release.read(file).select(["entity_id", "name"]) for file in release.files("entities", "train")]
    return pa.concat_tables(tables).combine_chunks()
