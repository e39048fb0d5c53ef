"""A study as it is read of another model, release or choice of facts than it says."""

from collections.abc import Collection, Mapping
from typing import Any

from kbench.benchmarks.chosen import HALVES, OR, RANDOM, WHOLE
from kbench.benchmarks.recipe import LABELS, FactsBy
from kbench.benchmarks.slick import DEFAULT_PROBE, PROBE
from kbench.errors import SpecError
from kbench.studies.grid import LAB
from kbench.studies.study import Budget, Part, Study, Variant

QA, CHOICE = "qa", "choice"
EXPOSURES, KNOWNNESS = "exposures", "knownness"


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


def chosen_by(study: Study, by: FactsBy, release: str = "") -> Study:
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
    if by != told.get("facts_by") or (release and by == EXPOSURES):
        own["facts_among"] = []
    return study.model_copy(update={"train": {**study.train, **own}, "train_lab": {**study.train_lab, **own}})


def arms_by_level(study: Study, by: FactsBy, release: str = "") -> frozenset[str]:
    """The arms that name levels which there are not: labels where something else is chosen by, or other exposures.

    Raises SpecError where a factor does: then there is no design without.
    """
    used = by or {**study.train, **study.train_lab}.get("facts_by", "")

    def lacks(values: Mapping[str, Any]) -> str:
        """The first level that is named and not there."""
        if not (level := _named_level(values)):
            return ""
        wanted = KNOWNNESS if set(level.split(OR)) <= set(LABELS) else EXPOSURES
        return "" if wanted == used and not (release and wanted == EXPOSURES) else level

    for factor in study.factors.values():
        for values in factor.levels.values():
            if level := lacks(values):
                raise SpecError(
                    f"the study {study.name} names levels such as {level}, which there are none of where facts are "
                    f"chosen by {used}: leave --by out"
                )
    return frozenset(name for name, arm in study.arms.items() if lacks(arm.train))


def rehearsing(study: Study) -> frozenset[str]:
    """The arms that read pretraining's texts again, which a release of real facts may not have."""
    return frozenset(name for name, arm in study.arms.items() if arm.train.get("replay"))


def embedded(study: Study, embedder: str) -> Study:
    """The study whose questions are compared by another model's embeddings. Raises SpecError where none are."""
    kinds = {name: part for name, part in study.parts.items() if part.kind == "similarity"}
    if not kinds:
        raise SpecError(f"the study {study.name} compares no questions: leave --embedder out")
    turned = {
        name: part.model_copy(update={"options": {**part.options, "embedder": embedder}})
        for name, part in kinds.items()
    }
    return study.model_copy(update={"parts": {**study.parts, **turned}})


def _named_level(values: Mapping[str, Any]) -> str:
    return next((level for level in values.get("facts", ()) if level not in (*HALVES, RANDOM, WHOLE)), "")


def of_release(study: Study, styles: Collection[str]) -> Study:
    """The study as it is read of a release that is not its own: trained and asked without regard to relation.

    What asks of other relations than are trained, or of a type of subject, is left out: they are those of its worlds.
    So is what asks in styles that the release has not; where it has no plain questions, those with choices are asked.
    """
    instead = {QA: CHOICE} if QA not in styles and CHOICE in styles else {}
    own = tuple(study.train.get("relations", ()))
    # Of real facts few have a value in common, so that there is nothing to balance.
    train = {key: value for key, value in study.train.items() if key not in ("relations", "facts_balanced")}
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


def can_measure(part: Part, release: str, styles: Collection[str]) -> bool:
    """Whether a part can be had: rungs and biographies are of the study's own worlds, others of plain questions."""
    if not release:
        return True
    return part.kind not in ("similarity", "biography") and (QA in styles or part.kind not in ("subject", "graph"))


def _there(styles: tuple[str, ...], instead: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(instead.get(style, style) for style in styles)


def as_read(study: Study, *, of_lab: bool) -> Study:
    """The study as it is read of the lab's models: every claim; or of another: no gate of the lab's."""
    if of_lab:
        return study.model_copy(update={"claims": tuple(c.model_copy(update={"lab": ""}) for c in study.claims)})
    # What is trained otherwise for the lab's models says nothing of another's.
    study = study.model_copy(update={"train_lab": {}})
    gates = {name: gate for name, gate in study.gates.items() if not gate.lab}
    claims = [c.model_copy(update={"gates": tuple(name for name in c.gates if name in gates)}) for c in study.claims]
    return study.model_copy(update={"gates": gates, "claims": tuple(claims)})
