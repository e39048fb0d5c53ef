"""docs/commands.md, the `--help` of every verb word for word: `python -m tests.commands_page` writes it anew."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from kbench.cli.app import app

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
_WIDTH = "80"
_OPENING = """\
# Commands

What `kbench --help` and `kbench VERB --help` say, word for word. Exit status: 0, 1 (something in your input is not as it should
be: one line on stderr says what, where and what to do), 2 (a word of the command itself is wrong).

The tasks have pages of their own: [make a dataset](generate.md), [your own facts](your-facts.md), [publish it](publish.md),
[use it in your trainer](trainer.md), [evaluate with lm-eval or inspect](evaluate.md), [verify one](verify.md), [worlds](worlds.md),
[words](words.md), [from Python](python.md).
"""


def page() -> str:
    """The page as it should be."""
    parts = [_OPENING]
    for words in commands():
        title = " ".join(["kbench", *words])
        parts.append(f"## {title}\n```text\n{help_of(*words)}```\n")
    return "\n".join(parts)


def commands() -> Iterator[list[str]]:
    """The words of each command, `kbench` itself first."""
    yield []
    for command in app.registered_commands:
        if command.callback:
            yield [command.name or command.callback.__name__]
    for group in app.registered_groups:
        if group.name and group.typer_instance:
            for command in group.typer_instance.registered_commands:
                if command.callback:
                    yield [group.name, command.name or command.callback.__name__]


def help_of(*words: str) -> str:
    """What a command prints when it is asked for help, on a terminal of 80 columns."""
    told = io.StringIO()
    as_wide = mock.patch.dict(os.environ, {"COLUMNS": _WIDTH})
    with as_wide, contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        app([*words, "--help"], prog_name="kbench")
    return told.getvalue()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
