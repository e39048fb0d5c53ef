"""What a manifest from elsewhere offers: read with distrust, before anything that it names is downloaded or written."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.contents import split_digest
from kbench.errors import ReleaseError
from kbench.ids import file_sha256
from kbench.store import manifest_in

_ADVICE = "tell whoever publishes it, or take another revision"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 40


@dataclass(frozen=True)
class OfferedFile:
    """What a manifest says of a data file."""

    path: str
    rows: int
    bytes: int
    sha256: str
    content: str

    def is_held_by(self, local: Path) -> bool:
        """Whether a file here is it."""
        return local.is_file() and local.stat().st_size == self.bytes and file_sha256(local) == self.sha256


@dataclass(frozen=True)
class Offered:
    """A manifest as it came, and the data files that it names, by path."""

    raw: bytes
    files: dict[str, OfferedFile]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the data files."""
        return tuple(self.files)


def offered_by(raw: bytes, source: str) -> Offered:
    """What a manifest offers; `source` says whose it is.

    Raises ReleaseError where it is none, is of a newer format, names anything but data files of kbench, or contradicts
    itself.
    """
    manifest = manifest_in(raw, source, _ADVICE)
    files: dict[str, OfferedFile] = {}
    try:
        for entry in manifest["files"]:
            file = _file(entry)
            if file is None or file.path in files:
                raise ReleaseError(f"{source} says of {entry['path']} what cannot be: {_ADVICE}")
            files[file.path] = file
        listed = dict(manifest["splits"])
        splits = {
            key: {"rows": sum(f.rows for f in mine), "content": split_digest(f.content for f in mine)}
            for key in dict.fromkeys(path.rsplit("-", 3)[0] for path in files)
            for mine in [[file for path, file in files.items() if path.startswith(f"{key}-")]]
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ReleaseError(f"{source} is no manifest of kbench: {_ADVICE}") from None
    wrong = [key for key in {**splits, **listed} if splits.get(key) != listed.get(key)]
    if wrong:
        raise ReleaseError(f"{source} contradicts itself: its split {wrong[0]!r} is not that of its files: {_ADVICE}")
    if not re.fullmatch(r"[0-9a-f]{8}", str(manifest["world"])):
        raise ReleaseError(f"{source} is no manifest of kbench: {_ADVICE}")
    return Offered(raw, files)


def _file(entry: dict[str, Any]) -> OfferedFile | None:
    """A file from its entry; None where a value of it cannot be."""
    stands = entry["path"].startswith(f"{entry['config']}/{entry['split']}-")
    counts = all(type(entry[key]) is int and 0 < entry[key] < _MOST_BYTES for key in ("rows", "bytes"))
    digests = all(_DIGEST.fullmatch(entry[key]) for key in ("sha256", "content"))
    sound = stands and counts and digests
    return OfferedFile(*(entry[key] for key in ("path", "rows", "bytes", "sha256", "content"))) if sound else None
