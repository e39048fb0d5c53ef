"""Claims judged: each a sum of levels in every seed, its t interval over seeds, and where that interval lies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from kbench.studies.contrasts import t_interval
from kbench.studies.study import Claim, Effect, Gate, Study, Term
from kbench.studies.study_levels import Level, Levels

Verdict = Literal["holds", "fails", "inconclusive", "not_testable"]
LEAST_SEEDS = 3
"""Below so many seeds nothing is judged."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, its 95 % t interval (None below two seeds), each seed's own value, and the rows behind it."""

    values: Mapping[int, float]
    mean: float
    low: float | None
    high: float | None
    rows: int

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that it is over."""
        return tuple(self.values)


@dataclass(frozen=True)
class Passage:
    """What a gate lets pass: the seeds (None: all of them), or why nothing."""

    seeds: frozenset[int] | None
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """A claim and what came of it: the verdict, why, and the estimate of each of its effects (none: not testable)."""

    claim: Claim
    verdict: Verdict
    reason: str
    estimates: tuple[Estimate, ...]
    levels: tuple[tuple[str, str, float], ...]
    """The cell, reading and mean level of each term of its first effect."""
    each: tuple[Verdict, ...] = ()
    """What came of each of its effects (none: not testable)."""

    def to_dict(self) -> dict[str, Any]:
        """As claims.json has it."""
        first = self.estimates[0] if self.estimates else None
        return {
            "claim": self.claim.name,
            "verdict": self.verdict,
            "reason": self.reason,
            "effect": first.mean if first else None,
            "interval": [first.low, first.high] if first and first.low is not None else None,
            "n": first.rows if first else 0,
            "seeds": list(first.seeds) if first else [],
            "source": self.claim.source,
        }


def judge_all(study: Study, levels: Levels) -> list[Judged]:
    """Every claim of a study, by what was run of it."""
    return [judge(study, claim, levels) for claim in study.claims]


def judge(study: Study, claim: Claim, levels: Levels) -> Judged:
    """One claim: first whether it can be read at all, then where the intervals of its effects lie."""
    if claim.lab:
        return Judged(claim, "not_testable", f"read of the lab's models alone: {claim.lab}", (), ())
    seeds: frozenset[int] | None = None
    # Seeds that one gate leaves out say nothing about another.
    for name in sorted(claim.gates, key=lambda name: not study.gates[name].each):
        passed = passage(study, study.gates[name], levels, seeds)
        if passed.reason:
            return Judged(claim, "not_testable", f"gate {name}: {passed.reason}", (), ())
        seeds = passed.seeds
    estimates: list[Estimate] = []
    found: list[tuple[Verdict, str]] = []
    for effect in claim.effects:
        if missing := levels.missing((study.named(cell), read) for _, cell, read in (*effect.of, *effect.bound_of)):
            return Judged(claim, "not_testable", missing, (), ())
        estimate = estimate_of(study, effect.of, levels, seeds)
        if len(estimate.seeds) < LEAST_SEEDS:
            reason = f"{len(estimate.seeds)} seeds have all of it and pass the gates: {LEAST_SEEDS} are needed"
            return Judged(claim, "not_testable", reason, (), ())
        estimates.append(estimate)
        found.append(_reading(study, effect, estimate, levels, seeds))
    shown = tuple(
        (study.named(cell), reading, estimate_of(study, [(1, cell, reading)], levels, estimates[0].seeds).mean)
        for _, cell, reading in claim.effects[0].of
    )
    verdict = _together([verdict for verdict, _ in found])
    # What decides comes first.
    reasons = [reason for _, reason in sorted(found, key=lambda each: each[0] != verdict)]
    return Judged(claim, verdict, "; ".join(reasons), tuple(estimates), shown, tuple(each for each, _ in found))


def estimate_of(study: Study, of: Sequence[Term], levels: Levels, only: Collection[int] | None = None) -> Estimate:
    """A sum of levels in each seed that has them all (and is among `only`), its mean and interval over seeds."""
    columns: list[tuple[float, Mapping[int, Level]]] = [(w, levels.of(study.named(c), r)) for w, c, r in of]
    seeds = sorted(set.intersection(*(set(column) for _, column in columns)))
    seeds = [seed for seed in seeds if only is None or seed in only]
    values = {seed: sum(weight * column[seed].value for weight, column in columns) for seed in seeds}
    rows = sum(column[seed].rows for _, column in columns for seed in seeds)
    if not values:
        return Estimate({}, float("nan"), None, None, 0)
    low, high = t_interval(list(values.values())) if len(values) > 1 else (None, None)
    return Estimate(values, fmean(values.values()), low, high, rows)


def passage(study: Study, gate: Gate, levels: Levels, only: frozenset[int] | None = None) -> Passage:
    """What a gate lets pass of all seeds, or of those in `only`, by the levels that there are."""
    cell = study.named(gate.cell)
    column = gate_values(cell, gate, levels)
    column = {seed: value for seed, value in column.items() if only is None or seed in only}
    if not column:
        wanted = [(cell, reading) for reading in (gate.reading, gate.minus) if reading]
        return Passage(None, levels.missing(wanted) or "no seed that is left has it")
    if gate.each:
        passing = frozenset(seed for seed, value in column.items() if value >= gate.least)
        if len(passing) < LEAST_SEEDS:
            told = ", ".join(f"seed {seed}: {value:.2f}" for seed, value in column.items())
            return Passage(None, f"{gate.title} must be {gate.least:.2f} or more in {LEAST_SEEDS} seeds ({told})")
        return Passage(passing)
    mean = fmean(column.values())
    if mean < gate.least:
        return Passage(None, f"{gate.title} must be {gate.least:.2f} or more (got {mean:.2f})")
    return Passage(only)


def gate_values(cell: str, gate: Gate, levels: Levels) -> dict[int, float]:
    """What a gate looks at, in each seed that has it."""
    column = {seed: level.value for seed, level in levels.of(cell, gate.reading).items()}
    if not gate.minus:
        return column
    less = levels.of(cell, gate.minus)
    return {seed: value - less[seed].value for seed, value in column.items() if seed in less}


def _reading(
    study: Study, effect: Effect, estimate: Estimate, levels: Levels, seeds: Collection[int] | None
) -> tuple[Verdict, str]:
    assert estimate.low is not None
    assert estimate.high is not None
    low, high = estimate.low, estimate.high
    told = f"{effect.title + ': ' if effect.title else ''}{estimate.mean:+.2f} ({low:+.2f} to {high:+.2f})"
    if effect.direction == "above":
        if low > effect.least:
            return "holds", f"{told} lies above {effect.least:g}"
        if high <= effect.least:
            return "fails", f"{told} does not reach above {effect.least:g}"
        return "inconclusive", f"{told} reaches across {effect.least:g}"
    if not effect.bound_of:
        bound = effect.bound
        return _inside(told, [(bound - high, bound - low), (bound + low, bound + high)], f"{bound:g}")
    sides = []
    for sign in (-1.0, 1.0):
        side = estimate_of(study, [*effect.bound_of, *((sign * w, c, r) for w, c, r in effect.of)], levels, seeds)
        if side.low is None or side.high is None or len(side.seeds) < LEAST_SEEDS:
            return "not_testable", f"{told}: what it is held against has too few seeds"
        sides.append((side.low, side.high))
    return _inside(told, sides, f"{estimate_of(study, effect.bound_of, levels, seeds).mean:.2f}")


def _inside(told: str, sides: Sequence[tuple[float, float]], bound: str) -> tuple[Verdict, str]:
    """Two one-sided comparisons: how far the effect stays from either end of its bounds, as intervals."""
    if all(low > 0 for low, _ in sides):
        return "holds", f"{told} lies within ±{bound}"
    if any(high < 0 for _, high in sides):
        return "fails", f"{told} lies outside ±{bound}"
    return "inconclusive", f"{told} is not surely within ±{bound}"


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a claim of several effects: the worst of them."""
    order: tuple[Verdict, ...] = ("not_testable", "fails", "inconclusive", "holds")
    return min(verdicts, key=order.index)
