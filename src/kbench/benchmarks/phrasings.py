"""Fewer phrasings of what a release says or asks, with the exposures of all."""

from collections import defaultdict
from typing import Any

from kbench.ids import digest_of

Row = dict[str, Any]


def fewer_phrasings(rows: list[Row], most: int | None, exposures: int | None = None) -> list[Row]:
    """Of the rows that say or ask the same, at most so many, with the repeats of all: no fact loses an exposure.

    With `exposures` they are shown so many times together; where that is less than their number, so many are shown.
    Which are kept is drawn by the facts and the template, so that those of `most` are among those of `most + 1`. What
    a reversal says counts apart from what a statement says.
    """
    alike: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[tuple(sorted(row["fact_ids"])), row["entity_id"], row["relation"], row.get("kind") == "reversal"].append(
            row
        )
    repeats: dict[str, int] = {}
    for (facts, *_), same in alike.items():
        kept = sorted(same, key=lambda row: (digest_of(*facts, row["template_id"]), row["id"]))[:most]
        each, over = divmod(exposures or sum(row["repeat"] for row in same), len(kept))
        if len(kept) == len(same) and exposures is None:
            repeats |= {row["id"]: row["repeat"] for row in kept}
        else:
            repeats |= {row["id"]: each + (place < over) for place, row in enumerate(kept) if each or place < over}
    return [{**row, "repeat": repeats[row["id"]]} for row in rows if row["id"] in repeats]
