"""Nothing asked is asked again: scoring that is killed, an engine that dies, rows that fail, a base that is known."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.kept import KEPT
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.models.protocol import Decoding, Reply
from kbench.benchmarks.scoring import PLAN, score
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError, OutputError
from kbench.store import Release
from tests.samples import Sample

DIES = """
import os, signal, sys
from pathlib import Path
from kbench.benchmarks.scoring import score
from kbench.store import open_release
from tests.test_resume import Counting

score(open_release(Path(sys.argv[1])), "oracle", Path(sys.argv[2]), opened=Counting(
    at={int(sys.argv[3]): lambda: os.kill(os.getpid(), signal.SIGKILL)}))
"""


@dataclass(frozen=True)
class Counting(Oracle):
    """An oracle that counts what it is asked, fails on some rows, and does something at some replies."""

    at: dict[int, Any] = field(default_factory=dict)
    fails_on: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        for place, reply in super().ask(items, decoding):
            if (act := self.at.get(len(self.asked))) is not None:
                act()
            self.asked.append(items[place].row["id"])
            yield place, Reply((), error="cut off") if items[place].row["id"] in self.fails_on else reply


def dead() -> None:
    raise ModelError("the endpoint http://127.0.0.1:9/v1 is gone")


@pytest.fixture(scope="session")
def rows(lab_release: Release, tmp_path_factory: pytest.TempPathFactory) -> int:
    about = score(lab_release, "oracle", tmp_path_factory.mktemp("whole")).about
    return int(about["kbench"]["samples"])


def test_a_scoring_killed_at_nine_tenths_asks_the_last_tenth(lab_release: Release, rows: int, tmp_path: Path) -> None:
    whole = score(lab_release, "oracle", tmp_path / "whole")
    reached = rows * 9 // 10
    words = [sys.executable, "-c", DIES, str(lab_release.path), str(tmp_path / "cut"), str(reached)]
    done = subprocess.run(words, check=False, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with (tmp_path / "cut" / KEPT).open("a", encoding="utf-8") as stream:
        stream.write('{"key": "a line that was cut')
    rest = Counting()
    again = score(lab_release, "oracle", tmp_path / "cut", opened=rest)
    assert len(rest.asked) == rows - reached
    assert again.about["kbench"]["scores"] == whole.about["kbench"]["scores"]
    assert pq.read_table(tmp_path / "cut" / "samples.parquet").equals(
        pq.read_table(tmp_path / "whole" / "samples.parquet")
    )
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["results.json", "samples.parquet"]


def test_an_engine_that_dies_leaves_what_it_said_and_says_how_to_go_on(
    lab_release: Release, rows: int, tmp_path: Path
) -> None:
    expected = f"is gone; 100 of {rows:,} replies are kept: the same command goes on"
    with pytest.raises(ModelError, match=expected):
        score(lab_release, "oracle", tmp_path, opened=Counting(at={100: dead}))
    assert not (tmp_path / "results.json").exists()
    rest = Counting()
    score(lab_release, "oracle", tmp_path, opened=rest)
    assert len(rest.asked) == rows - 100


def test_rows_that_fail_are_no_wrong_answers_and_are_asked_again(lab_release: Release, tmp_path: Path) -> None:
    first = [row["id"] for row in lab_release.table("qa", "test").slice(0, 5).to_pylist()]
    about = score(lab_release, "oracle", tmp_path, opened=Counting(fails_on=frozenset(first))).about["kbench"]
    paraphrase = next(s for s in about["scores"] if (s["style"], s["probe"]) == ("qa", "paraphrase"))
    assert (about["errors"], paraphrase["errors"], paraphrase["accuracy"]) == (5, 5, 1.0)
    samples = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    assert {s["id"] for s in samples if s["status"] == "error"} == set(first)
    assert {s["correct"] for s in samples if s["status"] == "error"} == {None}
    second = Counting()
    mended = score(lab_release, "oracle", tmp_path, opened=second)
    assert sorted(second.asked) == sorted(first)
    assert mended.about["kbench"]["errors"] == 0
    assert not score(lab_release, "oracle", tmp_path).scored_now


def test_a_reply_to_another_prompt_is_not_taken_for_this_one(lab_release: Release, rows: int, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        score(lab_release, "oracle", tmp_path, opened=Counting(at={100: dead}))
    lines = (tmp_path / KEPT).read_text(encoding="utf-8").splitlines()
    changed = {**json.loads(lines[0]), "key": "0" * 32}
    (tmp_path / KEPT).write_text("\n".join([json.dumps(changed), *lines[1:]]) + "\n", encoding="utf-8")
    rest = Counting()
    score(lab_release, "oracle", tmp_path, opened=rest)
    assert len(rest.asked) == rows - 99


def test_an_unfinished_result_of_another_question_is_refused(
    lab_release: Release, default_sample: Sample, tmp_path: Path
) -> None:
    with pytest.raises(ModelError):
        score(lab_release, "oracle", tmp_path, opened=Counting(at={100: dead}))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=r"another, unfinished result on release [0-9a-f]{12}, not on [0-9a-f]{12}"):
        score(default_sample.release, "oracle", tmp_path)
    with pytest.raises(OutputError, match="another, unfinished result, which differs in model: give another --out"):
        score(lab_release, "random", tmp_path)
    with pytest.raises(
        OutputError, match=r"another, unfinished result, which differs in limit \(None, not 3\): give another --out"
    ):
        score(lab_release, "oracle", tmp_path, Asking(limit=3))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_base_is_scored_once_for_all_its_finetunes(
    lab_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBENCH_CACHE", str(tmp_path / "cache"))
    heard: list[tuple[int, int]] = []
    score(lab_release, "oracle", tmp_path / "a", base="majority", progress=lambda n, total: heard.append((n, total)))
    first = heard[-1][1]
    assert heard[-1] == (first, first)
    assert [n for n, _ in heard] == sorted(n for n, _ in heard)
    (found,) = (tmp_path / "cache" / "bases").iterdir()
    before = (found / "results.json").stat().st_mtime_ns
    score(lab_release, "random", tmp_path / "b", base="majority")
    assert (found / "results.json").stat().st_mtime_ns == before
    score(lab_release, "random", tmp_path / "c", Asking(limit=2), base="majority")
    assert len(list((tmp_path / "cache" / "bases").iterdir())) == 2


def test_a_base_that_was_scored_elsewhere_is_read_from_there(lab_release: Release, tmp_path: Path) -> None:
    known = score(lab_release, "majority", tmp_path / "base").about["kbench"]["scores"]
    tuned = score(lab_release, "oracle", tmp_path / "tuned", base="./gone", base_result=tmp_path / "base")
    assert [s["base"] for s in tuned.about["kbench"]["scores"]] == pytest.approx([s["accuracy"] for s in known])


def test_a_scoring_that_was_killed_while_it_wrote_goes_on(lab_release: Release, tmp_path: Path) -> None:
    whole = score(lab_release, "majority", tmp_path).about
    question = {key: whole["kbench"][key] for key in ("model", "base", "release", "scoring")}
    (tmp_path / "results.json").rename(tmp_path / ".results.json.part")
    (tmp_path / PLAN).write_text(json.dumps(question), encoding="utf-8")
    again = score(lab_release, "majority", tmp_path)
    assert again.scored_now
    assert again.about["results"] == whole["results"]
    assert not (tmp_path / PLAN).exists()


def test_what_a_kill_behind_the_last_file_leaves_is_cleared_by_the_next_call(
    lab_release: Release, tmp_path: Path
) -> None:
    score(lab_release, "oracle", tmp_path)
    (tmp_path / PLAN).write_text("{}", encoding="utf-8")
    (tmp_path / KEPT).write_text("", encoding="utf-8")
    assert not score(lab_release, "oracle", tmp_path).scored_now
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "samples.parquet"]
