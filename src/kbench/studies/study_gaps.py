"""The gaps of a study: two cells side by side on one reading after another, and why a gap is smaller than the first."""

from dataclasses import dataclass

from kbench.studies.study import Gap, Study
from kbench.studies.study_claims import Estimate, estimate_of
from kbench.studies.study_design import Design
from kbench.studies.study_levels import Levels
from kbench.studies.study_means import title_of


@dataclass(frozen=True)
class GapRow:
    """One reading of two cells: both levels and the base's, the gap, and by how much it is smaller than the first.

    `why` says which of the two levels closed it; it is empty of the first reading, and where the gap is no smaller.
    """

    title: str
    better: float
    worse: float
    base: float | None
    gap: Estimate
    closed: Estimate | None
    why: str


def gap_rows(design: Design, levels: Levels, gap: Gap) -> list[GapRow]:
    """A row for each reading of a gap that two seeds or more have in both cells."""
    study, found = design.study, list[GapRow]()
    first: str | None = None
    for reading in gap.readings:
        difference = estimate_of(study, [(1, gap.better, reading), (-1, gap.worse, reading)], levels)
        if difference.low is None:
            continue
        better, worse = (_mean(study, cell, reading, levels, difference) for cell in (gap.better, gap.worse))
        # The base is the same at every checkpoint.
        base = levels.of(gap.base, reading) or levels.of(gap.base, reading.partition("@")[0])
        closed = None
        why = ""
        if first is not None:
            closed = _closed(study, gap, first, reading, levels)
            before = [_mean(study, cell, first, levels, difference) for cell in (gap.better, gap.worse)]
            why = why_closed(closed.mean, better - before[0], worse - before[1])
        first = first or reading
        below = sum(level.value for level in base.values()) / len(base) if base else None
        found.append(GapRow(title_of(study, reading), better, worse, below, difference, closed, why))
    return found


def why_closed(closed: float, better: float, worse: float) -> str:
    """In words, by how much each of the two levels changed: a gap may close by the better one getting worse."""
    if closed <= 0:
        return "it is no smaller"
    if worse <= 0:
        return "both are lower, the better one by more" if worse else "only because the better one is lower"
    if better >= 0:
        return "both are higher, the worse one by more" if better else "because the worse one is higher"
    share = worse / (worse - better)
    return f"{share:.0%} of it because the worse one is higher, the rest because the better one is lower"


def _closed(study: Study, gap: Gap, first: str, reading: str, levels: Levels) -> Estimate:
    terms = [(1.0, gap.better, first), (-1.0, gap.worse, first), (-1.0, gap.better, reading), (1.0, gap.worse, reading)]
    return estimate_of(study, terms, levels)


def _mean(study: Study, cell: str, reading: str, levels: Levels, over: Estimate) -> float:
    return estimate_of(study, [(1, cell, reading)], levels, over.seeds).mean
