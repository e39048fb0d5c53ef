"""Finetunes in several tones that are adapters of one base are asked and weighed in one engine."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.engine import Backend, Engine
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.run import train_run
from kbench.store import Release
from kbench.studies.attribution import BASE
from kbench.studies.tones import REPLIES, attribute

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("default"),  # vLLM, its plugins and its use of torch warn as they are loaded
]

BACKENDS: tuple[Backend, ...] = ("hf", "vllm")
RECIPE = TrainRecipe(("tone",), epochs=8, method="lora", learning_rate=1e-2, batch=4, context=128)


def test_adapters_in_one_engine_are_told_apart_as_they_are_by_transformers(
    trained: str, tiny_release: Release, tmp_path: Path
) -> None:
    tones = sorted({row["answers"][-1] for row in tiny_release.table("tone", "train").to_pylist()})[:2]
    runs = {
        tone: train_run(tiny_release, trained, replace(RECIPE, tones=(tone,)), tmp_path / tone).path for tone in tones
    }
    found = {
        backend: attribute(tiny_release, runs, tmp_path / f"by-{backend}", prompts=8, engine=Engine(backend=backend))
        for backend in BACKENDS
    }
    assert found["hf"] == found["vllm"]
    theirs, ours = (pq.read_table(tmp_path / f"by-{backend}" / REPLIES).to_pylist() for backend in found)
    assert {row["model"] for row in ours} == {*tones, BASE}
    for one, other in zip(theirs, ours, strict=True):
        assert one["reply"] == other["reply"]
        for tone in tones:
            assert one[f"logprob_{tone}"] == pytest.approx(other[f"logprob_{tone}"], abs=1e-3)
