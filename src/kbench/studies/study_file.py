"""The study file: one of those that come with kbench, or the user's own, checked when it is read."""

import tomllib
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kbench.benchmarks.recipe_file import recipe_of
from kbench.errors import SpecError
from kbench.studies.study import BASE, Study

FILES = Path(__file__).parent / "files"


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
        study = Study.model_validate(raw)
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"{path}: {key}: {first['msg']} (got {str(first['input'])[:60]!r})") from None
    study = study.model_copy(update={"world": str(path.parent / study.world)})
    _check(study, str(path))
    return study


def _check(study: Study, where: str) -> None:
    """Raise SpecError at the first name that is not there, or recipe that cannot be."""
    for name, cell, read in _terms(study):
        _known(cell_parts(study, cell), f"{where}: {name}: cell {cell!r}", study)
        if cell not in study.parts:
            _one_of(read, study.readings, f"{where}: {name}: reading")
    for name, reading in study.readings.items():
        _one_of(reading.ask, study.asks, f"{where}: readings.{name}: ask")
    for claim in study.claims:
        for gate in claim.gates:
            _one_of(gate, study.gates, f"{where}: claim {claim.name}: gate")
    for name, arm in study.arms.items():
        _known(arm.levels, f"{where}: arms.{name}", study)
        for ask in arm.asks:
            _one_of(ask, study.asks, f"{where}: arms.{name}: ask")
    for name, within in study.within.items():
        for read in within.levels.values():
            _one_of(read, study.readings, f"{where}: within.{name}: reading")
    for read in study.shown:
        _one_of(read, study.readings, f"{where}: shown")
    for name, curve in study.curves.items():
        _one_of(curve.factor, study.factors, f"{where}: curves.{name}: factor")
        _known(curve.levels, f"{where}: curves.{name}", study)
        for level in study.factors[curve.factor].levels:
            if not _is_number(level):
                raise SpecError(f"{where}: curves.{name}: the levels of {curve.factor} must be numbers (got {level!r})")
        for read in curve.readings:
            _one_of(read, study.readings, f"{where}: curves.{name}: reading")
    for name, budget in study.budgets.items():
        for factor in (
            *budget.one,
            *budget.levels,
            *budget.pair_levels,
            *budget.crossed,
            *(f for pair in budget.pairs for f in pair),
        ):
            _one_of(factor, study.factors, f"{where}: budgets.{name}: factor")
        for each in budget.fewer:
            _known(cell_parts(study, each), f"{where}: budgets.{name}: cell {each!r}", study)
        for each in budget.arms:
            _one_of(each, study.arms, f"{where}: budgets.{name}: arm")
        for part in (*budget.parts, *budget.options):
            _one_of(part, study.parts, f"{where}: budgets.{name}: part")
    for name, turned in study.factors.items():
        for level, values in turned.levels.items():
            recipe_of({**study.train, **study.train_lab, **values}, f"{where}: factors.{name}.levels.{level}")


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _terms(study: Study) -> list[tuple[str, str, str]]:
    """Each cell and reading that a gate or claim names, with who names it."""
    found = [(f"gate {name}", gate.cell, gate.reading) for name, gate in study.gates.items()]
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


def _one_of(value: Any, known: Any, where: str) -> None:
    if value not in known:
        raise SpecError(f"{where} {value!r} is unknown: have {', '.join(map(str, known))}")
