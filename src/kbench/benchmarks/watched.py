"""The questions that are asked after each epoch of a training: of `validation`, and of what is being taught."""

from dataclasses import dataclass

from kbench.benchmarks.diet import Diet
from kbench.benchmarks.prompts import prompt_of
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.tasks import UNMATCHED, Item
from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.schema import QUESTION_STYLES
from kbench.store import Release


@dataclass(frozen=True)
class Watched:
    """The questions watched, by split."""

    validation: tuple[Item, ...]
    train: tuple[Item, ...]


def watched_rows(release: Release, recipe: TrainRecipe) -> Watched:
    """The recipe's number (`watch`) of questions of `validation` and as many of `train`: the first by a digest of id.

    Of `watch_styles`, else of the recipe's own styles where these are questions, else of any; of its `relations`. Those
    of `train` are questions that are taught: of the facts that `only` leaves, with the answers that `idk` gives; in
    neither are any about whom `volume` leaves out. Of validation `watch_probes` alone. Raises ReleaseError where one
    split has none, or the release none of a style.
    """
    asked = [style for style in release.configs() if style in QUESTION_STYLES - UNMATCHED]
    if missing := [style for style in recipe.watch_styles if style not in asked]:
        have = ", ".join(asked) or "none"
        raise ReleaseError(f"the release {release.path} has no questions in style {missing[0]!r} to watch: have {have}")
    styles = [style for style in asked if style in (recipe.watch_styles or recipe.styles)] or asked
    diet = Diet(release, recipe)
    taught = [row for style in styles if "train" in release.splits(style) for row in diet.rows(style)]
    held = [style for style in styles if "validation" in release.splits(style)]
    validation = [row for style in held for row in release.table(style, "validation").to_pylist()]
    validation = [row for row in validation if diet.cohort.teaches(row)]
    if recipe.watch_probes:
        validation = [row for row in validation if row["probe"] in recipe.watch_probes]
    if recipe.relations:
        validation = [row for row in validation if row["relation"] in recipe.relations]
    found = {"validation": validation, "train": taught}
    for split, rows in found.items():
        if not rows:
            of = f" of probe {' or '.join(recipe.watch_probes)}" if recipe.watch_probes and split != "train" else ""
            raise ReleaseError(f"the release {release.path} has no {split} questions{of} to watch: set watch = 0")
    chosen = {
        split: tuple(
            Item(row, split, prompt_of(row))
            for row in sorted(rows, key=lambda row: digest_of(row["id"]))[: recipe.watch]
        )
        for split, rows in found.items()
    }
    return Watched(**chosen)
