"""The grid as a TOML file, checked when it is read: whatever cannot be is told in one line."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from kbench.errors import SpecError
from kbench.schema import STYLES, Probe
from kbench.studies.grid import EXACT_MATCH, FACTORS, METRICS, Factor, Grid, Pair, Reporting
from kbench.studies.grid_checks import TOP, Table, keys, name_of, one_of, tables, whole_numbers
from kbench.studies.grid_tables import read_engine, read_model, read_prompt, read_recipe, read_release

PROBES = tuple(probe for probe in get_args(Probe) if probe)
REPORT = ("rows", "columns", "metric", "probes", "contrast")


def load_grid(path: Path) -> Grid:
    """The grid in a TOML file. Raises SpecError of one line where there is none, or where it cannot be."""
    raw = _toml(path, "a grid")
    where = str(path)
    keys(raw, TOP, where)
    releases = tuple(read_release(table, place, path.parent) for table, place in tables(raw, "release", where))
    models = tuple(read_model(table, place, path.parent) for table, place in tables(raw, "model", where))
    recipes = tuple(read_recipe(table, place, path.parent) for table, place in tables(raw, "recipe", where))
    prompts = tuple(read_prompt(table, place) for table, place in tables(raw, "prompt", where, [{"name": "plain"}]))
    named: dict[Factor, tuple[Any, ...]] = {"release": releases, "model": models, "recipe": recipes, "prompt": prompts}
    names = {factor: [each.name for each in found] for factor, found in named.items()}
    for factor, found in names.items():
        if twice := [each for each in found if found.count(each) > 1]:
            raise SpecError(f"{where}: two {factor}s are called {twice[0]!r}: give each a name of its own")
    seeds = whole_numbers(raw.get("seeds", [0]), f"{where}: seeds")
    grid = Grid(
        name_of({"name": raw.get("name", path.stem)}, where),
        releases,
        models,
        recipes,
        prompts,
        seeds,
        _skips(raw.get("skip", []), names, seeds, where),
        _report(raw.get("report", {}), names, where),
        read_engine(raw.get("engine", {}), f"{where}: [engine]"),
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


def _skips(raw: Any, names: Mapping[Factor, list[str]], seeds: Sequence[int], where: str) -> tuple[Table, ...]:
    found = []
    known: dict[str, Sequence[Any]] = {**{str(factor): found for factor, found in names.items()}, "seed": seeds}
    for table in raw if isinstance(raw, list) else [raw]:
        if not isinstance(table, dict) or not table:
            raise SpecError(f"{where}: [[skip]] names what to leave out, by {', '.join(known)} (got {table!r})")
        keys(table, tuple(known), f"{where}: [[skip]]")
        listed = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in table.items()}
        for key, values in listed.items():
            for value in values:
                one_of(value, known[key], key, f"{where}: [[skip]]")
        found.append(listed)
    return tuple(found)


def _report(raw: Any, names: Mapping[Factor, list[str]], where: str) -> Reporting:
    where = f"{where}: [report]"
    if not isinstance(raw, dict):
        raise SpecError(f"{where} must be a table (got {raw!r})")
    keys(raw, REPORT, where)
    # What varies must be told apart; `recipe` always is, because its rows are read against one another.
    varying = tuple(factor for factor in FACTORS if len(names[factor]) > 1 or factor == "recipe")
    columns = _factors(raw.get("columns", "probe"), f"{where}: columns")
    rows = _factors(raw.get("rows", [f for f in (*varying, "probe") if f not in ("probe", *columns)]), f"{where}: rows")
    if "probe" not in (*rows, *columns):
        raise SpecError(f"{where}: put probe among the rows or the columns: a mean over probes says nothing")
    if twice := set(columns) & set(rows):
        raise SpecError(f"{where}: {min(twice)} stands in rows and columns: put it into one of them")
    pairs = []
    contrasts = raw.get("contrast", [])
    for told in contrasts if isinstance(contrasts, list) else [contrasts]:
        if not isinstance(told, list) or len(told) != 3 or told[1] == told[2]:
            raise SpecError(f'{where}: a contrast is ["recipe", "one name", "another"] (got {told!r})')
        factor: Factor = one_of(told[0], FACTORS, "factor", f"{where}: contrast")
        for each in told[1:]:
            one_of(each, names[factor], factor, f"{where}: contrast")
        pairs.append(Pair(factor, told[1], told[2]))
    metric = one_of(raw.get("metric", EXACT_MATCH), METRICS, "metric", where)
    probes = raw.get("probes", [])
    if not isinstance(probes, list):
        raise SpecError(f'{where}: probes are a list such as ["qa paraphrase", "control"] (got {probes!r})')
    for each in probes:
        style, _, probe = str(each).rpartition(" ")
        one_of(probe, PROBES, "probe", f"{where}: probes")
        if style:
            one_of(style, STYLES, "style", f"{where}: probes")
    return Reporting(rows, columns, metric, tuple(probes), tuple(pairs))


def _factors(raw: Any, where: str) -> tuple[str, ...]:
    listed = [raw] if isinstance(raw, str) else raw
    if not isinstance(listed, list) or not listed:
        raise SpecError(f"{where} must be a list of {', '.join((*FACTORS, 'probe'))} (got {raw!r})")
    return tuple(dict.fromkeys(one_of(each, (*FACTORS, "probe"), "factor", where) for each in listed))


def _toml(path: Path, what: str) -> Table:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"no file {path}: give {what} as a TOML file") from None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}: give {what} as a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
