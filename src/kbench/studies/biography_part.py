"""The part `biography` of a study: biographies that the base and the models of cells write of held-out subjects."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kbench.benchmarks.biographies import TOKENS, Biography, Way, held_out, opening_of, write_biographies
from kbench.benchmarks.biography import fact_checker
from kbench.schema import Role, Split
from kbench.store import open_release, write_table
from kbench.studies.grid_orders import Measure
from kbench.studies.part_models import opened, options_in
from kbench.studies.parts import Found, Step
from kbench.studies.study import BASE

BIOGRAPHIES = "biographies.parquet"

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "subject_id", "subject", "prompt", "text")),
        *((name, pa.int32()) for name in ("claims", "right", "ambiguous", "facts")),
    ]
)


@dataclass(frozen=True)
class Options:
    """Whom biographies are of, and how they are asked for; an empty `opening` is the articles' most usual title."""

    subjects: int = 30
    role: Role = "background"
    type: str = "person"
    split: Split = "test"
    way: Way = "opening"
    opening: str = ""
    tokens: int = TOKENS


def measure(order: Measure, step: Step) -> Found:
    """Precision, recall and the mean number of claims of each model; `biographies.parquet` holds the texts.

    Of a model whose texts claim nothing there is no precision.

    Raises:
        SpecError: an option is unknown or cannot be.
        ReleaseError: the release has no such subjects.
        ModelError: a model cannot be opened or asked.
    """
    assert order.release is not None
    options = options_in("biography", Options, order.options)
    release = open_release(order.release)
    checker = fact_checker(release)
    subjects = held_out(release, options.subjects, kind=options.type, role=options.role, split=options.split)
    opening = options.opening or opening_of(release, options.type)
    chance = sum(checker.chance(subject.entity_id) for subject in subjects) / len(subjects)
    written: dict[str, list[Biography]] = {}
    for done, (name, model) in enumerate(opened(order, release), start=1):
        written[name] = write_biographies(
            model, checker, subjects, options.way, opening=opening, max_tokens=options.tokens
        )
        step(done, 1 + len(order.runs))
    order.out.mkdir(parents=True, exist_ok=True)
    write_table(order.out / BIOGRAPHIES, _table(written))
    readings = {name: _readings(texts, chance) for name, texts in written.items()}
    found: Found = {}
    for name, values in readings.items():
        for reading, value in values.items():
            base = readings[BASE].get(reading)
            found[f"{reading}:{name}"] = {**value, "base": base["value"] if base and name != BASE else None}
    return found


def _readings(written: list[Biography], chance: float) -> Found:
    right, claims, facts = (
        sum(getattr(text.checked, name) for text in written) for name in ("right", "claimed", "facts")
    )
    beside: dict[str, Any] = {"entities": len(written), "control": None, "base": None}
    found: Found = {"claims": {"value": claims / len(written), "rows": len(written), **beside, "chance": None}}
    if claims:
        found["precision"] = {"value": right / claims, "rows": claims, **beside, "chance": chance}
    if facts:
        found["recall"] = {"value": right / facts, "rows": facts, **beside, "chance": None}
    return found


def _table(written: dict[str, list[Biography]]) -> pa.Table:
    rows = [
        {
            "model": name,
            "subject_id": one.subject.entity_id,
            "subject": one.subject.name,
            "prompt": one.prompt,
            "text": one.text,
            "claims": one.checked.claimed,
            "right": one.checked.right,
            "ambiguous": one.checked.ambiguous,
            "facts": one.checked.facts,
        }
        for name, texts in written.items()
        for one in texts
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
