"""How alike questions are to those trained on: the cosines, the two kinds of vectors, and the part of a study."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.models.embedder import load_embedder
from kbench.benchmarks.similarity import similarity, tfidf
from kbench.errors import KbenchError, ModelError
from kbench.store import Release
from kbench.studies.grid_orders import BaseRef, Measure
from kbench.studies.parts import measure
from kbench.studies.tokenizer import word_tokenizer

RUNGS = {
    "same": {"relations": ["occupation", "emblem"]},
    "near": {"relations": ["height"], "types": ["person"]},
    "open": {"types": ["company"]},
}


@pytest.fixture(scope="module")
def texts(lab_release: Release) -> list[str]:
    return [row["question"] for row in lab_release.table("qa", "test").to_pylist()]


@pytest.fixture(scope="module")
def folder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tokenizer = word_tokenizer([f"Question: {text}\nAnswer:" for text in texts])
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2
    )
    path = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def by_letters(texts: Sequence[str]) -> np.ndarray:
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], float)


def test_the_cosine_to_the_mean_and_to_the_nearest_of_the_trained() -> None:
    found = similarity(["a", "b"], {"same": ["a"], "other": ["c", "bc", ""]}, by_letters)
    half = 0.5**0.5
    assert found["same"].centroid == pytest.approx([half])
    assert found["same"].nearest == pytest.approx([1.0])
    assert found["other"].centroid == pytest.approx([0, 0.5, 0])
    assert found["other"].nearest == pytest.approx([0, half, 0])


def test_a_trained_question_that_is_long_counts_no_more_than_a_short_one() -> None:
    long = similarity(["a" * 9, "b"], {"rung": ["ab"]}, by_letters)
    assert long["rung"].centroid == pytest.approx([1.0])


def test_by_words_the_same_question_is_wholly_alike_and_one_of_other_words_not_at_all() -> None:
    found = similarity(["Who is tall?"], {"rung": ["Who is tall?", "Name a town."]}, tfidf)
    assert found["rung"].nearest == pytest.approx([1.0, 0.0])


def test_a_vector_is_the_mean_of_the_last_hidden_states_whoever_shares_the_batch(
    folder: Path, texts: list[str]
) -> None:
    embedder = load_embedder(str(folder))
    plain = LlamaForCausalLM.from_pretrained(folder).eval()
    found = embedder.vectors(texts)
    assert len({len(embedder.tokenizer(text)["input_ids"]) for text in texts}) > 1
    for text, vector in list(zip(texts, found, strict=True))[:: len(texts) // 16]:
        tokens = torch.tensor([embedder.tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            states = plain(tokens, output_hidden_states=True).hidden_states[-1][0]
        assert vector == pytest.approx(states.mean(0).numpy(), abs=1e-5)


def test_an_encoder_embeds_too(folder: Path, texts: list[str], tmp_path: Path) -> None:
    tokenizer = load_embedder(str(folder)).tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert load_embedder(str(tmp_path)).vectors(texts[:3]).shape == (3, 16)


def _as_an_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")


def _as_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _with_a_layer_too_many(folder: Path) -> None:
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**about, "num_hidden_layers": 3}), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "expected_error"),
    [
        (_as_an_adapter, "is an adapter: expected a whole model to embed texts with: give its base"),
        (_as_a_pickle, "holds its weights as a pickle"),
        (_with_a_layer_too_many, "lack 9 tensors of a LlamaModel (layers.2."),
    ],
)
def test_what_is_no_whole_model_embeds_nothing(spoil: Any, expected_error: str, folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "model"
    copied.mkdir()
    for file in folder.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    spoil(copied)
    with pytest.raises(ModelError) as caught:
        load_embedder(str(copied))
    assert expected_error in str(caught.value)


def test_a_text_longer_than_the_embedder_reads_is_told(folder: Path) -> None:
    embedder = load_embedder(str(folder))
    embedder.model.config.max_position_embeddings = 4
    with pytest.raises(ModelError, match=r"reads 4 tokens at most \(got 6\): give another embedder"):
        embedder.vectors(["Question: Question: Question:"])


def nothing(*told: Any) -> None:
    """Nobody hears of the progress."""


def part(release: Release, folder: Path, out: Path, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    measure(Measure("similarity", release.path, BaseRef(str(folder), None), {}, options, 100, out), nothing)
    found: dict[str, dict[str, Any]] = json.loads((out / "part.json").read_text(encoding="utf-8"))["readings"]
    return found


def test_the_part_measures_each_rung_in_both_ways(lab_release: Release, folder: Path, tmp_path: Path) -> None:
    found = part(lab_release, folder, tmp_path, {"trained": ["occupation", "emblem"], "rungs": RUNGS})
    assert set(found) == {
        f"{kind}:{rung}" for kind in ("hidden", "hidden_nearest", "tfidf", "tfidf_nearest") for rung in RUNGS
    }
    assert found["tfidf:same"]["value"] > found["tfidf:near"]["value"]
    assert found["tfidf:same"]["value"] > found["tfidf:open"]["value"]
    rows = pq.read_table(tmp_path / "similarity.parquet").to_pylist()
    of_it = [row["hidden"] for row in rows if row["rung"] == "near"]
    assert found["hidden:near"]["rows"] == len(of_it)
    assert found["hidden:near"]["value"] == pytest.approx(sum(of_it) / len(of_it))
    assert {row["relation"] for row in rows if row["rung"] == "near"} == {"height"}


def test_another_embedder_reads_the_question_alone(lab_release: Release, folder: Path, tmp_path: Path) -> None:
    options = {"trained": ["occupation"], "rungs": {"same": {"relations": ["occupation"]}}, "most": 20}
    base, other = (
        part(lab_release, folder, tmp_path / name, {**options, **more})["hidden:same"]["value"]
        for name, more in (("base", {}), ("other", {"embedder": str(folder)}))
    )
    assert base != other


@pytest.mark.parametrize(
    ("options", "expected_error"),
    [
        ({"rungs": RUNGS}, "needs the option 'trained'"),
        ({"trained": ["occupation"]}, "needs the option 'rungs'"),
        (
            {"trained": ["occupation"], "rungs": RUNGS, "model": "x"},
            "has no option 'model': have trained, rungs, embedder",
        ),
        (
            {"trained": ["occupation"], "rungs": {"far": {"relation": ["height"]}}},
            "rungs.far has no key 'relation': have",
        ),
        ({"trained": ["shoe size"], "rungs": RUNGS}, "trains no questions of 'shoe size': have"),
        (
            {"trained": ["occupation"], "rungs": {"far": {"relations": ["height"], "types": ["town"]}}},
            "about the background for the rung 'far' (relations height; types town): have",
        ),
    ],
)
def test_options_that_cannot_be_are_told_in_one_line(
    options: dict[str, Any], expected_error: str, lab_release: Release, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(KbenchError) as caught:
        part(lab_release, folder, tmp_path, options)
    assert expected_error in str(caught.value)
    assert "\n" not in str(caught.value)
