"""Worker processes that stop when their parent is stopped, and whose death is told in one line."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Any

from kbench.errors import KbenchError


@contextmanager
def worker_pool(
    workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of freshly spawned processes, each of which first calls `start(*arguments)`.

    Whatever leaves the block by an exception ends the workers at once, and so does the death of the process that made
    the pool, however it dies. Raises KbenchError where a worker dies.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (start, arguments)) as pool:
        try:
            yield pool
        except BaseException as error:
            died = isinstance(error, BrokenProcessPool) or (isinstance(error, ValueError) and _is_broken(pool))
            for child in active_children():
                child.terminate()
            if died:
                raise KbenchError(
                    "a worker process died, perhaps for want of memory; what was finished is kept: "
                    "run the same command again, with fewer --workers"
                ) from None
            raise


def _is_broken(pool: ProcessPoolExecutor) -> bool:
    # Where a worker dies while others are being started, that starting fails first, with a ValueError of closed pipes.
    try:
        pool.submit(int)
    except BrokenProcessPool:
        return True
    return False


def end_with_parent() -> None:
    """Make this process, a worker, end when its parent does, and leave Ctrl-C to the parent."""
    # Ctrl-C reaches the workers too; an executor's worker would take it for the outcome of a task and go on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_watch_parent, daemon=True).start()


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    if start:
        start(*arguments)


def _watch_parent() -> None:
    # A worker waits for tasks on a pipe that it holds the other end of too, so it would outlive a killed parent.
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
