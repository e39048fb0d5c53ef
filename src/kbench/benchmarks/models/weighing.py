"""How likely an endpoint finds continuations: prompts echoed with their log-probabilities."""

import asyncio
from collections.abc import Callable, Sequence

from kbench.benchmarks.models.asking import all_of, count, line_to
from kbench.benchmarks.models.endpoint_client import Failure, Line
from kbench.benchmarks.models.endpoint_replies import Said, read_reply
from kbench.benchmarks.models.openai import Endpoint
from kbench.benchmarks.models.protocol import Weight
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError

Emit = Callable[[tuple[int, Weight]], None]


async def weigh(endpoint: Endpoint, asked: Sequence[tuple[Item, str]], emit: Emit) -> None:
    """Weigh every continuation, `concurrency` of them at a time; a prompt that several share is counted once."""
    places, came = iter(range(len(asked))), 0
    lengths: dict[str, asyncio.Task[int]] = {}
    async with line_to(endpoint) as line:

        async def length_of(prompt: str) -> int:
            return len((await _echoed(endpoint, line, prompt)).logprobs)

        async def worker() -> None:
            nonlocal came
            for place in places:
                item, continuation = asked[place]
                if item.prompt not in lengths:
                    lengths[item.prompt] = asyncio.create_task(length_of(item.prompt))
                try:
                    before = await asyncio.shield(lengths[item.prompt])
                    whole = await _echoed(endpoint, line, item.prompt + continuation)
                except Failure as failure:
                    where = endpoint.address
                    raise ModelError(
                        f"the endpoint {where.url} (model {where.model!r}) cannot weigh row {item.row.get('id')}: "
                        f"{failure.reason}; {came:,} of {len(asked):,} were weighed before"
                    ) from None
                found = [logprob for logprob in whole.logprobs[before:] if logprob is not None]
                emit((place, Weight(sum(found), len(found))))
                came += 1

        try:
            await all_of([worker() for _ in range(min(endpoint.settings.concurrency, len(asked)))])
        finally:
            for task in lengths.values():
                task.cancel()
            await asyncio.gather(*lengths.values(), return_exceptions=True)


async def _echoed(endpoint: Endpoint, line: Line, prompt: str) -> Said:
    """A text with the log-probability of each of its tokens; its first has none."""
    body = {"model": endpoint.address.model, "prompt": prompt, "echo": True, "logprobs": 0, "max_tokens": 0}
    said = read_reply(await line.post("/completions", {**body, "temperature": 0.0}))
    if said.rubbish:
        raise Failure("row", said.rubbish)
    count(endpoint, said)
    if not said.logprobs or said.logprobs[0] is not None or len(said.logprobs) != said.prompt_tokens:
        raise Failure("row", "it does not echo a prompt's log-probabilities: score it without --likelihood")
    return said
