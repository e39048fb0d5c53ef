"""Written chains in training: half of the exposures, in the form in which they are asked for and read."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerFast

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.chains import CHAIN, in_both_forms, with_chains
from kbench.benchmarks.examples import taught_completion, taught_prompt, tokenized
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.packing import IGNORED, PackedRows, training_rows
from kbench.benchmarks.prompting import Prompting, default_max_tokens, read_answer
from kbench.benchmarks.reasoning import chain_facts
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.replay import pretrain_examples
from kbench.benchmarks.results import SAMPLES
from kbench.benchmarks.run import train_run
from kbench.benchmarks.scoring import score
from kbench.benchmarks.tasks import load_items
from kbench.errors import ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release
from kbench.studies.lab import LabRecipe, check_words, lab_base, release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import Row, tiny

SMALL = LabRecipe(layers=1, width=16, heads=1, inner=16, batch=64, bf16=False)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Questions of two hops with five exposures each: an odd number, so that no row's own can be halved."""
    spec = tiny(exposure__paraphrases=2)
    return generate(Recipe(spec, "7", ("qa", "multihop", "cloze")), tmp_path_factory.mktemp("chains"))[0]


@pytest.fixture(scope="module")
def tokenizer(release: Release) -> PreTrainedTokenizerFast:
    return word_tokenizer(text for texts in release_texts(release, chains=True).values() for text in texts)


def recipe(**changes: Any) -> TrainRecipe:
    return TrainRecipe(**{"styles": ("multihop",), "context": 128, "chains": True, **changes})


def read(rows: PackedRows, tokenizer: PreTrainedTokenizerFast) -> Counter[str]:
    """How often each text is read."""
    texts = (tokenizer.decode(rows.texts[rows.starts[k] : rows.starts[k + 1] - 1]) for k in rows.shown)
    return Counter(str(text) for text in texts)


def both(release: Release, split: str) -> list[tuple[Row, Row]]:
    rows = release.table("multihop", split).to_pylist()
    return list(zip(rows, with_chains(release, rows), strict=True))


def text_of(row: Row) -> str:
    return taught_prompt(row) + taught_completion(row)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_half_of_the_exposures_have_their_chain_and_none_is_lost(
    release: Release, tokenizer: PreTrainedTokenizerFast, epochs: int
) -> None:
    said = read(training_rows(release, tokenizer, recipe(epochs=epochs)), tokenizer)
    pairs = both(release, "train")
    plain = read(training_rows(release, tokenizer, recipe(epochs=epochs, chains=False)), tokenizer)
    assert {row["repeat"] % 2 for row, _ in pairs} == {0, 1}
    assert all(said[text_of(row)] + said[text_of(chained)] == plain[text_of(row)] for row, chained in pairs)
    assert all(abs(said[text_of(row)] - said[text_of(chained)]) <= 1 for row, chained in pairs)
    reasoned = sum(said[text_of(chained)] for _, chained in pairs)
    assert abs(plain.total() - 2 * reasoned) <= 1


