"""Asynchronous work behind a plain iterator: its results as they come, its loop in a thread that ends with it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds that the thread has to end; one that looks up a host's name cannot be stopped sooner."""


@dataclass(frozen=True)
class _One(Generic[T]):
    value: T


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def handed_over(work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Iterator[T]:
    """Run `work` and yield what it hands to the function that it is given; then raise what it raised.

    The loop runs in a thread of its own: it goes on while the caller is busy, it may be called where another loop runs
    (a notebook), and Ctrl-C reaches the caller at once. Closing the iterator cancels the work.
    """
    ready: SimpleQueue[_One[T] | _End] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(lambda value: ready.put(_One(value))))

    def run() -> None:
        error: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(_awaited(task))
        except BaseException as raised:  # handed to the caller, whatever it is
            error = raised
        ready.put(_End(error))

    thread = threading.Thread(target=run, name="kbench-endpoint", daemon=True)
    thread.start()
    try:
        while not isinstance(got := ready.get(), _End):
            yield got.value
        if got.error is not None:
            raise got.error
    finally:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the work is over
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_PATIENCE)


async def _awaited(task: asyncio.Task[None]) -> None:
    await task
