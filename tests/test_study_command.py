"""`kbench study`: what cannot be is told in one line, before anything is done for it."""

from pathlib import Path

import pytest

from kbench.store import write_text
from kbench.studies.study_file import FILES
from tests.samples import run

CANNOT = [
    (["--model", "oracle"], "a study trains its model, and 'oracle' has no weights: give lab, a folder or ORG/NAME"),
    (["--model", "openai:gpt@http://localhost:1"], "has no weights"),
    (["--model", "{empty}"], "empty is no model: expected config.json and model.safetensors there"),
    (["--model", "{adapter}"], "adapter is an adapter: expected a whole model to train"),
    (["--model", "nowhere"], "no model 'nowhere': there is no such folder, and it is no Hub id (ORG/NAME)"),
    (["--beside", "{empty}"], "expected claims.json and study.json of a finished study in {empty}"),
    (["--seeds", "0,1"], "--seeds needs 3 to 64 different seeds (got 2)"),
    (["--seeds", "few"], "--seeds takes numbers such as 0-7 or 1,2,5 (got 'few')"),
]


@pytest.mark.parametrize(("words", "expected_error"), CANNOT)
def test_what_cannot_be_is_told_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    expected_error: str,
) -> None:
    folders = {name: tmp_path / name for name in ("empty", "adapter")}
    for folder in folders.values():
        folder.mkdir()
    write_text(folders["adapter"] / "adapter_config.json", '{"base_model_name_or_path": "some/model"}')
    given = [word.format(**folders) for word in words]
    out = tmp_path / "out"
    assert run(monkeypatch, "study", "style-to-facts", "--budget", "minute", "--out", str(out), *given) == 1
    said = capsys.readouterr()
    assert expected_error.format(**folders) in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert not out.exists()


TURNED = [
    (
        ["known-facts", "--variant", "instruct"],
        "--variant must be NAME=MODEL, such as instruct=ORG/NAME (got 'instruct')",
    ),
    (
        ["known-facts", "--variant", "=some/chat"],
        "--variant must be NAME=MODEL, such as instruct=ORG/NAME (got '=some/",
    ),
    (["known-facts", "--variant", "instruct=oracle"], "a study trains its model, and 'oracle' has no weights"),
    (
        ["known-facts", "--variant", "chat=some/chat"],
        "the study known-facts has no variant 'chat' to give a model for: have",
    ),
    (
        ["style-to-facts", "--by", "popularity"],
        "the study style-to-facts chooses no facts, so that there is nothing to",
    ),
    (["factuality-gap", "--by", "popularity"], "names levels such as HighlyKnown+MaybeKnown, which there are none of"),
    (["known-facts", "--release", "nowhere"], "nowhere"),
    (["known-facts", "--release", "{empty}"], "{empty}"),
]


@pytest.mark.parametrize(("words", "expected_error"), TURNED)
def test_a_study_that_cannot_be_turned_so_says_why_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    expected_error: str,
) -> None:
    (tmp_path / "empty").mkdir()
    given = [word.format(empty=tmp_path / "empty") for word in words]
    out = tmp_path / "out"
    assert run(monkeypatch, "study", *given, "--budget", "minute", "--out", str(out), "--dry-run") == 1
    said = capsys.readouterr()
    assert expected_error.format(empty=tmp_path / "empty") in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert not out.exists()


def test_a_release_and_another_choice_of_facts_are_planned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--release", "kbench-tiny", "--by", "popularity", "--budget", "coffee", "--out", str(tmp_path / "out")]
    assert run(monkeypatch, "study", "known-facts", *words, "--dry-run") == 0
    said = capsys.readouterr().out
    told = {line.split("  ")[0]: line for line in said.splitlines()}
    assert "arm=bottom" in told
    assert "mix_in" in told
    assert "unknown" not in told  # its level is a number of exposures
    assert not any(line.startswith("releases") for line in said.splitlines())


def test_a_study_without_its_world_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = tmp_path / "mine.toml"
    write_text(study, (FILES / "style-to-facts.toml").read_text(encoding="utf-8"))
    assert run(monkeypatch, "study", str(study), "--budget", "minute", "--dry-run") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"world: expected a recipe 'style-to-facts.world.toml' in {tmp_path}, found none" in said
    assert "Traceback" not in said
