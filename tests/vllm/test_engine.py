"""The real vLLM engine: what it says is what transformers says, with many adapters at once too."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from kbench.benchmarks.evaluate import judge
from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.models.protocol import GREEDY, Decoding
from kbench.benchmarks.models.tokens import breaking_tokens
from kbench.benchmarks.models.vllm import VllmModel, open_vllm, open_vllm_adapters
from kbench.benchmarks.prompting import Prompting
from kbench.benchmarks.prompts import completion_of
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError
from tests.vllm.adapters import changed, peft_replies

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("default"),  # vLLM, its plugins and its use of torch warn as they are loaded
]

SHORT = Decoding(max_tokens=8)


def first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0].strip()


def texts(model: VllmModel, items: list[Item], decoding: Decoding = SHORT) -> list[tuple[str, ...]]:
    replies = dict(model.ask(items, decoding))
    return [replies[place].texts for place in range(len(items))]


def test_every_verdict_on_the_tiny_release_is_that_of_transformers(trained: str, items: list[Item]) -> None:
    here, there = dict(open_vllm(trained).ask(items, SHORT)), dict(load_hf(trained).ask(items, SHORT))
    verdicts = [
        [judge(item, said[place], Prompting()).correct for place, item in enumerate(items)] for said in (here, there)
    ]
    same = sum(here[place].texts[0].split("\n")[0] == there[place].texts[0].split("\n")[0] for place in here)
    print(f"\n{len(items):,} rows, {sum(map(bool, verdicts[0])):,} right; {same:,} texts are the same")
    assert verdicts[0] == verdicts[1]
    assert 0.01 < sum(map(bool, verdicts[0])) / len(items) < 0.99
    assert same == len(items)


def test_a_reply_that_ends_with_its_first_line_begins_as_the_whole_one(
    trained: str, items: list[Item], tmp_path: Path
) -> None:
    """A model that breaks lines wherever it can, also before its first word."""
    base = Path(trained).parent / "base"
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)
    (broken,) = breaking_tokens(tokenizer)
    with torch.no_grad():
        model.get_output_embeddings().weight[broken] *= 4
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    talker, few = open_vllm(str(tmp_path)), items[:: len(items) // 200][:200]
    whole = [text for (text,) in texts(talker, few, Decoding(max_tokens=24))]
    short = [text for (text,) in texts(talker, few, Decoding(max_tokens=24, first_line=True))]
    assert [first_line(text) for text in short] == [first_line(text) for text in whole]
    assert sum(map(len, short)) < sum(map(len, whole))
    assert any(first_line(text) != text.split("\n")[0].strip() for text in whole)


def test_a_continuation_weighs_what_transformers_says(trained: str, some: list[Item]) -> None:
    weighed = dict(open_vllm(trained).weigh([(item, completion_of(item.row)) for item in some]))
    tokenizer = AutoTokenizer.from_pretrained(trained)
    model = AutoModelForCausalLM.from_pretrained(trained, dtype=torch.float32)
    for place, item in enumerate(some):
        whole = tokenizer(item.prompt + completion_of(item.row), return_tensors="pt")["input_ids"]
        start = len(tokenizer(item.prompt)["input_ids"])
        with torch.inference_mode():
            scores = model(whole).logits[0, start - 1 : -1].log_softmax(-1)
        wanted = float(scores.gather(1, whole[0, start:, None]).sum())
        assert weighed[place].logprob == pytest.approx(wanted, abs=1e-4)
        assert weighed[place].tokens == whole.shape[1] - start


def test_eight_adapters_in_one_engine_say_what_peft_says_and_the_base_stays_the_base(
    trained: str, adapters: list[Path], some: list[Item]
) -> None:
    alone = texts(open_vllm(trained), some)
    models = open_vllm_adapters(trained, adapters)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    asked = some[:12]
    moved = 0
    for adapter in adapters:
        said = texts(models[adapter], asked)
        wanted = peft_replies(trained, adapter, [item.prompt for item in asked], SHORT.max_tokens)
        assert said == [(text,) for text in tokenizer.batch_decode(wanted, skip_special_tokens=True)], adapter.name
        moved += said != alone[: len(asked)]
        assert texts(models[None], some) == alone
    assert moved > len(adapters) // 2  # a weak adapter may say what its base says


def test_draws_are_the_same_again_whoever_is_asked_beside_and_others_by_another_seed(
    trained: str, some: list[Item]
) -> None:
    model = open_vllm(trained)
    drawing = Decoding(max_tokens=8, temperature=1.0, top_k=40, samples=4, seed=1)
    first = texts(model, some, drawing)
    assert {len(said) for said in first} == {4}
    assert texts(model, some[5:9], drawing) == first[5:9]
    assert texts(model, some, replace(drawing, seed=2)) != first


def test_a_model_whose_engine_was_taken_by_another_says_the_same_when_it_is_asked_again(
    trained: str, adapters: list[Path], some: list[Item], tmp_path: Path
) -> None:
    one = open_vllm(trained)
    before = texts(one, some[:6])
    shutil.copytree(trained, tmp_path / "twin")
    assert texts(open_vllm(str(tmp_path / "twin")), some[:6]) == before
    assert texts(one, some[:6]) == before


@pytest.mark.parametrize("chunk", [1, 5, 1024])
def test_the_size_of_a_chunk_changes_nothing(trained: str, some: list[Item], chunk: int) -> None:
    assert texts(open_vllm(trained, chunk=chunk), some[:11]) == texts(open_vllm(trained), some[:11])


def test_a_prompt_that_does_not_fit_is_told_before_anything_is_asked(trained: str, some: list[Item]) -> None:
    long = replace(some[1], prompt=" ".join(["the"] * 300))
    with pytest.raises(ModelError, match=r"the prompt of .* has 3\d\d tokens and 32 for its answer, .* 256: lower"):
        next(open_vllm(trained).ask([some[0], long], GREEDY))


def test_a_model_without_a_chat_template_cannot_chat(trained: str) -> None:
    with pytest.raises(ModelError, match="has no chat template: score it without --chat"):
        open_vllm(trained).chat([{"role": "user", "content": "Who?"}])


@pytest.mark.parametrize(
    ("break_it", "expected_error"),
    [
        (lambda folder: (folder / "config.json").unlink(), "is no model: expected config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no safetensors, and pickled weights are not"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "vLLM cannot load the model"),
        (lambda folder: shutil.rmtree(folder), "there is no such folder"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_told_in_one_line(
    trained: str, tmp_path: Path, break_it: object, expected_error: str
) -> None:
    assert callable(break_it)
    shutil.copytree(trained, tmp_path / "model")
    break_it(tmp_path / "model")
    with pytest.raises(ModelError, match=expected_error) as told:
        open_vllm(str(tmp_path / "model"))
    assert "\n" not in str(told.value)


def test_an_adapter_that_the_engine_refuses_is_told_and_the_next_one_is_served(
    trained: str, adapters: list[Path], some: list[Item], tmp_path: Path
) -> None:
    other = changed(
        adapters[1], tmp_path / "other", lambda tensors: {k.replace("q_proj", "r_proj"): v for k, v in tensors.items()}
    )
    with pytest.raises(ModelError, match="does not fit the base"):
        open_vllm_adapters(trained, [adapters[0], other])
    bad = changed(adapters[1], tmp_path / "bad", lambda tensors: tensors)
    config = bad / "adapter_config.json"
    config.write_text(
        config.read_text(encoding="utf-8").replace(
            '"use_rslora": false', '"use_rslora": false, "layer_replication": [[0, 1]]'
        ),
        encoding="utf-8",
    )
    with pytest.raises(ModelError):
        open_vllm_adapters(trained, [adapters[0], bad])
    assert texts(open_vllm(str(adapters[0])), some[:4])
