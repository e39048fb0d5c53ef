"""What a study leaves behind: its claims, its table, its figures, its page, and its own account of itself."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from kbench.cli.study_tables import print_design, print_study_failures, print_verdicts
from kbench.errors import SpecError
from kbench.ids import file_sha256
from kbench.store import write_json, write_text
from kbench.studies.study_cells import cell_rows
from kbench.studies.study_claims import Judged
from kbench.studies.study_design import design
from kbench.studies.study_figures import Figure, figures_of
from kbench.studies.study_levels import Levels
from kbench.studies.study_means import means_of, places
from kbench.studies.study_page import command_of, not_run
from kbench.studies.study_report import read_earlier, seeds_kind, write_study
from kbench.studies.study_run import Account
from tests.studied import CLAIMS, READINGS, SEEDS, hand_account, hand_levels, hand_study

VERDICTS = {"holds", "fails", "inconclusive", "not_testable"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def account(out: Path) -> Account:
    return hand_account(out)


@pytest.fixture(scope="module")
def figures(account: Account) -> list[Figure]:
    return figures_of(account)


def earlier(folder: Path, judged: Sequence[Judged]) -> Path:
    """What of an earlier run is read: its claims, and which seeds it had."""
    write_json(folder / "claims.json", [each.to_dict() for each in judged])
    write_json(folder / "study.json", {"name": "by-hand", "seeds_kind": "exploration", "seeds": list(SEEDS)})
    return folder


@pytest.fixture(scope="module")
def beside(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier(tmp_path_factory.mktemp("beside"), account.judged)


@pytest.fixture(scope="module")
def files(account: Account, out: Path, beside: Path) -> dict[str, Path]:
    """What the study leaves, beside an earlier run of itself."""
    return write_study(account, out, read_earlier(beside, "by-hand"))


@pytest.fixture(scope="module")
def about(files: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["about"].read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def page(files: dict[str, Path]) -> str:
    return files["page"].read_text(encoding="utf-8")


def test_claims_are_a_list_of_what_the_contract_names_and_no_more(files: dict[str, Path], account: Account) -> None:
    claims = json.loads(files["claims"].read_text(encoding="utf-8"))
    keys = ["claim", "verdict", "reason", "effect", "interval", "n", "seeds", "source"]
    assert [list(each) for each in claims] == [keys] * len(CLAIMS)
    assert [each["claim"] for each in claims] == [each["name"] for each in CLAIMS]
    assert {each["verdict"] for each in claims} == VERDICTS
    for each in claims:
        tested = each["effect"] is not None
        assert tested == (each["verdict"] != "not_testable") == bool(each["interval"]) == bool(each["n"])
        assert not tested or each["interval"][0] <= each["effect"] <= each["interval"][1]


def test_every_level_is_a_row_of_the_table_with_the_level_of_every_factor(
    files: dict[str, Path], account: Account, out: Path
) -> None:
    rows = pq.read_table(files["cells"]).to_pylist()
    assert len(rows) == len(account.levels.every)
    for row, level in zip(rows, account.levels.every, strict=True):
        assert {key: row[key] for key in vars(level)} == vars(level)
    turned = next(row for row in rows if row["cell"] == "style=article+paraphrases=1")
    named = ("style", "paraphrases", "volume", "budget")
    assert [turned[factor] for factor in named] == ["article", "1", "1", "facts"]
    part = next(row for row in rows if row["cell"] == "tones")
    assert [part[factor] for factor in named] == [""] * 4
    assert (part["title"], part["group"]) == ("attributed", "experiments of their own")
    assert (out / part["result"]).name.startswith("tones.seed")
    assert turned["title"] == READINGS["recall"]


def test_a_row_names_the_release_and_the_weights_that_it_was_read_off(account: Account, out: Path) -> None:
    planned = next(each for each in account.outcome.plan.cells if each.cell.recipe == "style=qa" or each.run)
    about = {
        "release": {"world": "abcd", "digest": "d" * 64},
        "base": {"weights": "b" * 64, "model": "lab"},
        "model": "run",
        "weights": "w" * 64,
        "scores": [],
    }
    write_json(planned.result / "results.json", {"kbench": about})
    try:
        rows = cell_rows(account, out)
    finally:
        (planned.result / "results.json").unlink()
    mine = [row for row in rows if (row["cell"], row["seed"]) == (planned.cell.recipe, planned.cell.seed)]
    assert mine
    for row in mine:
        assert (row["world"], row["release_digest"][0], row["weights"][0], row["base_weights"][0]) == ("abcd", *"dwb")
        assert row["result"] == planned.result.relative_to(out).as_posix()


def test_the_account_of_a_study_is_written_last_and_holds_the_digest_of_every_other_file(
    files: dict[str, Path], about: dict[str, Any], out: Path
) -> None:
    others = {path.relative_to(out).as_posix(): file_sha256(path) for key, path in files.items() if key != "about"}
    assert about["files"] == others
    assert {"claims.json", "cells.parquet", "report.html", "figures/heat.svg"} < others.keys()
    newest = max(path.stat().st_mtime_ns for key, path in files.items() if key != "about")
    assert files["about"].stat().st_mtime_ns >= newest


def test_the_account_says_what_was_run_what_failed_and_what_it_cost(about: dict[str, Any]) -> None:
    assert (about["status"], about["budget"], about["model"]) == ("incomplete", "coffee", "lab")
    assert (about["seeds"], about["seeds_kind"]) == (list(SEEDS), "exploration")
    assert about["tasks"]["base"] == {"all": 6, "failed": 0, "wall_s": 6 * 31.5, "cpu_s": 6 * 30.25}
    failed = about["failures"]
    assert [(each["reason"], each["cells"]) for each in failed] == [("out of <memory>", 1)]
    gates = {gate["gate"]: gate for gate in about["gates"]}
    assert (gates["learned"]["passes"], gates["chains"]["passes"]) == (True, False)
    assert list(gates["chains"]["values"]) == [str(seed) for seed in SEEDS]


def test_the_levels_behind_a_claim_add_up_to_its_effect(about: dict[str, Any]) -> None:
    for claim in about["claims"]:
        for effect in claim["effects"]:
            if effect["estimate"]:
                total = sum(term["weight"] * term["level"]["mean"] for term in effect["levels"])
                assert total == pytest.approx(effect["estimate"]["mean"])


KINDS = [
    ((0, 1, 7), "confirmation"),
    ((100, 107), "exploration"),
    ((0, 100), "other"),
    ((8,), "other"),
]


@pytest.mark.parametrize(("seeds", "kind"), KINDS)
def test_seeds_are_named_by_what_they_are_for(seeds: tuple[int, ...], kind: str) -> None:
    assert seeds_kind(seeds) == kind


class Rows(HTMLParser):
    """The rows of the verdicts: of each claim its verdict, its tags in order, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, tuple[str, list[str], str]] = {}
        self.now = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            self.now = found.get("data-claim") or ""
            if self.now:
                self.rows[self.now] = (found.get("data-verdict") or "", [], "")
        if self.now:
            self.rows[self.now][1].append(tag)

    def handle_data(self, data: str) -> None:
        if self.now:
            verdict, tags, text = self.rows[self.now]
            self.rows[self.now] = (verdict, tags, text + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self.now = ""


def test_the_page_shows_every_claim_with_its_verdict_its_reason_and_the_paper(page: str, account: Account) -> None:
    rows = Rows(page).rows
    assert list(rows) == [judged.claim.name for judged in account.judged]
    for judged in account.judged:
        verdict, _, text = rows[judged.claim.name]
        assert verdict == judged.verdict
        for shown in (judged.verdict.replace("_", " "), judged.claim.says, judged.reason, judged.claim.paper):
            assert shown in text
        # This run's verdict, and that of the earlier one beside it.
        assert text.count(judged.verdict.replace("_", " ")) >= 2


def test_a_claim_that_fails_is_shown_as_one_that_holds(page: str) -> None:
    rows = Rows(page).rows
    holds, fails = rows["recall_beats_chain"], rows["recall_is_all"]
    assert (holds[0], fails[0]) == ("holds", "fails")
    assert holds[1] == fails[1]
    style = page.partition("</style>")[0]
    assert re.findall(r"\.(holds|fails|inconclusive|not_testable) \{ ([a-z-]+):", style) == [
        (name, "color") for name in ("holds", "fails", "inconclusive", "not_testable")
    ]


def test_the_page_needs_no_network_and_lists_every_figure(
    page: str, figures: list[Figure], files: dict[str, Path]
) -> None:
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.replace('xlink:href="http', ""))
    names = [figure.name for figure in figures]
    assert len(names) == len(set(names)) > 8
    for name in names:
        assert f'href="figures/{name}.svg"' in page
        assert files[f"figures/{name}"].is_file()


