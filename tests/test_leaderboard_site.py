"""The leaderboard's site: the same bytes from the same entries, nothing but text from an entry, pictures that can be read."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.errors import KbenchError
from kbench.leaderboard.axes import AXES
from kbench.leaderboard.boards import article_passes, boards
from kbench.leaderboard.entry import Entry
from kbench.leaderboard.examples import EACH, chosen
from kbench.leaderboard.labels import Box, placed
from kbench.leaderboard.pareto import frontier, pareto_pictures
from kbench.leaderboard.site import LIST, build_site
from kbench.leaderboard.standing import standing
from kbench.leaderboard.wording import percent, seconds, signed, three, times, two
from tests.board import make_entry, rows_of, write_board

pytestmark = pytest.mark.xdist_group("board")  # one worker makes the entries for all of them

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of entries. It is shared: copy it before you change it."""
    folder = tmp_path_factory.mktemp("board") / "entries"
    write_board(folder)
    return folder


@pytest.fixture(scope="session")
def site(entries: Path) -> Path:
    """The site made of them. It is shared: read it, never write to it."""
    build_site(entries, entries.parent / "site")
    return entries.parent / "site"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_entries_give_the_same_bytes_in_another_process_and_over_an_earlier_build(
    entries: Path, site: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "kbench.cli", "leaderboard", "build", "--entries", str(entries), "--out", "again"]
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT / "src"), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    shown = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert shown.stdout == "again/index.html: 16 entries\n"
    assert bytes_of(tmp_path / "again") == bytes_of(site)
    build_site(entries, tmp_path / "again")
    assert bytes_of(tmp_path / "again") == bytes_of(site)


def test_the_page_of_an_entry_that_is_gone_is_taken_away_and_nothing_else(entries: Path, tmp_path: Path) -> None:
    shutil.copytree(entries, tmp_path / "entries")
    out = tmp_path / "site"
    build_site(tmp_path / "entries", out)
    (out / "CNAME").write_text("board.example.org", encoding="utf-8")
    (tmp_path / "entries" / "qa.json").unlink()
    about = json.loads((out / LIST).read_text(encoding="utf-8"))
    about["files"] += ["../entries/mixed.json", "CNAME", str(tmp_path / "entries" / "mixed.parquet")]
    (out / LIST).write_text(json.dumps(about), encoding="utf-8")
    built = build_site(tmp_path / "entries", out)
    assert built.removed == ("entries/qa.html", "entries/qa.json", "entries/qa.toml")
    assert not (out / "entries" / "qa.html").exists()
    assert (out / "CNAME").exists()
    assert (tmp_path / "entries" / "mixed.json").exists()
    assert (tmp_path / "entries" / "mixed.parquet").exists()
    assert "entries/qa.html" not in (out / "index.html").read_text(encoding="utf-8")


def _edit(folder: Path, name: str, change: Any) -> None:
    path = folder / f"{name}.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    change(about)
    path.write_text(json.dumps(about), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "expected_error"),
    [
        (lambda f: shutil.copy(f / "mixed.parquet", f / "qa.parquet"), "qa.parquet is not the entry's: its sha256 is "),
        (lambda f: (f / "qa.parquet").unlink(), "no samples at .*qa.parquet"),
        (
            lambda f: os.truncate(f / "qa.parquet", 33 << 20),
            "qa.parquet is too large for samples: 34,603,008 bytes, expected at most",
        ),
        (lambda f: shutil.copy(f / "qa.json", f / "two.json"), "two.json holds the entry 'qa': rename"),
        (lambda f: _edit(f, "qa", lambda e: e.update(url="javascript:alert(1)")), "qa.json: url: "),
        (lambda f: _edit(f, "qa", lambda e: e.update(id="../x")), "qa.json: id: "),
        (lambda f: _edit(f, "qa", lambda e: e["samples"].update(rows=7)), "qa.parquet has 340 rows, expected 7"),
        (lambda f: (f / "qa.json").write_text("{"), "cannot read the entry .*qa.json"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything_is_written(
    spoil: Any, expected_error: str, tmp_path: Path
) -> None:
    folder = tmp_path / "entries"
    make_entry(folder, "qa", "Questions", 0.5, 30_000)
    make_entry(folder, "mixed", "Mixed", 0.6, 30_000)
    spoil(folder)
    with pytest.raises(KbenchError, match=expected_error):
        build_site(folder, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_folder_that_holds_something_else_is_refused(entries: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(KbenchError, match=r"holds something else \(thesis\.txt, no site\.json\)"):
        build_site(entries, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def _link_entries(out: Path) -> None:
    shutil.rmtree(out / "entries")
    (out.parent / "elsewhere").mkdir()
    (out / "entries").symlink_to(out.parent / "elsewhere")


def _entries_as_a_file(out: Path) -> None:
    shutil.rmtree(out / "entries")
    (out / "entries").write_text("mine", encoding="utf-8")


def _page_as_a_folder(out: Path) -> None:
    (out / "entries" / "gone.html").mkdir()
    _list(out, {"format": 1, "files": ["entries/gone.html"]})


def _list(out: Path, about: Any) -> None:
    (out / LIST).write_text(about if isinstance(about, str) else json.dumps(about), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "expected_error"),
    [
        (_link_entries, "site/entries is a link to another place, expected a folder"),
        (_entries_as_a_file, "site/entries is a file, expected a folder"),
        (_page_as_a_folder, r"entries/gone\.html is a folder, expected a file of the site"),
        (lambda out: _list(out, "[" * 100_000), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, []), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, {"files": []}), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, {"format": 2, "files": []}), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, {"format": 1, "files": [], "name": "x"}), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, {"format": 1, "files": [1]}), r"site\.json is no list of a site's files"),
        (lambda out: _list(out, {"format": 1, "files": "index.html"}), r"site\.json is no list of a site's files"),
    ],
)
def test_a_folder_that_is_not_as_a_build_left_it_is_refused_and_stays(
    spoil: Any, expected_error: str, tmp_path: Path
) -> None:
    folder, out = tmp_path / "entries", tmp_path / "site"
    make_entry(folder, "qa", "Questions", 0.5, 30_000)
    build_site(folder, out)
    spoil(out)
    before = bytes_of(tmp_path)
    with pytest.raises(KbenchError, match=expected_error) as refused:
        build_site(folder, out)
    assert "\n" not in str(refused.value)
    assert bytes_of(tmp_path) == before


