"""Asking a server that answers: order, how many at once, how fast, draws, counts, costs, and what is told of it."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kbench.benchmarks.models.openai import open_endpoint
from kbench.benchmarks.models.protocol import Decoding, Reply
from kbench.benchmarks.tasks import Item
from kbench.errors import KbenchError, ModelError, SpecError
from tests.endpoint.asked import items, numbered, opened, replies
from tests.endpoint.server import MODEL, Asked, Endpoint, completion, echo

KEY = "sk-a-secret-of-the-tests"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def good() -> Iterator[Endpoint]:
    with Endpoint(echo) as server:
        yield server


def test_every_item_gets_its_own_reply(good: Endpoint) -> None:
    found = replies(opened(good), numbered(40))
    assert [reply.texts for reply in found] == [(f"re prompt {n}",) for n in range(40)]
    assert {(reply.prompt_tokens, reply.tokens, reply.error) for reply in found} == {(7, 3, "")}


def test_nothing_is_sent_for_no_items_and_before_the_first_reply_is_asked_for(good: Endpoint) -> None:
    model = opened(good)
    assert list(model.ask([], Decoding())) == []
    model.ask(numbered(3), Decoding())
    assert good.log == []


def test_a_reply_is_handed_over_while_others_are_still_held() -> None:
    first_is_kept = threading.Event()

    async def held(asked: Asked, request: Request) -> Response:
        if asked.text == "prompt 0":
            await asyncio.to_thread(first_is_kept.wait, 30)
        return await echo(asked, request)

    with Endpoint(held) as server:
        came = opened(server).ask(numbered(2), Decoding())
        assert next(came) == (1, Reply(("re prompt 1",), 7, 3))
        first_is_kept.set()
        assert [place for place, _ in came] == [0]


@pytest.mark.parametrize("width", [1, 4])
def test_as_many_requests_run_at_once_as_were_allowed_and_never_more(width: int) -> None:
    together = asyncio.Barrier(width)

    async def met(asked: Asked, request: Request) -> Response:
        await together.wait()  # for ever, if there were fewer
        return await echo(asked, request)

    with Endpoint(met) as server:
        assert len(replies(opened(server, concurrency=width), numbered(24))) == 24
        assert server.busiest == width


def test_requests_start_no_faster_than_their_number_a_minute(good: Endpoint) -> None:
    replies(opened(good, requests_per_minute=1200), numbered(9))
    times = sorted(asked.at for asked in good.log)
    assert times[-1] - times[0] >= 8 * 0.05 * 0.9


def test_a_text_goes_to_completions_and_a_chat_to_chat_completions(good: Endpoint) -> None:
    model = opened(good)
    turns = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wer bist du, Jörg?"})
    prompt = model.chat(turns)
    assert json.loads(prompt) == list(turns)
    assert "Jörg" in prompt
    found = replies(model, [*items("Question: who?\nAnswer:"), Item({"id": "row-c"}, "test", prompt, turns)])
    assert [reply.texts[0] for reply in found] == ["re Question: who?\nAnswer:", "re Wer bist du, Jörg?"]
    sent = {asked.path: asked.body for asked in good.log}
    assert sent["/v1/completions"] == {
        "model": MODEL,
        "max_tokens": 32,
        "temperature": 0.0,
        "prompt": "Question: who?\nAnswer:",
    }
    assert sent["/v1/chat/completions"] == {
        "model": MODEL,
        "max_tokens": 32,
        "temperature": 0.0,
        "messages": list(turns),
    }


def test_a_server_without_completions_can_be_asked_in_chats_alone(good: Endpoint) -> None:
    replies(opened(good, chat=True), items("who?"))
    assert good.log[0].path == "/v1/chat/completions"
    assert good.log[0].body["messages"] == [{"role": "user", "content": "who?"}]


def test_draws_carry_their_number_top_k_and_a_seed_for_each_prompt(good: Endpoint) -> None:
    how = Decoding(temperature=0.5, top_k=40, samples=3, seed=1)
    found = replies(opened(good), items("a", "b"), how)
    assert [reply.texts for reply in found] == [("re a",) * 3, ("re b",) * 3]
    sent = {asked.text: asked.body for asked in good.log}
    assert {(b["n"], b["top_k"], b["temperature"]) for b in sent.values()} == {(3, 40, 0.5)}
    assert "top_p" not in sent["a"]
    assert sent["a"]["seed"] != sent["b"]["seed"]
    good.log.clear()
    replies(opened(good), items("b", "a"), how)
    assert {asked.text: asked.body["seed"] for asked in good.log} == {text: b["seed"] for text, b in sent.items()}


def test_a_server_that_draws_once_a_request_is_asked_until_there_are_enough() -> None:
    async def one(asked: Asked, request: Request) -> Response:
        return JSONResponse(completion(asked, f"draw {asked.body['seed']}"))

    with Endpoint(one) as server:
        (reply,) = replies(opened(server), items("a"), Decoding(temperature=1.0, samples=4))
    assert len(set(reply.texts)) == 4
    assert (reply.prompt_tokens, reply.tokens) == (28, 12)


def test_a_model_that_has_the_limit_under_another_name_is_asked_by_that_name() -> None:
    async def reasoning(asked: Asked, request: Request) -> Response:
        if "max_tokens" in asked.body:
            told = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
            return JSONResponse({"error": {"message": told, "code": "unsupported_parameter"}}, 400)
        return await echo(asked, request)

    with Endpoint(reasoning) as server:
        found = replies(opened(server, chat=True, concurrency=4), numbered(20))
        assert [reply.error for reply in found] == [""] * 20
        refused = ["max_tokens" in asked.body for asked in server.log]
        assert (len(refused) - sum(refused), sum(refused) <= 4) == (20, True)


def test_tokens_and_costs_are_counted_over_all_that_was_asked(good: Endpoint) -> None:
    model = opened(good, price=(2.0, 8.0))
    replies(model, numbered(5))
    replies(model, numbered(5))
    assert model.about() == {
        "engine": "openai",
        "url": good.url,
        "model": [f"{MODEL}-0711"],
        "system_fingerprint": ["fp_1"],
        "served": {"id": MODEL, "root": "/models/tiny"},
        "chat": False,
        "usage": {
            "requests": 10,
            "retries": 0,
            "prompt_tokens": 70,
            "tokens": 30,
            "replies_without_usage": 0,
            "price": [2.0, 8.0],
            "cost": pytest.approx(70 * 2e-6 + 30 * 8e-6),
        },
    }


def test_replies_that_do_not_count_their_tokens_are_counted() -> None:
    async def silent(asked: Asked, request: Request) -> Response:
        return JSONResponse({"choices": [{"text": "x"}]})

    with Endpoint(silent) as server:
        model = opened(server)
        replies(model, numbered(3))
        assert model.about()["usage"]["replies_without_usage"] == 3
        assert "cost" not in model.about()["usage"]


def test_a_key_is_sent_and_stands_nowhere_else(good: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = opened(good)
    replies(model, numbered(2))
    assert {asked.headers["authorization"] for asked in good.log} == {f"Bearer {KEY}"}
    assert KEY not in f"{model!r} {model.about()} {model.name} {vars(model)}"


def test_no_key_is_sent_where_there_is_none(good: Endpoint) -> None:
    replies(opened(good), numbered(1))
    assert "authorization" not in good.log[0].headers


def test_it_works_where_another_loop_runs_and_leaves_no_thread(good: Endpoint) -> None:
    async def notebook() -> int:
        return len(replies(opened(good), numbered(5)))

    before = set(threading.enumerate())
    assert asyncio.run(notebook()) == 5
    assert set(threading.enumerate()) <= before


def test_who_stops_listening_stops_the_asking(good: Endpoint) -> None:
    before = set(threading.enumerate())
    came = opened(good, concurrency=1).ask(numbered(10_000), Decoding())
    next(came)
    came.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before
    assert len(good.log) < 10_000


@pytest.mark.parametrize("key", ["sk-a\nsk-b", "sk- b", "sk-schlüssel"])
def test_a_key_that_can_be_none_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match=r"^OPENAI_API_KEY holds letters that no key has: set it anew$"):
        open_endpoint("openai:m@http://localhost")


def test_an_endpoint_is_asked_without_torch() -> None:
    modules = "kbench.benchmarks.models.asking, kbench.benchmarks.models.weighing"
    script = f"import sys, {modules}; print(*sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


NAMES = [
    ("openai:m@http://localhost:8000/v1", ("m", "http://localhost:8000/v1")),
    ("openai:m@http://localhost:8000", ("m", "http://localhost:8000/v1")),
    ("openai:m@http://localhost:8000/", ("m", "http://localhost:8000/v1")),
    ("openai:a/b:free@https://openrouter.ai/api/v1/", ("a/b:free", "https://openrouter.ai/api/v1")),
    ("openai:@cf/meta/llama@https://example.org/ai/v1", ("@cf/meta/llama", "https://example.org/ai/v1")),
    ("openai:/models/my run@http://[::1]:8000", ("/models/my run", "http://[::1]:8000/v1")),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_is_a_model_and_where_it_is_asked(name: str, expected: tuple[str, str]) -> None:
    model = open_endpoint(name)
    assert (model.address.model, model.address.url) == expected
    assert model.name == name


def test_a_model_without_a_url_is_openais_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"^openai:gpt-4o-mini needs a key: set the environment variable OPENAI_API"):
        open_endpoint("openai:gpt-4o-mini")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere")
    assert open_endpoint("openai:gpt-4o-mini").address.url == "https://api.openai.com/v1"


WRONG_NAMES = [
    ("openai:", "no endpoint 'openai:': expected openai:MODEL@URL"),
    ("gpt-4o", "no endpoint 'gpt-4o': expected openai:MODEL@URL"),
    ("openai:@http://localhost", "no endpoint 'openai:@http://localhost': expected"),
    ("openai:m@localhost:8000", "its URL must begin with http:// or https://"),
    ("openai:m@http://", "its URL has no host"),
    ("openai:m@http://:8000", "its URL has no host"),
    ("openai:m@http://a b/v1", "its URL has no host"),
    ("openai:m@http://localhost:port/v1", "port could not be cast"),
    ("openai:m@http://localhost:99999", "port out of range"),
    ("openai:m@http://[::1", "invalid ipv6 url"),
    (f"openai:m@https://me:{KEY}@example.org/v1", "must be host and path alone, without user, query or fragment"),
    (f"openai:m@https://example.org/v1?key={KEY}", "must be host and path alone, without user, query or fragment"),
    (f"openai:m@https://example.org/v1#{KEY}", "must be host and path alone, without user, query or fragment"),
    (f"openai:m@https://{KEY}@example.org:port/v1?key={KEY}", "port could not be cast"),
]


@pytest.mark.parametrize(("name", "expected_error"), WRONG_NAMES)
def test_a_malformed_name_is_one_line_without_what_may_be_a_secret(name: str, expected_error: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_endpoint(name)
    assert expected_error in str(caught.value)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


WRONG_SETTINGS = [
    ({"concurrency": 0}, "concurrency must be at least 1 (got 0)"),
    ({"requests_per_minute": 0}, "requests per minute must be at least 1 (got 0)"),
    ({"price": (1.0, -1.0)}, "prices must be dollars for a million tokens read and written (got (1.0, -1.0))"),
    ({"price": (float("nan"), 1.0)}, "prices must be dollars"),
    ({"timeout": 0.0}, "the timeout must be some seconds (got 0.0)"),
    ({"retries": -1}, "retries must be at least 0 (got -1)"),
]


@pytest.mark.parametrize(("settings", "expected_error"), WRONG_SETTINGS)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, int], expected_error: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_endpoint("openai:m@http://localhost", **settings)  # type: ignore[arg-type]
    assert expected_error in str(caught.value)
    assert isinstance(caught.value, KbenchError)
