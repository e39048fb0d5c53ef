"""Questions of several hops that are taught in two forms: answered directly, and behind their written chain."""

from collections.abc import Sequence
from typing import Any

from kbench.benchmarks.openbook import load_facts
from kbench.benchmarks.reasoning import CUE, chain
from kbench.benchmarks.recipe import TrainRecipe
from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.store import Release

Row = dict[str, Any]

CHAINED = "multihop"
"""The style whose questions have a chain."""

CHAIN = "chain"
"""The key under which a row has its chain, where that is to be written before the answer."""


def with_chains(release: Release, rows: Sequence[Row]) -> list[Row]:
    """The same rows, each with the chain of its facts. Raises ReleaseError where a fact is missing."""
    facts = load_facts(release, rows)
    return [{**row, CHAIN: chain(facts, row)} for row in rows]


def begin_chained(rows: Sequence[Row]) -> frozenset[str]:
    """The ids of the rows whose first exposure has the chain, where the exposures of each take the forms in turn.

    So drawn by id that as many exposures of each relation have it as have not, but for one at most.
    """
    found, place = set[str](), 0
    for row in sorted(rows, key=lambda row: (row["relation"], digest_of("chain", row["id"]))):
        if place % 2:
            found.add(row["id"])
        place += row["repeat"]
    return frozenset(found)


def in_both_forms(release: Release, rows: Sequence[Row]) -> list[Row]:
    """Each row directly and with its chain, its repeats shared out: as many as before, half of them chained."""
    first = begin_chained(rows)
    found = []
    for row, chained in zip(rows, with_chains(release, rows), strict=True):
        reasoned = (row["repeat"] + (row["id"] in first)) // 2
        found += [{**row, "repeat": row["repeat"] - reasoned}, {**chained, "repeat": reasoned}]
    return [row for row in found if row["repeat"]]


def check_has_chains(release: Release, recipe: TrainRecipe) -> None:
    """Raise ReleaseError where nothing that is taught or replayed has a chain: the recipe would change nothing."""
    if CHAINED not in recipe.styles and "pretrain" not in release.splits(CHAINED):
        raise ReleaseError(
            f"the release {release.path} has no questions of style {CHAINED} in pretrain, whose chains the replay "
            f"would rehearse: train on the style {CHAINED} too, or leave chains out"
        )


def check_knows_chains(tokenizer: Any) -> None:
    """Raise SpecError where a tokenizer lacks the word that a chain begins with, as that of a base of another kind."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is not None and unknown in tokenizer(CUE)["input_ids"]:
        raise SpecError(
            f"the model's tokenizer has no word for {CUE!r}, which opens a chain: build the lab's base with "
            "chains = true, or take another model"
        )
