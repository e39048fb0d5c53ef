"""Fewer phrasings of what a release says or asks, with the exposures of all."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kbench.ids import digest_of

Row = dict[str, Any]


def fewer_phrasings(rows: list[Row], most: int | None, exposures: int | None = None) -> list[Row]:
    """Of the rows that say or ask the same, at most so many, with the repeats of all: no fact loses an exposure.

    With `exposures` they are shown so many times together; where that is less than their number, so many are shown.
    Which are kept is drawn by the facts and the template, so that those of `most` are among those of `most + 1`. What
    a reversal says counts apart from what a statement says.
    """
    alike: dict[tuple[Any, ...], list[list[Row]]] = defaultdict(list)
    for texts, facts in rounds(rows):
        row = texts[0]
        alike[facts, row["entity_id"], row["relation"], row.get("kind") == "reversal"].append(texts)
    repeats: dict[str, int] = {}
    for (facts, *_), same in alike.items():
        kept = sorted(same, key=lambda texts: (digest_of(*facts, texts[0]["template_id"]), texts[0]["id"]))[:most]
        each, over = divmod(exposures or sum(texts[0]["repeat"] for texts in same), len(kept))
        for place, texts in enumerate(kept):
            for row in texts:
                if len(kept) == len(same) and exposures is None:
                    repeats[row["id"]] = row["repeat"]
                elif each or place < over:
                    repeats[row["id"]] = each + (place < over)
    return [{**row, "repeat": repeats[row["id"]]} for row in rows if row["id"] in repeats]


def rounds(rows: list[Row]) -> Iterator[tuple[list[Row], tuple[str, ...]]]:
    """The rows that together say a set of facts once, and that set.

    A question or statement is alone. Articles and dialogues may share an entity's facts out, in each round otherwise:
    a round ends where a fact comes again, and facts belong together that stand in one text of any round.
    """
    documents: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["relation"]:
            yield [row], tuple(sorted(row["fact_ids"]))
        else:
            documents[row["entity_id"]].append(row)
    for texts in documents.values():
        for facts in _together(texts):
            mine = [row for row in texts if facts.intersection(row["fact_ids"])]
            begun: list[Row] = []
            said: set[str] = set()
            for row in mine:
                if said.intersection(row["fact_ids"]):
                    yield begun, tuple(sorted(facts))
                    begun, said = [], set()
                begun.append(row)
                said.update(row["fact_ids"])
            yield begun, tuple(sorted(facts))


def _together(texts: list[Row]) -> list[set[str]]:
    """The facts of an entity, in groups of those that are tied by texts."""
    groups: list[set[str]] = []
    for row in texts:
        facts = set(row["fact_ids"])
        tied = [group for group in groups if group & facts]
        groups = [group for group in groups if not group & facts]
        groups.append(facts.union(*tied))
    return groups
