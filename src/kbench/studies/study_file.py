"""The study file: one of those that come with kbench, or the user's own, checked when it is read."""

import re
import tomllib
from collections.abc import Collection, Iterable
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from kbench.benchmarks.recipe import kept_name
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import EARLY_STOP
from kbench.errors import SpecError
from kbench.schema import QUESTION_STYLES, ROLES, SPLITS, Probe
from kbench.studies.grid_tables import check_lab
from kbench.studies.study import BASE, Study
from kbench.studies.study_design import asking_of

FILES = Path(__file__).parent / "files"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def studies() -> list[str]:
    """The studies that come with kbench."""
    return sorted(path.stem for path in FILES.glob("*.toml") if not path.stem.endswith(".world"))


def load_study(name: str) -> Study:
    """The study of a name, or in a TOML file. Raises SpecError of one line where there is none, or it cannot be."""
    path = FILES / f"{name}.toml" if name in studies() else Path(name)
    if not path.is_file():
        raise SpecError(f"no study {name[:100]!r}: have {', '.join(studies())}, or give a TOML file")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"cannot read the study {path}: {error}") from None
    try:
        study = Study.model_validate(at_checkpoints(raw))
    except ValidationError as errors:
        raise SpecError(f"{path}: {_told(errors)}") from None
    worlds = {"world": study.world, **{f"variants.{n}.world": v.world for n, v in study.variants.items() if v.world}}
    worlds |= {f"budgets.{n}.world": b.world for n, b in study.budgets.items() if b.world}
    for key, world in worlds.items():
        if not (path.parent / world).is_file():
            raise SpecError(f"{path}: {key}: expected a recipe {world!r} in {path.parent}, found none: copy it too")
    variants = {
        name: variant.model_copy(update={"world": str(path.parent / variant.world)}) if variant.world else variant
        for name, variant in study.variants.items()
    }
    budgets = {
        name: budget.model_copy(update={"world": str(path.parent / budget.world)}) if budget.world else budget
        for name, budget in study.budgets.items()
    }
    own = {"world": str(path.parent / study.world), "variants": variants, "budgets": budgets}
    study = study.model_copy(update=own)
    _check(study, str(path))
    return study


def at_checkpoints(raw: dict[str, Any]) -> dict[str, Any]:
    """The study with each way of asking that names `checkpoints`, and each reading of it, once for every one of them.

    `plain` and `questions` of the last model keep their names; of another they are `plain@at-10` and `questions@at-10`.
    """
    asks, readings = raw.get("asks"), raw.get("readings")
    if not isinstance(asks, dict) or not isinstance(readings, dict):
        return raw
    kept = {name: ask["checkpoints"] for name, ask in asks.items() if isinstance(ask, dict) and "checkpoints" in ask}
    every_ask = {name: {k: v for k, v in ask.items() if k != "checkpoints"} for name, ask in asks.items()}
    every_ask |= {f"{name}@{at}": {**every_ask[name], "checkpoint": at} for name, ats in kept.items() for at in ats}
    every_reading = dict(readings)
    for name, reading in readings.items():
        ask = reading.get("ask", "plain") if isinstance(reading, dict) else ""
        for at in kept.get(ask, ()):
            title = f"{reading.get('title', name)}, {_when(str(at))}"
            every_reading[f"{name}@{at}"] = {**reading, "ask": f"{ask}@{at}", "title": title}
    return {**raw, "asks": every_ask, "readings": every_reading}


def _when(checkpoint: str) -> str:
    """Which model of a run a checkpoint is, in words."""
    if checkpoint == EARLY_STOP:
        return "at its best epoch on validation"
    return f"after {checkpoint.removeprefix('at-')} % of the training"


def _told(errors: ValidationError) -> str:
    """The first error in one line; a key that is not known comes before one that is missing, which it may stand for."""
    found = errors.errors(include_url=False)
    first = next((error for error in found if error["type"] == "extra_forbidden"), found[0])
    key = ".".join(str(part) for part in first["loc"])
    said = "no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    missing = [
        str(error["loc"][-1])
        for error in found
        if error["type"] == "missing" and error["loc"][:-1] == first["loc"][:-1]
    ]
    wanted = f"; missing: {', '.join(missing)}" if missing and first["type"] == "extra_forbidden" else ""
    return f"{key}: {said} (got {str(first['input'])[:60]!r}){wanted}"


