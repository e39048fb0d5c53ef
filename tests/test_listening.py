"""Whether models listen to the subject: attention and sensitivity against plain sums, and the part that reads them."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    ByT5Tokenizer,
    FalconConfig,
    FalconForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedTokenizerFast,
)

from kbench.benchmarks.answers import taught_answers, value_words
from kbench.benchmarks.attention import subject_attention
from kbench.benchmarks.listening import listen, listening_rows
from kbench.benchmarks.match import normalise
from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.models.looking import next_logprobs
from kbench.benchmarks.naming import named_tokens
from kbench.benchmarks.prompts import prompt_of
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RUN
from kbench.benchmarks.sensitivity import subject_sensitivity
from kbench.benchmarks.tasks import Item, guessing
from kbench.errors import KbenchError, ModelError, ReleaseError, SpecError
from kbench.store import Release
from kbench.studies.grid_orders import BaseRef, Measure
from kbench.studies.parts import measure
from kbench.studies.tokenizer import word_tokenizer

RELATIONS = ("occupation", "height")


@pytest.fixture(scope="module")
def items(lab_release: Release) -> list[Item]:
    rows = listening_rows(lab_release, relations=RELATIONS, most=24)
    return [Item(row, "test", prompt_of(row)) for row in rows]


@pytest.fixture(scope="module")
def names(lab_release: Release, items: list[Item]) -> list[str]:
    known = {row["entity_id"]: row["name"] for row in lab_release.table("entities", "train").to_pylist()}
    return [known[item.row["entity_id"]] for item in items]


@pytest.fixture(scope="module")
def folders(lab_release: Release, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two untrained Llamas over the words of the release's questions: what they say differs by every word."""
    rows = lab_release.table("qa", "test").to_pylist()
    tokenizer = word_tokenizer([prompt_of(row) + " " + answer for row in rows for answer in row["answers"]])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        path = tmp_path_factory.mktemp(f"llama{seed}")
        LlamaForCausalLM(config).save_pretrained(path)
        tokenizer.save_pretrained(path)
        found.append(path)
    return found


@pytest.fixture
def model(folders: list[Path]) -> HfModel:
    return load_hf(str(folders[0]))


# ---- where the subject is named


