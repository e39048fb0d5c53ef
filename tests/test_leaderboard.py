"""The leaderboard's values: axes from samples, who stands where, what a track allows, and the table of it all."""

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.benchmarks.recipe import FIELDS
from kbench.errors import KbenchError, OutputError, SpecError
from kbench.generator.named import load_recipe
from kbench.generator.release import generate
from kbench.leaderboard.adding import check_entry
from kbench.leaderboard.axes import axes_of, scores_of
from kbench.leaderboard.entry import Entry
from kbench.leaderboard.folder import ENTRIES, read_entries
from kbench.leaderboard.reproduce import recipe_toml
from kbench.leaderboard.rules import rules_of
from kbench.leaderboard.standing import LEAST_COMPANY, is_reproduced, standing
from kbench.leaderboard.table import markdown, sections
from kbench.leaderboard.tracks import BOUNDS, CLASSES, KEYS, entry_recipe, token_class
from kbench.store import Release
from tests.boards import AXES, made_entry, made_scores, rerun_of
from tests.samples import run

ASKED = {
    "held_out": [("qa", "paraphrase")],
    "cross_style": [("qa", "paraphrase"), ("cloze", "cross_style")],
    "numeric": [("numeric", "paraphrase")],
    "multihop": [("multihop", "multihop")],
    "reverse": [("reverse", "reverse")],
}


def rows_with(accuracy: dict[str, list[bool]], control: dict[str, list[bool]]) -> list[dict[str, Any]]:
    """Samples of four styles, each question of an entity of its own; a cloze is answered as its question is."""
    found = []
    for kind, verdicts in (("p", accuracy), ("c", control)):
        for style, answers in verdicts.items():
            for number, right in enumerate(answers):
                fact = f"{kind}-{style}-{number}"
                row = {"entity_id": fact, "relation": "badge", "fact_ids": [fact], "correct": right}
                probe = {"qa": "paraphrase", "numeric": "paraphrase"}.get(style, style)
                found.append({**row, "style": style, "probe": probe if kind == "p" else "control"})
                if style == "qa":
                    found.append({**row, "style": "cloze", "probe": "cross_style" if kind == "p" else "control"})
    return found


VERDICTS = st.fixed_dictionaries(
    {style: st.lists(st.booleans(), min_size=2, max_size=6) for style in ("qa", "numeric", "multihop", "reverse")}
)


@settings(max_examples=25)
@given(VERDICTS, VERDICTS)
def test_an_axis_is_what_is_known_beyond_its_control_and_the_headline_is_the_mean_of_all(
    accuracy: dict[str, list[bool]], control: dict[str, list[bool]]
) -> None:
    rows = rows_with(accuracy, control)
    if any(all(verdicts) for verdicts in control.values()):
        with pytest.raises(OutputError, match="every control question of the axis"):
            scores_of(rows, None)
        return
    found = scores_of(rows, None)
    for axis in AXES:
        score = found.axes[axis]
        assert score.corrected == pytest.approx((score.accuracy - score.control) / (1 - score.control))
        assert (score.corrected == 0) == (score.accuracy == score.control)
        assert score.low <= score.high
    assert found.headline == pytest.approx(sum(found.axes[axis].corrected for axis in AXES) / len(AXES))
    assert scores_of(list(reversed(rows)), None) == found  # whoever wrote them in another order


def test_a_question_counts_in_its_axes_alone() -> None:
    for axis, ways in ASKED.items():
        for style, probe in ways:
            row = {"style": style, "probe": probe, "relation": "badge", "fact_ids": ["f"]}
            assert axis in axes_of(row)
    for style, probe in (("qa", "recall"), ("qa", "known"), ("cloze", "recall"), ("numeric", "known")):
        assert axes_of({"style": style, "probe": probe, "relation": "badge", "fact_ids": ["f"]}) == ()


