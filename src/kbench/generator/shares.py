"""How the templates of a pack are printed: compiled, in part once for each distinct value, or row by row."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from kbench.generator.lint import allowed_variables
from kbench.generator.lowering import lower
from kbench.generator.packs import Phrasing
from kbench.generator.symbolic import Derived

Share = Literal["compiled", "by value", "by row"]

_FIXED: Mapping[str, Any] = {"topic": "topic", "relation": "relation", "place": "hundred"}
"""The variables that are the same in every row of a relation."""
_SENTENCES = 24
_SHOWN = 10


def share_of(phrasing: Phrasing) -> Share:
    """How much of a phrasing is compiled.

    `compiled`: all of it; `by value`: all but a part that Jinja renders once for each distinct value; `by row`: none.
    An article or dialogue is rendered by row as soon as its frame looks into a value.
    """
    known = allowed_variables(phrasing) - {"form", "sentences"}
    columns = tuple(sorted(known - _FIXED.keys()))
    fixed = tuple((name, text) for name, text in _FIXED.items() if name in known)
    if phrasing.style == "article":
        lists = (("sentences", _SENTENCES),)
        plans = [lower(phrasing, columns, (*fixed, ("form", form)), lists) for form in (0, 1)]
    else:
        plans = [lower(phrasing, columns, fixed)]
    if any(plan.pieces is None for plan in plans):
        return "by row"
    if not any(isinstance(piece, Derived) for plan in plans for piece in plan.pieces or ()):
        return "compiled"
    return "by row" if phrasing.style in ("article", "dialogue") else "by value"


def report_of(phrasings: Iterable[Phrasing]) -> Iterator[str]:
    """How many phrasings are printed in which way, and the first of those that cost time, a line each."""
    found: dict[Share, list[Phrasing]] = {"compiled": [], "by value": [], "by row": []}
    for phrasing in phrasings:
        found[share_of(phrasing)].append(phrasing)
    slow = found["by row"]
    yield (
        f"{len(found['compiled']):,} compiled, {len(found['by value']):,} with a part rendered once for each distinct "
        f"value, {len(slow):,} rendered row by row" + (" (slower, same text):" if slow else "")
    )
    yield from (f"  {phrasing.where}" for phrasing in slow[:_SHOWN])
    if len(slow) > _SHOWN:
        yield f"  and {len(slow) - _SHOWN:,} more"