def test_no_id_stands_twice_in_the_page(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_what_a_user_or_a_machine_wrote_is_text_on_the_page(page: str) -> None:
    assert "out of &lt;memory&gt;" in page
    assert "out of <memory>" not in page


def test_the_page_says_what_was_not_run(page: str, account: Account) -> None:
    said = not_run(account.design)
    assert "the arm: a quarter in all phrasings" in said
    assert "the part: capacity" in said
    assert any(line.startswith("on 3 seeds alone: ") and "share of the facts: 0.25" in line for line in said)
    assert all(line in page for line in said)


def test_figures_stand_alone_in_colours_of_their_own(files: dict[str, Path]) -> None:
    for name, path in files.items():
        if name.startswith("figures/"):
            text = path.read_text(encoding="utf-8")
            root = ElementTree.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert float(root.attrib["width"].removesuffix("pt")) > 400
            assert "var(" not in text


def test_pictures_in_the_page_take_their_colours_from_it_in_light_and_dark(page: str, figures: list[Figure]) -> None:
    light, dark = (set(re.findall(r"(--[a-z0-9-]+): #", found)) for found in re.findall(r":root \{(.*?)\}", page))
    assert light == dark
    for figure in figures:
        used = set(re.findall(r"var\((--[a-z0-9-]+)\)", figure.svg))
        assert used
        assert used <= light
        assert not re.search(r"#(?:0a000|01010|02020|07070)", figure.svg)


def test_the_forest_marks_each_verdict_by_a_sign_beside_its_colour(figures: list[Figure]) -> None:
    svg = figures[0].svg
    for sign in ("● holds", "✖ fails", "◆ inconclusive", "○ not testable"):
        assert sign in svg


def test_the_same_account_leaves_the_same_bytes(
    account: Account, files: dict[str, Path], out: Path, beside: Path
) -> None:
    before = {key: path.read_bytes() for key, path in files.items()}
    again = write_study(account, out, read_earlier(beside, "by-hand"))
    assert {key: path.read_bytes() for key, path in again.items()} == before


def test_cells_stand_in_the_groups_of_the_design(account: Account) -> None:
    placed = places(account.design)
    assert list(placed)[:3] == ["base", "centre", "style=dialogue"]
    assert str(placed["style=article"]) == "form of the training text: article"
    assert str(placed["style=article+paraphrases=1"]) == "style article × paraphrases 1"
    assert str(placed["chained"]) == "chains written out in training"
    assert list(placed)[-1] == "tones"


def test_a_control_is_marked_only_where_it_lies_above_chance(account: Account) -> None:
    marked = {mean.reading for mean in means_of(account.design, account.levels) if mean.control_is_above_chance}
    assert marked == {"chain"}


@pytest.mark.parametrize(
    ("model", "seeds", "more"),
    [
        ("lab", None, ""),
        ("lab", (100, 101, 102), " --seeds 100-102"),
        ("some/model", (0, 2, 5), " --model some/model --seeds 0,2,5"),
    ],
)
def test_the_page_names_the_command_that_runs_the_same_again(
    model: str, seeds: tuple[int, ...] | None, more: str
) -> None:
    made = design(hand_study(), "coffee", model, seeds)
    assert command_of(made) == f"kbench study by-hand --budget coffee{more}"


def test_a_level_of_nothing_has_no_sign(tmp_path: Path) -> None:
    levels = Levels(tuple(replace(level, value=-0.001) for level in hand_levels().every))
    page = write_study(hand_account(tmp_path, levels=levels), tmp_path)["page"].read_text(encoding="utf-8")
    assert "<strong>0.00</strong>" in page
    assert "<strong>-0.00</strong> " not in page


def test_a_study_of_one_seed_and_one_cell_has_a_page(tmp_path: Path) -> None:
    few = Levels(tuple(level for level in hand_levels((100,)).every if level.cell in ("base", "centre")))
    files = write_study(hand_account(tmp_path, levels=few), tmp_path)
    claims = json.loads(files["claims"].read_text(encoding="utf-8"))
    assert {claim["verdict"] for claim in claims} == {"not_testable"}
    assert "figures/heat" in files


def test_a_study_of_which_nothing_is_done_has_a_page(tmp_path: Path) -> None:
    files = write_study(hand_account(tmp_path, levels=Levels(())), tmp_path)
    assert pq.read_table(files["cells"]).num_rows == 0
    assert "not testable" in files["page"].read_text(encoding="utf-8")


def test_an_earlier_run_that_is_none_is_refused_in_one_line(tmp_path: Path, out: Path) -> None:
    with pytest.raises(SpecError, match=r"expected claims.json and study.json of a finished study in .*got FileNotF"):
        read_earlier(tmp_path, "by-hand")
    write_text(tmp_path / "claims.json", "[]")
    write_json(tmp_path / "study.json", {"name": "by-hand", "status": "unfinished"})
    with pytest.raises(SpecError, match=r"\(got KeyError\): finish it, or name another"):
        read_earlier(tmp_path, "by-hand")


def test_a_run_of_another_study_is_not_put_beside(beside: Path) -> None:
    with pytest.raises(SpecError, match=r"holds the study 'by-hand', which has other claims: name a run of 'mine'"):
        read_earlier(beside, "mine")


def test_no_picture_of_a_larger_run_is_left_beside_those_of_a_smaller_one(tmp_path: Path) -> None:
    write_study(hand_account(tmp_path), tmp_path)
    write_text(tmp_path / "figures" / "mine.svg", "<svg/>")
    few = Levels(tuple(level for level in hand_levels().every if level.cell in ("base", "centre")))
    files = write_study(hand_account(tmp_path, levels=few), tmp_path)
    named = {path.name for name, path in files.items() if name.startswith("figures/")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == named | {"mine.svg"}


def test_an_earlier_run_without_a_claim_leaves_its_place_empty(account: Account, tmp_path: Path) -> None:
    earlier(tmp_path / "one", account.judged[:1])
    study = hand_study(claims=CLAIMS[:2])
    two = hand_account(tmp_path / "two", study, Levels(()))
    one = read_earlier(tmp_path / "one", "by-hand")
    page = write_study(two, tmp_path / "two", one)["page"].read_text(encoding="utf-8")
    beside = re.findall(r'<td data-label="exploration seeds">(.*?)</td>', page, re.DOTALL)
    assert ["holds" in each for each in beside] == [True, False]
    assert beside[1] == "–"


def test_the_plan_names_every_cell_its_factors_and_what_it_costs(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    print_design(account.design, account.outcome.plan, 2)
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    for cell in account.design.cells:
        assert cell in lines
    assert "styles = ['article'], paraphrases = 1" in lines["style=article+paraphrases=1"]
    assert lines["trainings"].split() == ["trainings", "72", "0", "72", "7.6*"]
    assert re.search(r"about [\d,]+ s of CPU time, [\d.]+ minutes with --jobs 2", said)


def test_the_terminal_tells_every_verdict_and_why_one_does_not_hold(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    print_verdicts(account)
    print_study_failures(account)
    said = capsys.readouterr().out
    for judged in account.judged:
        words = judged.verdict.replace("_", " ")
        assert re.search(rf"^{judged.claim.name} +{words} ", said, re.MULTILINE)
        told = re.search(rf"^{judged.claim.name} (?:fails|is inconclusive|not testable): ", said, re.MULTILINE)
        assert (told is None) == (judged.verdict == "holds")
    assert "1 of 72 cells have no result" in said
    assert "which 1 cell needs: out of <memory>" in said
