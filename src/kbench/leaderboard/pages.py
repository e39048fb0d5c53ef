"""The pages of the site as text: the board, and one page an entry."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench.leaderboard.axes import AXES, MEANINGS, TITLES
from kbench.leaderboard.boards import Board, article_passes, class_of, cost_of
from kbench.leaderboard.examples import Example
from kbench.leaderboard.forest import bars_of, forest_of
from kbench.leaderboard.pareto import pareto_pictures
from kbench.leaderboard.reproduce import commands, recipe_toml
from kbench.leaderboard.scale import score_scale
from kbench.leaderboard.standing import Line, agrees
from kbench.leaderboard.tracks import CLASSES, LEAST_RETENTION
from kbench.leaderboard.wording import FILTERS
from kbench.studies.palette import page_colours

_BAR = 104
"""How many pixels a score's bar has in the table."""


def index_page(boards: Sequence[Board]) -> str:
    """The board: every track as a table with its pictures."""
    scales = {
        board.track.name: score_scale([line.scores for line in board.lines], 0, _BAR, axes=False)
        for board in boards
        if board.lines
    }
    return (
        _jinja()
        .get_template("index.html.j2")
        .render(
            boards=boards,
            scales=scales,
            bar=_BAR,
            paretos={board.track.name: pareto_pictures(board.drawn) for board in boards},
            forests={board.track.name: forest_of(board.drawn) for board in boards},
            axes=[(axis, TITLES[axis], MEANINGS[axis]) for axis in AXES],
            classes=CLASSES,
            kept_bound=LEAST_RETENTION,
            class_of=class_of,
            cost_of=cost_of,
            passes=article_passes,
        )
    )


def entry_page(line: Line, examples: Sequence[Example]) -> str:
    """The page of an entry: what it is, how to run it again, what it scored, and samples to look at."""
    entry, done = line.entry, line.entry.reproduced
    private = None if done is None or done.private is None else done.private.rerun
    public = None if done is None else done.public
    weights = None if public is None else public.weights
    shown = public.scores if public is not None and line.reproduced else entry.scores
    beside = private.scores if private is not None and line.reproduced else None
    return (
        _jinja()
        .get_template("entry.html.j2")
        .render(
            line=line,
            entry=entry,
            done=done,
            public=public,
            private=private,
            stale=done is not None and done.claim != entry.claim,
            agreed=public is not None and agrees(entry.scores, public.scores),
            same_weights=weights is not None and weights in entry.model.digests.values(),
            recipe=recipe_toml(entry) if entry.recipe else "",
            commands=commands(entry),
            shown=shown,
            beside=beside,
            bars=bars_of(shown, beside),
            examples=examples,
            axes=[(axis, TITLES[axis], MEANINGS[axis]) for axis in AXES],
            times=article_passes(entry),
            kept_bound=LEAST_RETENTION,
            group=class_of(entry),
        )
    )


def style_sheet() -> str:
    """The look of all pages."""
    return _jinja().get_template("style.css.j2").render(light=page_colours(False), dark=page_colours(True))


def script() -> str:
    """What sorts and filters, where a browser runs it."""
    return _jinja().get_template("board.js.j2").render()


@cache
def _jinja() -> Environment:
    found = Environment(
        loader=PackageLoader("kbench", "templates/board"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(FILTERS)
    return found
