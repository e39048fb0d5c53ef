"""kbench: invent a world, write its facts, finetune on them, score what was learned."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kbench.api.checks import audit, verify
    from kbench.api.comparing import compare
    from kbench.api.importing import import_data
    from kbench.api.releases import generate, load_release
    from kbench.api.runs import train
    from kbench.api.scores import evaluate, know
    from kbench.api.world import World
    from kbench.errors import KbenchError
    from kbench.rows import Rows
    from kbench.store import Release

__version__ = "0.1.0"
__all__ = [
    "KbenchError",
    "Release",
    "Rows",
    "World",
    "audit",
    "compare",
    "evaluate",
    "generate",
    "import_data",
    "know",
    "load_release",
    "train",
    "verify",
]

_HOMES = {
    "KbenchError": "kbench.errors",
    "Release": "kbench.store",
    "Rows": "kbench.rows",
    "World": "kbench.api.world",
    "audit": "kbench.api.checks",
    "compare": "kbench.api.comparing",
    "evaluate": "kbench.api.scores",
    "generate": "kbench.api.releases",
    "import_data": "kbench.api.importing",
    "know": "kbench.api.scores",
    "load_release": "kbench.api.releases",
    "train": "kbench.api.runs",
    "verify": "kbench.api.checks",
}
"""Where each name is at home: it is imported when it is first asked for, so that `import kbench` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kbench' has no attribute {name!r}: have {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({name for name in globals() if name.startswith("__")} | set(__all__))
