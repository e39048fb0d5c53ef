"""The transformers engine: its own loop against `generate`, likelihoods, draws, adapters, and what it refuses."""

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.engine import Engine
from kbench.benchmarks.models.batching import Budget, batches, in_batches
from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.models.open import open_model
from kbench.benchmarks.models.protocol import GREEDY, Decoding
from kbench.benchmarks.models.reading import can_read
from kbench.benchmarks.models.tokens import Ends
from kbench.benchmarks.results import model_digests
from kbench.benchmarks.tasks import Item, load_items
from kbench.errors import KbenchError, MissingExtra, ModelError
from kbench.store import Release
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import Sample

TEMPLATE = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}<s>assistant:"


@pytest.fixture(scope="module")
def items(lab_release: Release) -> list[Item]:
    return load_items(lab_release, ("test", "control"), limit=4)


@pytest.fixture(scope="module")
def folder(lab: Sample, items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Llama over the words of the items: its replies are long and differ, as a trained one's do not."""
    torch.manual_seed(0)
    texts = [item.prompt + " " + item.row["answer"] for item in items]
    tokenizer = word_tokenizer(texts)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    path = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> HfModel:
    return load_hf(str(folder))


def said(model: HfModel, items: Sequence[Item], decoding: Decoding = GREEDY) -> list[tuple[str, ...]]:
    found = {place: reply.texts for place, reply in model.ask(items, decoding)}
    return [found[place] for place in range(len(items))]


def plainly(model: HfModel, item: Item, most: int) -> str:
    """What transformers' own `generate` says to one prompt."""
    ids = model.tokenizer(item.prompt, return_tensors="pt", return_token_type_ids=False)
    out = model.model.generate(
        **ids, max_new_tokens=most, do_sample=False, eos_token_id=model.tokenizer.eos_token_id, pad_token_id=0
    )
    return str(model.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))


def test_a_greedy_reply_is_that_of_generate_token_for_token(model: HfModel, items: list[Item]) -> None:
    own = said(model, items, Decoding(max_tokens=12))
    assert own == [(plainly(model, item, 12),) for item in items]
    assert len({len(model.tokenizer(text)["input_ids"]) for (text,) in own}) > 1, "replies of one length test little"


def test_the_size_of_a_batch_changes_no_reply(model: HfModel, items: list[Item]) -> None:
    decoding = Decoding(max_tokens=12)
    drawn = Decoding(max_tokens=6, temperature=1.0, top_k=20, samples=3)
    for how in (decoding, drawn):
        together = said(replace(model, batch=None), items, how)
        assert said(replace(model, batch=1), items, how) == together
        assert said(replace(model, batch=7), items[::-1], how) == together[::-1]


def test_the_same_seed_draws_the_same_and_another_seed_does_not(model: HfModel, items: list[Item]) -> None:
    decoding = Decoding(max_tokens=6, temperature=1.0, top_k=40, samples=4)
    first = said(model, items, decoding)
    assert {len(texts) for texts in first} == {4}
    assert len(set(first[0])) > 1
    assert said(model, items, decoding) == first
    assert said(model, items, replace(decoding, seed=1)) != first
    fewer = said(model, items, replace(decoding, samples=2))
    assert fewer == [texts[:2] for texts in first]


