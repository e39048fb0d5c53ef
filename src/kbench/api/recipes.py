"""From what a user asks for, in words or keywords, to the recipe of a release."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kbench.errors import SpecError
from kbench.generator.ownfacts.book import load_facts
from kbench.generator.ownfacts.pack import warnings_of
from kbench.generator.ownfacts.spec import FactSpec, spec_of_facts
from kbench.generator.recipe import Recipe
from kbench.generator.seeds import private_seed
from kbench.generator.shards import styles_for
from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict

DEFAULT_SPEC = "default"
DEFAULT_SEED = "0"

PathLike = str | Path
Spec = str | Path | dict[str, Any] | WorldSpec
"""A built-in world by name, a TOML file by path, or the same tables as a dict."""
Styles = str | Iterable[str]
"""A style, several, or `all`."""

_OF_A_RECIPE = ("style", "entities", "seed", "spec", "facts", "templates", "private", "seed_file")


def recipe_of(
    style: Styles,
    *,
    spec: Spec = DEFAULT_SPEC,
    seed: str | int = DEFAULT_SEED,
    entities: int | None = None,
    facts: PathLike | None = None,
    templates: PathLike | None = None,
    private: bool = False,
    seed_file: PathLike | None = None,
) -> Recipe:
    """The recipe that `kbench generate` and `kbench.generate` write, of the same words.

    Raises SpecError where a spec, style, size, seed or file of facts cannot be.
    """
    world_spec = _spec_of(spec, entities, None if facts is None else Path(facts))
    secret = private or seed_file is not None
    if secret and str(seed) != DEFAULT_SEED:
        raise SpecError("--seed is no secret: give a private world's seed by --seed-file or KBENCH_SEED alone")
    text = private_seed(None if seed_file is None else Path(seed_file)) if secret else str(seed)
    pack = None if templates is None else str(templates)
    return Recipe(world_spec, text, _styles(style, world_spec), pack, secret)


def restyled(recipe: Recipe, style: Styles) -> Recipe:
    """The same recipe for other styles. Raises SpecError where its spec has nothing to write as one of them."""
    return replace(recipe, styles=_styles(style, recipe.spec))


def _styles(style: Styles, spec: WorldSpec) -> tuple[str, ...]:
    return styles_for([style] if isinstance(style, str) else list(style), spec)


def refuse_beside_recipe(given: Iterable[str]) -> None:
    """Raise SpecError where something is given, by the name of its parameter, that a named recipe fixes."""
    for name in given:
        if name in _OF_A_RECIPE:
            raise SpecError(f"--recipe fixes what is written: leave --{name.replace('_', '-')} away")


def warnings_for(recipe: Recipe) -> list[str]:
    """What the author of a file of facts should know of the release, a line each; nothing of an invented world."""
    return warnings_of(recipe.spec, recipe.pack()) if isinstance(recipe.spec, FactSpec) else []


def _spec_of(spec: Spec, entities: int | None, facts: Path | None) -> WorldSpec:
    """The spec of a world, or of a user's own facts. Raises SpecError where both are asked for."""
    if facts is not None:
        if spec != DEFAULT_SPEC or entities is not None:
            raise SpecError(
                f"--facts brings its own subjects: leave {'--spec' if entities is None else '--entities'} away"
            )
        return spec_of_facts(load_facts(facts))
    if isinstance(spec, WorldSpec):
        found = spec
    else:
        found = spec_from_dict(spec, "spec") if isinstance(spec, dict) else load_spec(spec)
    return found if entities is None else found.with_sizes(entities=entities)
