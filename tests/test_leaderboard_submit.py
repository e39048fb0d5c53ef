"""Making entries: of a real result of a small model, whole and sound, and each reason for which there is none."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.prompting import Prompting
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RESULTS, RUN, SAMPLES
from kbench.benchmarks.run import train_run
from kbench.benchmarks.scoring import score
from kbench.errors import KbenchError
from kbench.generator.release import generate
from kbench.leaderboard.adding import add_entry
from kbench.leaderboard.passes import article_pass
from kbench.leaderboard.submission import Submission, Told, submission_of
from kbench.store import Release
from kbench.studies.lab import lab_base
from tests.boards import DAY, NAME, SMALL, small_recipe, small_rules

pytestmark = [pytest.mark.board, pytest.mark.xdist_group("leaderboard")]
LAB: dict[str, Any] = {"replay": 1 / 3, "bf16": True, "epochs": 2}


@dataclass(frozen=True)
class Made:
    """A release, its base, and the folders of real runs and results below `root`."""

    root: Path
    release: Release
    base: Path

    def copy(self, to: Path) -> "Made":
        """The same, to be altered: runs and results name each other by paths below the working directory."""
        for name in ("run", "lora", "result", "lora-result", "floor-result"):
            shutil.copytree(self.root / name, to / name)
        return Made(to, self.release, self.base)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("submitted")
    release = generate(small_recipe(), root / "release")[0]
    base = lab_base(release, root / "bases", SMALL)
    full = TrainRecipe(context=base.about["context"], learning_rate=2e-3, optimizer="muon", **LAB)
    lora = TrainRecipe(context=base.about["context"], learning_rate=1e-2, method="lora", **LAB)
    before = Path.cwd()
    os.chdir(root)
    try:
        train_run(release, str(base.path), full, Path("run"))
        train_run(release, str(base.path), lora, Path("lora"))
        score(release, "run", Path("result"), base=str(base.path))
        score(release, "lora", Path("lora-result"), base=str(base.path))
        score(release, str(base.path), Path("floor-result"))
    finally:
        os.chdir(before)
    return Made(root, release, base.path)


def submitted(made: Made, result: str = "result", plain: Path | None = None, **said: Any) -> Submission:
    told = Told(**{"id": "mine", "title": "Mine", "submitted": DAY, **said})
    return submission_of(Path(result), told, made.release, NAME, small_rules(made.release), plain=plain)


def test_a_result_becomes_an_entry_that_the_board_takes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.root)
    found = submitted(made)
    run = json.loads(Path("run", RUN).read_text(encoding="utf-8"))
    entry = found.entry
    assert (entry.kind, entry.base.model, entry.recipe) == ("method", "lab", {"styles": ["qa"], "epochs": 2})
    assert entry.cost.tokens == run["trained"]["tokens"]
    assert entry.model.digests["weights"] == run["weights"]["weights"]
    assert entry.cost.hardware.startswith(f"{run['threads']} thread")
    path = found.write(tmp_path / "mine-entry")
    rules = small_rules(made.release)
    assert add_entry(path, tmp_path / "board", rules, made.release).entry == entry


def test_an_adapter_is_entered_with_its_proof(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.root)
    entry = submitted(made, "lora-result").entry
    assert entry.recipe == {"styles": ["qa"], "epochs": 2, "method": "lora"}
    assert {"adapter", "weights"} <= set(entry.model.digests)


def test_the_base_itself_is_the_floor(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.root)
    entry = submitted(made, "floor-result").entry
    assert (entry.kind, entry.recipe, entry.cost.tokens) == ("floor", {}, 0)


def test_the_unit_of_tokens_is_one_pass_over_the_articles(made: Made) -> None:
    rows = made.release.table("article", "train").to_pylist()
    texts = json.loads((made.base / "tokenizer.json").read_text(encoding="utf-8"))
    assert texts["model"]["type"] == "WordLevel"
    least = sum(len(row["text"].split()) * row["repeat"] for row in rows)
    assert least < article_pass(made.release, made.base) < 3 * least


Alter = Callable[[Made], None]


def _kbench(*keys: str, value: Any, result: str = "result") -> Alter:
    """Say something else in a result's block."""

    def alter(made: Made) -> None:
        path = made.root / result / RESULTS
        about = json.loads(path.read_text(encoding="utf-8"))
        table = about["kbench"]
        for key in keys[:-1]:
            table = table[int(key) if key.isdigit() else key]
        table[keys[-1]] = value
        path.write_text(json.dumps(about), encoding="utf-8")

    return alter


