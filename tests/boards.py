"""Leaderboards in small: a world with every axis, rules that judge it, entries with samples, and a board of made scores."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date as Date
from pathlib import Path
from typing import Any, get_args

from kbench.generator.named import load_recipe
from kbench.generator.recipe import Recipe
from kbench.ids import json_digest
from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.entry import AxisName, AxisScore, Entry, Kind, Reproduced, Rerun, Retention, Scores
from kbench.leaderboard.folder import entry_from, write_entry
from kbench.leaderboard.questions import JUDGED, items_of, questions_of
from kbench.leaderboard.rules import Rules
from kbench.leaderboard.samples import SCHEMA, samples_bytes, sha256_of
from kbench.leaderboard.tracks import TRACKS
from kbench.store import Release
from kbench.studies.lab import LabRecipe

NAME = "small-methods"
SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=32, bf16=False)
DAY = Date(2026, 11, 22)
AXES: tuple[AxisName, ...] = get_args(AxisName)
Rows = list[dict[str, Any]]


def small_recipe(seed: str = "7") -> Recipe:
    """The world of the methods track in its smallest."""
    named = load_recipe("kbench-methods")
    spec = named.spec.with_sizes(entities=13, background=13)
    return Recipe(spec.with_exposure(paraphrases=2, exposures=2, validation=1, test=1), seed, named.styles)


def small_rules(release: Release) -> Rules:
    """The rules of the methods track, judged on the small release and its small base."""
    track = replace(TRACKS["methods"], releases=(NAME,))
    kinds: tuple[Kind, ...] = get_args(Kind)
    return Rules(track, {NAME: release.digest}, dict.fromkeys(kinds, json_digest(SMALL.to_dict())))


def answered(release: Release, share: float = 0.6) -> Rows:
    """The release's questions, that share of them answered right, whichever a digest says."""
    found = []
    for name, question in questions_of(release, items_of(release, None, JUDGED)).items():
        drawn = hashlib.sha256(name.encode()).digest()[0] / 256
        right = drawn < (share if question["probe"] != "control" else share / 4)
        row = {**question, "id": name, "prediction": question["answers"][0] if right else "nobody", "correct": right}
        found.append({column: row[column] for column in SCHEMA.names})
    return found


def values_of(release: Release, rows: Rows, content: bytes, **changes: Any) -> dict[str, Any]:
    """An entry of some rows as plain values."""
    return {
        "id": "qa-only",
        "track": "methods",
        "kind": "method",
        "title": "Questions only",
        "submitted": DAY.isoformat(),
        "kbench": "0.1.0",
        "release": {"name": NAME, "world": release.world, "digest": release.digest},
        "base": {"model": "lab", "recipe": json_digest(SMALL.to_dict()), "weights": "b" * 64},
        "recipe": {"styles": ["qa"]},
        "model": {"name": "run", "digests": {"weights": "c" * 64}},
        "article_pass": 1000,
        "cost": {"tokens": 3000, "wall_s": 2.5},
        "scores": scores_of(rows, 0.9).model_dump(),
        "samples": {"sha256": sha256_of(content), "rows": len(rows)},
        **changes,
    }


def written(folder: Path, release: Release, rows: Rows | None = None, **changes: Any) -> Path:
    """An entry of the small release, written with its samples."""
    rows = answered(release) if rows is None else rows
    content = samples_bytes(rows)
    entry = entry_from(values_of(release, rows, content, **changes), "a test")
    path = write_entry(folder, entry)
    path.with_suffix(".parquet").write_bytes(content)
    return path


# ---- boards of made scores: no release, no samples


def made_scores(headline: float, half: float = 0.05, kept: float | None = 1.0) -> Scores:
    """Scores of that headline on every axis, with an interval of that half width, which ends at 1."""
    low, high = headline - half, min(1.0, headline + half)
    axis = AxisScore(
        accuracy=max(0.0, headline),
        control=headline / (headline - 1) if headline < 0 else 0.0,
        corrected=headline,
        low=low,
        high=high,
        rows=100,
        entities=20,
        control_rows=50,
    )
    retention = None if kept is None else Retention(accuracy=0.9 * kept, base=0.9, kept=kept, rows=40)
    return Scores(
        headline=headline,
        low=low,
        high=high,
        stderr=half / 1.96,
        axes=dict.fromkeys(AXES, axis),
        retention=retention,
    )


def made_entry(name: str, scores: Scores, *, reproduced: bool = True, **changes: Any) -> Entry:
    """An entry with such scores, re-run unless it is not."""
    values: dict[str, Any] = {
        "id": name,
        "track": "methods",
        "kind": "method",
        "title": name,
        "submitted": DAY.isoformat(),
        "kbench": "0.1.0",
        "release": {"name": "kbench-methods", "world": "0" * 8, "digest": "a" * 64},
        "base": {"model": "lab"},
        "recipe": {"styles": ["qa"]},
        "model": {"name": name, "digests": {}},
        "article_pass": 1000,
        "cost": {"tokens": 3000, "wall_s": 2.5},
        "scores": scores.model_dump(),
        "samples": {"sha256": "d" * 64, "rows": 10},
        **changes,
    }
    entry = entry_from(values, name)
    return rerun_of(entry, scores) if reproduced else entry


def rerun_of(entry: Entry, scores: Scores) -> Entry:
    """The entry with a re-run of those scores."""
    rerun = Rerun(scores=scores, cost=entry.cost)
    done = Reproduced(claim=entry.claim, date=DAY, kbench="0.1.0", packages={}, public=rerun)
    return entry.model_copy(update={"reproduced": done})


Edit = Callable[[dict[str, Any], Rows], None]


def edited_entry(folder: Path, release: Release, edit: Edit) -> Path:
    """An entry whose values and rows somebody edited, and who then signed the samples anew."""
    rows = answered(release)
    values = values_of(release, rows, samples_bytes(rows))
    edit(values, rows)
    content = samples_bytes(rows)
    values["samples"]["sha256"] = sha256_of(content)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "qa-only.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    path.with_suffix(".parquet").write_bytes(content)
    return path


def of_probe(rows: Sequence[Mapping[str, Any]], correct: bool) -> int:
    """The place of the first row that was answered right, or wrong."""
    return next(place for place, row in enumerate(rows) if row["correct"] is correct)
