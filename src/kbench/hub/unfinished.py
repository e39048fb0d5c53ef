"""The note of an unfinished pull: of what, and which files of the folder are its own."""

import json
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kbench.errors import OutputError
from kbench.store import DATA_FILE, write_json

PLAN = ".kbench_pull.json"
"""Lies in a folder until its manifest does."""


def begin(out: Path, repo_id: str, commit: str, paths: Iterable[str]) -> None:
    """Note what a folder is to hold, and remove files of an earlier note that are not of it.

    Raises OutputError where the folder is to hold something of another dataset.
    """
    files = list(paths)
    held = _noted(out)
    if held and held[0] != repo_id:
        raise OutputError(f"{out} holds an unfinished pull of {held[0]}: give another --out")
    for path in set(held[1] if held else ()) - set(files):
        (out / path).unlink(missing_ok=True)
        with suppress(OSError):
            (out / path).parent.rmdir()
    write_json(out / PLAN, {"repo": repo_id, "commit": commit, "files": files})


def end(out: Path) -> None:
    """Remove what a pull needed while it was unfinished."""
    (out / PLAN).unlink(missing_ok=True)
    for part in out.glob(".kbench_*.part"):
        shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)


def _noted(out: Path) -> tuple[str, list[str]] | None:
    """The dataset and the files of a folder's note; None where there is none that can be read."""
    try:
        noted = json.loads((out / PLAN).read_text(encoding="utf-8"))
        files = [path for path in noted["files"] if isinstance(path, str) and re.fullmatch(DATA_FILE, path)]
        return str(noted["repo"]), files
    except (OSError, ValueError, KeyError, TypeError):
        return None