def _run(*keys: str, value: Any, run: str = "run") -> Alter:
    def alter(made: Made) -> None:
        path = made.root / run / RUN
        about = table = json.loads(path.read_text(encoding="utf-8"))
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = value
        path.write_text(json.dumps(about), encoding="utf-8")

    return alter


def _sample(change: Callable[[list[dict[str, Any]]], None]) -> Alter:
    def alter(made: Made) -> None:
        path = made.root / "result" / SAMPLES
        table = pq.read_table(path)
        rows = table.to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)

    return alter


def _right(rows: list[dict[str, Any]]) -> None:
    next(row for row in rows if not row["correct"])["correct"] = True


def _better(rows: list[dict[str, Any]]) -> None:
    for row in (row for row in rows if row["split"] == "test"):
        row.update(prediction=row["answers"][0], reply=f" {row['answers'][0]}", correct=True)


def _said(rows: list[dict[str, Any]]) -> None:
    row = next(row for row in rows if not row["correct"])
    row.update(prediction=row["answers"][0], correct=True)


def _lost(rows: list[dict[str, Any]]) -> None:
    rows.pop()


def _weights(made: Made) -> None:
    path = made.root / "run" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _settings(made: Made) -> None:
    path = made.root / "run" / "generation_config.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def _gone(made: Made) -> None:
    shutil.rmtree(made.root / "run")


def _no_run(made: Made) -> None:
    (made.root / "run" / RUN).unlink()


def _unfinished(made: Made) -> None:
    (made.root / "result" / RESULTS).unlink()


ALTERED: list[tuple[str, Alter, str]] = [
    ("unfinished", _unfinished, "no finished result at result"),
    ("another release", _kbench("release", "digest", value="0" * 64), "is a result on the release 0000"),
    ("first rows", _kbench("scoring", "limit", value=5), "is partial: only the first 5 rows was asked"),
    ("some styles", _kbench("scoring", "styles", value=["qa"]), "is partial: only the styles qa was asked"),
    ("partial", _kbench("partial", value=True), "is partial: only a part was asked"),
    ("errors", _kbench("errors", value=3), "has 3 rows without a reply"),
    ("sampled", _kbench("scoring", "decoding", value="sampled"), "was decoded sampled: expected greedy"),
    ("longer replies", _kbench("scoring", "max_tokens", value=64), "was asked for 64 tokens"),
    ("a score", _kbench("scores", "1", "accuracy", value=0.99), "accuracy of qa paraphrase is 0.99, its samples give"),
    ("a control", _kbench("scores", "1", "control", value=0.5), "its samples give"),
    ("no base", _kbench("base", value=None), "scored without its base"),
    ("another base", _kbench("base", "weights", value="0" * 64), "stands beside another base"),
    ("no block", _kbench("scoring", value=None), "is no result of this kbench"),
    ("fewer samples", _kbench("samples", value=3), "its result says 3"),
    ("a verdict", _sample(_right), "is marked right, but its prediction is"),
    ("replies", _sample(_better), "its samples give"),
    ("a prediction", _sample(_said), "is True, its reply gives False: the samples were changed"),
    ("a sample lost", _sample(_lost), "its result says"),
    ("weights", _weights, "names weights"),
    ("settings", _settings, "names settings"),
    ("no model", _gone, "no model at run"),
    ("no run", _no_run, "run has no kbench_run.json, and an entry of the track methods is a recipe"),
    ("trained on another release", _run("release", "digest", value="0" * 64), "was trained on the release 0000"),
    ("a base that is gone", _run("base", "model", value="/nowhere/base"), "which is not there"),
    ("a base that was changed", _run("base", "weights", value="0" * 64), "the base was changed since"),
    ("a seed of its own", _run("recipe", "seed", value=7), "trained with seed = 7, which an entry's recipe cannot say"),
    ("a file read", _run("recipe", "replay_text", value="book.txt"), "trained with replay_text = book.txt"),
    ("too many tokens", _run("trained", "tokens", value=10**9), "more than 16 times"),
    ("a broken run", _run("trained", value=None), "is no run of this kbench"),
]


