"""What keeps a process that makes tables quick: no pandas where nothing uses it, and memory kept once it was had."""

import contextlib
import ctypes
import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_ALWAYS_KEPT = 1 << 30


class _NoPandas:
    """An import finder that says there is no pandas."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("not needed here", name=name)


def spare_pandas() -> None:
    """Have pyarrow make its first array without importing pandas, which takes it 150 ms to find out what it could read.

    What comes after works as ever: `to_pandas` and arrays of pandas columns import it when they are called.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)


def give_back() -> None:
    """Hand what is kept and free back to the system: pieces of other sizes are wanted next."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_memory() -> None:
    """Have the C library, and Arrow through it, keep large pieces of memory: for a process that only makes tables.

    Pages that come fresh from the system are cleared one by one: a third of the time of making a large table. Nothing
    happens where the library is another one than glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        pa.set_memory_pool(pa.system_memory_pool())
        mallopt(_M_MMAP_THRESHOLD, _ALWAYS_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _ALWAYS_KEPT)
