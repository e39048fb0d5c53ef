"""The sentences of a document in other orders, where they can be told apart with certainty."""

import itertools
import random
import re
from collections.abc import Iterable

ABBREVIATION = re.compile(
    r"(st|mt|ft|dr|mr|mrs|ms|mx|prof|rev|hon|gen|col|capt|lt|sgt|sen|rep|gov|pres|jr|sr|inc|ltd|llc|co|corp|bros|nos?"
    r"|vol|fig|approx|est|dept|univ|vs|etc|eg|ie|cf|al|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|(.*\.)?[a-z])",
    re.IGNORECASE,
)
"""Words, initials and the like of `p.m.`, which a full stop follows within a sentence as well as at its end."""

_CLOSING = r"""["'\u201d\u2019)\]]*"""
_END = re.compile(rf"[.!?]+{_CLOSING}(?=\s)")
_LAST = re.compile(rf"[.!?]{_CLOSING}$")
_GAP = re.compile(r"\s+")
_WORD = re.compile(r"""[^\s("'\u201c\u2018\[]+$""")


def orders_of(text: str, seed: str, wanted: int, subject: str, names: Iterable[str] = ()) -> list[str]:
    """The text with its sentences in other orders, up to `wanted` of them; the first n are the same whatever `wanted`.

    Nothing is moved before the first place that names the `subject`: what is said of "her" would have no owner yet.
    Headings stay. A text whose sentences cannot be told apart, or of which fewer than two can be moved, has none.

    Args:
        text: the document.
        seed: what the orders are drawn by, such as the document's id.
        wanted: how many.
        subject: the name of whom it is about; the empty text where it says "you".
        names: names and values in it, whose own full stops end no sentence (`St. Ives`).
    """
    parts = sentences_of(text, names)
    if parts is None:
        return []
    sentences = [place for place, (part, _) in enumerate(parts) if _LAST.search(part)]
    named = next((place for place, (part, _) in enumerate(parts) if subject in part), len(parts))
    free = [place for place in sentences if place > named or not subject]
    found = []
    for order in _drawn(len(free), seed, wanted):
        said = [part for part, _ in parts]
        for place, taken in zip(free, order, strict=True):
            said[place] = parts[free[taken]][0]
        found.append("".join(part + gap for part, (_, gap) in zip(said, parts, strict=True)))
    return found


def sentences_of(text: str, names: Iterable[str] = ()) -> list[tuple[str, str]] | None:
    """Sentences and headings with the space after each, which together are the text; None where that is not certain."""
    names = list(names)
    if any(name.endswith(".") and re.search(re.escape(name) + r"\s+[^\sa-z]", text) for name in names):
        return None  # the full stop of `Acme Inc.` may have ended a sentence too
    masked = text
    for name in sorted({name for name in names if "." in name or "!" in name or "?" in name}, key=len, reverse=True):
        masked = masked.replace(name, re.sub(r"[.!?]", "_", name))
    cuts = [(gap.start(), gap.end()) for gap in re.finditer(r"\s*\n\s*", masked)]
    for end in _END.finditer(masked):
        gap = _GAP.match(masked, end.end())
        if gap is None or gap.end() == len(masked) or "\n" in gap.group():
            continue
        word = _WORD.search(masked[: end.start()])
        before, after = word.group() if word else "", masked[gap.end()]
        if after.islower():
            continue  # what goes on in small letters is the same sentence: "approx. five"
        if end.group()[0] == "." and ABBREVIATION.fullmatch(before):
            return None
        cuts.append((end.end(), gap.end()))
    cuts.sort()
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    gaps = [*(text[start:end] for start, end in cuts), ""]
    return [(text[start:end], gap) for start, end, gap in zip(starts, ends, gaps, strict=True)]


def _drawn(count: int, seed: str, wanted: int) -> list[tuple[int, ...]]:
    """Different orders of `count` things, none of them as they stand."""
    stream, as_is = random.Random(seed), tuple(range(count))
    if count < 5:  # so few that all can be laid out
        others = list(itertools.permutations(as_is))[1:]
        stream.shuffle(others)
        return others[:wanted]
    found: dict[tuple[int, ...], None] = {}
    for _ in range(8 * wanted):  # of 119 other orders or more, 8 draws for each of up to 64 are enough
        if len(found) == wanted:
            break
        order = list(as_is)
        stream.shuffle(order)
        if tuple(order) != as_is:
            found[tuple(order)] = None
    return list(found)
