"""Scoring a model on a release and keeping the result: model and base on the same rows, side by side."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench.benchmarks.evaluate import ASKED, evaluate, mean_correct
from kbench.benchmarks.metrics import Sample, accuracies
from kbench.benchmarks.models.open import BASELINES as BASELINES
from kbench.benchmarks.models.open import open_model
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.results import model_digests, read_result, write_result
from kbench.benchmarks.tasks import guessing, load_items
from kbench.errors import OutputError
from kbench.rows import Rows
from kbench.store import Release, prepare_folder, write_json

PLAN = ".kbench_result_plan.json"
"""What an unfinished result is to become."""


@dataclass(frozen=True, repr=False)
class Result:
    """A scored model: the folder, results.json, the samples where they were scored now, and whether they were."""

    path: Path
    about: dict[str, Any]
    samples: list[Sample]
    scored_now: bool

    def scores(self) -> Rows:
        """A row a style and probe: accuracy, its interval, control, base, chance, majority, and how many rows."""
        return Rows(pa.Table.from_pylist(self.about["kbench"]["scores"]), f"scores in {self.path}")

    def __repr__(self) -> str:
        """The model, the release, and each score beside its interval, control and chance level."""
        kbench = self.about["kbench"]
        partial = ", partial" if kbench["partial"] else ""
        lines = [f"result {self.path}: {self.about['model_name']} on world {kbench['release']['world']}{partial}"]
        for s in kbench["scores"]:
            beside = ", ".join(f"{key} {s[key]:.2f}" for key in ("control", "base", "chance") if s[key] is not None)
            interval = f"{s['accuracy']:.2f} ({s['low']:.2f} to {s['high']:.2f})"
            lines.append(f"  {s['style']:<9} {s['probe']:<11} {interval}, {beside}, {s['rows']:,} rows")
        return "\n".join(lines)


def score(
    release: Release,
    model: str,
    out: Path,
    *,
    base: str | None = None,
    base_scores: dict[tuple[str, str], float] | None = None,
    splits: tuple[str, ...] = ASKED,
    limit: int | None = None,
    batch: int = 256,
    most_tokens: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """Score a model, and its base on the same rows unless its scores are given; a finished result is left alone.

    Raises:
        OutputError: `out` holds another result or something else.
        ModelError: a model cannot be loaded.
    """
    question: dict[str, Any] = {
        "model": model,
        **model_digests(Path(model)),
        "base": {"model": base, **model_digests(Path(base))} if base else None,
        "scoring": {"splits": list(splits), "limit": limit, "max_tokens": most_tokens, "decoding": "greedy"},
    }
    found = read_result(out)
    if found is not None:
        kept = {key: found["kbench"].get(key) for key in question}
        if _identity(kept) != _identity(question) or found["kbench"]["release"]["digest"] != release.digest:
            raise OutputError(f"{out} holds another result (of {found['model_name']}): give another --out")
        return Result(out, found, [], scored_now=False)
    decoding = Decoding(max_tokens=most_tokens)
    items, known = load_items(release, splits, limit), guessing(release)
    tuned = open_model(model, release, batch=batch)
    prepare_folder(out, PLAN)
    write_json(out / PLAN, question)
    done, total = 0, len(items) * (2 if base else 1)

    def step(n: int) -> None:
        nonlocal done
        done += n
        progress(done, total)

    start, cpu = time.perf_counter(), time.process_time()
    samples = evaluate(tuned, items, step, decoding)
    cost = {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    if base and base_scores is None:
        untuned = evaluate(open_model(base, release, batch=batch), items, step, decoding)
        groups = {(i.row["style"], i.row["probe"]) for i in items}
        base_scores = {(style, probe): mean_correct(untuned, style=style, probe=probe) for style, probe in groups}
    scores = accuracies(samples, known, base_scores)
    about = {**question, "partial": limit is not None, "cost": cost}
    result = write_result(out, release, model, scores, samples, about)
    (out / PLAN).unlink()
    return Result(out, result, samples, scored_now=True)


def scores_of(result: dict[str, Any]) -> dict[tuple[str, str], float]:
    """The accuracy of each (style, probe) in a results.json: what `score` takes as the base's scores."""
    return {(s["style"], s["probe"]): float(s["accuracy"]) for s in result["kbench"]["scores"]}


def _identity(question: dict[str, Any]) -> dict[str, Any]:
    """What makes two questions the same: weights by digest, and a path only where there is none."""
    base = question["base"]
    return {
        **question,
        "model": None if question.get("weights") else question["model"],
        "base": {**base, "model": None} if base and base.get("weights") else base,
    }
