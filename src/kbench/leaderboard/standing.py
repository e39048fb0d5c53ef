"""Where entries stand: who is ranked, among whom, and which are too close to be told apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from kbench.leaderboard.entry import Entry, Scores
from kbench.leaderboard.tracks import LEAST_RETENTION, token_class

LEAST_COMPANY = 5
"""So many entries must have been re-run on a private world before it is said how it differs from the public one."""


@dataclass(frozen=True)
class Apart:
    """The public headline less the private one, and its 95 % interval (entities of both worlds resampled).

    `usual` is the median of that difference among all methods re-run on the same private world: one world and its base
    are easier than another for everybody. None where fewer than `LEAST_COMPANY` were.
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

    `group` are those it is ranked among: track, base, and for methods the class of tokens. `scores` are what it is
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
    """Whether the entry was re-run: a method on its release, a model on a private world too, and as it stands now."""
    done = entry.reproduced
    if done is None or done.claim != entry.claim or not agrees(entry.scores, done.public.scores):
        return False
    return entry.track == "methods" or entry.is_reference or done.private is not None


def agrees(claimed: Scores, found: Scores) -> bool:
    """Whether a re-run is what was claimed: each headline lies in the other's interval."""
    return found.low <= claimed.headline <= found.high and claimed.low <= found.headline <= claimed.high


def ranked_by(entry: Entry) -> Scores:
    """The scores an entry is ranked by: of a model those of the private world, else the re-run's, else its own."""
    done = entry.reproduced
    if done is None or not is_reproduced(entry):
        return entry.scores
    if entry.track == "models" and done.private is not None:
        return done.private.rerun.scores
    return done.public.scores


def retains(scores: Scores) -> bool | None:
    """Whether enough of what the base knew is kept; None where it was not asked."""
    return None if scores.retention is None else scores.retention.kept >= LEAST_RETENTION


def standing(entries: Iterable[Entry]) -> list[Line]:
    """Every entry with its rank, best first in each group; references, self-reported and marked ones take none.

    A rank is one more than the number of entries whose whole interval lies above: those that cannot be told from the
    best of them share it.
    """
    every = sorted(entries, key=lambda entry: (-ranked_by(entry).headline, entry.id))
    groups = {entry.id: _group(entry) for entry in every}
    ranked = [entry for entry in every if _takes_rank(entry)]
    usual = _usual(every)
    ranks = {entry.id: _rank(entry, [e for e in ranked if groups[e.id] == groups[entry.id]]) for entry in ranked}
    found = []
    for entry in every:
        rank, group = ranks.get(entry.id), groups[entry.id]
        shared = [other for other in ranked if groups[other.id] == group and ranks[other.id] == rank]
        found.append(Line(entry, group, ranked_by(entry), rank, len(shared) > 1, _apart(entry, usual)))
    # Stable: within a group the order by headline stays, and those without a rank come last.
    return sorted(found, key=lambda line: (line.group, line.rank is None))


def _takes_rank(entry: Entry) -> bool:
    return not entry.is_reference and is_reproduced(entry) and retains(ranked_by(entry)) is not False


def _group(entry: Entry) -> tuple[str, ...]:
    if entry.track == "models":
        return (entry.track, entry.release.name)
    times = token_class(entry.cost.tokens, entry.article_pass)
    return (entry.track, entry.release.name, entry.base.model, f"{times or 0:>2}")


def _rank(entry: Entry, group: Sequence[Entry]) -> int:
    mine = ranked_by(entry)
    return 1 + sum(ranked_by(other).low > mine.high for other in group)


def _usual(entries: Iterable[Entry]) -> dict[str, float]:
    """Of each private world, how much lower the headlines of methods are there than in public."""
    found: dict[str, list[float]] = {}
    for entry in entries:
        done = entry.reproduced
        if done is not None and done.private is not None and is_reproduced(entry) and not entry.is_reference:
            lost = done.public.scores.headline - done.private.rerun.scores.headline
            found.setdefault(done.private.commitment, []).append(lost)
    return {world: median(lost) for world, lost in found.items() if len(lost) >= LEAST_COMPANY}


def _apart(entry: Entry, usual: Mapping[str, float]) -> Apart | None:
    done = entry.reproduced
    if done is None or done.private is None:
        return None
    public, private = done.public.scores, done.private.rerun.scores
    value = public.headline - private.headline
    half = 1.96 * sqrt(public.stderr**2 + private.stderr**2)
    return Apart(value, value - half, value + half, usual.get(done.private.commitment))
