"""`kbench compare`: two results paired by row, and what is refused or said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kbench
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.compare import compare_results, p_text
from kbench.benchmarks.resampling import holm, sign_flip
from kbench.benchmarks.results import read_result
from kbench.benchmarks.scoring import score
from kbench.errors import KbenchError
from tests.samples import Sample, run


@pytest.fixture(scope="module")
def results(lab: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of three baselines on the lab's release: `oracle`, `majority`, `random`."""
    out = tmp_path_factory.mktemp("results")
    for model in ("oracle", "majority", "random"):
        score(lab.release, model, out / model, Asking(splits=("test", "control")))
    return out


def _edit(results: Path, tmp_path: Path, **columns: list[object]) -> Path:
    """A copy of the oracle's result whose samples have other values in some columns."""
    copy = Path(shutil.copytree(results / "oracle", tmp_path / "edited"))
    table = pq.read_table(copy / "samples.parquet")
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    pq.write_table(table, copy / "samples.parquet")
    return copy


def test_a_line_has_both_scores_their_difference_and_an_interval_around_it(results: Path) -> None:
    found = compare_results(results / "majority", results / "random")
    scores = {name: read_result(results / name) for name in ("majority", "random")}
    assert [(line.style, line.probe) for line in found.lines]
    for line in found.lines:
        for name, value in (("majority", line.a), ("random", line.b)):
            about = scores[name]
            assert about is not None
            [own] = [s for s in about["kbench"]["scores"] if (s["style"], s["probe"]) == (line.style, line.probe)]
            assert (own["accuracy"], own["rows"], own["entities"]) == pytest.approx((value, line.rows, line.entities))
        assert line.difference == pytest.approx(line.b - line.a)
        assert line.low <= line.difference <= line.high
        assert line.p <= line.p_holm <= 1
    assert [line.p_holm for line in found.lines] == holm([line.p for line in found.lines])
    assert (found.only_a, found.only_b, found.unscored, found.notes) == (0, 0, 0, ())


def test_the_other_way_about_the_difference_changes_its_sign_and_p_stays(results: Path) -> None:
    one, two = (compare_results(results / a, results / b) for a, b in (("oracle", "random"), ("random", "oracle")))
    for here, there in zip(one.lines, two.lines, strict=True):
        assert (here.difference, here.p) == pytest.approx((-there.difference, there.p))


def test_a_result_and_itself_do_not_differ(results: Path) -> None:
    for line in compare_results(results / "random", results / "random").lines:
        assert (line.difference, line.low, line.high, line.p, line.p_holm) == (0, 0, 0, 1, 1)


def test_rows_are_paired_by_id_not_by_place(results: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(results / "random", tmp_path / "copy"))
    table = pq.read_table(copy / "samples.parquet")
    pq.write_table(table.take(np.random.default_rng(0).permutation(table.num_rows)), copy / "samples.parquet")
    whole = {(line.style, line.probe): line for line in compare_results(results / "oracle", results / "random").lines}
    for line in compare_results(results / "oracle", copy).lines:
        assert line == whole[line.style, line.probe]


def test_rows_in_one_result_only_and_rows_without_a_score_are_left_out_and_counted(
    results: Path, tmp_path: Path
) -> None:
    table = pq.read_table(results / "oracle" / "samples.parquet")
    scores = table.column("score").to_pylist()
    copy = _edit(results, tmp_path, score=[None] * 7 + scores[7:])
    pq.write_table(pq.read_table(copy / "samples.parquet").slice(0, table.num_rows - 5), copy / "samples.parquet")
    found = compare_results(results / "majority", copy)
    assert (found.only_a, found.only_b, found.unscored) == (5, 0, 7)
    assert sum(line.rows for line in found.lines) == table.num_rows - 12
    assert found.left_out() == f"left out: 5 in {results / 'majority'} only, 7 without a value in one"


def test_p_flips_entities_so_many_rows_of_one_entity_prove_little(results: Path, tmp_path: Path) -> None:
    table = pq.read_table(results / "oracle" / "samples.parquet")
    copy = _edit(results, tmp_path, entity_id=["one"] * table.num_rows)
    other = Path(shutil.copytree(results / "majority", tmp_path / "other"))
    for line in compare_results(copy, other).lines:
        assert (line.entities, line.p) == (1, 1)
    assert sign_flip(table.column("entity_id").to_pylist(), np.ones(table.num_rows)).p < 0.001


def test_another_measure_is_compared_where_it_applies(results: Path) -> None:
    found = compare_results(results / "oracle", results / "majority", "number_match")
    assert found.measure == "number_match"
    assert all(line.a == 1 and line.b < 1 for line in found.lines)
    assert found.unscored > 0


def _of_another_release(results: Path, copy: Path) -> None:
    about = json.loads((copy / "results.json").read_text("utf-8"))
    about["kbench"]["release"] = {"world": "0123abcd", "digest": "f" * 64}
    (copy / "results.json").write_text(json.dumps(about), encoding="utf-8")


def _without_result(results: Path, copy: Path) -> None:
    (copy / "results.json").unlink()


def _without_samples(results: Path, copy: Path) -> None:
    (copy / "samples.parquet").unlink()


