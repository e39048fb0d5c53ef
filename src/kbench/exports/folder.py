"""The folder of an export: made aside, moved into place, and whole once its marker stands there."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.disk import told_in_one_line
from kbench.errors import KbenchError, OutputError
from kbench.ids import file_sha256
from kbench.lock import LOCK, folder_lock
from kbench.store import prepare_folder, write_json

MARKER = "kbench_export.json"
"""Written last: what was exported, from which release, and the sha256 of each file."""

PLAN = ".kbench_export_plan.json"
"""What an unfinished export is to become."""

_ASIDE = ".kbench_export.part"


@dataclass(frozen=True)
class Export:
    """A finished export: its folder, what its marker says, and whether it was written now."""

    path: Path
    about: dict[str, Any]
    written_now: bool


def write_export(out: Path, plan: dict[str, Any], write: Callable[[Path], dict[str, Any]]) -> Export:
    """Let `write` fill a folder, and give it the place `out`; a finished export of the same plan is left alone.

    `write` returns what the marker is to report. Raises OutputError where `out` holds anything else. Whatever
    KbenchError `write` raises, what it made is gone; what an earlier call that was killed had given its place stays
    there with its plan, and the same call finishes it.
    """
    about = _finished(out, plan)
    if about is not None:
        return Export(out, about, written_now=False)
    is_new = not out.exists()
    prepare_folder(out, MARKER, PLAN)
    try:
        with folder_lock(out):
            about = _write(out, plan, write)
    except KbenchError:
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise
    return Export(out, about, written_now=True)


def _write(out: Path, plan: dict[str, Any], write: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    if (out / PLAN).is_file() and _read(out / PLAN) != plan:
        raise OutputError(f"{out} holds another, unfinished export: give another --out")
    write_json(out / PLAN, plan)
    aside = out / _ASIDE
    try:
        shutil.rmtree(aside, ignore_errors=True)
        with told_in_one_line(out):
            aside.mkdir()
            report = write(aside)
        made = sorted(path.relative_to(aside) for path in aside.rglob("*") if path.is_file())
        about = {**plan, "report": report, "files": {str(path): file_sha256(aside / path) for path in made}}
    except KbenchError:
        shutil.rmtree(aside, ignore_errors=True)
        if not _placed(out):
            (out / PLAN).unlink(missing_ok=True)
        raise
    with told_in_one_line(out):
        for path in made:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).replace(out / path)
    write_json(out / MARKER, about)
    _tidy(out)
    return about


def _finished(out: Path, plan: dict[str, Any]) -> dict[str, Any] | None:
    """What the marker says where the export is there already. Raises OutputError where it is another, or altered."""
    if not (out / MARKER).is_file():
        return None
    about = _read(out / MARKER)
    if {key: about.get(key) for key in plan} != plan:
        raise OutputError(f"{out} holds another export ({_told(about)}): give another --out")
    for name, digest in _files(out, about).items():
        path = out / name
        if not path.is_file() or file_sha256(path) != digest:
            what = "was altered after" if path.is_file() else "is missing from"
            raise OutputError(f"{path} {what} the export: delete {out} and run the same command again")
    if (out / PLAN).exists():  # whoever finished it was killed before tidying up
        _tidy(out)
        (out / LOCK).unlink(missing_ok=True)
    return about


def _placed(out: Path) -> list[str]:
    """What stands in an unfinished export beside its plan: files that a killed call had given their places."""
    names = [path.name for path in out.iterdir() if path.name != PLAN]
    return [name for name in names if not (name[0] == "." and name.endswith((".part", ".lock")))]


def _files(out: Path, about: dict[str, Any]) -> dict[str, str]:
    """The files that the marker names, each inside the folder. Raises OutputError where it does not say."""
    files = about.get("files")
    if not isinstance(files, dict) or not all(_is_inside(name) and isinstance(files[name], str) for name in files):
        raise OutputError(
            f"{out / MARKER} does not say which files the export holds: delete {out} and run the same command again"
        )
    return files


def _is_inside(name: str) -> bool:
    path = Path(name)
    return name.isprintable() and not path.anchor and ".." not in path.parts


def _tidy(out: Path) -> None:
    """Take away what a finished export no longer needs."""
    shutil.rmtree(out / _ASIDE, ignore_errors=True)
    with suppress(OSError):
        (out / PLAN).unlink()


def _told(about: dict[str, Any]) -> str:
    release = about.get("release")
    world = release.get("world") if isinstance(release, dict) else None
    return " ".join(f"{about.get('target')} of world {world}, kbench {about.get('version')}".split())[:200]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OutputError(f"{path} cannot be read as JSON: delete {path.parent} or give another --out")
    return found
