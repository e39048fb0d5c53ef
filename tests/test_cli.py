"""The command line: what it prints, where it exits, what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from kbench import __version__
from kbench.generator.spec import load_spec
from kbench.schema import STYLES
from kbench.store import MANIFEST
from tests.commands_page import commands
from tests.samples import Sample, run


def test_help_imports_nothing_heavy() -> None:
    code = "import kbench.cli, sys; print(sorted({'torch', 'transformers', 'datasets', 'vllm', 'pyarrow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == f"kbench {__version__}"


@pytest.mark.parametrize("verb", [" ".join(words) for words in commands() if words])
def test_every_verbs_help_ends_in_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert run(monkeypatch, *verb.split(" "), "--help") == 0
    assert f"Example: kbench {verb}" in " ".join(capsys.readouterr().out.split())


USAGE = [
    (["generate", "--style", "poem"], "'poem' is not one of 'qa', 'dialogue', 'article'"),
    (["generate", "--colour"], "No such option"),
    (["frobnicate"], "No such command"),
    (["eval", "--limit", "0"], "Invalid value for '--limit'"),
]


@pytest.mark.parametrize(("words", "expected_error"), USAGE)
def test_a_misused_command_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], expected_error: str
) -> None:
    assert run(monkeypatch, *words) == 2
    assert expected_error in capsys.readouterr().err


REFUSED = [
    (
        ["generate", "--spec", "nowhere.toml"],
        "no world spec 'nowhere.toml': give a TOML file or one of default, known, known-facts, lab",
    ),
    (["generate", "--templates", "nowhere"], "no template pack at nowhere: give a folder that holds pack.toml"),
    (["generate", "--entities", "0"], "sizes.entities: Input should be greater than or equal to 1 (got 0)"),
    (["generate", "--entities", "900000000"], "are more than the names of a"),
    (["generate", "--spec", "lab", "--entities", "90000"], "are more than the names of a"),
    (["generate", "--out", "full"], "full holds something else (thesis.txt, no .kbench_plan.json): give another --out"),
    (["generate", "--out", "full/thesis.txt"], "full/thesis.txt is a file, not a folder: give another --out"),
    (["generate", "--resume", "always", "--out", "new"], "nothing to resume in new"),
    (["train", "--release", "nowhere", "--out", "new"], "no release at nowhere: there is no such folder"),
    (["train", "--release", "full", "--out", "new"], "no release at full: it has no manifest, so it is not whole"),
    (["train", "--release", "{lab}", "--model", "full", "--out", "new"], "full is no model: expected config.json"),
    (
        ["train", "--release", "{lab}", "--model", "./gone", "--out", "new"],
        "no model './gone': there is no such folder",
    ),
    (
        ["train", "--release", "{lab}", "--replay", "2", "--out", "new"],
        "replay must be at least 0 and less than 1 (got 2.0)",
    ),
    (["eval", "--release", "{lab}", "--model", "./gone", "--out", "new"], "no model './gone': there is no such folder"),
    (["eval", "--release", "{lab}", "--model", "majority", "--out", "full"], "full holds something else"),
    (["demo", "--seeds", "1"], "--seeds needs 3 to 64 different seeds (got 1)"),
    (["demo", "--out", "full"], "full holds something else (thesis.txt, no kbench_demo.json)"),
]


@pytest.mark.parametrize(("words", "expected_error"), REFUSED)
def test_bad_input_ends_in_one_line_and_exit_1_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    lab: Sample,
    words: list[str],
    expected_error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("x")
    assert run(monkeypatch, *(word.format(lab=lab.release.path) for word in words)) == 1
    err = capsys.readouterr().err
    assert err.startswith("kbench: ")
    assert err.count("\n") == 1
    assert expected_error in err
    assert not list(tmp_path.rglob(MANIFEST))
    assert sorted(p.name for p in Path("full").iterdir()) == ["thesis.txt"]


@pytest.mark.parametrize("style", [*STYLES, "all"])
def test_each_style_works_alone_with_the_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, style: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "generate", "--style", style, "--entities", "40") == 0
    out = tmp_path / "kbench-default-0"
    assert (out / MANIFEST).is_file()
    assert (out / ("qa" if style == "all" else style)).is_dir()
    block = load_spec("default").block_size + 1
    assert f"entities: {block} new, {block} control" in capsys.readouterr().out, "a whole block and the persona"


def test_generating_again_says_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["generate", "--entities", "40", "--seed", "7", "--out", str(tmp_path / "world")]
    assert run(monkeypatch, *words) == 0
    capsys.readouterr()
    assert run(monkeypatch, *words) == 0
    assert "is this release already (world" in capsys.readouterr().out
    assert run(monkeypatch, *words[:-3], "8", *words[-2:]) == 1
    assert "holds another release" in capsys.readouterr().err


def test_a_dry_run_lists_the_splits_and_writes_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "generate", "--dry-run") == 0
    shown = capsys.readouterr().out
    for word in ("qa/train", "qa/control", "facts/train", "kbench-default-0"):
        assert word in shown
    assert not list(tmp_path.iterdir())


def test_a_preview_shows_the_rows_that_generate_would_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, lab: Sample
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "preview", "--spec", "lab", "--seed", "7", "--style", "article", "-n", "2") == 0
    shown = capsys.readouterr().out
    written = lab.release.table("article", "pretrain").to_pylist()
    previewed = [row for row in written if f"[article {row['id']}]\n{row['text']}\n" in shown]
    assert len(previewed) == 2
    assert shown.count("[article ") == 2
    assert not list(tmp_path.iterdir())


def test_eval_prints_each_score_beside_its_control(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, lab: Sample
) -> None:
    words = ["eval", "--release", str(lab.release.path), "--model", "oracle", "--out", str(tmp_path / "r")]
    assert run(monkeypatch, *words) == 0
    shown = capsys.readouterr().out
    for word in ("control", "chance", "majority", "cross_style", "1.00"):
        assert word in shown
    assert run(monkeypatch, *words) == 0
    assert "is this result already: nothing to do" in capsys.readouterr().out


def test_a_missing_extra_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("kbench.cli.console.find_spec", lambda module: None)
    assert run(monkeypatch, "demo", "--out", str(tmp_path / "demo")) == 1
    assert capsys.readouterr().err == (
        'kbench: this needs torch, which is not installed: pip install "knowledge-bench[train]"\n'
    )
    assert not (tmp_path / "demo").exists()
