"""The part `similarity` of a study: how alike the questions of each rung of a ladder are to those trained on."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import pyarrow as pa

from kbench.benchmarks.models.embedder import load_embedder
from kbench.benchmarks.prompts import prompt_of
from kbench.benchmarks.similarity import Alike, Embed, similarity, tfidf
from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.store import Release, open_release, write_table
from kbench.studies.grid_orders import Measure
from kbench.studies.parts import Found, Step

Row = dict[str, Any]

TABLE = "similarity.parquet"
"""What is left behind: each question with its cosines."""

_OPTIONS = ("trained", "rungs", "embedder", "split", "most")
_OF_A_RUNG = ("relations", "types")
_MOST = 400
"""Of the trained questions, and of each rung, so many are taken at most."""


def measure(order: Measure, step: Step) -> Found:
    """The readings `hidden:RUNG` and `tfidf:RUNG` (cosine to the mean of the trained questions), and to the nearest.

    These are called `hidden_nearest:RUNG` and `tfidf_nearest:RUNG`. Options: `trained` (relations that are finetuned
    on), `rungs` (of each its `relations` and `types`; one that is not named is open), `embedder` (a folder or Hub id;
    the base), `split` (test), `most` (400 questions of each kind).

    Raises SpecError where an option is missing or unknown, ReleaseError where a rung has no question, ModelError where
    the embedder cannot be loaded.
    """
    assert order.release is not None
    assert order.base is not None
    options = _checked(order.options)
    release = open_release(order.release)
    most = options.get("most", _MOST)
    trained = _trained(release, options["trained"], most)
    rungs = {
        name: _rung(release, name, rung, options.get("split", "test"), most) for name, rung in options["rungs"].items()
    }
    step(0, 2)
    measures = {"tfidf": _measured(trained, rungs, _question, tfidf)}
    step(1, 2)
    # The base knows questions as they are put to it and no others; what embeds any text is given the question alone.
    embedder = load_embedder(options.get("embedder") or order.base.path)
    measures["hidden"] = _measured(trained, rungs, _question if "embedder" in options else prompt_of, embedder.vectors)
    order.out.mkdir(parents=True, exist_ok=True)
    write_table(order.out / TABLE, _table(rungs, measures))
    step(2, 2)
    return {
        f"{kind}:{name}": _reading(rows, values)
        for measured, found in measures.items()
        for name, rows in rungs.items()
        for kind, values in (
            (measured, found[name].centroid),
            (f"{measured}_nearest", found[name].nearest),
        )
    }


def _measured(
    trained: Sequence[Row], rungs: Mapping[str, Sequence[Row]], text: Callable[[Row], str], embed: Embed
) -> dict[str, Alike]:
    return similarity([text(row) for row in trained], {n: [text(row) for row in r] for n, r in rungs.items()}, embed)


def _question(row: Row) -> str:
    return str(row["question"])


def _reading(rows: Sequence[Row], values: Sequence[float]) -> dict[str, Any]:
    entities = len({row["entity_id"] for row in rows})
    beside = dict.fromkeys(("control", "base", "chance"))
    return {"value": fmean(values), "rows": len(rows), "entities": entities, **beside}


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    here = "a part of kind similarity"
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise SpecError(f"{here} has no option {unknown[0]!r}: have {', '.join(_OPTIONS)}")
    for name in ("trained", "rungs"):
        if not options.get(name):
            raise SpecError(f"{here} needs the option {name!r}: trained relations, and rungs with relations and types")
    for name, rung in options["rungs"].items():
        if unknown := sorted(set(rung) - set(_OF_A_RUNG)):
            raise SpecError(f"{here}: rungs.{name} has no key {unknown[0]!r}: have {', '.join(_OF_A_RUNG)}")
    return options


def _trained(release: Release, relations: Sequence[str], most: int) -> list[Row]:
    rows = release.table("qa", "train").to_pylist()
    for relation in relations:
        if not any(row["relation"] == relation for row in rows):
            have = ", ".join(dict.fromkeys(row["relation"] for row in rows))
            raise ReleaseError(f"the release {release.path} trains no questions of {relation!r}: have {have}")
    return _some([row for row in rows if row["relation"] in relations], most)


def _rung(release: Release, name: str, rung: Mapping[str, Any], split: str, most: int) -> list[Row]:
    """Questions about people and things of the background, which no finetuning asks about."""
    entities = {row["entity_id"]: row for row in release.table("entities", "train").to_pylist()}
    relations, types = rung.get("relations"), rung.get("types")
    found = [
        row
        for row in release.table("qa", split).to_pylist()
        if row["probe"] == "known"
        and entities[row["entity_id"]]["role"] == "background"
        and (not relations or row["relation"] in relations)
        and (not types or entities[row["entity_id"]]["type"] in types)
    ]
    if not found:
        asked = "; ".join(f"{key} {', '.join(value)}" for key, value in rung.items()) or "any"
        raise ReleaseError(
            f"the release {release.path} has no questions in qa/{split} about the background for the rung {name!r} "
            f"({asked}): have {', '.join(dict.fromkeys(row['relation'] for row in release.rows('qa', split)))}"
        )
    return _some(found, most)


def _some(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many, drawn the same everywhere."""
    return sorted(rows, key=lambda row: digest_of("similarity", row["id"]))[:most]


def _table(rungs: Mapping[str, Sequence[Row]], measures: Mapping[str, Mapping[str, Alike]]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "rung": [name for name, rows in rungs.items() for _ in rows],
        "id": [row["id"] for rows in rungs.values() for row in rows],
        "relation": [row["relation"] for rows in rungs.values() for row in rows],
        "question": [row["question"] for rows in rungs.values() for row in rows],
    }
    for measured, found in measures.items():
        columns[measured] = [value for name in rungs for value in found[name].centroid]
        columns[f"{measured}_nearest"] = [value for name in rungs for value in found[name].nearest]
    return pa.table(columns)