@pytest.mark.parametrize(("alter", "expected_error"), [case[1:] for case in ALTERED], ids=[c[0] for c in ALTERED])
def test_what_does_not_hold_is_refused_with_its_reason(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alter: Alter, expected_error: str
) -> None:
    mine = made.copy(tmp_path)
    alter(mine)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KbenchError) as refused:
        submitted(mine)
    assert expected_error in str(refused.value)
    assert "\n" not in str(refused.value)


ADAPTERS: list[tuple[str, Alter, str]] = [
    (
        "no proof",
        _kbench("adapter_truth", value=None, result="lora-result"),
        "has no proof that its adapter was applied",
    ),
    (
        "another's proof",
        _kbench("adapter_truth", "weights_and_config", value="0" * 64, result="lora-result"),
        "proves another adapter",
    ),
    ("a zero", _kbench("adapter_truth", "applied", value=False, result="lora-result"), "changes nothing"),
    ("a recipe without one", _run("recipe", "method", value="full", run="lora"), "the model scored has an adapter"),
]


@pytest.mark.parametrize(("alter", "expected_error"), [case[1:] for case in ADAPTERS], ids=[c[0] for c in ADAPTERS])
def test_an_adapter_whose_application_is_not_proven_is_refused(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alter: Alter, expected_error: str
) -> None:
    mine = made.copy(tmp_path)
    alter(mine)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KbenchError, match=expected_error):
        submitted(mine, "lora-result")


def test_another_base_of_the_lab_or_a_model_without_weights_is_refused(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.root)
    rules = small_rules(made.release)
    told = Told("mine", "Mine", DAY)
    with pytest.raises(KbenchError, match="stands on another base of the lab"):
        submission_of(
            Path("result"), told, made.release, NAME, type(rules)(rules.track, rules.digests, {"method": "0"})
        )
    score(made.release, "random", tmp_path / "random")
    with pytest.raises(KbenchError, match="no model at random"):
        submitted(made, str(tmp_path / "random"))


def test_the_base_asked_with_an_open_book_is_the_ceiling(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.root)
    opened, plain = tmp_path / "open", tmp_path / "plain"
    score(made.release, str(made.base), opened, Asking(prompting=Prompting("open-book")))
    with pytest.raises(KbenchError, match="answers the controls too: give the plain result of the same model with"):
        submitted(made, str(opened))
    with pytest.raises(KbenchError, match="result is no plain result of the model of"):
        submitted(made, str(opened), made.root / "result")
    score(made.release, str(made.base), plain)
    found = submitted(made, str(opened), plain)
    assert (found.entry.kind, found.entry.asked.prompt) == ("ceiling", "open-book")
    prompts = {row["probe"]: row["prompt"] for row in pq.read_table(pa.BufferReader(found.samples)).to_pylist()}
    assert prompts["paraphrase"].startswith("Facts:")
    assert not prompts["control"].startswith("Facts:")
    path = found.write(tmp_path / "mine-entry")
    assert add_entry(path, tmp_path / "board", small_rules(made.release), made.release).entry == found.entry


WORDS: list[tuple[dict[str, str], str]] = [
    ({"id": "../mine"}, "id: String should match pattern"),
    ({"title": ""}, "title: must not be blank"),
    ({"url": "ftp://x"}, "url: String should match pattern"),
    ({"authors": "a\tb"}, "authors: must have no control or format characters"),
    ({"description": "x" * 2001}, "description: String should have at most 2000 characters"),
]


@pytest.mark.parametrize(("said", "expected_error"), WORDS)
def test_a_submitters_words_are_bounded(
    made: Made, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], expected_error: str
) -> None:
    monkeypatch.chdir(made.root)
    with pytest.raises(KbenchError, match=expected_error):
        submitted(made, plain=None, **said)
