"""A closed copy of a release: what training may read of it, in a folder where nothing else lies."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kbench.benchmarks.taught import OPEN
from kbench.contents import content_digest, split_digest
from kbench.disk import told_in_one_line
from kbench.errors import OutputError
from kbench.ids import file_sha256
from kbench.store import MANIFEST, Release, open_release, prepare_folder, write_json, write_table

COPY_OF = "closed_copy_of"
"""The key of its manifest under which the digest of the whole release stands."""

_TABLES = ("facts", "entities")
_HELD_BACK = "control"
"""The role whose rows the tables of a closed copy lack."""


def closed_copy(release: Release, out: Path) -> Release:
    """The release without `test` and `control`, and without what its tables say of control entities.

    Whoever is given this folder alone can read no held-out question: there is no file of one. The seed is left out
    of the manifest too, since the whole world could be made of it again. An unfinished copy is begun anew, a finished
    one is left alone. Raises OutputError where `out` holds something else.
    """
    if (out / MANIFEST).is_file():
        found = open_release(out)
        if found.manifest.get(COPY_OF) != release.digest:
            raise OutputError(f"{out} holds no closed copy of {release.path}: give another --out")
        return found
    if out.exists():
        prepare_folder(out, MANIFEST)
    begun = out.with_name(f".{out.name}.part")
    with told_in_one_line(out):
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        files = [_copied(release, file, begun) for file in release.manifest["files"] if _is_open(file)]
        write_json(begun / MANIFEST, _manifest(release, files))
        if out.exists():
            out.rmdir()
        begun.replace(out)
    return open_release(out)


def _is_open(file: dict[str, Any]) -> bool:
    return file["config"] in _TABLES or file["split"] in OPEN


def _copied(release: Release, file: dict[str, Any], out: Path) -> dict[str, Any]:
    """What the manifest says of a file, once it is copied; of the tables without their rows of control entities."""
    path = out / file["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = release.read(file)  # and it is what the manifest says
    if file["config"] not in _TABLES:
        shutil.copyfile(release.path / file["path"], path)
        return file
    kept = table.filter(pc.not_equal(table.column("role"), pa.scalar(_HELD_BACK)))
    write_table(path, kept)
    told = {"rows": kept.num_rows, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
    return {**file, **told, "content": content_digest(kept)}


def _manifest(release: Release, files: list[dict[str, Any]]) -> dict[str, Any]:
    splits = {}
    for key in release.manifest["splits"]:
        if mine := [file for file in files if f"{file['config']}/{file['split']}" == key]:
            content = split_digest(file["content"] for file in mine)
            splits[key] = {"rows": sum(file["rows"] for file in mine), "content": content}
    recipe = {key: value for key, value in release.manifest["recipe"].items() if key != "seed"}
    return {**release.manifest, "recipe": recipe, "splits": splits, "files": files, COPY_OF: release.digest}