def test_draws_follow_the_models_probabilities(model: HfModel, items: list[Item]) -> None:
    item = items[0]
    tokens = model.tokenizer(item.prompt, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        logits = model.model(**tokens).logits[0, -1] / 0.7
    kept, names = logits.topk(3)
    wanted = dict(zip(names.tolist(), kept.softmax(0).tolist(), strict=True))
    ((_, reply),) = model.ask([item], Decoding(max_tokens=1, temperature=0.7, top_k=3, samples=4000))
    for token, chance in wanted.items():
        text = model.tokenizer.decode([token], skip_special_tokens=True)
        assert reply.texts.count(text) / 4000 == pytest.approx(chance, abs=0.03)


def test_a_reply_counts_the_tokens_it_read_and_wrote(model: HfModel, items: list[Item]) -> None:
    for place, reply in model.ask(items, Decoding(max_tokens=5)):
        assert reply.prompt_tokens == len(model.tokenizer(items[place].prompt)["input_ids"])
        assert 1 <= reply.tokens <= 5


def weights_of(model: HfModel, asked: Sequence[tuple[Item, str]]) -> list[tuple[float, int]]:
    found = {place: (weight.logprob, weight.tokens) for place, weight in model.weigh(asked)}
    return [found[place] for place in range(len(asked))]


def assert_alike(found: Sequence[tuple[float, int]], wanted: Sequence[tuple[float, int]]) -> None:
    assert [count for _, count in found] == [count for _, count in wanted]
    assert [logprob for logprob, _ in found] == pytest.approx([logprob for logprob, _ in wanted], abs=1e-3)


def test_a_weight_is_the_sum_of_its_tokens_log_probabilities(model: HfModel, items: list[Item]) -> None:
    texts = [" ".join(("", *item.row["answer"].split(), *words)) for item in items for words in ((), ("the", "of"))]
    asked = [(item, text) for item, text in zip([i for i in items for _ in range(2)], texts, strict=True)]
    for (item, text), (logprob, count) in zip(asked, weights_of(model, asked), strict=True):
        prompt = model.tokenizer(item.prompt)["input_ids"]
        whole = model.tokenizer(item.prompt + text)["input_ids"]
        with torch.inference_mode():
            chances = model.model(torch.tensor([whole])).logits[0].log_softmax(-1)
        wanted = sum(float(chances[at - 1, whole[at]]) for at in range(len(prompt), len(whole)))
        assert count == len(whole) - len(prompt)
        assert logprob == pytest.approx(wanted, abs=1e-4)
    assert {count for _, count in weights_of(model, asked)} > {1}
    assert_alike(weights_of(replace(model, batch=1), asked), weights_of(model, asked))


def test_the_probabilities_of_all_next_words_sum_to_one(model: HfModel, items: list[Item]) -> None:
    words = [model.tokenizer.decode([token]) for token in range(len(model.tokenizer))]
    pieces = [piece for piece in model.tokenizer.get_vocab() if piece.startswith("▁") and len(piece) > 1]
    asked = [(items[0], " " + piece[1:]) for piece in pieces]
    spoken = sum(math.exp(logprob) for logprob, _ in weights_of(model, asked))
    tokens = model.tokenizer(items[0].prompt, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        chances = model.model(**tokens).logits[0, -1].softmax(-1)
    others = [token for piece, token in model.tokenizer.get_vocab().items() if piece not in set(pieces)]
    assert len(words) == len(pieces) + len(others)
    assert spoken + float(chances[others].sum()) == pytest.approx(1, abs=1e-4)


def test_a_continuation_of_no_token_cannot_be_weighed(model: HfModel, items: list[Item]) -> None:
    with pytest.raises(ModelError, match=r"the continuation '' of row \S+ adds no token to its prompt"):
        list(model.weigh([(items[0], "")]))


def test_a_model_of_sliding_windows_replies_and_weighs_the_same_way(
    folder: Path, model: HfModel, items: list[Item]
) -> None:
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=len(model.tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=model.tokenizer.eos_token_id,
        pad_token_id=0,
    )
    slid = HfModel("slid", Gemma3ForCausalLM(config).eval(), model.tokenizer)
    assert can_read(model.model)
    assert not can_read(slid.model)
    few = items[:6]
    replies = said(slid, few, Decoding(max_tokens=6))
    assert replies == [(plainly(slid, item, 6),) for item in few]
    slid.model.generation_config.repetition_penalty = 9.0
    assert said(slid, few, Decoding(max_tokens=6)) == replies
    assert slid.model.generation_config.repetition_penalty == 9.0
    drawn = Decoding(max_tokens=3, temperature=1.0, top_k=9, samples=2)
    assert said(slid, few, drawn) == said(slid, few, drawn)
    asked = [(item, f" {item.row['answer']}") for item in few]
    assert_alike(weights_of(slid, asked), weights_of(replace(slid, batch=1), asked))


def test_nothing_is_written_behind_the_first_line_where_nothing_more_is_read(lab: Sample) -> None:
    tokenizer = word_tokenizer(["One two.\nThree four.\n"])
    one, two, three, line = (tokenizer(text)["input_ids"][0] for text in ("One", "two", "Three", "a\n"))
    (line,) = [token for piece, token in tokenizer.get_vocab().items() if piece == "\n"]
    ends = Ends(tokenizer, frozenset({tokenizer.eos_token_id}), first_line=True)
    assert not ends.over([line, line])
    assert not ends.over([line, one])
    assert ends.over([line, one, line])
    assert not Ends(tokenizer, ends.stops, first_line=False).over([line, one, line])
    assert Ends(tokenizer, ends.stops, first_line=False).over([one, tokenizer.eos_token_id])
    assert ends.cut([one, two, tokenizer.eos_token_id]) == [one, two]
    assert three not in (one, two)


def test_batches_hold_like_lengths_and_no_more_tokens_than_they_may() -> None:
    lengths = [5, 30, 7, 6, 100, 5, 5, 5]
    found = list(batches(lengths, [1] * 8, Budget(rows=3, tokens=24, logits=100)))
    assert sorted(place for batch in found for place in batch) == list(range(8))
    assert [[lengths[place] for place in batch] for batch in found] == [[100], [30], [7, 6, 5], [5, 5, 5]]


def test_a_batch_that_does_not_fit_into_memory_is_halved_and_none_is_asked_twice() -> None:
    tried: list[int] = []

    def work(places: list[int]) -> list[int]:
        tried.append(len(places))
        if len(places) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return [place * 10 for place in places]

    found = list(in_batches([4] * 10, [1] * 10, Budget(10, 1000, 1000), work))
    assert sorted((p, v) for places, values in found for p, v in zip(places, values, strict=True)) == [
        (place, place * 10) for place in range(10)
    ]
    assert tried == [10, 5, 2, 2, 2, 2, 2]
    with pytest.raises(ModelError, match="the GPU's memory does not do for one row of 4 tokens"):
        list(in_batches([4], [1], Budget(10, 1000, 1000), lambda places: work([0] * 9)))


def test_an_adapter_scores_as_the_model_it_is_merged_into(
    folder: Path, model: HfModel, items: list[Item], tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    tuned = get_peft_model(load_hf(str(folder)).model, LoraConfig(r=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    tuned.save_pretrained(str(tmp_path / "adapter"))
    merged_model: Any = tuned.merge_and_unload()
    merged_model.save_pretrained(tmp_path / "merged")
    model.tokenizer.save_pretrained(tmp_path / "merged")
    adapted, merged = load_hf(str(tmp_path / "adapter")), load_hf(str(tmp_path / "merged"))
    decoding = Decoding(max_tokens=8)
    assert said(adapted, items, decoding) == said(merged, items, decoding)
    assert said(adapted, items, decoding) != said(model, items, decoding)
    bare = adapted.without_adapter()
    assert bare is not None
    assert said(bare, items, decoding) == said(model, items, decoding)
    assert said(adapted, items, decoding) == said(merged, items, decoding)
    asked = [(item, f" {item.row['answer']}") for item in items]
    assert_alike(weights_of(adapted, asked), weights_of(merged, asked))
    about = adapted.about()
    assert about["base"] == str(folder)
    assert about["weights"] == model_digests(folder)["weights"]
    assert about["adapter"] == model_digests(tmp_path / "adapter")["adapter"] != about["weights"]
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "base_model_name_or_path": None}), "utf-8")
    with pytest.raises(ModelError, match="does not say what its base is: give --base"):
        load_hf(str(tmp_path / "adapter"))
    assert said(load_hf(str(tmp_path / "adapter"), base=str(folder)), items[:3], decoding)
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"holds no adapter_model\.safetensors: kbench loads no pickles"):
        load_hf(str(tmp_path / "adapter"), base=str(folder))


def test_an_adapter_is_not_put_on_a_base_of_other_words(folder: Path, model: HfModel, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    tuned = get_peft_model(load_hf(str(folder)).model, LoraConfig(r=2, target_modules="all-linear"))
    tuned.save_pretrained(str(tmp_path))
    model.tokenizer.save_pretrained(tmp_path)
    load_hf(str(tmp_path))
    word_tokenizer(["other words altogether"]).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"has a tokenizer of other words than its base .*: it was trained on another"):
        load_hf(str(tmp_path))


def test_a_prompt_longer_than_the_context_is_told_before_anything_is_asked(model: HfModel, items: list[Item]) -> None:
    long = replace(items[1], prompt=" ".join(["Question"] * 250))
    with pytest.raises(ModelError, match=f"{long.row['id']}.*250 tokens.*256.*--shots.*--max-tokens"):
        next(model.ask([items[0], long], Decoding(max_tokens=32)))
    assert next(model.ask([items[0], long], Decoding(max_tokens=6)))
    with pytest.raises(ModelError, match="257 tokens, more than"):
        next(model.weigh([(long, " Question" * 7)]))


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"anything")


