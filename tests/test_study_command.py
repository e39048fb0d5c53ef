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


def test_a_study_without_its_world_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = tmp_path / "mine.toml"
    write_text(study, (FILES / "style-to-facts.toml").read_text(encoding="utf-8"))
    assert run(monkeypatch, "study", str(study), "--budget", "minute", "--dry-run") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"world: expected a recipe 'style-to-facts.world.toml' in {tmp_path}, found none" in said
    assert "Traceback" not in said
