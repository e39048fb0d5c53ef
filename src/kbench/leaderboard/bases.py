"""The lab's bases of the leaderboard: the one that methods start from, and the one that reads an open book."""

from collections.abc import Mapping
from typing import Any

from kbench.ids import json_digest
from kbench.leaderboard.entry import Kind
from kbench.studies.lab import LabRecipe

OPEN_BOOK: Mapping[str, Any] = {"reader": 3}
"""What the ceiling's base has otherwise than the base of all methods."""


def lab_recipe(kind: Kind) -> LabRecipe:
    """The recipe of the lab's base that an entry of a kind stands on."""
    return LabRecipe(**OPEN_BOOK) if kind == "ceiling" else LabRecipe()


def lab_digest(kind: Kind) -> str:
    """The digest that pins it."""
    return json_digest(lab_recipe(kind).to_dict())
