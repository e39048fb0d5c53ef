"""The lock of a folder: one process at a time writes it, and the kernel frees the lock of one that was killed."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kbench.disk import told_in_one_line
from kbench.errors import OutputError

if sys.platform != "win32":
    import fcntl

LOCK = ".kbench.lock"
"""Says who writes a folder. What counts is the kernel's lock on it: the file alone is left of somebody killed."""

_ATTEMPTS = 100


@contextmanager
def folder_lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder that exists; afterwards there is no file of the lock.

    Where another process holds it, wait for that one, or (without `wait`) raise OutputError.

    A file system that knows no locks (and Windows) lets everybody in.
    """
    path = folder / LOCK
    opened = _take(folder, path, wait)
    try:
        # Only for messages: on a full disk the lock holds without a name.
        with suppress(OSError):
            os.ftruncate(opened, 0)
            os.write(opened, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        # Before the file is closed: whoever opened it meanwhile sees, once the lock is free, that it is no longer here.
        with suppress(OSError):
            path.unlink()
        os.close(opened)


def _take(folder: Path, path: Path, wait: bool) -> int:
    for _ in range(_ATTEMPTS):
        with told_in_one_line(path):
            opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(opened, wait):
            holder = os.read(opened, 200).decode(errors="replace") or "its process is just starting"
            os.close(opened)
            raise OutputError(
                f"{folder} is being written by another kbench ({holder}): wait until it ends, or give another --out"
            )
        if _is_still(path, opened):
            return opened
        os.close(opened)
    raise OutputError(f"{folder} could not be locked in {_ATTEMPTS} attempts: other processes come and go there")


def _lock(opened: int, wait: bool) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(opened, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # this file system has no locks
            return True
    return True


def _is_still(path: Path, opened: int) -> bool:
    """Whether the file that is open is the one in the folder, not one that its last holder has removed."""
    try:
        return os.path.samestat(path.stat(), os.fstat(opened))
    except OSError:
        return False
