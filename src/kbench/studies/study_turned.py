"""A study as it is read of another model, release or choice of facts than it says."""

from collections.abc import Collection, Mapping
from typing import Any

from kbench.benchmarks.chosen import HALVES, RANDOM, WHOLE
from kbench.benchmarks.recipe import FactsBy
from kbench.benchmarks.slick import DEFAULT_PROBE, PROBE
from kbench.errors import SpecError
from kbench.studies.grid import LAB
from kbench.studies.study import Budget, Part, Study, Variant

QA, CHOICE = "qa", "choice"


def check_variants(study: Study, models: Mapping[str, str]) -> None:
    """Raise SpecError where a model is given for a variant that the study has not."""
    for name in models:
        if name not in study.variants:
            have = ", ".join(study.variants) or "none"
            raise SpecError(f"the study {study.name} has no variant {name!r} to give a model for: have {have}")


def can_vary(variant: Variant, name: str, model: str, release: str, models: Mapping[str, str]) -> bool:
    """Whether a variant can be had: another world where the study makes its worlds, another base of the lab's own."""
    if variant.world and release:
        return False
    return not variant.lab or model == LAB or name in models


def sized(study: Study, budget: Budget) -> Study:
    """The study with the worlds, bases and trainings of a budget that has its own."""
    own = {"lab": {**study.lab, **budget.lab}, "train_lab": {**study.train_lab, **budget.train_lab}}
    return study.model_copy(update={**own, "world": budget.world or study.world})


def chosen_by(study: Study, by: FactsBy) -> Study:
    """The study whose arms are chosen by something else than it says, of halves: no level of its own worlds is left."""
    told = {**study.train, **study.train_lab}
    if not told.get("facts_by"):
        raise SpecError(
            f"the study {study.name} chooses no facts, so that there is nothing to choose by {by}: leave --by out"
        )
    probe = study.train.get("knownness", "") or PROBE + DEFAULT_PROBE
    own = {"facts_by": by, "facts_among": told.get("facts_among", []), "knownness": ""}
    if by == "knownness":
        own["knownness"] = probe
    if by != told.get("facts_by"):
        own["facts_among"] = []
    return study.model_copy(update={"train": {**study.train, **own}, "train_lab": {**study.train_lab, **own}})


def arms_by_level(study: Study, by: FactsBy) -> frozenset[str]:
    """The arms that name levels of what the study chooses by, which are none of something else.

    Raises SpecError where a factor does: then there is no design without.
    """
    told = {**study.train, **study.train_lab}.get("facts_by")
    if not by or by == told:
        return frozenset()
    for factor in study.factors.values():
        for values in factor.levels.values():
            if level := _named_level(values):
                raise SpecError(
                    f"the study {study.name} names levels of {told}, such as {level}, which {by} does not have: "
                    "leave --by out"
                )
    return frozenset(name for name, arm in study.arms.items() if _named_level(arm.train))


def _named_level(values: Mapping[str, Any]) -> str:
    return next((level for level in values.get("facts", ()) if level not in (*HALVES, RANDOM, WHOLE)), "")


def of_release(study: Study, styles: Collection[str]) -> Study:
    """The study as it is read of a release that is not its own: trained and asked without regard to relation.

    What asks of other relations than are trained, or of a type of subject, is left out: they are those of its worlds.
    So is what asks in styles that the release has not; where it has no plain questions, those with choices are asked.
    """
    instead = {QA: CHOICE} if QA not in styles and CHOICE in styles else {}
    own = tuple(study.train.get("relations", ()))
    train = {key: value for key, value in study.train.items() if key != "relations"}
    if "styles" in train:
        train["styles"] = [instead.get(style, style) for style in train["styles"]]
    asks = {}
    for name, asked in study.asks.items():
        there = tuple(style for style in _there(asked.styles, instead) if style in styles)
        if there or not asked.styles:  # no style would mean all of them
            asks[name] = asked.model_copy(update={"styles": there})
    readings = {
        name: reading.model_copy(update={"relations": (), "styles": _there(reading.styles, instead)})
        for name, reading in study.readings.items()
        if reading.relations in ((), own) and not reading.types and reading.ask in asks
    }
    parts = {
        name: part.model_copy(update={"options": {k: v for k, v in part.options.items() if k != "relations"}})
        for name, part in study.parts.items()
    }
    return study.model_copy(update={"train": train, "readings": readings, "asks": asks, "parts": parts})


def can_measure(part: Part, release: str) -> bool:
    """Whether a part can be had: how alike relations are is asked of those of the study's own worlds."""
    return not (release and part.kind == "similarity")


def _there(styles: tuple[str, ...], instead: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(instead.get(style, style) for style in styles)


def as_read(study: Study, *, of_lab: bool) -> Study:
    """The study as it is read of the lab's models: every claim; or of another: no gate of the lab's."""
    if of_lab:
        return study.model_copy(update={"claims": tuple(c.model_copy(update={"lab": ""}) for c in study.claims)})
    gates = {name: gate for name, gate in study.gates.items() if not gate.lab}
    claims = [c.model_copy(update={"gates": tuple(name for name in c.gates if name in gates)}) for c in study.claims]
    return study.model_copy(update={"gates": gates, "claims": tuple(claims)})
