"""The tracks as the site shows them: each with its groups of lines, and what can be picked among them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kbench.leaderboard.entry import Cost, Entry
from kbench.leaderboard.standing import Line, standing
from kbench.leaderboard.tracks import CLASSES, TRACKS, Track, token_class


@dataclass(frozen=True)
class Group:
    """Lines that stand together under one heading; `listed` says why they take no rank, where they take none."""

    title: str
    lines: tuple[Line, ...]
    listed: str = ""


@dataclass(frozen=True)
class Board:
    """A track: its lines in groups, and the token classes and bases that a reader can pick."""

    track: Track
    groups: tuple[Group, ...]
    classes: tuple[str, ...]
    bases: tuple[str, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of its lines, in the order of the groups."""
        return tuple(line for group in self.groups for line in group.lines)

    @property
    def drawn(self) -> tuple[Line, ...]:
        """The lines that pictures show: what was re-run, and the references."""
        return tuple(line for line in self.lines if line.reproduced or line.entry.is_reference)

    @property
    def reproduced(self) -> int:
        """How many entries were re-run."""
        return sum(line.reproduced for line in self.lines if not line.entry.is_reference)

    @property
    def entered(self) -> int:
        """How many entries there are, references not counted."""
        return sum(not line.entry.is_reference for line in self.lines)


def boards(entries: Iterable[Entry]) -> tuple[Board, ...]:
    """Every track, also an empty one."""
    lines = standing(entries)
    return tuple(_board(track, [line for line in lines if line.entry.track == track.name]) for track in TRACKS.values())


def class_of(entry: Entry) -> str:
    """The token class of an entry, as its filter names it: the times, or `over`."""
    return str(token_class(entry.cost.tokens, entry.article_pass) or "over")


def cost_of(line: Line) -> Cost:
    """What a line's training took: as the re-run found it, where there is one, else as it is said."""
    done = line.entry.reproduced
    return done.public.cost if done is not None and line.reproduced else line.entry.cost


def article_passes(entry: Entry) -> float:
    """The tokens of the training as times of one pass over the articles."""
    return entry.cost.tokens / entry.article_pass


def _board(track: Track, lines: Sequence[Line]) -> Board:
    own = [line for line in lines if not line.entry.is_reference]
    ranked = [line for line in own if line.reproduced]
    bases = tuple(sorted({line.entry.base.model for line in own}))
    releases = {line.entry.release.name for line in own}
    groups = []
    for of in sorted({line.group for line in ranked}, key=_place):
        mine = [line for line in ranked if line.group == of]
        title = _title(mine[0].entry, several=len(bases) > 1 or len(releases) > 1)
        groups.append(Group(title, tuple(mine)))
    references = tuple(line for line in lines if line.entry.is_reference)
    if references:
        groups.append(Group("References", references, "what others are read against; they take no rank"))
    said = [line for line in own if not line.reproduced]
    if said:
        said.sort(key=lambda line: -line.scores.headline)
        groups.append(Group("Self-reported", tuple(said), "not run again yet, so not ranked"))
    held = {class_of(line.entry) for line in own}
    classes = tuple(name for name in [*(str(times) for times in CLASSES), "over"] if name in held)
    return Board(track, tuple(groups), classes if track.name == "methods" else (), bases)


def _place(group: tuple[str, ...]) -> tuple[tuple[str, ...], bool, int]:
    """Where a group comes: the largest class first, where the best are, and last what is over it."""
    times = int(group[-1]) if group[0] == "methods" else 0
    return (group[:-1], times > CLASSES[-1], -times)


def _title(entry: Entry, *, several: bool) -> str:
    if entry.track == "models":
        return f"On {entry.release.name}"
    times = token_class(entry.cost.tokens, entry.article_pass)
    title = f"At most {times}×" if times else f"More than {CLASSES[-1]}×"
    title += " the tokens of one pass over the articles"
    return f"{title}, from {entry.base.model} on {entry.release.name}" if several else title
