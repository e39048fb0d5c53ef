"""A release on disk: one Parquet writer, and the manifest that makes it whole."""

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kbench.disk import whole_or_not_at_all
from kbench.errors import OutputError, ReleaseError
from kbench.ids import digest_of, file_sha256
from kbench.rows import Rows
from kbench.schema import LOW_CARDINALITY, SPLITS, STYLES

MANIFEST = "kbench_manifest.json"
CARD, EVAL, PICTURE = "README.md", "eval.yaml", "factors.svg"
"""What a release holds beside its manifest and its tables."""
CANARY = "kbench_canary"
"""The key of a Parquet file's metadata under which the canary of its release stands."""
FORMAT = 1
"""The version of the data contract; a release of a newer one is refused."""

DATA_FILE = rf"^({'|'.join(STYLES)}|facts|entities)/({'|'.join(SPLITS)})-[0-9]{{5}}-of-[0-9]{{5}}\.parquet$"
"""What the path of a data file in a manifest matches: none leads out of the release."""

_ADVICE = "take the release anew from where it came, or generate it again"


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet as kbench publishes it: to a hidden name first, then renamed into place.

    Raises OutputError where the file cannot be written; the earlier one is then whole.
    """
    part = path.with_name(f".{path.name}.part")
    with whole_or_not_at_all(path, part):
        _write_parquet(table, part)
        part.replace(path)


def write_part(part: Path, path: Path, table: pa.Table) -> None:
    """Write Parquet to the hidden name `part`, from which the caller renames it to `path`. Raises OutputError."""
    with whole_or_not_at_all(path, part):
        _write_parquet(table, part)


def parquet_bytes(table: pa.Table) -> int:
    """How many bytes a table takes as kbench publishes it."""
    sink = pa.BufferOutputStream()
    _write_parquet(table, sink)
    return int(sink.getvalue().size)


def with_canary(table: pa.Table, canary: str) -> pa.Table:
    """The table with the canary of its release in the metadata of its file, where no training text can take it up."""
    return table.replace_schema_metadata({CANARY: canary})


def parquet_of(table: pa.Table) -> bytes:
    """The file that a table becomes; another version of pyarrow may write the same rows otherwise."""
    sink = pa.BufferOutputStream()
    _write_parquet(table, sink)
    return bytes(sink.getvalue())


def _write_parquet(table: pa.Table, target: Any) -> None:
    names = table.schema.names
    integers = [f.name for f in table.schema if pa.types.is_integer(f.type)]
    pq.write_table(
        table,
        target,
        compression="zstd",
        compression_level=3,
        use_dictionary=[name for name in names if name in LOW_CARDINALITY],
        column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        write_page_index=True,
        use_content_defined_chunking=True,
        row_group_size=100_000,
    )


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON to a hidden name first, then rename it into place. Raises OutputError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text to a hidden name first, then rename it into place. Raises OutputError."""
    part = path.with_name(f".{path.name}.part")
    with whole_or_not_at_all(path, part):
        part.write_text(text, encoding="utf-8")
        part.replace(path)


@dataclass(frozen=True, repr=False)
class Release:
    """A whole release on disk: a folder and its manifest."""

    path: Path
    manifest: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """The release's name by content: the digest of its split digests."""
        splits = self.manifest["splits"]
        return digest_of(*(f"{key}={splits[key]['content']}" for key in sorted(splits)))

    @property
    def world(self) -> str:
        """The 8 hex digits of the world."""
        return str(self.manifest["world"])

    def splits(self, config: str) -> list[str]:
        """The splits that a config has, in the order they were written."""
        found = [key.split("/")[1] for key in self.manifest["splits"] if key.split("/")[0] == config]
        return found

    def configs(self) -> list[str]:
        """The styles of the release, with `facts` and `entities`."""
        return list(dict.fromkeys(key.split("/")[0] for key in self.manifest["splits"]))

    def table(self, config: str, split: str) -> pa.Table:
        """Every row of a split. Raises ReleaseError where a file is missing or is not what the manifest says."""
        files = self.files(config, split)
        if not files:
            have = ", ".join(f"{c}/{s}" for c in self.configs() for s in self.splits(c))
            raise ReleaseError(f"the release {self.path} has no {config}/{split}: have {have}")
        return pa.concat_tables([self.read(file) for file in files])

    def files(self, config: str, split: str) -> list[dict[str, Any]]:
        """What the manifest says of each file of a split, in order; none where there is no such split."""
        return [f for f in self.manifest["files"] if (f["config"], f["split"]) == (config, split)]

    def rows(self, config: str, split: str = "train") -> Rows:
        """Every row of a split, as a value that shows itself and goes on to pandas, polars or datasets.

        `facts` and `entities` have the one split `train`. Raises ReleaseError as `table` does.
        """
        return Rows(self.table(config, split), f"{config}/{split}")

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows each split of each config has."""
        splits = self.manifest["splits"]
        return {c: {s: int(splits[f"{c}/{s}"]["rows"]) for s in self.splits(c)} for c in self.configs()}

    def __repr__(self) -> str:
        """Where it lies, its world and digest, and the rows of each split of each config."""
        counts = self.counts()
        wide = max(map(len, counts), default=0)
        lines = [f"release {self.path}: world {self.world}, digest {self.digest[:16]}"]
        for config, splits in counts.items():
            lines.append(f"  {config:<{wide}}  " + ", ".join(f"{split} {rows:,}" for split, rows in splits.items()))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The same for a notebook: a row a config, a column a split."""
        counts = self.counts()
        splits = list(dict.fromkeys(split for found in counts.values() for split in found))
        cells = [[c, *(f"{found[s]:,}" if s in found else "" for s in splits)] for c, found in counts.items()]
        rows = [["", *splits], *cells]
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        about = f"release {self.path}: world {self.world}, digest {self.digest[:16]}"
        return f"<table><caption>{escape(about)}</caption>{body}</table>"

    def read(self, file: dict[str, Any]) -> pa.Table:
        """The rows of one of `files`. Raises ReleaseError as `table` does."""
        path = self.path / file["path"]
        if not path.is_file():
            raise ReleaseError(f"{path} is missing from the release: {_ADVICE}")
        if file_sha256(path) != file["sha256"]:
            raise ReleaseError(f"{path} was altered (its sha256 is not the manifest's): {_ADVICE}")
        return pq.read_table(path)


