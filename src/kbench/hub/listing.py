"""The files of a dataset on the Hub as it lists them, and which of them are a release's."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from kbench.disk import told_in_one_line
from kbench.ids import file_sha256
from kbench.schema import SPLITS, STYLES
from kbench.store import CARD, EVAL, MANIFEST, PICTURE

TEXTS = (CARD, EVAL, PICTURE)
"""What a release may have beside its data and its manifest."""

_LOADED = re.compile(rf"({'|'.join(STYLES)}|facts|entities)/({'|'.join(SPLITS)})-[^/]*")
"""What the patterns of a card take for data of its splits."""
_AT_ONCE = 200


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it: known by sha256 if it is a large one, else by the name that git has for its bytes."""

    path: str
    size: int
    sha256: str | None
    blob: str

    def is_same_as(self, local: Path, sha256: str | None = None) -> bool:
        """Whether a file here has the same bytes; `sha256` where it is known already."""
        if not local.is_file() or local.stat().st_size != self.size:
            return False
        with told_in_one_line(local):
            if self.sha256:
                return self.sha256 == (sha256 or file_sha256(local))
            data = local.read_bytes()
        return self.holds(data)

    def holds(self, data: bytes) -> bool:
        """Whether it has these bytes."""
        if self.sha256:
            return self.sha256 == hashlib.sha256(data).hexdigest()
        return self.blob == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def all_files(api: HfApi, repo_id: str, commit: str) -> dict[str, RemoteFile]:
    """Every file of a commit by path."""
    return _files(api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type="dataset"))


def some_files(
    api: HfApi, repo_id: str, commit: str, paths: Iterable[str], repo_type: str = "dataset"
) -> dict[str, RemoteFile]:
    """Those of some paths that a commit has as files."""
    asked, found = list(paths), dict[str, RemoteFile]()
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        told = _files(api.get_paths_info(repo_id, some, revision=commit, repo_type=repo_type))
        found |= {path: file for path, file in told.items() if path in some}
    return found


def is_kbenchs(path: str) -> bool:
    """Whether a file of a dataset is a release's: one of its texts, or what its card would load as data."""
    return path in (*TEXTS, MANIFEST) or _LOADED.fullmatch(path) is not None


def _files(entries: Iterable[object]) -> dict[str, RemoteFile]:
    return {
        entry.path: RemoteFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)
        for entry in entries
        if isinstance(entry, RepoFile)
    }
