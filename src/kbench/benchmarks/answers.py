"""The answers of a release: the commonest that a run was taught, and which value is meant by which wording."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kbench.benchmarks.diet import Diet
from kbench.benchmarks.match import normalise
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import RUN
from kbench.benchmarks.tasks import Guessing, guessing, pool_of
from kbench.schema import QUESTION_STYLES
from kbench.store import Release

Row = dict[str, Any]


def taught_answers(release: Release, run: Path | None = None) -> Guessing:
    """What guessing knows of a release, the commonest answers being those of the questions that a run was trained on.

    They are read off the recipe of the run (or of the one whose checkpoint it is); of no run, or a model that is none
    of kbench's, of all questions of `train`.
    """
    known = guessing(release)
    folders = (run, run.parent) if run else ()
    about = next((folder / RUN for folder in folders if (folder / RUN).is_file()), None)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in _taught_rows(release, about):
        counts[pool_of(row["style"], row["relation"])][row["answer"]] += row["repeat"]
    modal = {pool: min(c.items(), key=lambda pair: (-pair[1], pair[0]))[0] for pool, c in counts.items()}
    return replace(known, modal=modal) if modal else known


def _taught_rows(release: Release, about: Path | None) -> Iterable[Row]:
    if about is None:
        return [row for style in _questions(release) for row in release.table(style, "train").to_pylist()]
    diet = Diet(release, recipe_of(json.loads(about.read_text(encoding="utf-8"))["recipe"], str(about)))
    taught = [style for style in diet.recipe.styles if style in QUESTION_STYLES]
    return [row for style in taught for row in diet.rows(style)]


def _questions(release: Release) -> list[str]:
    return [style for style in release.configs() if style in ("qa", "numeric") and "train" in release.splits(style)]


def value_words(release: Release, rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """The value of a relation that each wording of an answer to it means, as far as questions of the release say."""
    values = {row["fact_id"]: str(row["value"]) for row in release.table("facts", "train").to_pylist()}
    styles = {row["style"] for row in rows}
    taught = [row for style in styles if "train" in release.splits(style) for row in release.rows(style, "train")]
    return {
        (row["relation"], normalise(wording)): values[row["fact_ids"][0]]
        for row in (*taught, *rows)
        if len(row["fact_ids"]) == 1 and row["fact_ids"][0] in values
        for wording in row["answers"]
    }
