"""A training recipe as a TOML file: each key a field of the recipe, by its own name."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kbench.benchmarks.labels import TABLE
from kbench.benchmarks.recipe import FIELDS, TrainRecipe
from kbench.benchmarks.slick import PROBE, read_probe
from kbench.errors import SpecError
from kbench.ids import file_sha256

PATHS = ("replay_text", "knownness")
"""Fields that name a file or folder: in a recipe file they are read from where it lies."""


def load_train_recipe(path: Path) -> TrainRecipe:
    """The recipe in a TOML file; what it does not set has its default.

    Raises SpecError of one line where the file is missing or no TOML, has an unknown key, or the recipe cannot be.
    """
    return recipe_of(recipe_values(path), str(path))


def recipe_values(path: Path) -> dict[str, Any]:
    """What a recipe file sets, and nothing else: for who lets an option of a command line win. Raises SpecError."""
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"no recipe at {path}: give a TOML file whose keys are {', '.join(FIELDS)}") from None
    except OSError as error:
        raise SpecError(f"cannot read the recipe {path}: {error.strerror}: give a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
    _check_keys(raw, str(path))
    return paths_beside(raw, path.parent)


def paths_beside(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The values with the paths among them, which are told from a folder, as seen from here."""

    def is_path(name: str, value: Any) -> bool:
        return name in PATHS and isinstance(value, str) and bool(value) and not value.startswith(PROBE)

    return {name: str(folder / value) if is_path(name, value) else value for name, value in values.items()}


def file_digests(values: Mapping[str, Any]) -> dict[str, str | None]:
    """The digest of each file that a recipe reads beside the release, by the recipe's field; None where it is gone."""
    named = {name: Path(values[name]) for name in PATHS if values.get(name) and not values[name].startswith(PROBE)}
    read = {name: path / TABLE if name == "knownness" else path for name, path in named.items()}
    return {name: file_sha256(path) if path.is_file() else None for name, path in read.items()}


def recipe_of(values: Mapping[str, Any], where: str) -> TrainRecipe:
    """The recipe that plain values make, as `to_dict` gives them; `where` is for the error. Raises SpecError."""
    _check_keys(values, where)
    frozen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    try:
        recipe = TrainRecipe(**frozen)
        if recipe.knownness.startswith(PROBE):
            read_probe(recipe.knownness.removeprefix(PROBE))
        return recipe
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from None


def _check_keys(values: Mapping[str, Any], where: str) -> None:
    for key in values:
        if key not in FIELDS:
            near = get_close_matches(key.replace("-", "_").lower(), FIELDS, 1, cutoff=0.75)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise SpecError(f"unknown key {key!r} in {where}: {meant}have {', '.join(FIELDS)}")