def test_retention_is_the_share_of_what_the_base_knew() -> None:
    wrong = {style: [False, True] for style in ("qa", "numeric", "multihop", "reverse")}
    known = {"style": "qa", "probe": "known", "relation": "badge", "fact_ids": ["k"], "entity_id": "k"}
    rows = [*rows_with(wrong, wrong), *({**known, "correct": right} for right in (True, True, False, False))]
    kept = scores_of(rows, 0.8).retention
    assert kept is not None
    assert (kept.accuracy, kept.rows) == (0.5, 4)
    assert kept.kept == pytest.approx(0.625)
    assert scores_of(rows, None).retention is None


BOARD = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.001, 0.4)), min_size=1, max_size=7)


@settings(max_examples=25)
@given(BOARD)
def test_ranks_begin_at_one_never_fall_along_the_scores_and_ties_are_shared(board: list[tuple[float, float]]) -> None:
    entries = [made_entry(f"e{number}", made_scores(*scores)) for number, scores in enumerate(board)]
    lines = standing(entries)
    ranks = [line.rank for line in lines]
    assert ranks[0] == 1
    headlines = [line.scores.headline for line in lines]
    assert headlines == sorted(headlines, reverse=True)
    for line in lines:
        assert line.tied == (ranks.count(line.rank) > 1)
        above = [other for other in lines if other.scores.low > line.scores.high]
        assert line.rank == 1 + len(above)
        assert all(other.rank is not None and other.rank < line.rank for other in above)


@settings(max_examples=25)
@given(BOARD, st.randoms())
def test_the_standing_does_not_depend_on_the_order_of_the_entries(board: list[tuple[float, float]], drawn: Any) -> None:
    entries = [made_entry(f"e{number}", made_scores(*scores)) for number, scores in enumerate(board)]
    lines = standing(entries)
    drawn.shuffle(entries)
    assert standing(entries) == lines


def test_who_takes_no_rank() -> None:
    good = made_entry("good", made_scores(0.5))
    forgot = made_entry("forgot", made_scores(0.9, kept=0.89))
    claimed = made_entry("claimed", made_scores(0.9), reproduced=False)
    floor = made_entry("floor", made_scores(0.0), kind="floor", recipe={}, cost={"tokens": 0, "wall_s": 0})
    other = made_entry("other", made_scores(0.95), cost={"tokens": 9000, "wall_s": 1})
    edited = made_entry("edited", made_scores(0.9)).model_copy(update={"title": "since"})
    apart = rerun_of(made_entry("apart", made_scores(0.9), reproduced=False), made_scores(0.7))
    ranks = {line.entry.id: line.rank for line in standing([good, forgot, claimed, floor, other, edited, apart])}
    assert ranks == dict.fromkeys(("forgot", "claimed", "floor", "edited", "apart")) | {"good": 1, "other": 1}
    assert [is_reproduced(entry) for entry in (forgot, edited, apart)] == [True, False, False]


def test_a_model_is_reproduced_on_a_private_world_only_and_ranked_by_it() -> None:
    model = made_entry("model", made_scores(0.6), track="models", kind="model")
    assert not is_reproduced(model)
    assert model.reproduced is not None
    private = {"commitment": "e" * 64, "salt": "s", "rerun": {"scores": made_scores(0.4), "cost": model.cost}}
    done = type(model.reproduced).model_validate({**model.reproduced.model_dump(), "private": private})
    [line] = standing([model.model_copy(update={"reproduced": done})])
    assert (line.rank, line.scores.headline) == (1, 0.4)
    assert line.apart is not None
    assert line.apart.value == pytest.approx(0.2)
    assert line.apart.low < 0.2 < line.apart.high
    assert (line.apart.usual, line.apart.is_marked) == (None, False)


def in_private(entry: Entry, headline: float) -> Entry:
    """An entry that was also re-run on a private world."""
    assert entry.reproduced is not None
    rerun = {"scores": made_scores(headline), "cost": entry.cost}
    block = {**entry.reproduced.model_dump(), "private": {"commitment": "e" * 64, "salt": "s", "rerun": rerun}}
    return entry.model_copy(update={"reproduced": type(entry.reproduced).model_validate(block)})


