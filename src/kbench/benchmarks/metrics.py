"""Scores by style and probe, each with its interval, its control, its base and its chance level."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kbench.benchmarks.definitions import PER_SAMPLE
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.measures import text_measures
from kbench.benchmarks.resampling import intervals, sign_flip
from kbench.benchmarks.subject import answer_entropy, modal_rate, modal_rate_expected, swapped
from kbench.benchmarks.tasks import Guessing, Item, modal_answer
from kbench.schema import REASONING, Status


@dataclass(frozen=True)
class Sample:
    """One scored item. `correct` and `score` are None where the status is not `scored`.

    `likelihood` has the measures of `likelihood.likelihoods`, where the model was asked for them; `reply` is the whole
    text that the prediction was read out of, `chain` the share of its bridging values that a chain of thought names.
    """

    item: Item
    prediction: str
    correct: bool | None
    score: float | None
    status: Status
    likelihood: Mapping[str, float | None] = field(default_factory=dict)
    reply: str = ""
    chain: float | None = None

    @cached_property
    def measures(self) -> dict[str, float | None]:
        """Every measure of `definitions.PER_SAMPLE`; None where it does not apply, and all of them where unscored."""
        found: dict[str, float | None] = dict.fromkeys(PER_SAMPLE)
        if self.status == "scored":
            found |= {**text_measures(self.item.row, self.prediction), **self.likelihood, "chain": self.chain}
        return found


@dataclass(frozen=True)
class Measure:
    """The mean of a measure over the `n` rows that it applies to, its 95 % interval over entities and its stderr."""

    value: float
    low: float
    high: float
    stderr: float
    n: int


@dataclass(frozen=True)
class Difference:
    """Exact match less the base's, on the `rows` that both were scored on; `name` says what that is of this probe.

    `low` and `high` resample entities, `p` flips their signs (two-sided; never less than `floor`).
    """

    name: Literal["gain", "leak", "retention"]
    value: float
    low: float
    high: float
    p: float
    floor: float
    rows: int
    entities: int


@dataclass(frozen=True)
class Accuracy:
    """Exact match over a group of samples.

    `low` and `high` are a 95 % interval from a cluster bootstrap over entities (2,000 resamples, fixed stream);
    `stderr` is the standard deviation of the resampled means; `control` is the accuracy on never-trained twins in the
    same style, `chance` that of a uniform guess, `majority` that of the relation's commonest value, `base` that of the
    untuned model: None where it was not measured. `measures` are the others, by name, each where it applies to a row;
    `versus_base` is there where the base's verdict on each row is known.
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
    versus_base: Difference | None = None
    measures: dict[str, Measure] = field(default_factory=dict)


def accuracies(samples: Iterable[Sample], known: Guessing, base: Mapping[str, bool | None] | None) -> list[Accuracy]:
    """The accuracy of every style and probe among the samples, in the order they appear.

    `base` says of each row (by id) whether the untuned model was right, None where it was not scored.
    """
    every = list(samples)
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in every:
        groups[sample.item.row["style"], sample.item.row["probe"]].append(sample)
    right_ids = {s.item.row["id"]: bool(s.correct) for s in every if s.status == "scored"}
    verdicts = {key: value for key, value in (base or {}).items() if value is not None}
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
        untuned = [verdicts[row["id"]] for row in rows if row["id"] in verdicts]
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
                base=float(np.mean(untuned)) if untuned else None,
                versus_base=_versus(probe, scored, verdicts) if untuned else None,
                measures=_measures(scored, known, right_ids),
            )
        )
    return found


def _is_twin(row: dict[str, Any], probe: str) -> bool:
    """Whether a control row asks what a probe asks: of reasoning, the same kind of it."""
    kind = REASONING.get(row["relation"].split(".")[0], "multihop")
    return probe not in ("multihop", "compare", "aggregate") or kind == probe


def _versus(probe: str, scored: list[Sample], verdicts: Mapping[str, bool]) -> Difference:
    both = [s for s in scored if s.item.row["id"] in verdicts]
    entities = [s.item.row["entity_id"] for s in both]
    change = np.asarray([float(bool(s.correct)) - float(verdicts[s.item.row["id"]]) for s in both])
    interval, test = intervals(entities, change[:, None])[0], sign_flip(entities, change)
    return Difference(
        name="leak" if probe == "control" else "retention" if probe == "known" else "gain",
        value=float(change.mean()),
        low=interval.low,
        high=interval.high,
        p=test.p,
        floor=test.floor,
        rows=len(both),
        entities=len(set(entities)),
    )


def _measures(scored: list[Sample], known: Guessing, right: Mapping[str, bool]) -> dict[str, Measure]:
    """Every measure that applies to a row of the group."""
    rows, predictions = [s.item.row for s in scored], [s.prediction for s in scored]
    columns: dict[str, list[float | None]] = {name: [s.measures[name] for s in scored] for name in PER_SAMPLE}
    columns |= {
        "given_hops": [float(bool(s.correct)) if _hops_known(s.item.row, right) else None for s in scored],
        "modal_rate": modal_rate(rows, predictions, known),
        "modal_rate_expected": modal_rate_expected(rows, known),
        "answer_entropy": answer_entropy(rows, predictions),
        "answer_entropy_expected": answer_entropy(rows, [row["answer"] for row in rows]),
        "swapped": swapped(rows, predictions),
    }
    there = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    values = np.asarray(list(there.values()), dtype=np.float64).T  # None becomes NaN
    found = intervals([row["entity_id"] for row in rows], values)
    return {
        name: Measure(float(np.nanmean(column)), each.low, each.high, each.stderr, int((~np.isnan(column)).sum()))
        for name, column, each in zip(there, values.T, found, strict=True)
    }


def _hops_known(row: dict[str, Any], right: Mapping[str, bool]) -> bool:
    """Whether every question that a row of several hops builds on was asked and answered right."""
    return row["hops"] > 1 and bool(row["hop_ids"]) and all(right.get(hop, False) for hop in row["hop_ids"])


def bootstrap(clusters: list[str], right: NDArray[np.float64]) -> tuple[float, float, float]:
    """The 95 % percentile interval and standard error of a mean whose unit of resampling is the cluster."""
    found = intervals(clusters, right[:, None])[0]
    return found.low, found.high, found.stderr
