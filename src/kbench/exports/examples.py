"""Training rows in the forms that trainers read: a text, a prompt with its completion, a chat."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.errors import ReleaseError
from kbench.schema import DOCUMENT_STYLES
from kbench.store import Release

Form = Literal["text", "prompt-completion", "messages"]
FORMS: tuple[Form, ...] = get_args(Form)
Message = dict[str, str]

_MESSAGE = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
SCHEMAS: dict[Form, pa.Schema] = {
    "text": pa.schema([("text", pa.string())]),
    "prompt-completion": pa.schema([("prompt", pa.string()), ("completion", pa.string())]),
    "messages": pa.schema([("messages", pa.list_(pa.field("element", _MESSAGE)))]),
}

_MOST_BYTES = 16 << 20
"""What some rows may take once they are written as often as they repeat."""


def trained_styles(release: Release, styles: tuple[str, ...]) -> list[str]:
    """The styles to train on: those named, or all. Raises ReleaseError where the release does not train on one."""
    have = [config for config in release.configs() if config not in ("facts", "entities")]
    for style in styles:
        if "train" not in release.splits(style):
            raise ReleaseError(f"the release {release.path} has no style {style!r} to train on: have {', '.join(have)}")
    found = [style for style in have if "train" in release.splits(style) and style in (styles or have)]
    if not found:
        raise ReleaseError(f"the release {release.path} has no rows to train on: generate it with --style qa or all")
    return found


def forms_of(style: str) -> tuple[Form, ...]:
    """The forms that a style has: a dialogue is a text as well as a chat."""
    if style == "dialogue":
        return ("text", "messages")
    return ("text",) if style in DOCUMENT_STYLES else ("prompt-completion", "messages")


def example_of(form: Form, row: dict[str, Any]) -> dict[str, Any]:
    """A row in a form; a prompt and its completion, or a text, are what kbench itself trains on."""
    if form == "text":
        return {"text": row["text"]}
    if form == "prompt-completion":
        return {"prompt": prompt_of(row), "completion": completion_of(row)}
    return {"messages": messages_of(row)}


def messages_of(row: dict[str, Any]) -> list[Message]:
    """A dialogue's turns, or a question and its answer. Raises ReleaseError where that is no chat."""
    if row["style"] == "dialogue":
        messages = [{"role": turn["role"], "content": turn["content"]} for turn in row["turns"]]
    else:
        messages = chat(row["question"], row["answer"])
    check_messages(row["id"], messages)
    return messages


def chat(asked: str, answered: str) -> list[Message]:
    """One turn of each."""
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]


def check_messages(row_id: str, messages: Sequence[Message]) -> None:
    """Raise ReleaseError, which names the row, unless user and assistant alternate, none is empty, one answers last."""
    wrong = ""
    for place, message in enumerate(messages):
        expected = ("user", "assistant")[place % 2]
        if message["role"] != expected:
            wrong = f"message {place + 1} is of {message['role']!r}, not {expected!r}"
        elif not message["content"].strip():
            wrong = f"message {place + 1} is empty"
        if wrong:
            break
    if not wrong and len(messages) % 2:
        wrong = "the last message is not the assistant's"
    if wrong or not messages:
        raise ReleaseError(
            f"row {row_id!r} is no chat: {wrong or 'it has no messages'}: "
            "mend its template, or leave its style out with --style"
        )


def pieces(table: pa.Table) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
    """A table's rows a few at a time, and how often each is shown: so few that they fit in memory so often."""
    if not table.num_rows:
        return
    most = int(pc.max(table.column("repeat")).as_py())
    step = max(1, min(4096, _MOST_BYTES // (table.nbytes // table.num_rows * most + 1)))
    for start in range(0, table.num_rows, step):
        rows = table.slice(start, step).to_pylist()
        yield rows, [int(row["repeat"]) for row in rows]


def written_out(form: Form, rows: list[dict[str, Any]], repeats: list[int]) -> pa.Table:
    """Rows in a form, each as often as it is shown."""
    made = pa.Table.from_pylist([example_of(form, row) for row in rows], schema=SCHEMAS[form])
    return made.take(np.repeat(np.arange(len(rows)), repeats))
