"""Scores by style and probe, each with its interval, its control, its base and its chance level."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.tasks import Guessing, Item, modal_answer
from kbench.schema import REASONING, Status

_RESAMPLES = 2000
_STREAM = 20250307


@dataclass(frozen=True)
class Sample:
    """One scored item. `correct` and `score` are None where the status is not `scored`."""

    item: Item
    prediction: str
    correct: bool | None
    score: float | None
    status: Status


@dataclass(frozen=True)
class Accuracy:
    """Exact match over a group of samples.

    `low` and `high` are a 95 % interval from a cluster bootstrap over entities (2,000 resamples, fixed stream);
    `stderr` is the standard deviation of the resampled means; `control` is the accuracy on never-trained twins in the
    same style, `chance` that of a uniform guess, `majority` that of the relation's commonest value, `base` that of the
    untuned model: None where it was not measured.
    """

    style: str
    probe: str
    accuracy: float
    low: float
    high: float
    stderr: float
    rows: int
    facts: int
    entities: int
    unscored: int
    errors: int
    control: float | None
    chance: float
    majority: float
    base: float | None


def accuracies(samples: Iterable[Sample], known: Guessing, base: Mapping[str, bool | None] | None) -> list[Accuracy]:
    """The accuracy of every style and probe among the samples, in the order they appear.

    `base` is the base's verdict by row id.
    """
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.item.row["style"], sample.item.row["probe"]].append(sample)
    found = []
    for (style, probe), group in groups.items():
        scored = [s for s in group if s.status == "scored"]
        if not scored:
            continue
        rows = [s.item.row for s in scored]
        right = np.asarray([float(bool(s.correct)) for s in scored])
        low, high, stderr = bootstrap([row["entity_id"] for row in rows], right)
        control = [
            float(bool(s.correct))
            for s in groups.get((style, "control"), [])
            if s.status == "scored" and _is_twin(s.item.row, probe)
        ]
        found.append(
            Accuracy(
                style=style,
                probe=probe,
                accuracy=float(right.mean()),
                low=low,
                high=high,
                stderr=stderr,
                rows=len(scored),
                facts=len({fact for row in rows for fact in row["fact_ids"]}),
                entities=len({row["entity_id"] for row in rows}),
                unscored=sum(s.status == "unscored" for s in group),
                errors=sum(s.status == "error" for s in group),
                control=float(np.mean(control)) if control and probe != "control" else None,
                chance=float(np.mean([known.chance(row) for row in rows])),
                majority=float(np.mean([exact_match(modal_answer(known, row), row["answers"]) for row in rows])),
                base=_mean_of(base, rows) if base else None,
            )
        )
    return found


def _mean_of(verdicts: Mapping[str, bool | None], rows: list[dict[str, Any]]) -> float | None:
    """The share of rows that were answered right, of those with a verdict."""
    found = [right for row in rows if (right := verdicts.get(row["id"])) is not None]
    return sum(found) / len(found) if found else None


def _is_twin(row: dict[str, Any], probe: str) -> bool:
    """Whether a control row asks what a probe asks: of reasoning, the same kind of it."""
    kind = REASONING.get(row["relation"].split(".")[0], "multihop")
    return probe not in ("multihop", "compare", "aggregate") or kind == probe


def bootstrap(clusters: list[str], right: NDArray[np.float64]) -> tuple[float, float, float]:
    """The 95 % percentile interval and standard error of a mean whose unit of resampling is the cluster."""
    _, places = np.unique(np.asarray(clusters), return_inverse=True)
    sums, counts = np.bincount(places, weights=right), np.bincount(places)
    stream = np.random.default_rng(_STREAM)
    drawn = stream.integers(0, sums.size, size=(_RESAMPLES, sums.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high), float(means.std(ddof=1))