def test_a_private_world_that_is_harder_for_all_marks_only_who_loses_more_there() -> None:
    usual = [in_private(made_entry(f"usual-{number}", made_scores(0.5)), 0.4) for number in range(LEAST_COMPANY)]
    tuned = in_private(made_entry("tuned", made_scores(0.9)), 0.4)
    lines = {line.entry.id: line.apart for line in standing([*usual, tuned])}
    assert {name: apart.is_marked for name, apart in lines.items() if apart} == {
        **{entry.id: False for entry in usual},
        "tuned": True,
    }
    assert all(apart and apart.usual == pytest.approx(0.1) for apart in lines.values())


@pytest.mark.parametrize(
    ("tokens", "times"), [(0, 1), (1000, 1), (1001, 4), (4000, 4), (4001, 16), (16_000, 16), (16_001, None)]
)
def test_a_class_holds_up_to_its_times_of_one_pass(tokens: int, times: int | None) -> None:
    assert token_class(tokens, 1000) == times


def test_a_recipe_may_set_nothing_that_reads_a_file_or_runs_otherwise_elsewhere() -> None:
    assert set(KEYS) < set(FIELDS)
    kept_out = {"seed", "replay_text", "knownness", "chat", "context", "processes", "fsdp", "keep", "early_stop"}
    assert kept_out.isdisjoint(KEYS)
    assert set(BOUNDS) <= set(KEYS)
    assert tuple(sorted(CLASSES)) == CLASSES


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.integers(10**20, 10**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from([*KEYS, *FIELDS]) | st.text(max_size=70), VALUES, max_size=4))
def test_whatever_a_recipe_says_it_is_taken_or_refused_in_one_line(values: dict[str, Any]) -> None:
    line = ""
    try:
        assert set(entry_recipe({"styles": ["qa"], **values}, "a recipe")) <= set(KEYS)
    except SpecError as refused:
        line = str(refused)
    assert "\n" not in line
    assert len(line) < 1200


# ---- the table


def test_the_table_ranks_what_was_re_run_and_lists_the_rest_below() -> None:
    entries = [
        made_entry("ahead", made_scores(0.6)),
        made_entry("beside", made_scores(0.55)),
        made_entry("behind", made_scores(-0.2)),
        made_entry("forgot", made_scores(0.9, kept=0.5)),
        made_entry("claimed", made_scores(0.9), reproduced=False),
        made_entry("floor", made_scores(0.0), kind="floor", recipe={}, cost={"tokens": 0, "wall_s": 0}),
    ]
    shown = sections(standing(entries))
    assert [[(row.place, row.id) for row in section.rows] for section in shown] == [
        [("=1", "ahead"), ("=1", "beside"), ("3", "behind"), ("", "forgot")],
        [("", "claimed")],
        [("floor", "floor")],
    ]
    assert sections(standing(entries), "models") == []
    told = markdown(shown)
    assert "| 3 | behind | \N{MINUS SIGN}0.20 (\N{MINUS SIGN}0.25 to \N{MINUS SIGN}0.15) |" in told
    assert "50% !" in told


def test_html_and_markdown_in_a_title_are_letters_in_the_table() -> None:
    title = "<b>|a|</b> [x](javascript:y) `z` *w*"
    told = markdown(sections(standing([made_entry("odd", made_scores(0.5), title=title)])))
    assert r"&lt;b&gt;\|a\|&lt;/b&gt; \[x\](javascript:y) \`z\` \*w\*" in told
    assert "<b>" not in told


