"""An OpenAI-compatible server in a thread of the tests: it answers by a script, counts, and misbehaves on command."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

MODEL = "tiny-model"


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def text(self) -> str:
        """What was asked: the prompt, or the last message."""
        messages = self.body.get("messages")
        return str(messages[-1]["content"] if messages else self.body.get("prompt", ""))


Script = Callable[[Asked, Request], Awaitable[Response]]


@dataclass
class Endpoint:
    """A server on a free port. `script` answers a request; `log` has what came; `busiest` is the most at one time."""

    script: Script
    log: list[Asked] = field(default_factory=list)
    busiest: int = 0
    busy: int = 0

    def __post_init__(self) -> None:
        """Take a port."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        routes = [
            Route("/v1/completions", self._answer, methods=["POST"]),
            Route("/v1/chat/completions", self._answer, methods=["POST"]),
            Route("/v1/models", self._models),
        ]
        app = Starlette(routes=routes)
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def name(self) -> str:
        """What kbench calls its model."""
        return f"openai:{MODEL}@{self.url}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()

    async def _answer(self, request: Request) -> Response:
        asked = Asked(request.url.path, dict(request.headers), await request.json(), time.monotonic())
        self.log.append(asked)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            return await self.script(asked, request)
        finally:
            self.busy -= 1

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "root": "/models/tiny", "object": "model"}]})


def completion(asked: Asked, *texts: str, **more: Any) -> dict[str, Any]:
    """A well-formed reply to either kind of request: 7 tokens read, 3 written a text."""
    chat = asked.path.endswith("/chat/completions")
    choices = [
        {"index": n, "finish_reason": "stop"}
        | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
        for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 7, "completion_tokens": 3 * len(texts), "total_tokens": 7 + 3 * len(texts)}
    return {"model": f"{MODEL}-0711", "system_fingerprint": "fp_1", "choices": choices, "usage": usage} | more


def failed(status: int, message: str, code: str | None = None, **headers: str) -> Response:
    """An error as OpenAI's service words it; tried again at once."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers={"retry-after-ms": "1"} | headers)


async def echo(asked: Asked, request: Request) -> Response:
    """The good server: it says the prompt again, as often as it is asked to."""
    return JSONResponse(completion(asked, *[f"re {asked.text}"] * asked.body.get("n", 1)))


async def hang(asked: Asked, request: Request) -> Response:
    """Hold the request until the client is gone."""
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await request.receive()
    return Response()


class Cut(Response):
    """A reply whose connection breaks in its middle."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send a half of what was promised."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b'{"choices": [', "more_body": True})
        receive.__self__.transport.abort()  # uvicorn has no name for this


class Dripping(Response):
    """A reply that never ends: a space now and then."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the client is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.wait({gone}, timeout=0.02)


def after(prefix: str, script: Script, otherwise: Script = echo) -> Script:
    """One script for what begins with a prefix, another for the rest."""

    async def both(asked: Asked, request: Request) -> Response:
        return await (script if asked.text.startswith(prefix) else otherwise)(asked, request)

    return both


def always(*replies: Callable[[Asked], Response]) -> Script:
    """The replies in turn, the last of them for ever."""
    left = list(replies)

    async def next_one(asked: Asked, request: Request) -> Response:
        return (left.pop(0) if len(left) > 1 else left[0])(asked)

    return next_one


def raw(text: str, kind: str = "application/json", status: int = 200) -> Callable[[Asked], Response]:
    """A reply of this text."""
    return lambda asked: Response(text, status, media_type=kind)


def said(body: Any) -> Callable[[Asked], Response]:
    """A reply of this JSON."""
    return raw(json.dumps(body))
