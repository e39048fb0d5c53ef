"""Asking an endpoint: many requests at once, each row's reply or why it has none, and when to give up."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from kbench.benchmarks.models.endpoint_client import Failure, Line, without_key
from kbench.benchmarks.models.endpoint_replies import Said, read_reply
from kbench.benchmarks.models.handed_over import handed_over
from kbench.benchmarks.models.openai import Endpoint
from kbench.benchmarks.models.protocol import Decoding, Reply
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError
from kbench.ids import digest_of

Emit = Callable[[tuple[int, Reply]], None]

MOST = {"silent": 3, "rubbish": 8}
"""So many requests in a row without a reply, or replies that are none, and the endpoint is given up."""

_ROOM: tuple[str, str] = ("max_tokens", "max_completion_tokens")
"""The limit's name, and what OpenAI's reasoning models have it called."""


def line_to(endpoint: Endpoint) -> Line:
    """A client of the endpoint; to be used in the loop that it is made in."""
    how = endpoint.settings
    return Line(endpoint.address, endpoint.pace, endpoint.tally, how.timeout, how.retries, how.concurrency)


class Dead(Exception):
    """No reply is to be had of the endpoint any more."""


class Verdicts:
    """Replies on their way to the caller. Those that may be the endpoint's fault wait until it is known to live.

    So who goes on after it died asks these rows again, and finds no errors that were never the rows' own.
    """

    def __init__(self, endpoint: Endpoint, total: int, emit: Emit) -> None:
        self._endpoint, self._total, self._emit = endpoint, total, emit
        self._waiting: list[tuple[int, int, Reply]] = []
        self._doubts = 0
        self._in_a_row = dict.fromkeys(MOST, 0)
        self._came = 0
        self._over = False

    @property
    def doubts(self) -> int:
        """How many doubtful rows there were until now."""
        return self._doubts

    def sound(self, place: int, reply: Reply, doubts: int) -> None:
        """A reply, or an error of the row's own: the endpoint has outlived the `doubts` there were when it was asked.

        What was asked before a failure says nothing of whether the endpoint lives after it.
        """
        if not self._over:
            self._in_a_row = dict.fromkeys(MOST, 0)
            self.rest(doubts)
        self._hand_over(place, reply)

    def doubtful(self, place: int, kind: Literal["silent", "rubbish"], reason: str) -> None:
        """No reply, which may be the endpoint's fault. Raises Dead after too many in a row."""
        self._waiting.append((self._doubts, place, Reply((), error=reason)))
        self._doubts += 1
        self._in_a_row[kind] += 1
        if self._in_a_row[kind] >= MOST[kind]:
            raise self.give_up(f"{MOST[kind]} requests in a row brought no usable reply, the last: {reason}")

    def give_up(self, reason: str) -> "Dead":
        """What ends the work. Replies that are just arriving are still handed over, and nothing that waits is."""
        self._over = True
        return Dead(reason)

    def told(self, dead: "Dead") -> ModelError:
        """The one line about it, once the last reply has been handed over."""
        where = self._endpoint.address
        return ModelError(
            f"the endpoint {where.url} (model {where.model!r}) gave up: {dead}; "
            f"{self._came:,} of {self._total:,} replies came before"
        )

    def rest(self, doubts: int | None = None) -> None:
        """Hand over what waits (of the first `doubts`), as errors of the rows: the endpoint lives, or all was asked."""
        known = [each for each in self._waiting if doubts is None or each[0] < doubts]
        self._waiting = self._waiting[len(known) :]
        for _, place, reply in known:
            self._hand_over(place, reply)

    def _hand_over(self, place: int, reply: Reply) -> None:
        self._came += 1
        self._emit((place, reply))