def byte_pairs() -> PreTrainedTokenizerFast:
    """Words in pieces, each with the space before it, as GPT-2 and Llama 3 have them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["Question: Where does Zoë Marlin work?\nAnswer:"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize(
    ("prompt", "name", "written"),
    [
        ("Where does Ada Marlin work?", "Ada Marlin", "Ada Marlin"),
        ("What is Ada Marlin's job?", "Ada Marlin", "Ada Marlin"),
        ("Ada, is Ada well?", "Ada", "AdaAda"),
        ("Is ADA well?", "Ada", "ADA"),
        ("Is Zoë Löw (Bern) well?", "Zoë Löw (Bern)", "Zoë Löw (Bern)"),
        ("Is Adam well?", "Ada", ""),
        ("Are you well?", "Ada", ""),
        ("Are you well?", "", ""),
    ],
)
def test_the_named_tokens_write_the_name_and_nothing_else(prompt: str, name: str, written: str) -> None:
    tokenizer = byte_pairs()
    [(tokens, places)] = named_tokens(tokenizer, [Item({"id": "r"}, "test", prompt)], [name])
    said = str(tokenizer.decode([tokens[place] for place in places])).replace(" ", "")
    assert said == written.replace(" ", "")


def test_a_tokenizer_that_knows_no_offsets_is_searched_for_the_name() -> None:
    tokenizer = ByT5Tokenizer()
    assert not tokenizer.is_fast, "a tokenizer that has offsets is not what is tested"
    asked = [Item({"id": "r"}, "test", text) for text in ("Is Zoë well?", "Are you well?")]
    (tokens, places), (_, nowhere) = named_tokens(tokenizer, asked, ["Zoë", "Zoë"])
    assert str(tokenizer.decode([tokens[place] for place in places])).strip() == "Zoë"
    assert nowhere == []


# ---- attention


def test_attention_to_the_subject_is_the_sum_of_the_models_own_weights(
    model: HfModel, folders: list[Path], items: list[Item], names: list[str]
) -> None:
    plain = LlamaForCausalLM.from_pretrained(folders[0], attn_implementation="eager")
    lengths = set()
    for item, name, found in zip(items, names, subject_attention(model, items, names), strict=True):
        tokens = model.tokenizer(item.prompt)["input_ids"]
        place = tokens.index(model.tokenizer(name)["input_ids"][0])
        with torch.inference_mode():
            weights = plain(torch.tensor([tokens]), output_attentions=True).attentions
        assert found
        assert found.layers == pytest.approx([float(layer[0, :, -1, place].mean()) for layer in weights], abs=1e-6)
        assert found.even == pytest.approx(1 / len(tokens))
        assert found.total == pytest.approx(sum(found.layers))
        lengths.add(len(tokens))
    assert len(lengths) > 1, "rows of one length are never padded"


def test_who_shares_a_batch_changes_no_attention(model: HfModel, items: list[Item], names: list[str]) -> None:
    together = subject_attention(model, items, names)
    alone = [subject_attention(model, [item], [name])[0] for item, name in zip(items, names, strict=True)]
    for one, other in zip(together, alone, strict=True):
        assert one
        assert other
        assert one.layers == pytest.approx(other.layers, abs=1e-6)


def test_a_model_that_looks_everywhere_alike_pays_the_subject_the_even_share(
    model: HfModel, items: list[Item], names: list[str]
) -> None:
    for layer in model.model.model.layers:
        torch.nn.init.zeros_(layer.self_attn.q_proj.weight)
    for found in subject_attention(model, items, names):
        assert found
        assert found.layers == pytest.approx([found.even] * 2, rel=1e-5)
        assert found.total == pytest.approx(found.even_total, rel=1e-5)


def test_a_prompt_that_does_not_name_its_subject_has_no_attention_and_the_others_keep_theirs(
    model: HfModel, items: list[Item], names: list[str]
) -> None:
    found = subject_attention(model, items[:3], [names[0], "Nobody", names[2]])
    assert [each is None for each in found] == [False, True, False]
    assert found[2] == subject_attention(model, items[2:3], names[2:3])[0]


def test_a_model_that_was_looked_into_attends_as_it_did_before(
    model: HfModel, items: list[Item], names: list[str]
) -> None:
    before = model.model.config._attn_implementation
    assert before != "eager"
    subject_attention(model, items[:2], names[:2])
    assert model.model.config._attn_implementation == before


@pytest.mark.parametrize("kind", ["MambaForCausalLM", "FalconForCausalLM"])
def test_a_model_whose_attention_cannot_be_read_says_so_in_one_line(
    kind: str, model: HfModel, items: list[Item], names: list[str]
) -> None:
    """One has none; the other keeps the kind that it was opened with, in which its weights are wrong."""
    shape: dict[str, Any] = {"vocab_size": len(model.tokenizer), "hidden_size": 16, "num_hidden_layers": 1}
    made: dict[str, Any] = {
        "MambaForCausalLM": lambda: MambaForCausalLM(MambaConfig(**shape)),
        "FalconForCausalLM": lambda: FalconForCausalLM(FalconConfig(**shape, num_attention_heads=2)),
    }
    other = HfModel("other", made[kind]().eval(), model.tokenizer)
    with pytest.raises(ModelError, match=rf"the model other \({kind}\) gives no attention weights: expected"):
        subject_attention(other, items, names)


def test_an_adapter_is_looked_into_with_what_it_changes(model: HfModel, items: list[Item], names: list[str]) -> None:
    peft = pytest.importorskip("peft")
    plain = subject_attention(model, items, names)
    config = peft.LoraConfig(target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = HfModel("adapted", peft.get_peft_model(model.model, config).eval(), model.tokenizer)
    changed = subject_attention(adapted, items, names)
    off = adapted.without_adapter()
    assert off
    assert changed != plain
    assert subject_attention(off, items, names) == plain


# ---- sensitivity


def plain_divergences(model: HfModel, prompts: Sequence[str]) -> list[float]:
    chances = []
    for prompt in prompts:
        logits = model.model(torch.tensor([model.tokenizer(prompt)["input_ids"]])).logits[0, -1]
        chances.append(logits.double().softmax(-1).tolist())
    mean = [sum(column) / len(chances) for column in zip(*chances, strict=True)]
    return [sum(p * math.log(p / q) for p, q in zip(row, mean, strict=True) if p) for row in chances]


def test_what_comes_next_is_the_same_whoever_shares_the_batch(model: HfModel, items: list[Item]) -> None:
    prompts = [model.tokenizer(item.prompt)["input_ids"] for item in items]
    together = next_logprobs(model, prompts)
    for tokens, line in zip(prompts, together, strict=True):
        assert torch.allclose(line, next_logprobs(model, [tokens])[0], atol=1e-5)
    assert together.exp().sum(1).tolist() == pytest.approx([1.0] * len(items), abs=1e-5)


def test_sensitivity_is_the_divergence_from_the_mean_over_the_subjects_of_a_phrasing(
    model: HfModel, items: list[Item], lab_release: Release
) -> None:
    found = subject_sensitivity(model, items, guessing(lab_release), candidates=0)
    for template in {item.row["template_id"] for item in items}:
        places = [place for place, item in enumerate(items) if item.row["template_id"] == template]
        sensed = [found[place] for place in places]
        wanted = plain_divergences(model, [items[place].prompt for place in places])
        assert [each.first_token for each in sensed if each] == pytest.approx(wanted, abs=1e-5)
        assert {each.subjects for each in sensed if each} == {len(places)}
        assert all(each.values is None for each in sensed if each)


def test_a_model_that_cannot_tell_subjects_apart_has_no_sensitivity(
    model: HfModel, items: list[Item], names: list[str], lab_release: Release
) -> None:
    tokens = [model.tokenizer(name)["input_ids"][0] for name in names]
    with torch.no_grad():
        model.model.model.embed_tokens.weight[tokens] = 0.1
    for each in subject_sensitivity(model, items, guessing(lab_release)):
        assert each
        assert each.values is not None
        assert each.first_token == pytest.approx(0, abs=1e-6)
        assert each.values == pytest.approx(0, abs=1e-6)


def test_sensitivity_over_values_is_that_of_their_likelihoods_as_a_whole(
    model: HfModel, items: list[Item], lab_release: Release
) -> None:
    known = guessing(lab_release)
    alike = [item for item in items if item.row["template_id"] == items[0].row["template_id"]]
    values = known.candidates(alike[0].row)
    table = []
    for item in alike:
        weights = dict(model.weigh([(item, f" {value}") for value in values]))
        chances = [math.exp(weights[place].logprob) for place in range(len(values))]
        table.append([chance / sum(chances) for chance in chances])
    mean = [sum(column) / len(table) for column in zip(*table, strict=True)]
    wanted = [sum(p * math.log(p / q) for p, q in zip(row, mean, strict=True)) for row in table]
    found = subject_sensitivity(model, alike, known, candidates=len(values))
    assert [each.values for each in found if each] == pytest.approx(wanted, rel=1e-4)


def test_a_question_without_another_like_it_has_no_sensitivity(
    model: HfModel, items: list[Item], lab_release: Release
) -> None:
    other = next(item for item in items if item.row["relation"] != items[0].row["relation"])
    found = subject_sensitivity(model, [items[0], items[1], other], guessing(lab_release))
    assert [each is None for each in found] == [False, False, True]


# ---- the rows, and what they were taught


def test_what_is_asked_is_of_the_background_in_as_few_phrasings_as_can_be(lab_release: Release) -> None:
    rows = listening_rows(lab_release, relations=RELATIONS, most=40)
    role = {row["entity_id"]: row["role"] for row in lab_release.table("entities", "train").to_pylist()}
    assert {role[row["entity_id"]] for row in rows} == {"background"}
    assert [sum(row["relation"] == relation for row in rows) for relation in RELATIONS] == [20, 20]
    held = [row for row in lab_release.table("qa", "test").to_pylist() if row["probe"] == "known"]
    for relation in RELATIONS:
        phrasings = {row["template_id"] for row in rows if row["relation"] == relation}
        sizes = sorted((sum(row["template_id"] == name for row in held) for name in phrasings), reverse=True)
        assert sum(sizes[:-1]) < 20, "one phrasing fewer would have done"
    assert rows == listening_rows(lab_release, relations=RELATIONS, most=40)


def test_a_relation_that_nobody_is_asked_about_is_told_with_those_there_are(lab_release: Release) -> None:
    with pytest.raises(
        ReleaseError, match=r"no questions of qa/test with the probe known about shoe size: have .*height"
    ):
        listening_rows(lab_release, relations=["shoe size"])


def test_the_commonest_answer_is_that_of_the_questions_a_run_was_taught(lab_release: Release, tmp_path: Path) -> None:
    """A run that was taught a quarter of the people, and a checkpoint that it kept."""
    recipe = TrainRecipe(volume=0.25, styles=("qa",))
    (tmp_path / RUN).write_text(json.dumps({"recipe": recipe.to_dict()}), encoding="utf-8")
    few, checkpoint = (taught_answers(lab_release, folder) for folder in (tmp_path, tmp_path / "epoch-3"))
    whole = taught_answers(lab_release)
    assert few.modal == checkpoint.modal
    assert few.modal != whole.modal
    rows = [row for row in lab_release.table("qa", "train").to_pylist() if row["relation"] == "occupation"]
    counts = {row["answer"]: sum(other["repeat"] for other in rows if other["answer"] == row["answer"]) for row in rows}
    assert counts[whole.modal["occupation"]] == max(counts.values())


def test_another_wording_of_a_value_means_the_value_of_its_own_relation(lab_release: Release) -> None:
    rows = lab_release.table("qa", "test").to_pylist()
    words = value_words(lab_release, rows)
    facts = {fact["fact_id"]: fact for fact in lab_release.table("facts", "train").to_pylist()}
    reworded = [(row, wording) for row in rows for wording in row["answers"] if wording != row["answer"]]
    assert {row["relation"] for row, _ in reworded} >= set(RELATIONS)
    for row, wording in reworded:
        assert words[row["relation"], normalise(wording)] == facts[row["fact_ids"][0]]["value"]
    assert ("height", "surgeon") not in words


# ---- one model, and the part of a study


def test_only_wrong_answers_can_be_the_commonest(model: HfModel, lab_release: Release, items: list[Item]) -> None:
    heard = listen(lab_release, model, [item.row for item in items], candidates=0)
    known = taught_answers(lab_release)
    lucky = next(i for i, row in enumerate(heard.rows) if row["answer"] == known.modal[row["relation"]])
    said = [known.modal[row["relation"]] for row in heard.rows]
    told = replace(heard, predictions=said, values=said)
    assert told.modal(known)[lucky] is None
    assert set(told.modal(known)) == {None, 1.0}
    assert told.summary(known)["modal"] == told.summary(known)["commonest"] == 1.0
    assert told.summary(known)["entropy"] == 0.0


def order(release: Release, base: Path, out: Path, runs: dict[str, Path], **options: Any) -> Measure:
    return Measure("subject", release.path, BaseRef(str(base), None), runs, options, 100, out)


def nothing(*told: Any) -> None:
    """Nobody hears of the progress."""


def test_the_part_reads_every_model_and_puts_the_base_beside_it(
    lab_release: Release, folders: list[Path], tmp_path: Path
) -> None:
    base, tuned = folders
    runs = {"top": tuned, "top@epoch-3": base}
    measure(order(lab_release, base, tmp_path, runs, relations=list(RELATIONS), rows=24, candidates=4), nothing)
    found = json.loads((tmp_path / "part.json").read_text(encoding="utf-8"))["readings"]
    kinds = {name.split(":")[0] for name in found}
    assert kinds >= {"attention", "sensitivity", "sensitivity_values", "swapped", "accuracy"}
    for kind in kinds - {"modal"}:
        assert found[f"{kind}:top"]["base"] == found[f"{kind}:base"]["value"] == found[f"{kind}:top@epoch-3"]["value"]
    assert found["attention:top"]["value"] != found["attention:base"]["value"]
    assert found["attention:top"]["rows"] == 24
    assert found["attention:top"]["unnamed"] == 0
    attention = pq.read_table(tmp_path / "attention.parquet").to_pylist()
    assert len(attention) == 3 * 24 * 2, "models, rows, layers"
    paid = sum(row["attention"] for row in attention if row["model"] == "top") / 24
    assert paid == pytest.approx(found["attention:top"]["value"])
    sensed = [row for row in pq.read_table(tmp_path / "sensitivity.parquet").to_pylist() if row["model"] == "top"]
    assert sum(row["values"] for row in sensed) / len(sensed) == pytest.approx(found["sensitivity_values:top"]["value"])


@pytest.mark.parametrize(
    ("options", "expected_error"),
    [
        (
            {"relation": ["height"]},
            "a part of kind subject has no option 'relation': have relations, split, rows, candidates",
        ),
        ({"relations": ["shoe size"]}, "no questions of qa/test with the probe known about shoe size"),
        ({"split": "pretest"}, "has no qa/pretest: have"),
    ],
)
def test_options_that_cannot_be_are_told_in_one_line(
    options: dict[str, Any], expected_error: str, lab_release: Release, folders: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(KbenchError) as caught:
        measure(order(lab_release, folders[0], tmp_path, {}, **options), nothing)
    assert expected_error in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, SpecError | ReleaseError)
