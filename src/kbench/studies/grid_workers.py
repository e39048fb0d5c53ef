"""The worker processes of a grid: each does what it is handed, and one that dies takes nothing with it but its task."""

import os
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from kbench.errors import KbenchError
from kbench.studies.grid_orders import Order, Score
from kbench.workers import end_with_parent

_GRACE = 10.0
"""Seconds that an idle worker has to end by itself."""

STEP = 0.01
"""How much further a task must be before it is told: a pipe is no place for every step."""


@dataclass(frozen=True)
class Told:
    """That a task is so far."""

    folder: Path
    share: float


@dataclass(frozen=True)
class Ended:
    """How a task ended: with a reason and a traceback where it failed, and what it took in seconds.

    `together` is how many models the engine held that it was done with.
    """

    folder: Path
    reason: str = ""
    traceback: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    together: int = 1


@dataclass
class Worker:
    """A process and what it is at work on; it is started when it is first handed something."""

    place: int
    devices: Sequence[str] = ()
    process: BaseProcess | None = None
    pipe: "Connection[Any, Any] | None" = None
    busy: list[Path] = field(default_factory=list)
    kind: type[Order] | None = None

    def hand(self, orders: Sequence[Order]) -> None:
        """Give it some tasks, to be done together where they can be, one after the other where not."""
        if self.devices and self.kind is not type(orders[0]):
            self.stop()  # an engine keeps the memory of a GPU as long as its process lives
        if self.process is None or not self.process.is_alive():
            self._start()
        self.kind = type(orders[0])
        self.busy = [order.out for order in orders]
        # To one that has just died nothing can be said; that it died is heard, and ends these tasks.
        with suppress(OSError):
            if self.pipe is not None:
                self.pipe.send(list(orders))

    def hear(self) -> Iterator[Told | Ended]:
        """What it has said. A process that died has ended all that it was at work on."""
        assert self.pipe is not None
        try:
            while self.pipe.poll():
                said = self.pipe.recv()
                if isinstance(said, Ended):
                    self.busy.remove(said.folder)
                yield said
        except (EOFError, OSError):
            lost, self.busy = self.busy, []
            reason = self._death()
            yield from (Ended(folder, reason) for folder in lost)

    def stop(self) -> None:
        """End it: at once where it is at work, else as soon as it has seen that there is no more to do."""
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
        if self.process is not None:
            if not self.busy:
                self.process.join(_GRACE)
            self.process.kill()
            self.process.join()
            self.process = None

    def _start(self) -> None:
        context = get_context("spawn")
        if self.pipe is not None:
            self.pipe.close()
        self.pipe, theirs = context.Pipe()
        device = self.devices[self.place % len(self.devices)] if self.devices else None
        self.process = context.Process(target=_work, args=(theirs, device))
        self.process.start()
        theirs.close()  # so that the pipe ends with the process

    def _death(self) -> str:
        assert self.process is not None
        self.process.join()
        code, self.process = self.process.exitcode or 0, None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"its process {how}, perhaps for want of memory: run again, with fewer --jobs"


@contextmanager
def workers(count: int, devices: Sequence[str] = ()) -> Iterator[list[Worker]]:
    """Workers that are ended with the block, or with this process, however it dies."""
    crew = [Worker(place, devices) for place in range(count)]
    try:
        yield crew
    finally:
        for worker in crew:
            worker.stop()


def hear_all(crew: Sequence[Worker], timeout: float) -> Iterator[Told | Ended]:
    """What the busy ones say, once one of them does, or the time is over."""
    by_pipe = {worker.pipe: worker for worker in crew if worker.busy and worker.pipe is not None}
    for pipe in wait(list(by_pipe), timeout):
        yield from by_pipe[pipe].hear()  # type: ignore[index]


def _work(pipe: "Connection[Any, Any]", device: str | None) -> None:
    """The life of a worker."""
    end_with_parent()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    warnings.filterwarnings("ignore", module="torch|transformers|accelerate|peft")
    while True:
        try:
            orders: list[Order] = pipe.recv()
        except EOFError:
            return
        _do_all(orders, pipe)


def _do_all(orders: list[Order], pipe: "Connection[Any, Any]") -> None:
    from kbench.studies.grid_work import do, open_together

    # Where an engine cannot take them together, each is opened by itself, and that says which of them is at fault.
    opened: dict[Path, Any] = {}
    with suppress(Exception):
        opened = open_together([order for order in orders if isinstance(order, Score)])
    for order in orders:
        told = 0.0

        def report(share: float, folder: Path = order.out) -> None:
            nonlocal told
            if share >= told + STEP:
                told = share
                with suppress(OSError):  # nobody listens where the run was interrupted
                    pipe.send(Told(folder, share))

        wall, cpu = perf_counter(), process_time()
        reason = trace = ""
        model = opened.get(order.run) if isinstance(order, Score) and order.run else None
        try:
            do(order, report, model)
        except Exception as error:
            reason, trace = reason_of(error), traceback.format_exc()
        took = perf_counter() - wall, process_time() - cpu
        with suppress(OSError):
            pipe.send(Ended(order.out, reason, trace, *took, len(opened) if model else 1))


def reason_of(error: Exception) -> str:
    """An error in one line: kbench's own as it is, any other with its kind."""
    said = " ".join(str(error).split())
    if isinstance(error, KbenchError):
        return said
    short = said if len(said) <= 300 else f"{said[:300]}…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__
