"""Letters that are not seen as they are: control and format characters, and how they are shown."""

import unicodedata
from pathlib import Path

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories: control, format (zero width, bidirectional, tags), half a pair, separators of lines and paragraphs."""


def is_plain(text: str, also: str = "") -> bool:
    """Whether a text has no unseen letter but those that are allowed."""
    return all(letter in also or unicodedata.category(letter) not in _UNSEEN for letter in text)


def shown(text: str) -> str:
    """A text with each unseen letter but the line break as a sign: `\\x1b` becomes `[U+001B]`."""
    return "".join(letter if is_plain(letter, "\n") else f"[U+{ord(letter):04X}]" for letter in text)


def named(path: Path) -> str:
    """A path as an error names it: on one line, whatever letters a file is called by."""
    return repr(str(path))[1:-1]
