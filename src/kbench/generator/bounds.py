"""How long a row may take: templates that compute for more than a second are stopped, where the system has timers."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

SECONDS = 1
"""A row's text takes at most so much of the processor's time; what else a busy machine does is not counted."""

Render = Callable[[Mapping[str, Any]], str]


class TooLong(Exception):
    """A row that took more time than it may."""


_watcher = 0
"""The thread that has set the alarm."""


@contextmanager
def watching() -> Iterator[bool]:
    """Set the alarm that `in_time` needs, once for all rows that are rendered within; set the former one again after.

    Gives whether it is set: in a thread other than the main one, on Windows, or where somebody else has set this alarm,
    rows are not bounded.
    """
    global _watcher
    me = threading.get_ident()
    if _watcher == me or not _can_watch():
        yield _watcher == me
        return
    former = signal.signal(signal.SIGVTALRM, _stop)
    _watcher = me
    try:
        yield True
    finally:
        _watcher = 0
        signal.signal(signal.SIGVTALRM, former)


def in_time(render: Render, values: Mapping[str, Any]) -> str:
    """What `render` makes of the values. Raises TooLong where that takes more than `SECONDS`."""
    if _watcher != threading.get_ident():
        with watching() as can_stop:
            return in_time(render, values) if can_stop else render(values)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        return render(values)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _can_watch() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGVTALRM) is not None
        and signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    )


def _stop(number: int, frame: object) -> None:
    raise TooLong(f"a row took more than {SECONDS} s of computing")
