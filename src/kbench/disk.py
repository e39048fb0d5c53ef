"""Files that are whole or not there, and what the system says against writing them, told in one line."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kbench.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of a file (`ulimit -f`)",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
}


def cache_folder() -> Path:
    """Where kbench keeps what it can make or fetch again: `KBENCH_CACHE`, else `kbench` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KBENCH_CACHE") or Path(home) / "kbench")


@contextmanager
def whole_or_not_at_all(path: Path, part: Path) -> Iterator[None]:
    """Make the folder of `path` for the block, which writes the file as `part`: its hidden name until it is whole.

    Whatever goes wrong, no part is left to fill the disk. Raises OutputError where the system refuses.
    """
    try:
        with told_in_one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@contextmanager
def told_in_one_line(path: Path) -> Iterator[None]:
    """Turn what the system says against writing in the block into an OutputError; `path` where it names no file."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        what = os.strerror(number) if number else str(error)
        where = path if error.filename is None or str(error.filename).endswith(".part") else error.filename
        remedy = _REMEDIES.get(number, "see to it")
        raise OutputError(f"cannot write {where}: {what}: {remedy} and run the same command again") from None


def make_durable(paths: Iterable[Path]) -> None:
    """Wait until the disk holds some files and folders, so that not even a loss of power takes them back."""
    for path in paths:
        if path.is_file() or hasattr(os, "O_DIRECTORY"):  # Windows opens no folder
            with told_in_one_line(path):
                opened = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(opened)
                finally:
                    os.close(opened)
