"""One line to an endpoint: each request paced, timed, tried again, and its failure told apart.

The retries are the openai client's own: it waits as Retry-After says, or twice as long each time.
"""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import httpx2
import openai

from kbench.benchmarks.models.endpoint_name import Address
from kbench.benchmarks.models.endpoint_replies import message_of
from kbench.errors import ModelError

KEY = "OPENAI_API_KEY"
_NOTHING_LEFT = ("insufficient_quota", "billing_hard_limit_reached")
_UNFIT = ("unsupported_parameter", "unsupported_value", "unknown_parameter", "unrecognized request argument")
"""Codes and words of a refusal of what every request holds: no row can be answered."""

_MODERATED = ("content_filter", "content_policy", "moderation", "flagged")


class Failure(Exception):
    """A request that brought no reply, in a few words.

    `row`: for what it asked (its prompt is too long); `refused`: the service will not answer it; `silent`: the server
    gave no reply however often it was asked; `dead`: no request can have one.
    """

    def __init__(self, kind: Literal["row", "refused", "silent", "dead"], reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


@dataclass
class Tally:
    """What was asked so far, and what it took."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    uncounted: int = 0
    """Replies that did not say how many tokens they took."""
    models: set[str] = field(default_factory=set)
    fingerprints: set[str] = field(default_factory=set)


class Pace:
    """When the next request may start: a minute's requests, evenly spread, retries among them."""

    def __init__(self, per_minute: int | None) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next)
        self._next = start + self._gap
        if start > now:
            await asyncio.sleep(start - now)


class _Timed(httpx2.AsyncClient):
    """A client of which each attempt, retries too, takes its turn and is over in time, however slowly bytes drip in.

    It follows no redirects: they would carry prompts where nobody sent them, and turn a POST into a GET.
    """

    def __init__(self, pace: Pace, timeout: float, width: int) -> None:
        limits = httpx2.Limits(max_connections=width, max_keepalive_connections=width)
        super().__init__(timeout=timeout, limits=limits, follow_redirects=False)
        self._pace, self._seconds = pace, timeout

    async def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        await self._pace.turn()
        try:
            async with asyncio.timeout(self._seconds):
                return await super().send(request, **how)
        except TimeoutError:
            raise httpx2.ReadTimeout("the whole request took too long", request=request) from None


class Line:
    """An open client of one endpoint. The key is read from the environment when it opens and is not kept elsewhere."""

    def __init__(self, address: Address, pace: Pace, tally: Tally, timeout: float, retries: int, width: int) -> None:
        self._tally, self._timeout = tally, timeout
        key = key_found()
        # Without a key no header at all: a server that wants one then says so in its own words.
        self._options: openai.RequestOptions = {} if key else {"headers": {"Authorization": openai.Omit()}}
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=address.url,
            max_retries=retries,
            timeout=timeout,
            http_client=_Timed(pace, timeout, width),
        )

    async def __aenter__(self) -> Self:
        """The line itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections."""
        await self._client.close()

    async def post(self, path: str, body: dict[str, Any]) -> str:
        """The text of the response to a request. Raises Failure."""
        self._tally.requests += 1
        try:
            response = await self._client.post(path, cast_to=httpx2.Response, body=body, options=self._options)
        except openai.APIError as error:
            self._tally.retries += _retries_of(error.request)
            raise self._failure(error) from None
        self._tally.retries += _retries_of(response.request)
        return response.text

    async def models(self) -> list[dict[str, Any]]:
        """What the server says that it serves; nothing where it does not say."""
        try:
            response = await self._client.get(
                "/models", cast_to=httpx2.Response, options={**self._options, "max_retries": 0}
            )
            found = response.json()["data"]
        except (openai.APIError, ValueError, KeyError, TypeError):
            return []
        return [model for model in found if isinstance(model, dict)] if isinstance(found, list) else []

    def _failure(self, error: openai.APIError) -> Failure:
        tries = _retries_of(error.request) + 1
        often = f"in {tries} tries" if tries > 1 else "in one try"
        if isinstance(error, openai.APITimeoutError):
            return Failure("silent", f"no reply within {self._timeout:g} s, {often}")
        if isinstance(error, openai.APIStatusError):
            return _refusal(error, often)
        cause = error.__cause__ or error
        told = without_key(message_of(str(cause)) or type(cause).__name__)
        if isinstance(cause, httpx2.ConnectError | httpx2.UnsupportedProtocol | httpx2.ProxyError):
            return Failure("dead", f"cannot connect, {often}: {told}")
        return Failure("silent", f"the connection broke, {often}: {told}")


def _refusal(error: openai.APIStatusError, often: str) -> Failure:
    status = error.status_code
    told = without_key(message_of(error.body)) or error.response.reason_phrase
    reason = f"{status} {told}"
    code = f"{error.code} {told}".lower()
    if status in (400, 403) and any(word in code for word in _MODERATED):
        return Failure("refused", reason)
    if status in (400, 422) and any(word in code for word in _UNFIT):
        return Failure("dead", reason)
    if status in (401, 402, 403, 404, 405, 410) or status < 400 or error.code in _NOTHING_LEFT:
        return Failure("dead", reason)
    if status in (408, 409, 429) or status >= 500:
        return Failure(
            "silent", f"{reason}, {often}" + (" (fewer requests a minute may help)" if status == 429 else "")
        )
    return Failure("row", reason)


def _retries_of(request: httpx2.Request) -> int:
    return int(request.headers.get("x-stainless-retry-count", 0))


def key_found() -> str:
    """The key, or nothing. Raises ModelError where it cannot be one: an HTTP library would show it in its complaint."""
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError(f"{KEY} holds letters that no key has: set it anew")
    return key


def without_key(text: str) -> str:
    """A text in which the key does not stand, should a server send it back."""
    key = key_found()
    return text.replace(key, f"[{KEY}]") if key else text
