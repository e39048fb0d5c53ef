"""Scoring with models that need no weights: results, samples, intervals, controls."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.metrics import bootstrap
from kbench.benchmarks.scoring import score
from kbench.errors import OutputError, ReleaseError
from kbench.schema import SAMPLE_SCHEMA
from kbench.store import Release
from tests.samples import Sample


def test_the_oracle_is_always_right(lab_release: Release, tmp_path: Path) -> None:
    about = score(lab_release, "oracle", tmp_path).about
    assert {s["accuracy"] for s in about["kbench"]["scores"]} == {1.0}


def test_a_uniform_guess_scores_about_its_chance_level(lab_release: Release, tmp_path: Path) -> None:
    scores = score(lab_release, "random", tmp_path).about["kbench"]["scores"]
    recall = next(s for s in scores if (s["style"], s["probe"]) == ("qa", "recall"))
    assert recall["low"] - 0.02 <= recall["chance"] <= recall["high"] + 0.02
    assert 0 < recall["accuracy"] < 0.1


def test_the_majority_model_scores_what_every_result_calls_majority(lab_release: Release, tmp_path: Path) -> None:
    for s in score(lab_release, "majority", tmp_path).about["kbench"]["scores"]:
        assert s["accuracy"] == pytest.approx(s["majority"]), (s["style"], s["probe"])


def test_every_score_has_its_control_n_and_interval(lab_release: Release, tmp_path: Path) -> None:
    for s in score(lab_release, "random", tmp_path).about["kbench"]["scores"]:
        assert (s["control"] is None) == (s["probe"] == "control"), s
        assert s["rows"] >= s["entities"] > 0
        assert s["facts"] > 0
        assert 0 <= s["low"] <= s["accuracy"] <= s["high"] <= 1


def test_a_result_folder_has_lm_evals_shape_and_every_sample(lab: Sample, tmp_path: Path) -> None:
    score(lab.release, "majority", tmp_path)
    about = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    task = f"kbench_{lab.release.world}_qa_paraphrase"
    assert about["results"][task]["exact_match,none"] == pytest.approx(
        next(s["accuracy"] for s in about["kbench"]["scores"] if (s["style"], s["probe"]) == ("qa", "paraphrase"))
    )
    assert about["n-samples"][task]["effective"] == about["results"][task]["sample_len"]
    assert about["kbench"]["release"] == {"world": lab.release.world, "digest": lab.release.digest}
    samples = pq.read_table(tmp_path / "samples.parquet")
    assert samples.schema.equals(SAMPLE_SCHEMA)
    assert samples.num_rows == about["kbench"]["samples"]
    assert len(set(samples.column("id").to_pylist())) == samples.num_rows


def test_a_base_is_scored_on_the_same_rows(lab_release: Release, tmp_path: Path) -> None:
    scores = score(lab_release, "oracle", tmp_path / "a", base="majority").about["kbench"]["scores"]
    alone = score(lab_release, "majority", tmp_path / "b").about["kbench"]["scores"]
    assert [s["base"] for s in scores] == pytest.approx([s["accuracy"] for s in alone])


def test_scoring_again_does_nothing(lab_release: Release, tmp_path: Path) -> None:
    first = score(lab_release, "majority", tmp_path)
    before = (tmp_path / "results.json").stat().st_mtime_ns
    again = score(lab_release, "majority", tmp_path)
    assert (first.scored_now, again.scored_now) == (True, False)
    assert (tmp_path / "results.json").stat().st_mtime_ns == before


def test_another_models_result_is_not_overwritten(lab_release: Release, tmp_path: Path) -> None:
    score(lab_release, "majority", tmp_path)
    with pytest.raises(OutputError, match="holds another result \\(of majority\\)"):
        score(lab_release, "oracle", tmp_path)


def test_a_limit_makes_a_result_that_says_it_is_partial(lab_release: Release, tmp_path: Path) -> None:
    about = score(lab_release, "majority", tmp_path, Asking(limit=3)).about["kbench"]
    assert about["partial"] is True
    assert max(s["rows"] for s in about["scores"]) <= 3


def test_an_altered_shard_is_named_and_nothing_is_written(lab: Sample, tmp_path: Path) -> None:
    from kbench.store import open_release

    copy = tmp_path / "copy"
    shutil.copytree(lab.release.path, copy)
    victim = copy / "qa" / "test-00000-of-00001.parquet"
    victim.write_bytes(victim.read_bytes() + b"x")
    with pytest.raises(ReleaseError, match=r"qa/test-00000-of-00001\.parquet was altered"):
        score(open_release(copy), "majority", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_interval_resamples_entities_not_rows() -> None:
    clusters = [str(i) for i in range(20) for _ in range(50)]
    right = np.repeat(np.arange(20) % 2, 50).astype(float)
    low, high, stderr = bootstrap(clusters, right)
    assert high - low > 0.3
    assert bootstrap(clusters, right) == (low, high, stderr)
    each_row = bootstrap([str(i) for i in range(1000)], right)
    assert each_row[1] - each_row[0] < 0.1


def test_a_style_alone_is_asked_where_it_is_named_and_the_result_says_so(lab_release: Release, tmp_path: Path) -> None:
    about = score(lab_release, "oracle", tmp_path / "a", Asking(styles=("cloze",))).about["kbench"]
    assert {s["style"] for s in about["scores"]} == {"cloze"}
    assert (about["partial"], about["scoring"]["styles"]) == (True, ["cloze"])
    with pytest.raises(ReleaseError, match="has no questions in style 'tone' to score: have qa, "):
        score(lab_release, "oracle", tmp_path / "b", Asking(styles=("qa", "tone")))
    assert not (tmp_path / "b").exists()
