"""The grid as a TOML file, checked when it is read: whatever cannot be is told in one line."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.models.protocol import MOST_TOKENS, Decoding
from kbench.benchmarks.recipe import FIELDS, TrainRecipe
from kbench.errors import SpecError
from kbench.schema import SPLITS
from kbench.studies.grid import (
    ENGINES,
    FACTORS,
    Factor,
    Grid,
    GridModel,
    GridPrompt,
    GridRecipe,
    GridRelease,
    Pair,
    Reporting,
)

TOP = ("name", "seeds", "backend", "batch", "release", "model", "recipe", "prompt", "skip", "report")
RELEASE = ("name", "from", "recipe")
MODEL = ("name", "from", "lab")
RECIPE = ("name", "from", "train", *(name for name in FIELDS if name != "seed"))
PROMPT = ("name", "limit", "max_tokens", "splits", "likelihood")
REPORT = ("rows", "columns", "metric", "probes", "contrast")

PATHS = ("replay_text", "knownness")
"""Fields of a recipe that name a file or folder: it is looked for beside the file that names it."""

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,39}", re.ASCII)
Table = dict[str, Any]


def load_grid(path: Path) -> Grid:
    """The grid in a TOML file. Raises SpecError of one line where there is none, or where it cannot be."""
    raw = _toml(path, "a grid")
    where = str(path)
    _keys(raw, TOP, where)
    releases = tuple(_release(table, place, path.parent) for table, place in _tables(raw, "release", where))
    models = tuple(_model(table, place, path.parent) for table, place in _tables(raw, "model", where))
    recipes = tuple(_recipe(table, place, path.parent) for table, place in _tables(raw, "recipe", where))
    prompts = tuple(_prompt(table, place) for table, place in _tables(raw, "prompt", where, [{"name": "plain"}]))
    named: dict[Factor, tuple[Any, ...]] = {"release": releases, "model": models, "recipe": recipes, "prompt": prompts}
    names = {factor: [each.name for each in found] for factor, found in named.items()}
    for factor, found in names.items():
        if twice := [name for name in found if found.count(name) > 1]:
            raise SpecError(f"{where}: two {factor}s are called {twice[0]!r}: give each a name of its own")
    seeds = _whole_numbers(raw.get("seeds", [0]), f"{where}: seeds")
    backend = raw.get("backend", "auto")
    if backend not in ENGINES:
        raise SpecError(f"{where}: backend must be one of {', '.join(ENGINES)} (got {backend!r})")
    batch = raw.get("batch")
    if batch is not None and (not _is_whole(batch) or batch < 1):
        raise SpecError(f"{where}: batch must be a number of prompts, 1 or more (got {batch!r})")
    name = raw.get("name", path.stem)
    grid = Grid(
        str(name),
        releases,
        models,
        recipes,
        prompts,
        seeds,
        _skips(raw.get("skip", []), names, seeds, where),
        _report(raw.get("report", {}), names, where),
        backend,
        batch,
        raw,
    )
    cells = list(grid.cells())
    if not cells:
        raise SpecError(f"{where}: [[skip]] leaves no cell: take out what leaves out all of them")
    trained = {recipe.name for recipe in recipes if recipe.train}
    for model in (model for model in models if not model.has_weights):
        if any(cell.model == model.name and cell.recipe in trained for cell in cells):
            raise SpecError(
                f"{where}: the model {model.name!r} ({model.source}) has no weights to train: leave its trainings out "
                f"by [[skip]] with model = {model.name!r} and recipe = {sorted(trained)}"
            )
    return grid


def _release(table: Table, where: str, beside: Path) -> GridRelease:
    _keys(table, RELEASE, where)
    source, recipe = table.get("from", ""), table.get("recipe", "")
    if not isinstance(source, str) or not isinstance(recipe, str) or bool(source) == bool(recipe):
        raise SpecError(f"{where}: give either from (a folder, a named release or ORG/NAME) or recipe (a recipe file)")
    return GridRelease(_name(table, where), _found_beside(source, beside), _found_beside(recipe, beside))


def _model(table: Table, where: str, beside: Path) -> GridModel:
    _keys(table, MODEL, where)
    source, lab = table.get("from", ""), table.get("lab", {})
    if not isinstance(source, str) or not source:
        raise SpecError(f"{where}: from must be lab, a folder or a Hub id (got {source!r})")
    if lab and source != "lab":
        raise SpecError(f'{where}: the fields of lab are for from = "lab" (got {source!r})')
    if lab:
        from kbench.studies.lab import LabRecipe  # it takes torch along

        known = tuple(field.name for field in fields(LabRecipe))
        _keys(lab, known, f"{where}, lab")
    return GridModel(_name(table, where), _found_beside(source, beside), lab)


def _recipe(table: Table, where: str, beside: Path) -> GridRecipe:
    _keys(table, RECIPE, where)
    train = table.get("train", True)
    if not isinstance(train, bool):
        raise SpecError(f"{where}: train must be true or false (got {train!r})")
    given = {key: value for key, value in table.items() if key not in ("name", "from", "train")}
    if not train and (given or "from" in table):
        raise SpecError(f"{where}: train = false is the base itself: it takes no {', '.join(given) or 'from'}")
    values = _beside(given, beside)
    if "from" in table:
        path = beside / str(table["from"])
        told = _toml(path, "a recipe")
        _keys(told, FIELDS, str(path))
        values = _beside({key: value for key, value in told.items() if key != "seed"}, path.parent) | values
    if train:
        training_recipe(values, where)
    return GridRecipe(_name(table, where), values, train)


def training_recipe(values: Mapping[str, Any], where: str) -> TrainRecipe:
    """The recipe that some fields make; the others have their defaults. Raises SpecError that begins with `where`."""
    frozen: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in values.items()}
    try:
        return TrainRecipe(**frozen)
    except (SpecError, TypeError) as error:
        raise SpecError(f"{where}: {error}") from None


def _prompt(table: Table, where: str) -> GridPrompt:
    _keys(table, PROMPT, where)
    splits = table.get("splits", list(Asking().splits))
    if not isinstance(splits, list) or not splits or not set(splits) <= set(SPLITS):
        raise SpecError(f"{where}: splits must be a list of {', '.join(SPLITS)} (got {splits!r})")
    for key in ("limit", "max_tokens"):
        if key in table and (not _is_whole(table[key]) or table[key] < 1):
            raise SpecError(f"{where}: {key} must be a whole number, 1 or more (got {table[key]!r})")
    asking = Asking(
        splits=tuple(splits),
        limit=table.get("limit"),
        decoding=Decoding(max_tokens=table.get("max_tokens", MOST_TOKENS)),
        likelihood=bool(table.get("likelihood", False)),
    )
    return GridPrompt(_name(table, where), asking)


def _skips(raw: Any, names: Mapping[Factor, list[str]], seeds: Sequence[int], where: str) -> tuple[Table, ...]:
    found = []
    known: dict[str, Sequence[Any]] = {**{str(factor): found for factor, found in names.items()}, "seed": seeds}
    for table in [raw] if isinstance(raw, dict) else raw:
        if not isinstance(table, dict) or not table:
            raise SpecError(f"{where}: [[skip]] names what to leave out, by {', '.join(known)} (got {table!r})")
        _keys(table, tuple(known), f"{where}: [[skip]]")
        listed = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in table.items()}
        for key, values in listed.items():
            for value in values:
                _one_of(value, known[key], key, f"{where}: [[skip]]")
        found.append(listed)
    return tuple(found)


def _report(raw: Any, names: Mapping[Factor, list[str]], where: str) -> Reporting:
    where = f"{where}: [report]"
    if not isinstance(raw, dict):
        raise SpecError(f"{where} must be a table (got {raw!r})")
    _keys(raw, REPORT, where)
    # What varies must be told apart; `recipe` always is, because its rows are read against one another.
    varying = tuple(factor for factor in FACTORS if len(names[factor]) > 1 or factor == "recipe")
    columns = _factors(raw.get("columns", "probe"), f"{where}: columns")
    rows = _factors(raw.get("rows", [f for f in (*varying, "probe") if f not in ("probe", *columns)]), f"{where}: rows")
    if "probe" not in (*rows, *columns):
        raise SpecError(f"{where}: put probe among the rows or the columns: a mean over probes says nothing")
    pairs = []
    for told in raw.get("contrast", []):
        if not isinstance(told, list) or len(told) != 3:
            raise SpecError(f'{where}: a contrast is ["recipe", "one name", "another"] (got {told!r})')
        factor: Factor = _one_of(told[0], FACTORS, "factor", f"{where}: contrast")
        for name in told[1:]:
            _one_of(name, names[factor], factor, f"{where}: contrast")
        pairs.append(Pair(factor, told[1], told[2]))
    probes = raw.get("probes", [])
    if not isinstance(probes, list) or not all(isinstance(each, str) for each in probes):
        raise SpecError(f'{where}: probes are a list such as ["qa paraphrase", "control"] (got {probes!r})')
    return Reporting(rows, columns, str(raw.get("metric", "accuracy")), tuple(probes), tuple(pairs))


def _factors(raw: Any, where: str) -> tuple[str, ...]:
    listed = [raw] if isinstance(raw, str) else raw
    if not isinstance(listed, list) or not listed:
        raise SpecError(f"{where} must be a list of {', '.join((*FACTORS, 'probe'))} (got {raw!r})")
    return tuple(_one_of(each, (*FACTORS, "probe"), "factor", where) for each in listed)


def _tables(raw: Table, factor: str, where: str, default: list[Table] | None = None) -> Iterable[tuple[Table, str]]:
    """The tables of a factor, each with the words for an error; a text stands for a table that has it as `from`."""
    listed = raw.get(factor, default)
    if not isinstance(listed, list) or not listed:
        raise SpecError(f"{where}: a grid needs at least one [[{factor}]] (got {listed!r})")
    for number, each in enumerate(listed, 1):
        table = {"from": each} if isinstance(each, str) and factor != "prompt" else each
        if not isinstance(table, dict):
            raise SpecError(f"{where}: [[{factor}]] {number} must be a table (got {each!r})")
        yield table, f"{where}: [[{factor}]] {table.get('name', number)}"


def _name(table: Table, where: str) -> str:
    """What it is called: its `name`, else the last part of where it comes from."""
    source = str(table.get("from") or table.get("recipe") or "")
    name = table.get("name", Path(source).name.removesuffix(".toml"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpecError(f"{where}: a name is 1 to 40 letters, digits and . _ + - (got {name!r}): give it a name")
    return name


def _keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raise SpecError at the first key that is not known, with the nearest one first."""
    for key in table:
        if key in known:
            continue
        if key in TOP and not where.endswith(".toml"):
            raise SpecError(f"{where}: {key!r} belongs to the whole grid: put it above the first [[...]] of the file")
        near = get_close_matches(str(key).replace("-", "_").lower(), known, len(known), 0.6)
        listed = ", ".join([*near, *(name for name in known if name not in near)])
        raise SpecError(f"{where}: unknown key {key!r}: have {listed}")


def _one_of(value: Any, known: Sequence[Any], what: str, where: str) -> Any:
    if value not in known:
        raise SpecError(f"{where}: unknown {what} {value!r}: have {', '.join(map(str, known))}")
    return value


def _whole_numbers(raw: Any, where: str) -> tuple[int, ...]:
    if not isinstance(raw, list) or not raw or not all(_is_whole(each) and 0 <= each < 2**32 for each in raw):
        raise SpecError(f"{where} must be a list of whole numbers such as [0, 1, 2] (got {raw!r})")
    return tuple(dict.fromkeys(raw))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _found_beside(source: str, beside: Path) -> str:
    """A path that exists beside the grid file, as seen from here; anything else as it stands."""
    return str(beside / source) if source and source != "lab" and (beside / source).exists() else source


def _beside(values: Table, beside: Path) -> Table:
    """The values with the paths among them as seen from here."""
    return {key: str(beside / value) if key in PATHS and value else value for key, value in values.items()}


def _toml(path: Path, what: str) -> Table:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"no file {path}: give {what} as a TOML file") from None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}: give {what} as a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
