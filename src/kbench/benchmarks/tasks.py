"""The items of a release that a model is asked, and what guessing would score on them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.prompts import prompt_of
from kbench.errors import ReleaseError
from kbench.schema import QUESTION_STYLES
from kbench.store import Release


@dataclass(frozen=True)
class Item:
    """One question row, the split it stands in, and the exact prompt that is shown."""

    row: dict[str, Any]
    split: str
    prompt: str


@dataclass(frozen=True)
class Guessing:
    """What is known of each relation's answers: how many there are, and the commonest in `train`."""

    choices: dict[str, int]
    modal: dict[str, str]

    def chance(self, row: dict[str, Any]) -> float:
        """The accuracy of a uniform guess among the values that the row's relation takes in the release."""
        return 1 / max(1, self.choices.get(_last(row["relation"]), 1))


def load_items(release: Release, splits: Iterable[str], limit: int | None = None) -> list[Item]:
    """Every question of the given splits, or of each style and split the first `limit`."""
    items = []
    for style in (config for config in release.configs() if config in QUESTION_STYLES):
        for split in (s for s in splits if s in release.splits(style)):
            rows = release.table(style, split)
            items += [Item(row, split, prompt_of(row)) for row in rows.slice(0, limit).to_pylist()]
    if not items:
        raise ReleaseError(f"the release {release.path} has no questions: generate it with --style qa or --style all")
    return items


def guessing(release: Release) -> Guessing:
    """The values that each relation takes in the release's facts; the commonest among those of role `new`."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    taught: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in release.table("facts", "train").to_pylist():
        values[fact["relation"]][fact["value"]] += 1
        if fact["role"] == "new":
            taught[fact["relation"]][fact["value"]] += 1
    modal = {name: min(c.items(), key=lambda pair: (-pair[1], pair[0]))[0] for name, c in taught.items()}
    return Guessing({name: len(counter) for name, counter in values.items()}, modal)


def _last(path: str) -> str:
    return path.split(".")[-1]


def modal_answer(known: Guessing, row: dict[str, Any]) -> str:
    """The relation's commonest value among the new facts."""
    return known.modal.get(_last(row["relation"]), "")
