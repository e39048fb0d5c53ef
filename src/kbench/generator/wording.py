"""How alike two phrasings are, with names and values masked: shared words, and shared frames."""

import re
from collections.abc import Iterable

MASK = "·"
"""What stands for a name or a value; no pack writes it."""

_WORD = re.compile(rf"[^\W_]+|{MASK}")
_SPAN = 2
"""Two phrasings share a frame when they differ in one run of at most so many words on either side."""


def words_of(masked: str) -> list[str]:
    """The words of a masked text in order, case folded; the mask is a word, and so is a possessive `s`."""
    return _WORD.findall(masked.casefold())


def mask(text: str, hidden: Iterable[str]) -> str:
    """The text with each hidden name or value replaced by the mask, longest first."""
    found = sorted({h for h in hidden if h}, key=len, reverse=True)
    if not found:
        return text
    return re.sub("|".join(rf"(?<!\w){re.escape(h)}(?!\w)" for h in found), MASK, text)


def shared_words(held_out: str, train: str) -> float:
    """The share of the distinct words of a masked held-out text that a masked train text has too.

    The mask, which both always have, is counted or not, whichever makes the texts more alike.
    """
    mine, theirs = set(words_of(held_out)), set(words_of(train))
    if not mine:
        return 1.0
    plain = mine - {MASK, "s"}
    return max(len(mine & theirs) / len(mine), len(plain & theirs) / len(plain) if plain else 1.0)


def frames_of_text(masked: str) -> set[str]:
    """Every frame of a masked text: the text with one run of at most two words, none of them the mask, cut out.

    Two texts that have a frame in common differ in that run alone. A frame keeps at least two words beside the mask.
    """
    words = words_of(masked)
    found = set()
    for start in range(len(words) + 1):
        for length in range(_SPAN + 1):
            run = words[start : start + length]
            rest = [*words[:start], "…", *words[start + length :]]
            if len(run) == length and MASK not in run and sum(word != MASK for word in rest) > 2:
                found.add(" ".join(rest))
    return found
