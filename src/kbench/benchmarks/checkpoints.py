"""A training's checkpoints: each marked once it is whole, and taken up only while it still is."""

import json
import shutil
from pathlib import Path

from kbench.store import write_json

CHECKPOINTS = "checkpoints"
"""In a run's folder: where they lie."""

MARK = "kbench_whole.json"
"""Written last into a checkpoint: every file of it with its size."""


def mark_whole(checkpoint: Path) -> None:
    """Say that a checkpoint was written to its end."""
    write_json(checkpoint / MARK, _sizes(checkpoint))


def last_whole(folder: Path) -> Path | None:
    """The newest checkpoint that can be gone on from, or None.

    A half-written one would stop the resume; one that has lost its optimizer's file would be taken up without a word,
    and end in other weights.
    """
    whole = [mark.parent for mark in folder.glob(f"checkpoint-*/{MARK}") if _is_whole(mark)]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.split("-")[1]), default=None)


def drop_checkpoints(out: Path) -> None:
    """Remove the checkpoints of a training, once what it made is saved: until then they are all there is of it."""
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)


def _is_whole(mark: Path) -> bool:
    try:
        marked: dict[str, int] = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:  # a loss of power left the name without what it holds
        return False
    found = _sizes(mark.parent)
    return all(found.get(name) == size for name, size in marked.items())


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARK)
    return {str(path.relative_to(checkpoint)): path.stat().st_size for path in files}