SAID = st.text(max_size=60) | st.integers(-(10**15), 10**15) | st.booleans() | st.floats() | st.none()


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(KEYS), SAID | st.lists(SAID, max_size=3), max_size=4))
def test_a_recipe_is_the_same_as_a_file(values: dict[str, Any]) -> None:
    recipe = {"styles": ["qa", "article"], **values}
    with pytest.MonkeyPatch.context() as patch:  # whatever the types of a recipe's fields are
        patch.setattr("kbench.leaderboard.tracks.recipe_of", lambda said, where: None)
        patch.setattr("kbench.leaderboard.tracks.BOUNDS", {})
        try:
            entry_recipe(recipe, "a recipe")
        except SpecError:
            return
    entry = made_entry("toml", made_scores(0.5), recipe=recipe)
    assert tomllib.loads(recipe_toml(entry)) == entry.recipe


# ---- the command


def test_show_prints_a_table_that_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from kbench.leaderboard.folder import write_entry

    for number in range(3):
        write_entry(tmp_path, made_entry(f"a-rather-long-name-of-an-entry-{number}", made_scores(number / 5)))
    monkeypatch.setenv("COLUMNS", "100")
    assert run(monkeypatch, "leaderboard", "show", "--entries", str(tmp_path)) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 100
    assert "   1  a-rather-long-name-of-an-entry-2" in told
    assert run(monkeypatch, "leaderboard", "show", "--entries", str(tmp_path), "--json") == 0
    [section] = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in section["rows"]] == [1, 2, 3]


WRONG: list[tuple[list[str], str]] = [
    (["show", "--entries", "nowhere"], "no entries at nowhere: call it in a clone of kbench, or give --entries DIR"),
    (["show", "--json", "--markdown"], "are two ways to print the table: give one of them"),
    (["add", "nowhere.json"], "no entry at nowhere.json: give its file, or its id and --entries DIR"),
    (["submit", "nowhere", "--id", "x", "--title", "X"], "no finished result at nowhere"),
]


@pytest.mark.parametrize(("words", "expected_error"), WRONG)
def test_a_command_without_what_it_needs_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    expected_error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "leaderboard", *words) == 1
    told = capsys.readouterr().err.strip()
    assert expected_error in told
    assert "\n" not in told


# ---- the entries that kbench comes with

BOARD_FOLDER = Path(__file__).parent.parent / ENTRIES


def test_every_committed_entry_is_within_the_rules_and_its_samples_are_its_own(tmp_path: Path) -> None:
    releases: dict[str, Release] = {}
    for entry in read_entries(BOARD_FOLDER) if BOARD_FOLDER.is_dir() else []:
        name = entry.release.name
        if name not in releases:
            releases[name] = generate(load_recipe(name), tmp_path / name)[0]
        check_entry(entry, BOARD_FOLDER, rules_of(entry.track), releases[name])


def test_the_committed_board_has_floor_ceiling_and_eight_methods_that_were_re_run() -> None:
    lines = standing(read_entries(BOARD_FOLDER))
    done = [line for line in lines if line.reproduced]
    assert {line.entry.kind for line in done} >= {"floor", "ceiling"}
    assert len([line for line in done if line.entry.kind == "method"]) >= 8
    assert all(line.apart is not None for line in done), "each re-run on a private world too"


def test_the_readme_shows_the_table_that_the_entries_give() -> None:
    readme = (BOARD_FOLDER.parent.parent / "README.md").read_text(encoding="utf-8")
    begin, end = "<!-- kbench leaderboard show --markdown -->\n", "<!-- end of the table -->"
    shown = readme[readme.index(begin) + len(begin) : readme.index(end)]
    assert shown == markdown(sections(standing(read_entries(BOARD_FOLDER))))


def test_a_value_of_the_board_cannot_be_changed() -> None:
    entry = made_entry("fixed", made_scores(0.5))
    with pytest.raises((dataclasses.FrozenInstanceError, ValueError)):
        entry.title = "other"  # type: ignore[misc]
    with pytest.raises(KbenchError, match="Extra inputs are not permitted"):
        made_entry("odd", made_scores(0.5), rank=1)