def _with_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    code = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": code}), "utf-8")
    (folder / "own.py").write_text("raise SystemExit('the code ran')\n", "utf-8")


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _with_a_layer_too_many(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}), "utf-8")


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        (_pickled, r"as a pickle \(pytorch_model\.bin\), which can run any code and is not loaded: save them as"),
        (_with_code, r"brings code of its own: read it, then allow it by --trust-remote-code"),
        (_without_weights, r"cannot load the model"),
        (_without_config, r"is no model: expected config\.json and model\.safetensors there"),
        (_with_a_layer_too_many, r"lack 9 tensors of a LlamaForCausalLM \(model\.layers\.2\.\S+\): transformers would"),
    ],
)
def test_a_folder_that_is_no_whole_safe_model_is_refused_in_one_line(
    folder: Path, tmp_path: Path, change: Any, expected_error: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    change(copy)
    with pytest.raises(ModelError, match=expected_error) as refused:
        load_hf(str(copy))
    assert "\n" not in str(refused.value)


def test_a_chat_prompt_is_what_the_template_writes_and_nothing_is_added(model: HfModel, items: list[Item]) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = word_tokenizer(["<s> user assistant : hello\n", *(item.prompt for item in items)])
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    start = tokenizer.convert_tokens_to_ids("<s>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(**{**model.model.config.to_dict(), "vocab_size": len(tokenizer), "rope_parameters": None})
    chatty = HfModel("chatty", LlamaForCausalLM(config).eval(), tokenizer)
    messages = ({"role": "user", "content": items[0].row["question"]},)
    prompt = chatty.chat(messages)
    assert prompt == f"<s>user: {items[0].row['question']}\n<s>assistant:"
    asked = replace(items[0], prompt=prompt, messages=messages)
    plain = replace(items[0], prompt="hello")
    read = {place: reply.prompt_tokens for place, reply in chatty.ask([asked, plain], Decoding(max_tokens=1))}
    assert read[0] == len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    assert read[1] == 1 + len(tokenizer("hello", add_special_tokens=False)["input_ids"])


def test_a_model_without_a_template_cannot_chat(model: HfModel) -> None:
    with pytest.raises(ModelError, match="has no chat template: score it without --chat"):
        model.chat([{"role": "user", "content": "hello"}])


def test_a_template_that_refuses_the_messages_is_told_in_one_line(folder: Path) -> None:
    model = load_hf(str(folder))
    model.tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(ModelError, match="refuses the messages: roles must alternate"):
        model.chat([{"role": "user", "content": "hello"}])


def test_a_model_that_is_asked_while_it_trains_goes_back_to_training(folder: Path, items: list[Item]) -> None:
    model = load_hf(str(folder))
    model.model.train()
    assert said(model, items[:2], Decoding(max_tokens=2))
    assert model.model.training


@pytest.mark.parametrize(
    ("name", "backend", "error", "expected_error"),
    [
        ("plainword", "auto", ModelError, "no model 'plainword': there is no such folder, and it is no Hub id"),
        ("./gone", "hf", ModelError, "no model './gone'"),
    ],
)
def test_a_model_that_is_not_there_is_told(
    lab_release: Release, name: str, backend: Any, error: type[KbenchError], expected_error: str
) -> None:
    with pytest.raises(error, match=expected_error):
        open_model(name, lab_release, Engine(backend=backend))


def test_a_model_is_opened_by_transformers_where_there_is_no_gpu(lab_release: Release, folder: Path) -> None:
    model = open_model(str(folder), lab_release, Engine(batch=3))
    assert isinstance(model, HfModel)
    about = model.about()
    assert (about["dtype"], about["device"]) == ("float32", "cpu")
    assert about["weights"] == model_digests(folder)["weights"]


def test_vllm_that_is_not_installed_is_named(lab_release: Release, folder: Path) -> None:
    from importlib.util import find_spec

    if find_spec("vllm"):
        pytest.skip("vLLM is installed")
    with pytest.raises(MissingExtra, match=r'pip install "knowledge-bench\[vllm\]"'):
        open_model(str(folder), lab_release, Engine(backend="vllm"))