def open_release(path: Path) -> Release:
    """The release in a folder. Raises ReleaseError where there is none, where it is not whole, or a file is gone."""
    source = path / MANIFEST
    if not source.is_file():
        if path.is_dir():
            raise ReleaseError(f"no release at {path}: it has no manifest, so it is not whole, or is something else")
        if path.exists():
            raise ReleaseError(f"no release at {path}: it is a file, not a folder")
        raise ReleaseError(f"no release at {path}: there is no such folder; `kbench generate --out {path}` makes one")
    manifest = manifest_in(source.read_bytes(), source, _ADVICE)
    for file in manifest["files"]:
        if not (path / file["path"]).is_file():
            raise ReleaseError(f"{path / file['path']} is missing from the release: {_ADVICE}")
    return Release(path, manifest)


def manifest_in(raw: bytes, source: Path | str, advice: str) -> dict[str, Any]:
    """The manifest that some bytes are; `source` and `advice` are for the error.

    Raises ReleaseError where they are none, one of a newer format, or one that names a file outside the release.
    """
    try:
        manifest: dict[str, Any] = json.loads(raw.decode("utf-8"))
        version = int(manifest["format"])
        if version > FORMAT:
            raise ReleaseError(f"{source} has format {version}, this kbench reads up to {FORMAT}: update kbench")
        names = [file["path"] for file in manifest["files"]]
        sound = _is_sound(manifest)
        json.dumps(manifest, ensure_ascii=False).encode()  # half a character can be read, and never be written again
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReleaseError(f"{source} is no manifest of kbench: {advice}") from None
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(DATA_FILE, name):
            raise ReleaseError(f"{source} names {str(name)[:80]!r}, which is no data file of kbench: {advice}")
    if not sound:
        raise ReleaseError(f"{source} is no manifest of kbench: {advice}")
    return manifest


def _is_sound(manifest: dict[str, Any]) -> bool:
    """Whether what a manifest says of itself, its splits and its files has the shape that the rest of kbench trusts."""
    recipe, splits, files = manifest["recipe"], manifest["splits"], manifest["files"]
    said = [(key, split["rows"], split["content"]) for key, split in splits.items()]
    held = [(f"{f['config']}/{f['split']}", f["path"], f["rows"], f["bytes"], f["sha256"], f["content"]) for f in files]
    return (
        isinstance(manifest.get("canary", ""), str)
        and re.fullmatch(r"[0-9a-f]{8}", manifest["world"]) is not None
        and isinstance(recipe["generator"], str)
        and isinstance(recipe["spec"]["name"], str)
        and bool(held)
        and all(_is_count(rows) and _is_digest(content) for _, rows, content in said)
        and all(_is_count(rows) and _is_count(size) for *_, rows, size, _, _ in held)
        and all(_is_digest(sha256) and _is_digest(content) for *_, sha256, content in held)
        and all(path.startswith(f"{key}-") for key, path, *_ in held)
        and splits.keys() == {key for key, *_ in held}
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def prepare_folder(path: Path, ours: str, *also: str) -> None:
    """Make an output folder, or accept one that is empty or holds the file `ours` (or one of `also`).

    Raises OutputError otherwise.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder: give another --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
        held = sorted(p.name for p in path.iterdir())
    except OSError as error:
        raise OutputError(f"cannot write to {path}: {error.strerror}: give another --out") from None
    strangers = [name for name in held if not (name[0] == "." and name.endswith((".part", ".lock")))]
    if strangers and not {ours, *also} & set(held):
        raise OutputError(f"{path} holds something else ({strangers[0]}, no {ours}): give another --out")
    if not os.access(path, os.W_OK):
        raise OutputError(f"cannot write to {path}: the folder is read-only: give another --out")
