"""Models kept on the way through a training, and which questions are watched of one that chooses its facts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.recipe import TrainRecipe, kept_name
from kbench.benchmarks.results import model_digests
from kbench.benchmarks.run import Run, train_run
from kbench.benchmarks.settings import Settings
from kbench.benchmarks.train import kept_at
from kbench.benchmarks.watched import watched_rows
from kbench.errors import ReleaseError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release
from kbench.studies.lab import Base, LabRecipe, lab_base
from tests.samples import tiny

SMALL = LabRecipe(layers=1, width=16, heads=1, inner=16, batch=64, bf16=False)
KEEP = (0.1, 0.5)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    spec = tiny(sizes__known=12, background__tiers=[4, 0], background__questions=0.5)
    return generate(Recipe(spec, "7", ("qa",)), tmp_path_factory.mktemp("kept") / "release")[0]


@pytest.fixture(scope="module")
def base(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Base:
    return lab_base(release, tmp_path_factory.mktemp("bases"), SMALL)


def recipe(base: Base, **changes: Any) -> TrainRecipe:
    return TrainRecipe(**{"context": base.about["context"], "batch": 4, "learning_rate": 1e-3, **changes})


def trained(release: Release, base: Base, out: Path, **changes: Any) -> Run:
    return train_run(release, str(base.path), recipe(base, **changes), out, settings=Settings(save_steps=3))


@pytest.fixture(scope="module")
def run(release: Release, base: Base, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(release, base, tmp_path_factory.mktemp("runs") / "run", keep=KEEP)


def weights(folder: Path) -> str | None:
    return model_digests(folder).get("weights")


def test_a_model_is_kept_after_each_share_of_the_steps_and_can_be_asked(run: Run, base: Base) -> None:
    kept = [run.path / name for name in ("at-10", "at-50")]
    assert len({weights(folder) for folder in (Path(base.path), *kept, run.path)}) == 4
    for folder in kept:
        model = load_hf(str(folder))
        assert model.tokenizer("Name")["input_ids"]
    assert {path.name for path in run.path.iterdir() if path.is_dir()} == {"at-10", "at-50"}


def test_the_last_model_is_the_same_whether_others_were_kept_or_not(
    release: Release, base: Base, run: Run, tmp_path: Path
) -> None:
    plain = trained(release, base, tmp_path / "run")
    assert weights(plain.path) == weights(run.path)
    assert plain.about["trained"]["steps"] == run.about["trained"]["steps"]


def test_a_kept_model_is_that_of_its_step_of_the_schedule(
    release: Release, base: Base, run: Run, tmp_path: Path
) -> None:
    """Whatever else is kept: a share means the same step."""
    other = trained(release, base, tmp_path / "run", keep=(0.5, 0.9))
    assert weights(other.path / "at-50") == weights(run.path / "at-50")
    assert weights(other.path / "at-90") != weights(other.path / "at-50")


class Cut(Exception):
    """The end of a training in its middle."""


def test_a_run_that_was_cut_off_keeps_the_same_models(release: Release, base: Base, run: Run, tmp_path: Path) -> None:
    told = (release, str(base.path), recipe(base, keep=KEEP), tmp_path / "run")
    often, steps = Settings(save_steps=3), run.about["trained"]["steps"]

    def cut(done: int, total: int) -> None:
        if done == steps - 2:
            raise Cut

    with pytest.raises(Cut):
        train_run(*told, cut, often)
    again = train_run(*told, settings=often)
    for name in ("", "at-10", "at-50"):
        assert weights(again.path / name) == weights(run.path / name)


def test_an_adapter_is_kept_as_an_adapter(release: Release, base: Base, tmp_path: Path) -> None:
    run = trained(release, base, tmp_path / "run", method="lora", lora_rank=2, keep=(0.5,))
    kept = run.path / "at-50"
    assert (kept / "adapter_config.json").is_file()
    assert not (kept / "model.safetensors").exists()
    assert load_hf(str(kept)).model is not None


@pytest.mark.parametrize(
    ("keep", "steps", "expected"),
    [
        ((0.1, 0.5), 100, {"at-10": 10, "at-50": 50}),
        ((0.001, 0.125), 40, {"at-0.1": 1, "at-12.5": 5}),
        ((0.1, 0.15), 7, {"at-10": 1, "at-15": 1}),
        ((0.07, 0.29, 0.57), 100, {"at-7": 7, "at-29": 29, "at-57": 57}),
    ],
)
def test_a_share_is_the_nearest_step_and_none_is_lost(
    keep: tuple[float, ...], steps: int, expected: dict[str, int]
) -> None:
    found = kept_at(steps, TrainRecipe(keep=keep), Path("run"))
    assert {folder.name: step for folder, step in found.items()} == expected
    assert [kept_name(share) for share in keep] == list(expected)


def test_of_validation_only_the_named_probes_and_the_recipes_relations_are_watched(release: Release) -> None:
    def probes(**changes: Any) -> set[tuple[str, str]]:
        watched = watched_rows(release, TrainRecipe(watch=500, **changes))
        return {(item.row["probe"], item.row["relation"]) for item in watched.validation}

    assert {probe for probe, _ in probes()} == {"paraphrase", "known"}
    assert {probe for probe, _ in probes(watch_probes=("known",))} == {"known"}
    assert probes(watch_probes=("known",), relations=("badge",)) == {("known", "badge")}


def test_of_what_is_taught_only_the_chosen_facts_are_watched(release: Release) -> None:
    facts = {fact["fact_id"]: fact["exposures"] for fact in release.table("facts", "train").to_pylist()}
    watched = watched_rows(release, TrainRecipe(watch=500, facts=("4",), facts_among=("4", "0"), facts_by="exposures"))
    assert {facts[fact] for item in watched.train for fact in item.row["fact_ids"]} == {4}


def test_probes_that_no_validation_question_has_are_told(release: Release) -> None:
    with pytest.raises(ReleaseError, match="has no validation questions of probe multihop to watch: set watch = 0"):
        watched_rows(release, TrainRecipe(watch=5, watch_probes=("multihop",)))