async def ask(endpoint: Endpoint, items: Sequence[Item], decoding: Decoding, emit: Emit) -> None:
    """Ask every item, `concurrency` of them at a time."""
    verdicts = Verdicts(endpoint, len(items), emit)
    places = iter(range(len(items)))
    async with line_to(endpoint) as line:
        asker = _Asker(endpoint, line, decoding)

        async def worker() -> None:
            for place in places:  # shared: each place is one worker's
                doubts = verdicts.doubts
                try:
                    reply = await asker.reply(items[place])
                except _Rubbish as found:
                    verdicts.doubtful(place, "rubbish", str(found))
                except Failure as found:
                    if found.kind == "dead":
                        raise verdicts.give_up(found.reason) from None
                    if found.kind == "silent":
                        verdicts.doubtful(place, "silent", found.reason)
                    else:
                        verdicts.sound(place, Reply((), error=found.reason, refused=found.kind == "refused"), doubts)
                else:
                    verdicts.sound(place, reply, doubts)

        try:
            await all_of([worker() for _ in range(min(endpoint.settings.concurrency, len(items)))])
        except Dead as dead:
            raise verdicts.told(dead) from None
    verdicts.rest()


async def all_of(workers: Sequence[Any]) -> None:
    """Run workers side by side; the first error stops the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None


def served(endpoint: Endpoint) -> dict[str, Any]:
    """What the server's list of models says of the model; empty where it has none."""

    async def look(emit: Callable[[list[dict[str, Any]]], None]) -> None:
        async with line_to(endpoint) as line:
            emit(await line.models())

    with suppress(ModelError):
        found = next(handed_over(look), [])
        mine = next((model for model in found if model.get("id") == endpoint.address.model), {})
        return {key: mine[key] for key in ("id", "root", "owned_by", "max_model_len") if key in mine}
    return {}


class _Rubbish(Exception):
    """A response that is no reply."""


class _Asker:
    """One item to one reply: as many requests as its draws take."""

    def __init__(self, endpoint: Endpoint, line: Line, decoding: Decoding) -> None:
        self._endpoint, self._line, self._decoding = endpoint, line, decoding
        self._room = _ROOM[0]

    async def reply(self, item: Item) -> Reply:
        """The item's reply. A server that makes one draw a request is asked again until there are enough."""
        wanted = self._decoding.samples if self._decoding.temperature > 0 else 1
        texts: list[str] = []
        read = written = 0
        while len(texts) < wanted:
            said = await self._say(item, wanted - len(texts), len(texts))
            read, written = read + said.prompt_tokens, written + said.tokens
            if said.error:
                return Reply((), read, written, said.error, said.refused)
            texts += said.texts
        return Reply(tuple(texts[:wanted]), read, written)

    async def _say(self, item: Item, draws: int, had: int) -> Said:
        room = self._room
        try:
            text = await self._line.post(*self._request(item, draws, had, room))
        except Failure as failure:
            if room != _ROOM[0] or _ROOM[1] not in failure.reason:
                raise
            self._room = _ROOM[1]
            text = await self._line.post(*self._request(item, draws, had, _ROOM[1]))
        said = read_reply(text)
        if said.rubbish:
            raise _Rubbish(without_key(said.rubbish))
        count(self._endpoint, said)
        return said

    def _request(self, item: Item, draws: int, had: int, room: str) -> tuple[str, dict[str, Any]]:
        how = self._decoding
        body: dict[str, Any] = {
            "model": self._endpoint.address.model,
            room: how.max_tokens,
            "temperature": how.temperature,
        }
        if how.temperature > 0:
            # A seed a prompt: one seed for all would draw the same numbers for every row.
            seed = int(digest_of("draw", str(how.seed), str(had), item.prompt)[:7], 16)
            body |= {"seed": seed} | ({"n": draws} if draws > 1 else {}) | ({"top_k": how.top_k} if how.top_k else {})
        if item.chat or self._endpoint.settings.chat:
            messages = [dict(m) for m in item.messages] or [{"role": "user", "content": item.prompt}]
            return "/chat/completions", {**body, "messages": messages}
        return "/completions", {**body, "prompt": item.prompt}


def count(endpoint: Endpoint, said: Said) -> None:
    """Add what a reply took to the endpoint's tally."""
    tally = endpoint.tally
    tally.prompt_tokens += said.prompt_tokens
    tally.tokens += said.tokens
    tally.uncounted += not said.usage
    tally.models |= {said.model} - {""}
    tally.fingerprints |= {said.fingerprint} - {""}