def test_what_cannot_be_seen_in_a_sample_is_shown_as_a_sign() -> None:
    rows = [dict(row, prediction="a\x1b[31m\u202eb\u200b\U000e0041") for row in rows_of(0.5, "x")]
    [first, *_] = chosen(rows)
    assert first.reply == "a[U+001B][31m[U+202E]b[U+200B][U+E0041]"


def test_an_empty_board_says_how_to_enter(tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    page = build_site(tmp_path / "entries", tmp_path / "site").index.read_text(encoding="utf-8")
    assert page.count("No entry yet.") == 2
    assert "kbench leaderboard submit mine-result" in page


def test_every_link_leads_to_a_file_of_the_site_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [*site.glob("*.html"), *site.glob("entries/*.html")]
    assert len(pages) == 17
    for page in pages:
        text = page.read_text(encoding="utf-8")
        ids = set(re.findall(r'\bid="([^"]*)"', text))
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            target, _, anchor = link.partition("#")
            if not target:
                assert anchor in ids
            elif not target.startswith(("data:,", "https://example.org/")):
                assert (page.parent / target).is_file(), f"{page.name}: {link}"
        assert "style=" not in text  # the policy of the page would not let it in
        assert " on" + "click" not in text


def test_the_site_is_small(site: Path) -> None:
    assert sum(map(len, bytes_of(site).values())) < 800_000


def test_text_of_an_entry_stays_text(site: Path) -> None:
    for name in ("index.html", "entries/hostile.html"):
        text = (site / name).read_text(encoding="utf-8")
        assert "<img" not in text
        assert text.count("<script") == 1
        assert "&lt;img src=x" in text
        assert "{{ 7*7 }}" in text or name == "index.html"


def test_an_entry_page_holds_its_recipe_commands_digests_and_all_three_scores(site: Path, entries: Path) -> None:
    page = (site / "entries" / "rank-1.html").read_text(encoding="utf-8")
    entry = Entry.model_validate_json((entries / "rank-1.json").read_bytes())
    assert entry.reproduced is not None
    assert entry.reproduced.private is not None
    for expected in (
        "lora_rank = 1",
        "kbench train --release kbench-methods --model lab --recipe rank-1.toml --out rank-1-run",
        "kbench leaderboard verify rank-1",
        "6" * 64,
        entry.claim,
        three(entry.scores.headline),
        three(entry.reproduced.private.rerun.scores.headline),
        "The re-run gave the same weights, bit by bit.",
        "transformers 5.19.0",
    ):
        assert expected in page
    assert (site / "entries" / "rank-1.toml").read_text(encoding="utf-8").splitlines()[-1] == "lora_rank = 1"


def test_only_an_entry_that_loses_more_in_private_than_most_is_marked(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    rows = dict(re.findall(r'<tr data-entry="([^"]*)"(.*?)</tr>', index, re.DOTALL))
    assert [name for name, row in rows.items() if "&gt; usual" in row] == ["tuned"]
    page = (site / "entries" / "tuned.html").read_text(encoding="utf-8")
    assert "It loses more there than most of its class do, beyond chance" in page
    assert "the median of the others of its class on this private world is +0.0" in page


def test_groups_stand_by_class_with_references_and_self_reported_below(entries: Path) -> None:
    board = [Entry.model_validate_json(path.read_bytes()) for path in sorted(entries.glob("*.json"))]
    methods, models = boards(board)
    assert [group.title.split(" the tokens")[0] for group in methods.groups] == [
        "At most 16×", "At most 4×", "At most 1×", "More than 16×", "References", "Self-reported",
    ]  # fmt: skip
    ranks = {line.entry.id: (line.rank, line.tied) for line in methods.lines}
    assert ranks["mixed"] == ranks["qa-4"] == ranks["reversal"] == (2, True)
    assert ranks["no-replay"] == ranks["claimed"] == ranks["floor"] == (None, False)
    assert [line.entry.id for line in models.lines] == ["model"]
    assert {line.entry.id for line in methods.drawn} == {*ranks} - {"claimed", "hostile"}


def test_nothing_off_the_frontier_scores_more_with_fewer_tokens(entries: Path) -> None:
    lines = standing([Entry.model_validate_json(path.read_bytes()) for path in entries.glob("*.json")])
    lines = [line for line in lines if line.entry.track == "methods" and line.entry.cost.tokens and line.reproduced]
    best = frontier(lines)
    assert "no-replay" not in {line.entry.id for line in best}  # it keeps too little of the base
    for line in (line for line in lines if line.retains):
        better = [
            b
            for b in best
            if article_passes(b.entry) <= article_passes(line.entry) and b.scores.headline >= line.scores.headline
        ]
        assert better


def test_references_that_lie_together_have_labels_that_do_not(tmp_path: Path) -> None:
    board = [
        make_entry(tmp_path, f"floor-{n}", "Some untrained base", 0.03, 0, kind="floor", recipe={}) for n in range(6)
    ]
    board.append(make_entry(tmp_path, "qa", "Questions", 0.1, 30_000))
    (picture,) = pareto_pictures(standing(board))
    labels = [*(level.label for level in picture.levels), *(dot.label for dot in picture.dots)]
    boxes = [label.box for label in labels if label]
    assert len(boxes) >= 4
    assert not any(box.hides(other) for at, box in enumerate(boxes) for other in boxes[at + 1 :])


AREA = Box(0, 0, 860, 380)
_PLACES = st.tuples(
    st.text("iWm漢 x", min_size=1, max_size=26), st.integers(20, 840).map(float), st.integers(10, 370).map(float)
)


@given(st.lists(_PLACES, max_size=24))
def test_no_label_hides_another_or_a_point_or_leaves_the_picture(points: list[tuple[str, float, float]]) -> None:
    boxes = [label.box for label in placed(points, AREA, [Box(700, 10, 850, 26)]) if label is not None]
    taken = [Box(700, 10, 850, 26), *(Box(x - 5, y - 5, x + 5, y + 5) for _, x, y in points)]
    for number, box in enumerate(boxes):
        assert AREA.holds(box)
        assert not any(box.hides(other) for other in [*boxes[number + 1 :], *taken])


def test_samples_are_chosen_by_the_digest_of_their_ids_right_and_wrong_ones_of_each_axis() -> None:
    rows = rows_of(0.5, "x")
    shown = chosen(rows)
    assert chosen(rows[::-1]) == shown
    assert len({example.prompt + example.axis for example in shown}) == len(shown)
    for axis in AXES:
        for right in (True, False):
            assert len([x for x in shown if (x.axis, x.right) == (axis, right)]) == EACH
    digests = [hashlib.sha256(r["id"].encode()).hexdigest() for r in rows if r["prompt"] == shown[0].prompt]
    assert (
        min(
            hashlib.sha256(r["id"].encode()).hexdigest()
            for r in rows
            if r["style"] == "qa" and r["probe"] == "paraphrase" and r["correct"]
        )
        in digests
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (two(-0.001), "0.00"),
        (two(-0.006), "−0.01"),
        (three(0.6361), "0.636"),
        (signed(-0.0001), "−0.000"),
        (signed(0.03), "+0.030"),
        (percent(0.8999), "89 %"),
        (percent(0.9), "90 %"),
        (percent(1.023), "102 %"),
        (times(0.904), "0.90×"),
        (times(5.47), "5.5×"),
        (times(1234.0), "1,234×"),
        (seconds(6.03), "6.0 s"),
        (seconds(119.0), "119 s"),
        (seconds(600.0), "10 min"),
        (seconds(36000.0), "10.0 h"),
    ],
)
def test_numbers_are_written_in_one_form(text: str, expected: str) -> None:
    assert text == expected


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["--paper", "--wash"])
@pytest.mark.parametrize("ink", ["--ink", "--soft", "--hue-1", "--good", "--warn"])
def test_every_colour_of_text_stands_out_from_its_ground(ink: str, ground: str, scheme: int, site: Path) -> None:
    css = (site / "style.css").read_text(encoding="utf-8")
    found = [re.findall(rf"{name}: (#[0-9a-f]{{6}})", css)[scheme] for name in (ink, ground)]
    low, high = sorted(map(_luminance, found))
    assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.skipif(not (ROOT / "docs" / "leaderboard").is_dir(), reason="no site lies under docs yet")
def test_the_site_under_docs_is_what_build_makes_of_the_entries(tmp_path: Path) -> None:
    build_site(ROOT / "releases" / "leaderboard", tmp_path / "site")
    assert bytes_of(tmp_path / "site") == bytes_of(ROOT / "docs" / "leaderboard")
