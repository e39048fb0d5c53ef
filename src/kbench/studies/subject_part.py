"""The part `subject` of a study: do its models listen to the subject of held-out questions?"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from kbench.benchmarks.answers import taught_answers
from kbench.benchmarks.listening import Heard, listen, listening_rows, mean
from kbench.benchmarks.models.adapter_files import is_adapter
from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.subject import answer_entropy
from kbench.benchmarks.tasks import Guessing
from kbench.errors import ModelError, SpecError
from kbench.store import open_release, write_table
from kbench.studies.grid_orders import Measure
from kbench.studies.parts import Found, Step

BASE = "base"
ATTENTION, SENSITIVITY, ANSWERS = "attention.parquet", "sensitivity.parquet", "answers.parquet"
"""What is left behind: the share of attention by row and layer, both sensitivities by row, the answers."""

_OPTIONS = ("relations", "split", "rows", "candidates")


def measure(order: Measure, step: Step) -> Found:
    """The readings of `Heard.summary`, each with `:NAME`: `attention`, `sensitivity`, `modal`, `swapped` and more.

    NAME is `base` or one of the order's runs. Options: `relations` (all), `split` (test), `rows` (240) and `candidates`
    (24; 0 for no `sensitivity_values`).

    Raises SpecError where an option is unknown, ReleaseError where there are no such questions, ModelError where a
    model cannot be looked into.
    """
    assert order.release is not None
    assert order.base is not None
    if unknown := sorted(set(order.options) - set(_OPTIONS)):
        raise SpecError(f"a part of kind subject has no option {unknown[0]!r}: have {', '.join(_OPTIONS)}")
    options = {"rows": 240, "candidates": 24, **order.options}
    release, base = open_release(order.release), order.base.path
    most, candidates = options.pop("rows"), options.pop("candidates")
    rows = listening_rows(release, most=most, **options)
    models: dict[str, str] = {BASE: base, **{name: str(path) for name, path in order.runs.items()}}
    heard: dict[str, Heard] = {}
    for done, (name, path) in enumerate(models.items()):
        step(done, len(models))
        heard[name] = listen(release, _opened(path, base), rows, candidates=candidates)
    order.out.mkdir(parents=True, exist_ok=True)
    for file, table in tables(heard).items():
        write_table(order.out / file, table)
    found: Found = {}
    for name in models:
        known = taught_answers(release, order.runs.get(name))
        found |= {f"{kind}:{name}": reading for kind, reading in _readings(heard[name], heard[BASE], known).items()}
    step(len(models), len(models))
    return found


def _opened(path: str, base: str) -> HfModel:
    # As in scoring: a CPU is slower in 16 bits.
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    return load_hf(path, base=base if is_adapter(Path(path)) else None, dtype=dtype)


def _readings(heard: Heard, base: Heard, known: Guessing) -> Found:
    """The readings of one model, by their kind; of the base its own value stands beside its value."""
    own, below = heard.summary(known), base.summary(known)
    counted = _counted(heard, known)
    if not counted["attention"]:
        raise ModelError(
            f"none of {len(heard.rows)} questions names its subject in the model's prompt: "
            "give a part of kind subject the relations of people or things that have a name"
        )
    guessed = mean(known.chance(row) for row in heard.rows)
    chances = {
        "accuracy": guessed,
        "attention": own["attention_even"],
        "sensitivity": 0.0,
        "sensitivity_values": 0.0,
        # A wrong answer that is drawn evenly from the relation's values is any of them.
        "modal": guessed,
        "commonest": guessed,
        "entropy": mean(answer_entropy(heard.rows, [row["answer"] for row in heard.rows])),
        "swapped": guessed,
    }
    found: Found = {}
    for kind, chance in chances.items():
        if own[kind] is None:
            continue
        there = counted[kind]
        entities = len({heard.rows[place]["entity_id"] for place in there})
        found[kind] = {"value": own[kind], "rows": len(there), "entities": entities, "control": None}
        found[kind] |= {"base": below[kind], "chance": chance}
    found["attention"]["unnamed"] = heard.unnamed
    for kind in found.keys() & {"sensitivity", "sensitivity_values"}:
        found[kind]["most"] = mean(math.log(each.subjects) for each in heard.sensitivity if each)
    return found


def _counted(heard: Heard, known: Guessing) -> Mapping[str, Sequence[int]]:
    """The places of the rows that each reading is over."""
    values: dict[str, Iterable[Any]] = {
        "accuracy": heard.correct,
        "attention": heard.attention,
        "sensitivity": heard.sensitivity,
        "sensitivity_values": [each.values if each else None for each in heard.sensitivity],
        "modal": heard.modal(known),
        "commonest": heard.commonest(),
        "entropy": heard.entropy(),
        "swapped": heard.swapped(),
    }
    return {kind: [place for place, value in enumerate(each) if value is not None] for kind, each in values.items()}


def tables(heard: Mapping[str, Heard]) -> dict[str, pa.Table]:
    """What was found of some models, row by row, by the file that keeps it."""
    attention = [
        {**_who(name, row), "layer": layer, "attention": paid, "even": it.even}
        for name, each in heard.items()
        for row, it in zip(each.rows, each.attention, strict=True)
        if it
        for layer, paid in enumerate(it.layers)
    ]
    sensitivity = [
        {
            **_who(name, row),
            **{"template_id": row["template_id"], "subjects": it.subjects},
            **{"first_token": it.first_token, "values": it.values},
        }
        for name, each in heard.items()
        for row, it in zip(each.rows, each.sensitivity, strict=True)
        if it
    ]
    answers = [
        {**_who(name, row), "prediction": said, "correct": right}
        for name, each in heard.items()
        for row, said, right in zip(each.rows, each.predictions, each.correct, strict=True)
    ]
    text, share = pa.string(), pa.float64()
    who = {"model": text, "id": text, "relation": text}
    apart = {"template_id": text, "subjects": pa.int32(), "first_token": share, "values": share}
    return {
        ATTENTION: _table(attention, {**who, "layer": pa.int32(), "attention": share, "even": share}),
        SENSITIVITY: _table(sensitivity, {**who, **apart}),
        ANSWERS: _table(answers, {**who, "prediction": text, "correct": pa.bool_()}),
    }


def _who(model: str, row: dict[str, Any]) -> dict[str, str]:
    return {"model": model, "id": row["id"], "relation": row["relation"]}


def _table(rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items())))
