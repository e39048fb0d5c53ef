"""The tables of a grid file: its releases, models, recipes, prompts and engine, each checked as it is read."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from kbench.benchmarks.asking import ASKED, Asking
from kbench.benchmarks.engine import Backend, Engine
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import NAMES, Prompting, default_max_tokens
from kbench.benchmarks.recipe import FIELDS
from kbench.benchmarks.recipe_file import paths_beside, recipe_of, recipe_values
from kbench.errors import SpecError
from kbench.schema import SPLITS
from kbench.studies.grid import LAB, GridModel, GridPrompt, GridRecipe, GridRelease
from kbench.studies.grid_checks import Table, is_whole, keys, name_of

RELEASE = ("name", "from", "recipe")
MODEL = ("name", "from", "lab")
RECIPE = ("name", "from", "train", *(field for field in FIELDS if field != "seed"))
PROMPT = ("name", "prompt", "shots", "shots_from", "prompt_seed", "chat", "limit", "max_tokens", "splits", "likelihood")
"""The options of `kbench eval`, by their names there."""

ENGINE = tuple(field.name for field in fields(Engine))


def read_release(table: Table, where: str, beside: Path) -> GridRelease:
    """A release: one that there is, or a recipe to generate it from; paths are seen from the grid's folder."""
    keys(table, RELEASE, where)
    source, recipe = table.get("from", ""), table.get("recipe", "")
    if not isinstance(source, str) or not isinstance(recipe, str) or bool(source) == bool(recipe):
        raise SpecError(f"{where}: give either from (a folder, a named release or ORG/NAME) or recipe (a recipe file)")
    return GridRelease(name_of(table, where), _found_beside(source, beside), _found_beside(recipe, beside))


def read_model(table: Table, where: str, beside: Path) -> GridModel:
    """A model: lab, a folder or a Hub id; of the lab, with fields of its recipe that are to be otherwise."""
    keys(table, MODEL, where)
    source, lab = table.get("from", ""), table.get("lab", {})
    if not isinstance(source, str) or not source:
        raise SpecError(f"{where}: from must be lab, a folder or a Hub id (got {source!r})")
    if lab and source != LAB:
        raise SpecError(f'{where}: the fields of lab are for from = "lab" (got {source!r})')
    if lab:
        check_lab(lab, f"{where}, lab")
    return GridModel(name_of(table, where), _found_beside(source, beside), lab)


def check_lab(lab: Any, where: str) -> None:
    """Raise SpecError where what is to be otherwise of the lab's recipe is no field of it, or not of its kind."""
    from kbench.studies.lab import LabRecipe  # it takes torch along

    if not isinstance(lab, dict):
        raise SpecError(f"{where} must be a table such as {{ layers = 4 }} (got {lab!r})")
    own = {field.name: field.default for field in fields(LabRecipe)}
    keys(lab, tuple(own), where)
    for key, value in lab.items():
        _check_like(own[key], value, f"{where}: {key}")


def read_recipe(table: Table, where: str, beside: Path) -> GridRecipe:
    """A training recipe: its fields, over those of a recipe file; or the base itself."""
    keys(table, RECIPE, where)
    train = table.get("train", True)
    if not isinstance(train, bool):
        raise SpecError(f"{where}: train must be true or false (got {train!r})")
    given = {key: value for key, value in table.items() if key not in ("name", "from", "train")}
    if not train and (given or "from" in table):
        raise SpecError(f"{where}: train = false is the base itself: it takes no {', '.join(given) or 'from'}")
    values = paths_beside(given, beside)
    if "from" in table:
        told = recipe_values(beside / str(table["from"]))
        values = {**{key: value for key, value in told.items() if key != "seed"}, **values}
    if train:
        recipe = recipe_of(values, where)
        if recipe.processes > 1 or recipe.fsdp:
            raise SpecError(f"{where}: a grid trains each cell in one process: leave processes and fsdp out")
    return GridRecipe(name_of(table, where), values, train)


def read_prompt(table: Table, where: str) -> GridPrompt:
    """A way of asking: the options of `kbench eval`, by their names."""
    keys(table, PROMPT, where)
    label = name_of(table, where)
    splits = table.get("splits", list(ASKED))
    if not isinstance(splits, list) or not splits or not all(split in SPLITS for split in splits):
        raise SpecError(f"{where}: splits must be a list of {', '.join(SPLITS)} (got {splits!r})")
    for key, least in (("limit", 1), ("max_tokens", 1), ("shots", 0), ("prompt_seed", 0)):
        if key in table and (not is_whole(table[key]) or table[key] < least):
            raise SpecError(f"{where}: {key} must be a whole number, {least} or more (got {table[key]!r})")
    for key in ("chat", "likelihood"):
        if not isinstance(table.get(key, False), bool):
            raise SpecError(f"{where}: {key} must be true or false (got {table[key]!r})")
    try:
        prompting = Prompting(
            name=table.get("prompt", label if label in NAMES else "plain"),
            shots=table.get("shots", 0),
            shots_from=table.get("shots_from", "same"),
            chat=table.get("chat", False),
            seed=table.get("prompt_seed", 0),
        )
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from None
    asking = Asking(
        splits=tuple(splits),
        limit=table.get("limit"),
        prompting=prompting,
        decoding=Decoding(max_tokens=table.get("max_tokens", default_max_tokens(prompting))),
        likelihood=table.get("likelihood", False),
    )
    return GridPrompt(label, asking)


def read_engine(table: Any, where: str) -> Engine:
    """By what every model is asked: the fields of an engine."""
    if not isinstance(table, dict):
        raise SpecError(f"{where} must be a table (got {table!r})")
    keys(table, ENGINE, where)
    known = get_args(Backend)
    if table.get("backend", "auto") not in known:
        raise SpecError(f"{where}: backend must be one of {', '.join(known)} (got {table['backend']!r})")
    for key in ("batch", "concurrency", "requests_per_minute"):
        if key in table and (not is_whole(table[key]) or table[key] < 1):
            raise SpecError(f"{where}: {key} must be a whole number, 1 or more (got {table[key]!r})")
    if not isinstance(table.get("trust_remote_code", False), bool):
        raise SpecError(f"{where}: trust_remote_code must be true or false (got {table['trust_remote_code']!r})")
    price = table.get("price")
    if price is not None and not (isinstance(price, list) and len(price) == 2 and all(map(_is_number, price))):
        raise SpecError(f"{where}: price must be dollars for a million tokens in and out, [0.15, 0.6] (got {price!r})")
    if not _is_number(timeout := table.get("timeout", 60.0)) or timeout <= 0:
        raise SpecError(f"{where}: timeout must be seconds, more than 0 (got {timeout!r})")
    return Engine(**{**table, **({"price": tuple(price)} if price else {})})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_like(default: Any, value: Any, where: str) -> None:
    """Raise SpecError unless a value is of the kind of a default: yes or no, a whole number, a number."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise SpecError(f"{where} must be true or false (got {value!r})")
    elif isinstance(default, int):
        least = min(default, 1)  # of a seed 0
        if not is_whole(value) or value < least:
            raise SpecError(f"{where} must be a whole number, {least} or more (got {value!r})")
    elif not _is_number(value) or not 0 < value < math.inf:
        raise SpecError(f"{where} must be a number above 0 (got {value!r})")


def _found_beside(source: str, beside: Path) -> str:
    """A path that exists beside the grid file, as seen from here; anything else as it stands."""
    return str(beside / source) if source and source != LAB and (beside / source).exists() else source
