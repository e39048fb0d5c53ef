"""TRL trains on each form of an export as `load_dataset` gives it, and learns what it should."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kbench.exports.examples import FORMS, Form
from kbench.exports.export import export_release
from kbench.store import Release
from tests.tools.conftest import Scored, run_tool

SCRIPT = Path(__file__).with_name("sft.py")


@pytest.fixture(scope="module")
def folder(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release for TRL."""
    return export_release(tiny, "trl", tmp_path_factory.mktemp("trl") / "kbench-tiny-trl").path


@pytest.fixture(scope="module", params=FORMS)
def trained(
    request: pytest.FixtureRequest, folder: Path, scored: Scored, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Form, dict[str, Any]]:
    """Twenty steps on a form by TRL: the losses, and the first batch as it was shown and as it was learned."""
    out = tmp_path_factory.mktemp(request.param)
    run_tool("python", str(SCRIPT), str(folder), request.param, str(scored.base), str(out), cwd=out)
    return request.param, json.loads((out / "seen.json").read_text(encoding="utf-8"))


def test_the_loss_falls(trained: tuple[Form, dict[str, Any]]) -> None:
    _, seen = trained
    assert len(seen["losses"]) == 20
    assert sum(seen["losses"][-5:]) < 0.9 * sum(seen["losses"][:5])


def test_only_what_the_form_says_is_learned(trained: tuple[Form, dict[str, Any]], folder: Path, tiny: Release) -> None:
    form, seen = trained
    end = seen["eos"]
    shown = [text.split(end)[0] for text in seen["shown"]]
    learned = [text.removesuffix(end) for text in seen["learned"]]
    assert len(shown) == 16
    if form == "prompt-completion":
        styles = [style for style in tiny.configs() if "question" in tiny.table(style, "train").column_names]
        answers = {row["answer"] for style in styles for row in tiny.table(style, "train").to_pylist()}
        assert {text.strip() for text in learned} <= answers
        assert all(text.endswith(part) and len(part) < len(text) for text, part in zip(shown, learned, strict=True))
        assert all(text.endswith(end) for text in seen["learned"]), "the model must learn to stop"
    elif form == "text":
        assert learned == shown
        assert all(text.endswith(end) for text in seen["learned"]), "the model must learn to stop"
    else:
        assert [text.split(end)[0] for text in learned] == shown
        files = [pq.read_table(path) for path in (folder / "messages").glob("train-*")]
        openings = {row["messages"][0]["content"] for table in files for row in table.to_pylist()}
        assert all(any(opening in text for opening in openings) for text in shown)
