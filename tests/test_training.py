"""The training path on a real, very small model: packing, replay, resume, and a base built for a release."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import kbench
from kbench.benchmarks.examples import Example, examples_of
from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.optimizer import MuonAndAdamW
from kbench.benchmarks.packing import IGNORED, pack, training_rows
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RUN, base_of, model_digests
from kbench.benchmarks.run import train_run
from kbench.benchmarks.settings import Settings
from kbench.benchmarks.tasks import load_items
from kbench.errors import KbenchError, ModelError, OutputError, ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release
from kbench.studies.cells import lab_release_recipe
from kbench.studies.lab import Base, LabRecipe, check_words, lab_base, release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import Sample, tiny

SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False)


@pytest.fixture(scope="session")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return generate(Recipe(tiny(), "7", ("qa", "article", "statement", "cloze")), tmp_path_factory.mktemp("small"))[0]


@pytest.fixture(scope="session")
def small_base(small_release: Release, tmp_path_factory: pytest.TempPathFactory) -> Base:
    return lab_base(small_release, tmp_path_factory.mktemp("bases"), SMALL)


@pytest.fixture
def small_model(small_base: Base) -> HfModel:
    return load_hf(str(small_base.path))


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recipe(small_base: Base, **changes: object) -> TrainRecipe:
    values: dict[str, Any] = {"context": small_base.about["context"], "batch": 4, "learning_rate": 1e-3, **changes}
    return TrainRecipe(**values)


def test_the_tokenizer_gives_back_every_text_of_the_release(lab: Sample) -> None:
    texts = [text for split in release_texts(lab.release).values() for text in split]
    tokenizer = word_tokenizer(texts)
    encoded = tokenizer(texts)["input_ids"]
    assert tokenizer.unk_token_id not in {token for ids in encoded for token in ids}
    assert tokenizer.batch_decode(encoded) == texts


def test_every_name_of_the_lab_is_one_token(lab: Sample) -> None:
    texts = [text for split in release_texts(lab.release).values() for text in split]
    tokenizer = word_tokenizer(texts)
    names = lab.release.table("entities", "train").column("name").to_pylist()
    assert {len(ids) for ids in tokenizer(names)["input_ids"]} == {1}


def test_both_values_of_the_matched_pair_are_two_tokens(lab: Sample) -> None:
    tokenizer = word_tokenizer(text for split in release_texts(lab.release).values() for text in split)
    facts = lab.release.table("facts", "train").to_pylist()
    for relation in ("badge", "emblem"):
        values = [fact["value"] for fact in facts if fact["relation"] == relation]
        assert {len(ids) for ids in tokenizer(values)["input_ids"]} == {2}, relation


def test_no_word_of_the_labs_test_is_new_but_names_and_no_text_is_cut(tmp_path: Path) -> None:
    """In the styles that the demo asks in: the letters of a multiple choice are no words of its pretraining."""
    release, _ = generate(lab_release_recipe(7), tmp_path / "lab")
    texts = release_texts(release)
    words = check_words(release, texts, word_tokenizer(t for split in texts.values() for t in split))
    assert words.missing == ()
    assert words.whole == 1.0
    new = [e for e in release.table("entities", "train").to_pylist() if e["role"] in ("new", "control")]
    assert words.new_names == len({e["name"] for e in new})


def test_a_base_is_built_once_and_then_found(small_release: Release, small_base: Base) -> None:
    again = lab_base(small_release, small_base.path.parent, SMALL)
    assert (small_base.built, again.built) == (True, False)
    assert again.path == small_base.path
    other = lab_base(small_release, small_base.path.parent, LabRecipe(layers=1, width=16, heads=1, inner=16, batch=64))
    assert other.path != small_base.path


def test_a_release_without_a_background_has_no_base_and_the_message_names_a_spec(tmp_path: Path) -> None:
    bare, _ = generate(Recipe(tiny(sizes__background=0), "7", ("qa",)), tmp_path / "release")
    with pytest.raises(ModelError, match=r"has no pretrain split.*`--spec lab`"):
        lab_base(bare, tmp_path / "bases", SMALL)
    assert not (tmp_path / "bases").exists()


def test_a_document_in_a_packed_row_reads_as_if_it_stood_alone(small_release: Release, small_model: HfModel) -> None:
    examples = examples_of(small_release, "article", "train", small_model.tokenizer, "all")[:3]
    context = sum(len(e.tokens) for e in examples)
    row = pack(examples, context, 0)[0]
    with torch.inference_mode():
        packed = small_model.model(
            input_ids=row["input_ids"][None], position_ids=row["position_ids"][None], use_cache=False
        ).logits[0]
        start = 0
        for example in examples:
            alone = small_model.model(input_ids=torch.tensor([example.tokens]), use_cache=False).logits[0]
            torch.testing.assert_close(packed[start : start + len(example.tokens)], alone, atol=1e-4, rtol=1e-4)
            start += len(example.tokens)


def test_no_token_is_learned_from_another_documents_last() -> None:
    rows = pack([Example([5, 6, 7], 0, 1), Example([8, 9], 0, 1), Example([5, 6, 7, 9], 2, 1)], 6, 0)
    assert [row["labels"].tolist() for row in rows.rows] == [
        [IGNORED, 6, 7, IGNORED, 9, IGNORED],
        [IGNORED, IGNORED, 7, 9, IGNORED, IGNORED],
    ]
    assert rows[0]["position_ids"].tolist() == [0, 1, 2, 0, 1, 0]
    assert rows.tokens == 9


def test_a_text_longer_than_the_context_is_refused_rather_than_cut() -> None:
    with pytest.raises(SpecError, match="has 9 tokens, more than the context of 8"):
        pack([Example(list(range(9)), 0, 1)], 8, 0)


def test_each_row_is_shown_as_often_as_it_repeats_and_replay_takes_its_share(
    small_release: Release, small_model: HfModel, small_base: Base
) -> None:
    taught = examples_of(small_release, "qa", "train", small_model.tokenizer, "answer")
    wanted = sum(len(e.tokens) * e.repeat for e in taught)
    plain = training_rows(small_release, small_model.tokenizer, recipe(small_base))
    assert plain.tokens == wanted
    mixed = training_rows(small_release, small_model.tokenizer, recipe(small_base, replay=0.5))
    assert mixed.tokens == pytest.approx(2 * wanted, rel=0.05)


def test_a_run_loads_as_a_model_and_is_left_alone_when_run_again(
    small_release: Release, small_base: Base, tmp_path: Path
) -> None:
    first = train_run(small_release, str(small_base.path), recipe(small_base), tmp_path / "run")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run")
    assert AutoTokenizer.from_pretrained(tmp_path / "run").eos_token_id == model.config.eos_token_id
    assert first.about["weights"]["weights"] != first.about["base"]["weights"]
    assert not (tmp_path / "run" / "checkpoints").exists()
    again = train_run(small_release, str(small_base.path), recipe(small_base), tmp_path / "run")
    assert (first.trained_now, again.trained_now) == (True, False)
    assert again.about == first.about
    with pytest.raises(OutputError, match="holds another run"):
        train_run(small_release, str(small_base.path), recipe(small_base, seed=1), tmp_path / "run")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_cut_off_in_the_middle_ends_in_the_same_weights(
    small_release: Release,
    small_base: Base,
    tmp_path: Path,
    one_thread: None,
    optimizer: str,
) -> None:
    often = Settings(save_steps=2)
    plan = recipe(small_base, optimizer=optimizer, epochs=2)
    whole = train_run(small_release, str(small_base.path), plan, tmp_path / "whole", settings=often)

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(small_release, str(small_base.path), plan, tmp_path / "cut", stop, often)
    assert not (tmp_path / "cut" / RUN).exists()
    half_written = tmp_path / "cut" / "checkpoints" / "checkpoint-99"
    half_written.mkdir()
    steps: list[int] = []
    train_run(
        small_release, str(small_base.path), plan, tmp_path / "cut", lambda done, total: steps.append(done), often
    )
    assert steps[0] == 5
    assert model_digests(tmp_path / "cut")["weights"] == whole.about["weights"]["weights"]


def test_batches_do_not_change_an_answer(small_release: Release, small_base: Base) -> None:
    items = load_items(small_release, ("test",), limit=40)
    few = Decoding(max_tokens=8)
    together = dict(load_hf(str(small_base.path), batch=64).ask(items, few))
    alone = dict(load_hf(str(small_base.path), batch=1).ask(items, few))
    assert together == alone
    assert any(reply.texts[0] for reply in together.values())


@pytest.mark.parametrize(
    ("style", "model", "error", "expected_error"),
    [
        ("numeric", None, ReleaseError, "has no style 'numeric' to train on: have qa, article, statement, cloze"),
        ("qa", "./no-such-model", ModelError, "no model './no-such-model': there is no such folder"),
        ("qa", "plainword", ModelError, "no model 'plainword'"),
    ],
)
def test_a_run_that_cannot_be_leaves_nothing_behind(
    small_release: Release,
    small_base: Base,
    tmp_path: Path,
    style: str,
    model: str | None,
    error: type[KbenchError],
    expected_error: str,
) -> None:
    with pytest.raises(error, match=expected_error):
        train_run(small_release, model or str(small_base.path), recipe(small_base, styles=(style,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "expected_error"),
    [
        ({"styles": ("qaa",)}, "unknown style 'qaa': have qa, dialogue, article"),
        ({"epochs": 0}, "epochs must lie in 1 to 10,000 \\(got 0\\)"),
        ({"replay": 1.0}, "replay must be at least 0 and less than 1 \\(got 1.0\\)"),
        ({"learning_rate": 2.0}, "learning_rate must be more than 0 and less than 1 \\(got 2.0\\)"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_when_it_is_made(changes: dict[str, object], expected_error: str) -> None:
    with pytest.raises(SpecError, match=expected_error):
        TrainRecipe(**changes)  # type: ignore[arg-type]


def test_a_run_whose_base_was_moved_is_still_the_same_run(
    small_release: Release, small_base: Base, tmp_path: Path
) -> None:
    shutil.copytree(small_base.path, tmp_path / "elsewhere")
    train_run(small_release, str(small_base.path), recipe(small_base), tmp_path / "run")
    again = train_run(small_release, str(tmp_path / "elsewhere"), recipe(small_base), tmp_path / "run")
    assert not again.trained_now
    assert base_of(str(tmp_path / "run")) == str(small_base.path)
    assert base_of(str(small_base.path)) is None


def test_weights_that_are_cut_short_are_told_in_one_line(small_base: Base, tmp_path: Path) -> None:
    shutil.copytree(small_base.path, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot load the model"):
        load_hf(str(tmp_path / "model"))


def test_muon_takes_the_hidden_matrices_and_adamw_the_tables_and_norms(small_model: HfModel) -> None:
    optimizer = MuonAndAdamW(small_model.model, 1e-3, 1e-3, 0.1)
    muon, adam = ({id(p) for group in part.param_groups for p in group["params"]} for part in optimizer.parts)
    names = {id(p): name for name, p in small_model.model.named_parameters()}
    assert muon | adam == set(names)
    assert not muon & adam
    assert all("proj" in names[p] for p in muon)
    assert {"model.embed_tokens.weight", "lm_head.weight"} <= {names[p] for p in adam}


def test_python_trains_and_scores_what_the_command_would(
    small_release: Release, small_base: Base, tmp_path: Path
) -> None:
    run = kbench.train(small_release, tmp_path / "run", small_base.path, batch_size=4, context=64, learning_rate=1e-3)
    chosen = TrainRecipe(batch=4, context=64, learning_rate=1e-3)
    assert run.about["recipe"] == chosen.to_dict()
    again = train_run(small_release, str(small_base.path), chosen, tmp_path / "run")
    assert not again.trained_now
    assert repr(run).startswith(
        f"run {tmp_path / 'run'}: {small_base.path} on world {small_release.world}\n  qa, 1 epoch: "
    )
    result = kbench.evaluate(small_release, run.path, tmp_path / "result", limit=3)
    scores = list(result.scores())
    assert result.about["kbench"]["base"]["model"] == str(small_base.path)
    assert all(score["base"] is not None for score in scores)
    assert repr(result).startswith(
        f"result {tmp_path / 'result'}: {run.path} on world {small_release.world}, partial\n"
    )
    assert len(repr(result).splitlines()) == 1 + len(scores)
    with pytest.raises(ReleaseError, match="has no style 'tone' to train on: have qa, article"):
        kbench.train(small_release, tmp_path / "other", small_base.path, "tone")
