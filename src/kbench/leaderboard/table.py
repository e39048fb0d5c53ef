"""The table of the leaderboard as plain values: its sections, and of each entry what a row shows."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from math import floor
from typing import Any, Literal

from kbench.leaderboard.axes import AXES, TITLES
from kbench.leaderboard.entry import AxisName, TrackName
from kbench.leaderboard.standing import Line, is_reproduced
from kbench.leaderboard.tracks import LEAST_RETENTION, TRACKS, token_class

Status = Literal["reproduced", "self-reported"]


@dataclass(frozen=True)
class Row:
    """An entry in the table. Scores are corrected, so they may be negative.

    `place` is its rank as it is shown: `2`, `=2` where it is shared, the kind of a reference, else nothing. `axes` are
    of the scores that it is ranked by, `private` the headline on a private world, `apart` the public headline less it,
    with its interval, and `usually_apart` that of most methods on the same private world; `tuned_to_public` says that
    it is more than that, beyond chance. `kept` is the share of what the base knew, `fails` whether that is too little
    for a rank.
    `times` is the tokens trained on in passes over the articles, `times_class` the class these fall in.
    """

    place: str
    rank: int | None
    id: str
    title: str
    score: float
    low: float
    high: float
    axes: Mapping[AxisName, float]
    private: float | None
    apart: float | None
    apart_low: float | None
    apart_high: float | None
    usually_apart: float | None
    tuned_to_public: bool | None
    kept: float | None
    fails: bool
    tokens: int
    times: float
    times_class: int | None
    wall_s: float
    hardware: str
    status: Status


@dataclass(frozen=True)
class Section:
    """Entries that stand together: those ranked among each other, the references, or what nobody re-ran yet."""

    track: TrackName
    title: str
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"track": self.track, "title": self.title, "rows": [asdict(row) for row in self.rows]}


def row_of(line: Line) -> Row:
    """What the table shows of an entry."""
    entry, scores = line.entry, line.scores
    done = entry.reproduced if is_reproduced(entry) else None
    private = done.private.rerun.scores.headline if done and done.private else None
    apart = line.apart if private is not None else None
    return Row(
        place=_place(line),
        rank=line.rank,
        id=entry.id,
        title=entry.title,
        score=scores.headline,
        low=scores.low,
        high=scores.high,
        axes={axis: scores.axes[axis].corrected for axis in AXES if axis in scores.axes},
        private=private,
        apart=apart.value if apart else None,
        apart_low=apart.low if apart else None,
        apart_high=apart.high if apart else None,
        usually_apart=apart.usual if apart else None,
        tuned_to_public=apart.is_marked if apart else None,
        kept=scores.retention.kept if scores.retention else None,
        fails=line.retains is False,
        tokens=entry.cost.tokens,
        times=entry.cost.tokens / entry.article_pass,
        times_class=token_class(entry.cost.tokens, entry.article_pass),
        wall_s=entry.cost.wall_s,
        hardware=entry.cost.hardware,
        status="reproduced" if line.reproduced else "self-reported",
    )


def sections(lines: Iterable[Line], track: TrackName | None = None) -> list[Section]:
    """The sections of the table in order: of each track its groups, what is self-reported, the references."""
    wanted = [line for line in lines if track in (None, line.entry.track)]
    found = []
    for name in TRACKS:
        mine = [line for line in wanted if line.entry.track == name]
        theirs = [line for line in mine if not line.entry.is_reference]
        done = [line for line in theirs if line.reproduced]
        for group in sorted({line.group for line in done}, reverse=True):  # the largest class first
            found.append(_section(name, _title(group), [line for line in done if line.group == group]))
        found.append(_section(name, "self-reported: nobody re-ran it yet", [x for x in theirs if not x.reproduced]))
        found.append(_section(name, "references", [line for line in mine if line.entry.is_reference]))
    return [section for section in found if section.rows]


def interval(row: Row) -> str:
    """The score of a row with its 95 % interval."""
    return f"{signed(row.score)} ({signed(row.low)} to {signed(row.high)})"


def signed(value: float, *, plus: bool = False) -> str:
    """A score to two digits, with a true minus sign; never a zero below zero."""
    shown = f"{abs(value):.2f}"
    sign = "\N{MINUS SIGN}" if value < 0 and shown != "0.00" else "+" if plus and shown != "0.00" else ""
    return f"{sign}{shown}"


def kept_text(row: Row) -> str:
    """What a row keeps of what the base knew, marked where it is too little."""
    return "–" if row.kept is None else f"{floor(row.kept * 100 + 1e-9)}%{' !' if row.fails else ''}"


def apart_text(row: Row) -> str:
    """How far the public score is above the private one, marked where that is more than usual."""
    return "–" if row.apart is None else f"{signed(row.apart, plus=True)}{' *' if row.tuned_to_public else ''}"


def notes(shown: Iterable[Section]) -> list[str]:
    """What the signs in the table mean, those that stand in it."""
    rows = [row for section in shown for row in section.rows]
    said = {
        "=: as many entries are clearly better: their whole interval lies above": any(
            row.place.startswith("=") for row in rows
        ),
        f"!: keeps less than {LEAST_RETENTION:.0%} of what the base knew, so takes no rank": any(r.fails for r in rows),
        "*: loses more in private than most of its class do, beyond chance: a reason to look": any(
            row.tuned_to_public for row in rows
        ),
    }
    return [note for note, there in said.items() if there]


def markdown(shown: Iterable[Section]) -> str:
    """The table as GitHub shows it: one for each track, its sections one below the other."""
    shown = list(shown)
    heads = ["rank", "method", "score (95 %)", *(TITLES[axis] for axis in AXES)]
    heads += ["private", "public − private", "kept", "tokens"]
    parts = []
    for track in dict.fromkeys(section.track for section in shown):
        rows = [heads, ["--:", "---", *["--:"] * (len(heads) - 2)]]
        for section in (section for section in shown if section.track == track):
            rows.append(["", f"**{_plain(section.title)}**", *[""] * (len(heads) - 2)])
            rows += [_cells(row) for row in section.rows]
        parts.append("".join(f"| {' | '.join(cells)} |\n" for cells in rows))
    told = "<br>\n".join(_plain(note) for note in notes(shown))
    return "\n".join([*parts, f"{told}\n"] if told else parts)


def _cells(row: Row) -> list[str]:
    return [
        row.place,
        _plain(row.title),
        interval(row),
        *(signed(row.axes[axis]) if axis in row.axes else "–" for axis in AXES),
        "–" if row.private is None else signed(row.private),
        _plain(apart_text(row)),
        kept_text(row),
        f"{row.times:.1f}×",
    ]


def _plain(text: str) -> str:
    """Text that Markdown shows letter for letter."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]|~#!" else letter for letter in escape(text, quote=False))


def _section(track: TrackName, title: str, lines: Iterable[Line]) -> Section:
    return Section(track, title, tuple(map(row_of, lines)))


def _place(line: Line) -> str:
    if line.entry.is_reference:
        return line.entry.kind
    return "" if line.rank is None else f"={line.rank}" if line.tied else str(line.rank)


def _title(group: tuple[str, ...]) -> str:
    """What a group of the standing is called."""
    if group[0] == "models":
        return f"on {group[1]}"
    _, release, base, times = group
    return f"on {release}, base {base}, at most {times.strip()}× the tokens of one pass over the articles"
