"""Servers that misbehave: what is tried again, what is one row's error, and when the endpoint is given up."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from kbench.benchmarks.models.asking import MOST, Dead, Verdicts
from kbench.benchmarks.models.openai import open_endpoint
from kbench.benchmarks.models.protocol import GREEDY, Reply
from tests.endpoint.asked import items, numbered, opened, replies, until_dead
from tests.endpoint.server import (
    MODEL,
    Asked,
    Cut,
    Dripping,
    Endpoint,
    after,
    always,
    completion,
    echo,
    failed,
    hang,
    raw,
    said,
)

KEY = "sk-a-secret-of-the-tests"
PAGE = "<!DOCTYPE html>\n<html><body>It works!</body></html>"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def well(asked: Asked) -> Response:
    """A good reply."""
    return JSONResponse(completion(asked, "well"))


PASSING: list[tuple[str, Callable[[Asked], Response]]] = [
    ("too many", lambda _: failed(429, "slow down")),
    ("too many, after a hundredth", lambda _: Response("", 429, headers={"retry-after": "0.01"})),
    ("server error", lambda _: failed(500, "oops")),
    ("overloaded", lambda _: failed(503, "overloaded")),
    ("a page from a gateway", lambda _: Response(PAGE, 502, headers={"retry-after-ms": "1"}, media_type="text/html")),
    ("cut in the middle", lambda _: Cut()),
]


@pytest.mark.parametrize(("what", "fault"), PASSING, ids=[name for name, _ in PASSING])
def test_what_passes_is_tried_again_and_counted(what: str, fault: Callable[[Asked], Response]) -> None:
    with Endpoint(always(fault, well)) as server:
        model = opened(server)
        assert replies(model, numbered(1))[0].texts == ("well",)
        assert len(server.log) == 2
        assert model.about()["usage"]["retries"] == 1


OWN = [
    (
        failed(400, "This model's maximum context length is 256 tokens. However, you asked for 300."),
        "400 This model's maximum context length is 256 tokens",
        False,
    ),
    (failed(413, "too large"), "413 too large", False),
    (failed(422, "not that"), "422 not that", False),
    (failed(400, "The response was filtered", "content_filter"), "400 The response was filtered", True),
    (failed(403, "Your input was flagged"), "403 Your input was flagged", True),
    (JSONResponse({"choices": [{"text": "", "finish_reason": "content_filter"}]}), "content filter", True),
    (JSONResponse({"choices": [{"message": {"content": None, "refusal": "I can't."}}]}), "I can't.", True),
    (
        JSONResponse(
            {
                "choices": [{"message": {"content": ""}, "finish_reason": "length"}],
                "usage": {
                    "prompt_tokens": 5,
                    "completion_tokens": 32,
                    "completion_tokens_details": {"reasoning_tokens": 32},
                },
            }
        ),
        "all 32 tokens went into reasoning: raise --max-tokens",
        False,
    ),
]


@pytest.mark.parametrize(("fault", "expected_error", "refused"), OWN, ids=[case[1][:20] for case in OWN])
def test_a_request_that_fails_for_itself_is_its_rows_error_and_the_work_goes_on(
    fault: Response, expected_error: str, refused: bool
) -> None:
    async def bad(asked: Asked, request: Request) -> Response:
        return fault

    with Endpoint(after("bad", bad)) as server:
        found = replies(opened(server, concurrency=2), items("good", *["bad"] * 12, "good too"))
    assert [bool(reply.error) for reply in found] == [False, *[True] * 12, False]
    assert expected_error in found[1].error
    assert found[1].texts == ()
    assert [reply.refused for reply in found[1:13]] == [refused] * 12


def test_an_empty_text_is_a_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint(always(lambda asked: JSONResponse(completion(asked, "")))) as server:
        assert [reply.error for reply in replies(opened(server), numbered(10))] == [""] * 10


RUBBISH: list[tuple[str, Callable[[Asked], Response], str]] = [
    ("a page", raw(PAGE, "text/html"), "an HTML page instead of JSON"),
    ("a page that says it is JSON", raw(PAGE), "an HTML page instead of JSON"),
    ("nothing", raw(""), "no JSON: ''"),
    ("half of a JSON", raw('{"choices": ['), "no JSON: '{\"choices\": ['"),
    ("no UTF-8", lambda _: Response(b"\xff\xfe{", media_type="application/json"), "no JSON: "),
    ("a list", said([1, 2]), "JSON of another shape: the reply"),
    (
        "choices that are a text",
        said({"choices": "yes"}),
        "JSON of another shape: choices: input should be a valid array",
    ),
    ("a text that is a number", said({"choices": [{"text": 7}]}), "choices.0.text: input should be a valid string"),
    ("usage of texts", said({"choices": [{"text": "x"}], "usage": "much"}), "JSON of another shape: usage"),
    ("no choices", said({"choices": []}), "the reply has no choices"),
    ("something else", said({"answer": "x"}), "the reply has no choices"),
    ("an error as a reply", said({"error": {"message": "no provider"}}), "the reply is an error: no provider"),
    ("a choice without text", said({"choices": [{"index": 0}]}), "a choice of the reply has neither text nor message"),
]


@pytest.mark.parametrize(("what", "rubbish", "expected_error"), RUBBISH, ids=[name for name, _, _ in RUBBISH])
def test_rubbish_is_an_error_of_its_row(what: str, rubbish: Callable[[Asked], Response], expected_error: str) -> None:
    with Endpoint(after("bad", always(rubbish))) as server:
        found = replies(opened(server), items("good", "bad", "good"))
    assert [reply.texts for reply in found] == [("re good",), (), ("re good",)]
    assert expected_error in found[1].error
    assert "\n" not in found[1].error


def test_eight_replies_of_rubbish_end_the_work_in_one_line() -> None:
    with Endpoint(always(raw(PAGE, "text/html"))) as server:
        kept, line = until_dead(opened(server, concurrency=1).ask(numbered(100), GREEDY))
        assert len(server.log) == 8
    assert kept == []
    assert line == (
        f"the endpoint {server.url} (model '{MODEL}') gave up: 8 requests in a row brought no usable reply, "
        "the last: an HTML page instead of JSON; 0 of 100 replies came before"
    )


def test_rubbish_from_some_moment_on_ends_the_work_and_its_rows_are_not_called_errors() -> None:
    with Endpoint(always(*[well] * 5, raw(PAGE))) as server:
        kept, line = until_dead(opened(server, concurrency=1).ask(numbered(100), GREEDY))
    assert [(place, reply.texts) for place, reply in kept] == [(place, ("well",)) for place in range(5)]
    assert line.endswith("; 5 of 100 replies came before")


def test_a_reply_that_arrives_as_the_work_ends_is_kept_and_counted_and_makes_no_errors_of_other_rows() -> None:
    came = list[tuple[int, Reply]]()
    verdicts = Verdicts(open_endpoint(f"openai:{MODEL}@http://localhost"), 20, came.append)
    for place in range(MOST["rubbish"] - 1):
        verdicts.doubtful(place, "rubbish", "a page")
    with pytest.raises(Dead) as dead:
        verdicts.doubtful(7, "rubbish", "a page")
    verdicts.sound(8, Reply(("late",)), 0)
    assert came == [(8, Reply(("late",)))]
    assert str(verdicts.told(dead.value)).endswith("; 1 of 20 replies came before")


def test_a_reply_asked_for_before_a_failure_does_not_show_that_the_endpoint_lives_after_it() -> None:
    came = list[tuple[int, Reply]]()
    verdicts = Verdicts(open_endpoint(f"openai:{MODEL}@http://localhost"), 20, came.append)
    before = verdicts.doubts
    verdicts.doubtful(0, "silent", "the connection broke")
    verdicts.sound(1, Reply(("asked before",)), before)
    assert [place for place, _ in came] == [1]
    verdicts.sound(2, Reply(("asked after",)), verdicts.doubts)
    assert [place for place, _ in came] == [1, 0, 2]


def test_a_few_last_rows_of_rubbish_are_errors_so_that_the_work_can_end() -> None:
    with Endpoint(always(raw(PAGE))) as server:
        found = replies(opened(server), numbered(7))
    assert [reply.error for reply in found] == ["an HTML page instead of JSON"] * 7


def test_an_endpoint_that_hangs_is_given_up_after_its_retries() -> None:
    with Endpoint(hang) as server:
        model = opened(server, timeout=0.2, concurrency=3)
        kept, line = until_dead(model.ask(numbered(50), GREEDY))
        assert 6 <= len(server.log) <= 12  # two tries of three rows, and the rows that were begun beside them
    assert kept == []
    assert "3 requests in a row brought no usable reply, the last: no reply within 0.2 s, in 2 tries; 0 of 50" in line


def test_a_reply_that_drips_in_is_over_in_time() -> None:
    with Endpoint(always(lambda _: Dripping())) as server:
        found = replies(opened(server, timeout=0.3, retries=0), numbered(2))
    assert [reply.error for reply in found] == ["no reply within 0.3 s, in one try"] * 2


def test_one_row_on_which_the_server_always_fails_does_not_end_the_work() -> None:
    async def poisoned(asked: Asked, request: Request) -> Response:
        return failed(500, "CUDA error")

    prompts = ["poison", "fine", "fine", "fine"] * 4
    with Endpoint(after("poison", poisoned)) as server:
        found = replies(opened(server, concurrency=1), items(*prompts))
    assert [reply.error for reply in found] == ["500 CUDA error, in 2 tries", "", "", ""] * 4


DEAD = [
    (failed(401, f"Incorrect API key provided: {KEY}."), "401 Incorrect API key provided: [OPENAI_API_KEY]."),
    (failed(403, "Country not supported"), "403 Country not supported"),
    (failed(402, "Insufficient Balance"), "402 Insufficient Balance"),
    (failed(404, "The model `x` does not exist"), "404 The model `x` does not exist"),
    (Response(PAGE, 404, media_type="text/html"), "404 an HTML page"),
    (JSONResponse({"detail": "Not Found"}, 404), "404 Not Found"),
    (Response("", 405), "405 Method Not Allowed"),
    (RedirectResponse("http://127.0.0.1:9/v1/elsewhere", 308), "308 Permanent Redirect"),
    (failed(429, "You exceeded your current quota", "insufficient_quota"), "429 You exceeded your current quota"),
    (failed(400, "Unsupported value: 'temperature' is 1", "unsupported_value"), "400 Unsupported value"),
    (failed(400, "Unrecognized request argument supplied: top_k"), "400 Unrecognized request argument supplied: top_k"),
]


@pytest.mark.parametrize(("fault", "expected_error"), DEAD, ids=[case[1][:24] for case in DEAD])
def test_a_dead_endpoint_ends_the_work_in_one_line_after_what_was_done(
    fault: Response, expected_error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Endpoint(always(*[well] * 3, lambda _: fault)) as server:
        kept, line = until_dead(opened(server, concurrency=1).ask(numbered(1000), GREEDY))
    assert [place for place, _ in kept] == [0, 1, 2]
    assert line.startswith(f"the endpoint {server.url} (model '{MODEL}') gave up: {expected_error}")
    assert line.endswith("; 3 of 1,000 replies came before")
    assert KEY not in line


def test_a_key_that_a_server_sends_back_stands_in_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for fault in (failed(400, f"bad header {KEY}"), Response(f"who is {KEY}?")):
        with Endpoint(after("bad", always(lambda _, fault=fault: fault))) as server:  # type: ignore[misc]
            found = replies(opened(server), items("good", "bad"))
        assert "[OPENAI_API_KEY]" in found[1].error
        assert KEY not in f"{found}"


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with Endpoint(echo) as server:
        pass
    kept, line = until_dead(open_endpoint(server.name, retries=0).ask(numbered(10), GREEDY))
    assert kept == []
    assert f"the endpoint {server.url} (model '{MODEL}') gave up: cannot connect, in one try: " in line
    assert "\n" not in line


def test_a_server_that_dies_in_the_middle_loses_nothing_that_it_answered() -> None:
    with Endpoint(echo) as server:
        came = opened(server, concurrency=4, retries=0).ask(numbered(100_000), GREEDY)
        kept = [next(came) for _ in range(30)]
        server.__exit__()
        rest, line = until_dead(came)
    kept += rest
    assert all(reply.texts == (f"re prompt {place}",) for place, reply in kept)
    assert len({place for place, _ in kept}) == len(kept) >= 30
    assert f"{len(kept):,} of 100,000 replies came before" in line


def test_about_works_when_the_endpoint_is_gone() -> None:
    with Endpoint(echo) as server:
        model = opened(server)
        replies(model, numbered(1))
    about = model.about()
    assert (about["served"], about["model"], about["usage"]["tokens"]) == ({}, [f"{MODEL}-0711"], 3)


def test_an_error_of_kbenchs_own_keeps_its_traceback_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Endpoint(echo) as server:
        running = set(threading.enumerate())
        with pytest.raises(AttributeError):
            list(opened(server).ask([None] * 3, GREEDY))  # type: ignore[list-item]
        assert set(threading.enumerate()) <= running
    assert set(threading.enumerate()) <= before


ASKS = """
import sys
from kbench.benchmarks.models.openai import open_endpoint
from kbench.benchmarks.models.protocol import GREEDY
from kbench.benchmarks.tasks import Item
items = [Item({"id": str(n)}, "test", "good" if n < 3 else "hang") for n in range(50)]
for place, reply in open_endpoint(sys.argv[1], timeout=300).ask(items, GREEDY):
    print(place, reply.texts[0], flush=True)
"""


def test_ctrl_c_ends_it_at_once_and_what_came_is_kept() -> None:
    with Endpoint(after("hang", hang)) as server:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            [sys.executable, "-c", ASKS, server.name],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = sorted(process.stdout.readline() for _ in range(3))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert lines == ["0 re good\n", "1 re good\n", "2 re good\n"]
    assert process.returncode != 0
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