def _check(study: Study, where: str) -> None:
    """Raise SpecError at the first name that is not there, or recipe that cannot be."""
    for check in (
        _check_names,
        _check_claims,
        _check_readings,
        _check_curves,
        _check_gaps,
        _check_budgets,
        _check_recipes,
        _check_kept,
    ):
        check(study, where)


def _check_names(study: Study, where: str) -> None:
    """A cell is called by its levels, and its folder by the cell: names must not run together."""
    levels = [(f"factors.{name}: level", level) for name, factor in study.factors.items() for level in factor.levels]
    cells = [(key, name) for key, group in (("arms", study.arms), ("parts", study.parts)) for name in group]
    for what, name in [*(("factors", name) for name in study.factors), *levels, *cells]:
        if not _NAME.fullmatch(name):
            raise SpecError(f"{where}: {what} {name!r} must be of letters, digits, _ . and -, a letter or digit first")
    taken = {BASE, "centre"}
    for what, name in cells:
        if name in taken:
            raise SpecError(f"{where}: {what} {name!r} is the name of another cell: give it one of its own")
        taken.add(name)
    names = [claim.name for claim in study.claims]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"{where}: two claims are called {twice[0]!r}: give each a name of its own")


def _check_claims(study: Study, where: str) -> None:
    for name, cell, read in _terms(study):
        _known(cell_parts(study, cell), f"{where}: {name}: cell {cell!r}", study)
        if cell not in study.parts:
            _one_of(read, study.readings, f"{where}: {name}: reading")
    for claim in study.claims:
        for gate in claim.gates:
            _one_of(gate, study.gates, f"{where}: claim {claim.name}: gate")


def _check_readings(study: Study, where: str) -> None:
    """What is asked and read, where it is read, and by which names of the data's own."""
    for name, asked in study.asks.items():
        _each_of(asked.styles, QUESTION_STYLES, f"{where}: asks.{name}: style")
        _each_of(asked.splits, SPLITS, f"{where}: asks.{name}: split")
        _each_of(asked.probes, get_args(Probe), f"{where}: asks.{name}: probe")
        try:
            asking_of(asked)
        except SpecError as error:
            raise SpecError(f"{where}: asks.{name}: {error}") from None
    for name, reading in study.readings.items():
        _one_of(reading.ask, study.asks, f"{where}: readings.{name}: ask")
        _each_of(reading.styles, QUESTION_STYLES, f"{where}: readings.{name}: style")
        _each_of(reading.probes, get_args(Probe), f"{where}: readings.{name}: probe")
        _each_of(reading.roles, ROLES, f"{where}: readings.{name}: role")
    for name, arm in study.arms.items():
        _known(arm.levels, f"{where}: arms.{name}", study)
        _each_of(arm.asks, study.asks, f"{where}: arms.{name}: ask")
        if arm.variant:
            _one_of(arm.variant, study.variants, f"{where}: arms.{name}: variant")
    for name, within in study.within.items():
        _each_of(within.levels.values(), study.readings, f"{where}: within.{name}: reading")
    _each_of(study.shown, study.readings, f"{where}: shown")


def _check_curves(study: Study, where: str) -> None:
    for name, curve in study.curves.items():
        _one_of(curve.factor, study.factors, f"{where}: curves.{name}: factor")
        _known(curve.levels, f"{where}: curves.{name}", study)
        for level in study.factors[curve.factor].levels:
            if not _is_number(level):
                raise SpecError(f"{where}: curves.{name}: the levels of {curve.factor} must be numbers (got {level!r})")
        _each_of(curve.readings, study.readings, f"{where}: curves.{name}: reading")


def _check_gaps(study: Study, where: str) -> None:
    for name, gap in study.gaps.items():
        for cell in (gap.better, gap.worse, gap.base):
            _known(cell_parts(study, cell), f"{where}: gaps.{name}: cell {cell!r}", study)
        _each_of(gap.readings, study.readings, f"{where}: gaps.{name}: reading")


def _check_budgets(study: Study, where: str) -> None:
    for name, budget in study.budgets.items():
        here = f"{where}: budgets.{name}"
        paired = [factor for pair in budget.pairs for factor in pair]
        factors = (*budget.one, *budget.levels, *budget.pair_levels, *budget.crossed, *paired)
        _each_of(factors, study.factors, f"{here}: factor")
        for some in (budget.levels, budget.pair_levels):
            for factor, levels in some.items():
                _each_of(levels, study.factors[factor].levels, f"{here}: level of {factor}")
        for each in budget.fewer:
            _known(cell_parts(study, each), f"{here}: cell {each!r}", study)
        _each_of(budget.asks, study.asks, f"{here}: ask")
        _each_of(budget.arms, study.arms, f"{here}: arm")
        _each_of((*budget.parts, *budget.options), study.parts, f"{here}: part")


