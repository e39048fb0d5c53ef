"""Where entries stand: who is ranked, among whom, and what a private world says beside the public one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from kbench.leaderboard.entry import Entry, Scores
from kbench.leaderboard.tracks import CLASSES, LAB, LEAST_RETENTION, token_class

LEAST_COMPANY = 4
"""So many others of a class must have been re-run on a private world before it is said what most lose there."""


@dataclass(frozen=True)
class Apart:
    """The public headline less the private one, and its 95 % interval (entities of both worlds resampled).

    `usual` is the median of that difference among the others of the same class on the same private world: one world and
    its base are easier than another, and who scores nothing loses nothing. None with fewer than `LEAST_COMPANY` others.
    """

    value: float
    low: float
    high: float
    usual: float | None

    @property
    def is_marked(self) -> bool:
        """Whether more is lost in private than others lose there: a reason to look for tuning to the public test."""
        return self.usual is not None and self.low > max(self.usual, 0.0)


@dataclass(frozen=True)
class Line:
    """An entry as the board shows it: its rank and whether it shares it, None where it takes none.

    `group` is where it stands: track, release, base, and for methods the class of tokens; it is ranked among those of
    smaller classes too. `scores` are what it is
    ranked by: those of the re-run, where there is one, else its own. `apart` is how public and private score differ.
    """

    entry: Entry
    group: tuple[str, ...]
    scores: Scores
    rank: int | None
    tied: bool
    apart: Apart | None

    @property
    def reproduced(self) -> bool:
        """Whether somebody re-ran what the entry says."""
        return is_reproduced(self.entry)

    @property
    def retains(self) -> bool | None:
        """Whether it keeps enough of what its base knew; None where the release has no background."""
        return retains(self.scores)


def is_reproduced(entry: Entry) -> bool:
    """Whether the entry was re-run as it stands: a method on the lab's base on its release, all else in private too.

    Weights from elsewhere may have been trained on the published test before.
    """
    done = entry.reproduced
    if done is None or done.claim != entry.claim or not agrees(entry.scores, done.public.scores):
        return False
    return _is_from_scratch(entry) or done.private is not None


def agrees(claimed: Scores, found: Scores) -> bool:
    """Whether a re-run is what was claimed: each headline lies in the other's interval."""
    return found.low <= claimed.headline <= found.high and claimed.low <= found.headline <= claimed.high


def ranked_by(entry: Entry) -> Scores:
    """The scores an entry is ranked by: the re-run's, those of the private world unless its base is built here."""
    done = entry.reproduced
    if done is None or not is_reproduced(entry):
        return entry.scores
    if not _is_from_scratch(entry) and done.private is not None:
        return done.private.rerun.scores
    return done.public.scores


def retains(scores: Scores) -> bool | None:
    """Whether enough of what the base knew is kept; None where it was not asked."""
    return None if scores.retention is None else scores.retention.kept >= LEAST_RETENTION


def standing(entries: Iterable[Entry]) -> list[Line]:
    """Every entry with its rank, best first in each group; references, self-reported and marked ones take none.

    A rank is one more than the number of entries, of the same class or a smaller one, whose whole interval lies above;
    those with as many above them share it.
    """
    every = sorted(entries, key=lambda entry: (-ranked_by(entry).headline, entry.id))
    groups = {entry.id: _group(entry) for entry in every}
    ranked = [entry for entry in every if _takes_rank(entry)]
    lost = _lost(every)
    found = []
    for entry in every:
        group = groups[entry.id]
        among = [other for other in ranked if groups[other.id][:-1] == group[:-1] and groups[other.id] <= group]
        rank = _rank(entry, among) if entry in ranked else None
        shared = rank is not None and sum(_rank(other, among) == rank for other in among) > 1
        found.append(Line(entry, group, ranked_by(entry), rank, shared, _apart(entry, lost.get(_world(entry), {}))))
    # Stable: within a group the order by headline stays, and those without a rank come last.
    return sorted(found, key=lambda line: (line.group, line.rank is None))


def _takes_rank(entry: Entry) -> bool:
    return not entry.is_reference and is_reproduced(entry) and retains(ranked_by(entry)) is not False


def _group(entry: Entry) -> tuple[str, ...]:
    if entry.track == "models":
        return (entry.track, entry.release.name)
    times = token_class(entry.cost.tokens, entry.article_pass) or CLASSES[-1] + 1  # over the largest, self-reported
    return (entry.track, entry.release.name, entry.base.model, f"{times:>2}")


def _rank(entry: Entry, group: Sequence[Entry]) -> int:
    mine = ranked_by(entry)
    return 1 + sum(ranked_by(other).low > mine.high for other in group)


def _is_from_scratch(entry: Entry) -> bool:
    """Whether its base is built for the release by the lab, so that it has read nothing else."""
    return entry.track == "methods" and entry.base.model == LAB


def _world(entry: Entry) -> tuple[str, ...]:
    """The private world that an entry was re-run on, and the group it stands in."""
    done = entry.reproduced
    return (done.private.commitment, *_group(entry)) if done is not None and done.private is not None else ()


def _lost(entries: Iterable[Entry]) -> dict[tuple[str, ...], dict[str, float]]:
    """How much lower each method scores in private than in public, by world and group."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for entry in entries:
        done = entry.reproduced
        if done is not None and done.private is not None and is_reproduced(entry) and not entry.is_reference:
            lower = done.public.scores.headline - done.private.rerun.scores.headline
            found.setdefault(_world(entry), {})[entry.id] = lower
    return found


def _apart(entry: Entry, lost: Mapping[str, float]) -> Apart | None:
    done = entry.reproduced
    if done is None or done.private is None:
        return None
    public, private = done.public.scores, done.private.rerun.scores
    value = public.headline - private.headline
    half = 1.96 * sqrt(public.stderr**2 + private.stderr**2)
    others = [lower for other, lower in lost.items() if other != entry.id]
    return Apart(value, value - half, value + half, median(others) if len(others) >= LEAST_COMPANY else None)
