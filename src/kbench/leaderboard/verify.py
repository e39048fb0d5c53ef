"""The verification of an entry: what a re-run found beside what the entry claims, and the entry that says so."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from kbench import __version__
from kbench.errors import OutputError, SpecError
from kbench.leaderboard.entry import Entry, PrivateRerun, Reproduced
from kbench.leaderboard.folder import read_entry, write_entry
from kbench.leaderboard.rerun import Found, rerun, trained_weights
from kbench.leaderboard.rules import check_claim
from kbench.leaderboard.standing import agrees
from kbench.leaderboard.tracks import CLASSES, TRACKS, token_class
from kbench.leaderboard.worlds import World

Progress = Callable[[float], None]
"""Called with how many re-runs are done, the one in work as a share."""


@dataclass(frozen=True)
class Verified:
    """An entry, what its re-runs found, and what in them speaks against it: nothing where it is reproduced.

    `private` is None where no private world was given, or the public one spoke against it already.
    """

    entry: Entry
    public: Found
    private: Found | None
    against: tuple[str, ...]

    @property
    def same_weights(self) -> bool:
        """Whether the training gave the same weights, digit for digit."""
        return self.public.rerun.weights == trained_weights(self.entry.model.digests)

    @property
    def told(self) -> str:
        """The verdict in a line."""
        claimed, found = self.entry.scores, self.public.rerun.scores
        what = "weights and scores" if claimed == found else "weights"
        weights = f"the same {what}, digit for digit" if self.same_weights else "not the same weights"
        headlines = f"headline {claimed.headline:.3f} claimed, {found.headline:.3f} found"
        if self.against:
            return f"{self.entry.id}: NOT reproduced: {'; '.join(self.against)} ({weights}; {headlines})"
        return f"{self.entry.id}: {weights}; {headlines}: reproduced"


def check_runnable(entry: Entry, *, private: bool) -> None:
    """Raise KbenchError where an entry cannot be run again on any release, with or without a private world."""
    track = TRACKS[entry.track]
    if entry.release.name not in track.releases:
        have = ", ".join(track.releases)
        raise OutputError(f"the entry {entry.id} is of {entry.release.name!r}: the track {track.name} has {have}")
    if entry.is_reference:
        return
    if not entry.recipe:
        raise OutputError(f"the entry {entry.id} has no recipe to run again: it stays self-reported")
    if entry.track == "models" and not private:
        raise SpecError(f"the model {entry.id} is ranked by a private world: give --seed-file FILE, or KBENCH_SEED")


def verify(
    entry: Entry,
    public: World,
    private: World | None,
    trainer: Executor,
    progress: Progress = lambda done: None,
) -> Verified:
    """Run an entry again on its release, and where that is what it claims, on a private world too.

    Raises KbenchError where it is not as its track wants it, or cannot be run again: see `rerun`.
    """
    check_runnable(entry, private=private is not None)
    check_claim(entry, public.rules(entry.track), f"the entry {entry.id}")
    if entry.release.world != public.release.world:
        raise OutputError(
            f"the entry {entry.id} is of the world {entry.release.world}: {public.name} is {public.release.world}"
        )
    found = rerun(entry, public, trainer, progress)
    against = _against(entry, found)
    unseen = rerun(entry, private, trainer, lambda share: progress(1 + share)) if private and not against else None
    done = Verified(entry, found, unseen, against)
    return done if against else Verified(_reproduced(done, private), found, unseen, against)


def keep(done: Verified, path: Path) -> None:
    """Write what was found into the entry's file. Raises OutputError where that is no longer what was verified."""
    if read_entry(path).claim != done.entry.claim:
        raise OutputError(f"{path} was changed while it was verified: run the same command again")
    write_entry(path.parent, done.entry)


def _against(entry: Entry, found: Found) -> tuple[str, ...]:
    claimed, got = entry.scores, found.rerun.scores
    said = list[str]()
    if not agrees(claimed, got):
        said.append(
            f"the headline is {claimed.headline:.3f} ({claimed.low:.3f} to {claimed.high:.3f}) by the entry and "
            f"{got.headline:.3f} ({got.low:.3f} to {got.high:.3f}) by the re-run"
        )
    for what, theirs, ours in (
        ("trained tokens", entry.cost.tokens, found.rerun.cost.tokens),
        ("tokens in one pass over the articles", entry.article_pass, found.article_pass),
    ):
        if theirs != ours:
            said.append(f"the entry says {theirs:,} {what}, the re-run {ours:,}")
    if entry.track == "methods" and token_class(found.rerun.cost.tokens, found.article_pass) is None:
        said.append(f"it trained on more than {CLASSES[-1]} times one pass over the articles")
    return tuple(said)


def _reproduced(done: Verified, world: World | None) -> Entry:
    from kbench.benchmarks.pretrained import versions

    entry, packages, private = done.entry, versions(), None
    if done.private and world and world.commitment:
        commitment, salt = world.commitment
        private = PrivateRerun(commitment=commitment, salt=salt, rerun=done.private.rerun)
    elif (before := entry.reproduced) and (before.claim, before.kbench, before.packages) == (
        *(entry.claim, __version__, packages),
    ):
        private = before.private  # of the same claim, by the same versions: it holds
    block = Reproduced(
        claim=entry.claim,
        date=Date.today(),
        kbench=__version__,
        packages=packages,
        public=done.public.rerun,
        private=private,
    )
    return entry.model_copy(update={"reproduced": block})