def _of_an_older_kbench(results: Path, copy: Path) -> None:
    table = pq.read_table(copy / "samples.parquet")
    pq.write_table(table.drop_columns(["token_f1"]), copy / "samples.parquet")


def _of_other_rows(results: Path, copy: Path) -> None:
    table = pq.read_table(copy / "samples.parquet")
    pq.write_table(table.slice(0, 0), copy / "samples.parquet")


@pytest.mark.parametrize(
    ("change", "measure", "expected_error"),
    [
        (
            _of_another_release,
            "exact_match",
            r"two results of one release \(got world \w+, digest \w{16}, in .*oracle and ",
        ),
        (
            _without_result,
            "exact_match",
            r"expected a finished result \(no results\.json in .*copy\): make one by kbench",
        ),
        (
            _without_samples,
            "exact_match",
            r"no samples\.parquet in .*copy, whose rows are to be paired: score the model",
        ),
        (
            _of_an_older_kbench,
            "token_f1",
            r"no token_f1 in .*samples\.parquet \(have id, style, .*\): score the model again",
        ),
        (_of_other_rows, "exact_match", r"share 0 rows, none with exact_match in both: score the same splits"),
        (None, "acc", r"share [\d,]+ rows, none with acc in both: score both with it, or compare another measure"),
        (None, "bleu", r"unknown measure 'bleu': have exact_match, token_f1, .*answer_margin"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    results: Path, tmp_path: Path, change: object, measure: str, expected_error: str
) -> None:
    copy = Path(shutil.copytree(results / "oracle", tmp_path / "copy"))
    if callable(change):
        change(results, copy)
    with pytest.raises(KbenchError, match=expected_error) as caught:
        compare_results(results / "oracle", copy, measure)
    assert "\n" not in str(caught.value)


def test_results_asked_in_different_ways_are_compared_with_a_word(results: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(results / "oracle", tmp_path / "copy"))
    about = json.loads((copy / "results.json").read_text("utf-8"))
    about["kbench"]["scoring"] |= {"max_tokens": 8, "limit": 3, "prompt": {"shots": 5}}
    about["kbench"]["partial"] = True
    (copy / "results.json").write_text(json.dumps(about), encoding="utf-8")
    notes = compare_results(results / "oracle", copy).notes
    assert "the two were asked differently: max_tokens is 32 and 8" in notes
    assert any(note.startswith("the two were asked differently: prompt.shots is ") for note in notes)
    assert notes[-1] == f"{copy} is partial: it is no score of the whole release"


def test_the_command_prints_a_table_that_fits_and_writes_everything(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results)
    assert run(monkeypatch, "compare", "majority", "oracle", "--json", str(tmp_path / "all.json")) == 0
    shown = capsys.readouterr().out
    assert "exact_match: a = majority, b = oracle" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    found = kbench.compare("majority", "oracle")
    assert json.loads((tmp_path / "all.json").read_text("utf-8")) == json.loads(json.dumps(found.to_dict()))
    assert len(found.scores()) == len(found.lines)


def test_a_mistake_of_the_command_is_one_line_and_exit_1(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "compare", str(results / "oracle"), str(results)) == 1
    assert capsys.readouterr().err.startswith("kbench: expected a finished result (no results.json in ")


def test_eval_shows_leak_and_retention_beside_the_base_and_keeps_them(
    lab: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBENCH_CACHE", str(tmp_path / "cache"))
    words = ("--release", str(lab.release.path), "--limit", "40", "--out", str(tmp_path / "out"))
    assert run(monkeypatch, "eval", "--model", "majority", "--base", "oracle", *words) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    about = read_result(tmp_path / "out")
    assert about is not None
    names = set()
    for score_ in about["kbench"]["scores"]:
        versus = score_["versus_base"]
        assert versus["value"] == pytest.approx(score_["accuracy"] - 1)
        names.add((score_["probe"], versus["name"]))
        line = [score_["style"], score_["probe"], versus["name"], f"{versus['value']:+.2f}"]
        assert any(each[:4] == line for each in shown), line
    assert {("known", "retention"), ("control", "leak"), ("paraphrase", "gain")} <= names


def test_of_rows_of_one_entity_no_interval_and_no_p_is_shown(
    lab: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBENCH_CACHE", str(tmp_path / "cache"))
    for model in ("oracle", "majority"):
        words = ("--release", str(lab.release.path), "--limit", "1", "--out", str(tmp_path / model))
        assert run(monkeypatch, "eval", "--model", model, "--base", "random", "--measures", *words) == 0
    assert run(monkeypatch, "compare", str(tmp_path / "oracle"), str(tmp_path / "majority")) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("qa ")]
    assert len(shown) > 20
    assert all("–" in line[3:] for line in shown)
    assert not [word for line in shown for word in line if word.endswith(",") or "0–" in word]


@pytest.mark.parametrize(
    ("p", "floor", "text"),
    [(1.0, 1.0, "1.000"), (0.25, 0.25, "0.250"), (1 / 10_001, 1 / 10_001, "≤0.0001"), (0.0004, 1e-4, "0.0004")],
)
def test_a_p_is_never_shown_as_0(p: float, floor: float, text: str) -> None:
    assert p_text(p, floor) == text
