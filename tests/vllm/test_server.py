"""kbench beside vLLM's own server: texts, chats and likelihoods as transformers has them, and its refusals."""

import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from kbench.benchmarks.models.hf import HfModel, load_hf
from kbench.benchmarks.models.openai import Endpoint, open_endpoint
from kbench.benchmarks.models.protocol import GREEDY, Decoding, Reply
from kbench.benchmarks.tasks import Item, load_items
from kbench.errors import ModelError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release
from kbench.studies.lab import LabRecipe, lab_base
from tests.samples import tiny

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed"),
]

CONTEXT = 128
CHAT = (
    "{% for message in messages %}{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"
)
ALONE = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return generate(Recipe(tiny(), "7", ("qa", "article", "cloze")), tmp_path_factory.mktemp("release") / "r")[0]


@pytest.fixture(scope="module")
def folder(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = LabRecipe(layers=1, width=64, heads=1, inner=64, batch=16, bf16=False)
    base = lab_base(release, tmp_path_factory.mktemp("bases"), small)
    (base.path / "chat_template.jinja").write_text(CHAT, encoding="utf-8")
    return base.path


@pytest.fixture(scope="module")
def hf(folder: Path) -> HfModel:
    return load_hf(str(folder))


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The server, ready to answer; its last lines are shown if it never is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--port", str(port)]
    how = ["--host", "127.0.0.1", "--served-model-name", "lab", "--dtype", "float32", "--enforce-eager"]
    room = ["--max-model-len", str(CONTEXT), "--api-key", "sk-served"]
    process = subprocess.Popen(
        [*server, *how, *room],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **ALONE},
    )
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=30)
    with process:
        for line in process.stdout:
            last.append(line)
            if "Application startup complete" in line:
                break
        else:
            pytest.fail("the server did not start:\n" + "".join(last))
        # Its pipe is emptied as it talks, or it would stand still.
        rest = threading.Thread(target=deque, args=(process.stdout, 30), daemon=True)
        rest.start()
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        rest.join(60)


@pytest.fixture
def served(url: str, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-served")
    return open_endpoint(f"openai:lab@{url}", price=(1.0, 2.0))


def in_order(found: Iterator[tuple[int, Reply]]) -> list[Reply]:
    return [reply for _, reply in sorted(found, key=lambda pair: pair[0])]


def texts(replies: list[Reply]) -> list[str]:
    """Without the space before the first word: the server decodes what follows a prompt, transformers a text alone."""
    return [reply.texts[0].removeprefix(" ") for reply in replies]


def test_greedy_texts_are_those_of_transformers(served: Endpoint, hf: HfModel, release: Release) -> None:
    items = load_items(release, ("train", "test", "control"))[:300]
    theirs, ours = in_order(served.ask(items, GREEDY)), in_order(hf.ask(items, GREEDY))
    assert [reply.error for reply in theirs] == [""] * len(items)
    assert texts(theirs) == texts(ours)
    assert [reply.prompt_tokens for reply in theirs] == [reply.prompt_tokens for reply in ours]
    assert len(set(texts(theirs))) > 10
    about = served.about()
    assert (about["model"], about["served"]["id"], about["usage"]["retries"]) == (["lab"], "lab", 0)
    assert about["usage"]["cost"] == pytest.approx(
        sum(reply.prompt_tokens + 2 * reply.tokens for reply in theirs) / 1e6
    )
    assert about["usage"]["tokens"] > len(items)


def test_chats_are_those_of_transformers_with_the_models_own_template(
    served: Endpoint, hf: HfModel, release: Release
) -> None:
    asked = load_items(release, ("test",))[:60]
    turns = [({"role": "user", "content": f"Question: {item.row['question']}"},) for item in asked]
    pairs = list(zip(asked, turns, strict=True))
    theirs = in_order(served.ask([Item(i.row, i.split, served.chat(t), t) for i, t in pairs], GREEDY))
    ours = in_order(hf.ask([Item(i.row, i.split, hf.chat(t)) for i, t in pairs], GREEDY))
    assert texts(theirs) == texts(ours)
    assert [reply.prompt_tokens for reply in theirs] == [reply.prompt_tokens for reply in ours]


def test_log_probabilities_are_those_of_transformers(served: Endpoint, hf: HfModel, release: Release) -> None:
    asked = [(item, f" {item.row['answer']}") for item in load_items(release, ("test", "control"))[::3]]
    found = dict(served.weigh(asked))
    assert sorted(found) == list(range(len(asked)))
    for place, (item, continuation) in enumerate(asked):
        whole = hf.tokenizer(item.prompt + continuation)["input_ids"]
        start = len(hf.tokenizer(item.prompt)["input_ids"])
        with torch.inference_mode():
            logits = hf.model(input_ids=torch.tensor([whole])).logits[0, start - 1 : -1]
        each = torch.log_softmax(logits, -1).gather(1, torch.tensor(whole[start:])[:, None])
        assert found[place].tokens == len(whole) - start
        assert found[place].logprob == pytest.approx(float(each.sum()), abs=1e-3)


def test_draws_are_the_same_again_and_others_with_another_seed(served: Endpoint, release: Release) -> None:
    items = load_items(release, ("test",))[:20]
    how = Decoding(temperature=1.0, top_k=40, samples=4, seed=1)
    first, again = in_order(served.ask(items, how)), in_order(served.ask(items, how))
    other = in_order(served.ask(items, Decoding(temperature=1.0, top_k=40, samples=4, seed=2)))
    assert first == again
    assert first != other
    assert {len(reply.texts) for reply in first} == {4}
    assert any(len(set(reply.texts)) > 1 for reply in first)


def test_a_prompt_too_long_is_an_error_of_its_row(served: Endpoint, release: Release) -> None:
    good = load_items(release, ("test",))[0]
    long = Item(good.row, "test", "who is it? " * CONTEXT)
    found = in_order(served.ask([good, long, good], GREEDY))
    assert [bool(reply.error) for reply in found] == [False, True, False]
    assert "maximum context length" in found[1].error


def test_another_model_and_another_key_end_in_one_line(
    url: str, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = load_items(release, ("test",))[:5]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    with pytest.raises(ModelError, match=r"gave up: 401 .*; 0 of 5 replies came before$"):
        list(open_endpoint(f"openai:lab@{url}").ask(items, GREEDY))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-served")
    with pytest.raises(ModelError, match=r"gave up: 404 The model `gone` does not exist"):
        list(open_endpoint(f"openai:gone@{url}").ask(items, GREEDY))
