"""A model of the Hub: fetched by the real client from a server on loopback, named by its commit, and never a pickle."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.results import RESULTS, model_digests, shown_name
from kbench.store import Release
from kbench.studies.lab import release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.hub import Client, HubServer

pytestmark = pytest.mark.xdist_group("hub")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: HubServer) -> Iterator[Client]:
    with Client(server.env()) as running:
        yield running


@pytest.fixture(scope="module")
def folder(lab_release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small model without any training."""
    tokenizer = word_tokenizer(text for texts in release_texts(lab_release).values() for text in texts)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    config = LlamaConfig(vocab_size=len(tokenizer), **shape, num_key_value_heads=1, eos_token_id=tokenizer.eos_token_id)
    path = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def commit(server: HubServer, folder: Path) -> str:
    files: dict[str, bytes | None] = {path.name: path.read_bytes() for path in folder.iterdir()}
    return server.repo("my-org/tiny", "model").commit({**files, "pytorch_model.bin": b"a pickle"}).sha


def test_a_model_of_the_hub_is_scored_under_the_name_of_its_commit(
    client: Client, server: HubServer, commit: str, folder: Path, lab_release: Release, tmp_path: Path
) -> None:
    words = ["eval", "--model", "my-org/tiny", "--release", str(lab_release.path), "--limit", "2", "--max-tokens", "2"]
    done = client.run(*words, cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    about = json.loads((tmp_path / "kbench-result-tiny" / RESULTS).read_text(encoding="utf-8"))
    assert about["model_name"] == f"my-org/tiny@{commit[:12]}"
    assert about["kbench"]["weights"] == model_digests(folder)["weights"]
    assert server.counted("GET", "pytorch_model.bin") == server.counted("HEAD", "pytorch_model.bin") == 0
    again = client.run(*words, cwd=tmp_path)
    assert "is this result already: nothing to do" in again.out


def test_a_folder_goes_before_the_hub_and_an_unknown_name_is_told(
    client: Client, server: HubServer, commit: str, lab_release: Release, tmp_path: Path
) -> None:
    release = ["--release", str(lab_release.path), "--limit", "1"]
    gone = client.run("eval", "--model", "my-org/gone", *release, cwd=tmp_path)
    assert gone.status == 1
    assert "there is no folder my-org/gone; as a model of the Hub: no model my-org/gone at" in gone.err
    (tmp_path / "my-org" / "tiny").mkdir(parents=True)
    before = len(server.log)
    folder = client.run("eval", "--model", "my-org/tiny", *release, cwd=tmp_path)
    assert "my-org/tiny is no model: expected config.json" in folder.err
    assert len(server.log) == before


def test_a_cached_snapshot_is_shown_by_repository_and_commit() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert shown_name(f"/c/models--my-org--tiny/snapshots/{commit}") == "my-org/tiny@0123456789ab"
    assert shown_name("runs/qa") == "runs/qa"
