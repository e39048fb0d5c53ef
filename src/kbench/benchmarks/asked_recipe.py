"""The recipe that a training is asked for with: its file, what stands beside it, and what is left open."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kbench.benchmarks.defaults import open_values
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.recipe_file import recipe_of, recipe_values
from kbench.store import Release

LAB = "lab"
"""In place of a model: a small base that is built for the release."""

_TABLES = ("facts", "entities")


def train_recipe(
    release: Release,
    model: str,
    style: str | Iterable[str] | None = None,
    recipe: str | Path | None = None,
    **given: Any,
) -> TrainRecipe:
    """The recipe that `kbench train` and `kbench.train` use, of the same words.

    What is `given` (a field of the recipe; None is as if it were not) wins over the file `recipe`, and that over what a
    model is trained with by default. Raises SpecError where a value cannot be. That the release has the styles is for
    the training to check.
    """
    stated = recipe_values(Path(recipe)) if recipe is not None else {}
    stated |= {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if v is not None}
    method = str(stated.get("method", "full"))
    values: dict[str, Any] = {**open_values(model == LAB, method), **stated}
    if style is not None or "styles" not in values:
        values["styles"] = ["qa"] if style is None else [style] if isinstance(style, str) else list(style)
    if _are_names(values["styles"]):  # of anything else the recipe says what is wrong with it
        values["styles"] = _ordered(release, values["styles"], values)
    return recipe_of(values, str(recipe) if recipe is not None else "the recipe")


def fitting(chosen: TrainRecipe, own: int, recipe: str | Path | None, context: int | None) -> TrainRecipe:
    """The recipe with rows of the lab's own length, unless the option or the recipe file says one."""
    stated = context is not None or (recipe is not None and "context" in recipe_values(Path(recipe)))
    return chosen if stated else chosen.with_context(own)


def _are_names(styles: Any) -> bool:
    return isinstance(styles, list) and all(isinstance(style, str) for style in styles)


def _ordered(release: Release, styles: list[str], values: Mapping[str, Any]) -> list[str]:
    """The styles in the release's order, or in their own where that is the order of reading; `all` is every style."""
    have = [config for config in release.configs() if config not in _TABLES]
    asked = list(dict.fromkeys(have if "all" in styles else styles))
    if values.get("order") == "sequence":
        return asked
    return [*(style for style in have if style in asked), *sorted(style for style in asked if style not in have)]