def test_the_background_is_learned_and_rehearsed_in_both_forms(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    pairs = both(release, "pretrain")
    shared = in_both_forms(release, [row for row, _ in pairs])
    exposures = Counter(CHAIN in row for row in shared for _ in range(row["repeat"]))
    assert exposures.total() == sum(row["repeat"] for row, _ in pairs)
    assert abs(exposures[True] - exposures[False]) <= 1
    examples = pretrain_examples(release, tokenizer, chains=True)
    assert sum(e.repeat for e in examples) == sum(e.repeat for e in pretrain_examples(release, tokenizer))
    said = read(training_rows(release, tokenizer, recipe(styles=("qa",), replay=0.5)), tokenizer)
    assert sum(said[text_of(chained)] for _, chained in pairs) > 0
    assert sum(said[text_of(row)] for row, _ in pairs) > 0
    without = read(training_rows(release, tokenizer, recipe(styles=("qa",), replay=0.5, chains=False)), tokenizer)
    assert sum(without[text_of(chained)] for _, chained in pairs) == 0


def test_a_chain_is_learned_from_behind_its_cue_on(release: Release, tokenizer: PreTrainedTokenizerFast) -> None:
    chained = both(release, "train")[0][1]
    rows = training_rows(release, tokenizer, recipe())
    learned = set()
    for row in rows:
        tokens = [token if label != IGNORED else -1 for token, label in zip(*map(list, _columns(row)), strict=True)]
        learned |= {part.strip() for part in str(tokenizer.decode([t for t in tokens if t >= 0])).split("<end>")}
    assert taught_completion(chained).strip() in learned
    assert chained["answer"] in learned
    assert not any("Question" in text for text in learned)


def _columns(row: dict[str, Any]) -> tuple[list[int], list[int]]:
    return row["input_ids"].tolist(), row["labels"].tolist()


def test_what_is_taught_is_what_the_prompt_asks_for_and_is_read_as_right(release: Release) -> None:
    prompting = Prompting("chain")
    for item in load_items(release, ("train", "test"), prompting=prompting):
        if item.row["style"] == "cloze":
            assert item.prompt == item.row["question"]
            assert read_answer(prompting, item.row, f" {item.row['answer']}. It") == item.row["answer"]
        if item.row["style"] != "multihop":
            continue
        chained = with_chains(release, [item.row])[0]
        reply = taught_completion(chained)
        assert item.prompt == taught_prompt(chained)
        assert "\n" not in reply
        assert exact_match(read_answer(prompting, item.row, reply), item.row["answers"])
        assert chain_facts(item.bridges, reply) == 1
        wrong = reply.replace(item.bridges[0][0], "Nobody")
        assert chain_facts(item.bridges, wrong) == 0


def test_a_taught_chain_has_the_room_of_a_chain_and_no_likelihood() -> None:
    assert default_max_tokens(Prompting("chain")) == 128
    with pytest.raises(SpecError, match="with the prompt 'chain' a chain comes between: score the two apart"):
        Asking(prompting=Prompting("chain"), likelihood=True)


def test_the_labs_words_hold_every_chain(release: Release, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = release_texts(release, chains=True)
    rows = [chained for split in ("pretrain", "train", "test") for _, chained in both(release, split)]
    ids = [e.tokens for e in tokenized(rows, "multihop", tokenizer, "all")]
    assert tokenizer.unk_token_id not in {token for each in ids for token in each}
    words = check_words(release, texts, tokenizer, chains=True)
    assert words.known == check_words(release, texts, tokenizer).known
    assert words.longest >= max(map(len, ids))


def test_a_base_without_chains_keeps_its_name_and_one_with_them_has_another(release: Release, tmp_path: Path) -> None:
    assert "chains" not in LabRecipe().to_dict()
    base = lab_base(release, tmp_path, LabRecipe(**{**SMALL.to_dict(), "chains": True}))
    assert base.about["recipe"]["chains"] is True
    plain = lab_base(release, tmp_path, SMALL)
    assert plain.path != base.path
    assert plain.about["recipe"] == SMALL.to_dict()
    assert base.about["trained"]["tokens"] > plain.about["trained"]["tokens"]


def test_a_run_that_was_taught_chains_is_asked_for_them(release: Release, tmp_path: Path) -> None:
    base = lab_base(release, tmp_path, LabRecipe(**{**SMALL.to_dict(), "chains": True}))
    plan = recipe(context=base.about["context"], replay=0.3)
    run = train_run(release, str(base.path), plan, tmp_path / "run")
    asking = Asking(("train",), limit=4, prompting=Prompting("chain"), decoding=Decoding(128), styles=("multihop",))
    result = score(release, str(run.path), tmp_path / "result", asking)
    samples = pq.read_table(result.path / SAMPLES).to_pylist()
    assert [sample["status"] for sample in samples] == ["scored"] * 4
    assert all(sample["prompt"].endswith("\nReasoning:") and sample["chain"] is not None for sample in samples)


def test_a_replay_that_has_no_chain_to_rehearse_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    bare = generate(Recipe(tiny(background__styles=["qa"]), "7", ("qa", "multihop")), tmp_path / "release")[0]
    with pytest.raises(ReleaseError) as told:
        training_rows(bare, tokenizer, recipe(styles=("qa",), replay=0.5))
    assert str(told.value) == (
        f"the release {bare.path} has no questions of style multihop in pretrain, whose chains the replay would "
        "rehearse: train on the style multihop too, or leave chains out"
    )


def test_a_model_without_the_words_of_a_chain_is_refused(release: Release) -> None:
    bare = word_tokenizer(text for texts in release_texts(release).values() for text in texts)
    with pytest.raises(SpecError) as told:
        training_rows(release, bare, recipe())
    assert str(told.value) == (
        "the model's tokenizer has no word for 'Reasoning:', which opens a chain: build the lab's base with "
        "chains = true, or take another model"
    )
