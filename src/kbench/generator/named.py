"""Named releases: the recipe files on the shelf, read into recipes, and what was published of each."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kbench.errors import SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.shards import styles_for
from kbench.generator.spec import load_spec, spec_from_dict
from kbench.schema import STYLES
from kbench.shelf import names, shelved
from kbench.store import MANIFEST, Release

RECIPE = "recipe.toml"


class RecipeFile(BaseModel):
    """What a recipe file says: a world, what of it is otherwise, a seed, and the styles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: str = Field(description="A built-in world, or a TOML file beside the recipe.")
    seed: str = Field(description="Any text.")
    styles: list[str] = Field(["all"], min_length=1, description=f"{', '.join(STYLES)}, or all.")
    name: str = Field("", description="The name of the world, where it is to be another.")
    description: str = ""
    sizes: dict[str, Any] = Field({}, description="Keys of the world's [sizes] that are to be otherwise.")
    exposure: dict[str, Any] = Field({}, description="Keys of [exposure].")
    background: dict[str, Any] = Field({}, description="Keys of [background].")


def load_recipe(name: str) -> Recipe:
    """The recipe of a named release, or of a recipe file.

    Raises SpecError of one line where there is none, where a key of it is unknown, or where the world cannot be.
    """
    folder = shelved(name)
    path = folder / RECIPE if folder else Path(name)
    try:
        if not path.is_file():
            raise SpecError(f"no recipe {name[:100]!r}: give a TOML file or one of {', '.join(names())}")
        said = RecipeFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the recipe {str(path)[:100]}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is no TOML: {error}") from None
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("extra_forbidden", "missing"):
            what = "no such key" if first["type"] == "extra_forbidden" else "is missing"
            known = ", ".join(RecipeFile.model_fields)
            raise SpecError(f"{path}: {key!r}: {what}: the keys of a recipe are {known}") from None
        raise SpecError(f"{path}: {key}: {first['msg']} (got {str(first['input'])[:60]!r})") from None
    beside = path.parent / said.spec[:255]
    spec = load_spec(str(beside) if beside.is_file() else said.spec)
    changed = spec.to_dict() | {key: getattr(said, key) for key in ("name", "description") if getattr(said, key)}
    for table in ("sizes", "exposure", "background"):
        changed[table] = changed[table] | getattr(said, table)
    spec = spec_from_dict(changed, str(path))
    return Recipe(spec, said.seed, styles_for(said.styles, spec))


def published(name: str) -> Release | None:
    """What was published under a name: its manifest, and its files where they lie on the shelf; None where nothing."""
    folder = shelved(name)
    if folder is None or not (folder / MANIFEST).is_file():
        return None
    return Release(folder, json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