def _check_recipes(study: Study, where: str) -> None:
    """Recipes as the lab's models get them: no other model is given more of a study's fields."""
    shared = {**study.train, **study.train_lab}
    for name, turned in study.factors.items():
        for level, values in turned.levels.items():
            recipe_of({**shared, **values}, f"{where}: factors.{name}.levels.{level}")
    for name, arm in study.arms.items():
        turned_by = [study.factors[factor].levels[level] for factor, level in (study.centre | arm.levels).items()]
        values = {key: value for each in turned_by for key, value in each.items()}
        recipe_of({**shared, **values, **arm.train}, f"{where}: arms.{name}")
    for name, part in study.parts.items():
        for cell in part.cells:
            _known(cell_parts(study, cell), f"{where}: parts.{name}: cell {cell!r}", study)
            _check_trained(study, cell, f"{where}: parts.{name}: cell {cell!r}")
        if part.kind == "tones" and len(part.options.get("tones", ())) < 2:
            raise SpecError(f"{where}: parts.{name}: options.tones must name two tones or more")
    check_lab(study.lab, f"{where}: lab")
    for name, budget in study.budgets.items():
        check_lab(budget.lab, f"{where}: budgets.{name}: lab")
        centre = [study.factors[factor].levels[level] for factor, level in study.centre.items()]
        values = {key: value for each in centre for key, value in each.items()}
        recipe_of({**shared, **budget.train_lab, **values}, f"{where}: budgets.{name}: train_lab")
    for name, variant in study.variants.items():
        check_lab(variant.lab, f"{where}: variants.{name}: lab")


def _check_kept(study: Study, where: str) -> None:
    """Whatever is asked of a model on the way, every training keeps it."""
    shared = {**study.train, **study.train_lab}
    kept = [*map(kept_name, shared.get("keep", ())), *(["early-stop"] if shared.get("early_stop") else [])]
    asked = [(f"asks.{name}: checkpoint", ask.checkpoint) for name, ask in study.asks.items()]
    asked += [(f"parts.{name}: checkpoint", each) for name, part in study.parts.items() for each in part.checkpoints]
    for what, checkpoint in asked:
        if checkpoint and checkpoint not in kept:
            have = ", ".join(kept) or "none"
            told = f"{what} {checkpoint!r} is kept by no training"
            raise SpecError(f"{where}: {told}: have {have} (train.keep, early_stop)")


def _check_trained(study: Study, cell: str, where: str) -> None:
    """A part opens the base and what was trained from it on the study's own worlds."""
    arm = study.arms.get(cell)
    if arm and (arm.variant or arm.untrained):
        raise SpecError(f"{where} is of a variant or untrained: a part takes cells that are trained from the base")


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _terms(study: Study) -> list[tuple[str, str, str]]:
    """Each cell and reading that a gate or claim names, with who names it."""
    gates = study.gates.items()
    found = [(f"gate {name}", gate.cell, read) for name, gate in gates for read in (gate.reading, gate.minus) if read]
    for claim in study.claims:
        for effect in claim.effects:
            found += [(f"claim {claim.name}", cell, reading) for _, cell, reading in (*effect.of, *effect.bound_of)]
    return found


def cell_parts(study: Study, text: str) -> dict[str, str]:
    """The levels that the name of a cell tells; none of a cell that is called by a name of its own."""
    if text in (BASE, "centre", *study.arms, *study.parts):
        return {}
    return dict(part.partition("=")[::2] for part in text.split("+"))


def _known(levels: dict[str, str], where: str, study: Study) -> None:
    for factor, level in levels.items():
        _one_of(factor, study.factors, f"{where}: factor")
        _one_of(level, study.factors[factor].levels, f"{where}: level of {factor}")


def _each_of(values: Iterable[str], known: Collection[Any], where: str) -> None:
    for value in values:
        _one_of(value, known, where)


def _one_of(value: Any, known: Collection[Any], where: str) -> None:
    if value not in known:
        raise SpecError(f"{where} {value!r} is unknown: have {', '.join(map(str, known))}")
