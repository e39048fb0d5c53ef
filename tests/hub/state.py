"""What a Hub holds: repositories, each a line of whole snapshots; and the faults that a test orders."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

LARGE = (".parquet", ".arrow", ".safetensors", ".bin", ".pt")
"""What the Hub keeps as large files; the rest are blobs of git."""


@dataclass(frozen=True)
class File:
    """A file as it was committed; its digests stay those of the bytes that were sent, whatever is served for them."""

    data: bytes
    large: bool

    @property
    def sha256(self) -> str:
        """By what a large file is known."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def blob(self) -> str:
        """What git calls these bytes."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    def listed(self, path: str) -> dict[str, object]:
        """The file in a listing."""
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(self.data), "oid": self.blob}
        if self.large:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}
        return entry


@dataclass(frozen=True)
class Commit:
    """A whole snapshot."""

    sha: str
    parent: str
    title: str
    files: Mapping[str, File]


@dataclass
class Pull:
    """A pull request: its number, who opened it with which words, and the snapshot that it proposes."""

    num: int
    author: str
    title: str
    description: str
    proposed: Commit
    status: Literal["open", "closed", "merged"] = "open"


@dataclass
class Repo:
    """A repository: its commits, the first of which only says what is a large file, its tags and pull requests."""

    kind: str
    name: str
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """Large files that were sent, in a commit or not, by sha256."""
    served: dict[str, bytes] = field(default_factory=dict)
    """What is sent instead of a file's own bytes, by path: a server that lies."""

    def __post_init__(self) -> None:
        """Begin as the Hub does."""
        if not self.commits:
            self.commit({".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")

    @property
    def head(self) -> Commit:
        """The newest commit."""
        return self.commits[-1]

    @property
    def files(self) -> Mapping[str, File]:
        """The files of the newest commit."""
        return self.head.files

    def commit(self, changes: Mapping[str, bytes | None], title: str = "a change") -> Commit:
        """Add a snapshot with some files written, and those without bytes deleted; any path is taken."""
        self.commits.append(self._snapshot(self.head if self.commits else None, changes, title))
        return self.head

    def propose(self, changes: Mapping[str, bytes | None], title: str, description: str, author: str) -> Pull:
        """Open a pull request from the newest commit."""
        proposed = self._snapshot(self.head, changes, title)
        self.pulls.append(Pull(len(self.pulls) + 1, author, title, description, proposed))
        return self.pulls[-1]

    def merge(self, pull: Pull) -> None:
        """Take what a pull request proposes."""
        self.commits.append(pull.proposed)
        pull.status = "merged"

    def _snapshot(self, onto: Commit | None, changes: Mapping[str, bytes | None], title: str) -> Commit:
        files = dict(onto.files) if onto else {}
        for path, data in changes.items():
            if data is None:
                files.pop(path, None)
            else:
                files[path] = File(data, path.endswith(LARGE))
        parent = onto.sha if onto else ""
        told = "".join(f"{path}\0{files[path].blob}\n" for path in sorted(files))
        sha = hashlib.sha1(f"{self.name}\n{len(self.commits)}\n{parent}\n{told}".encode()).hexdigest()
        return Commit(sha, parent, title, files)

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch, tag, hash or pull request names."""
        pulled = {f"refs/pr/{pull.num}": pull.proposed for pull in self.pulls}
        if revision in pulled:
            return pulled[revision]
        sha = self.head.sha if revision in ("main", "refs/heads/main", "HEAD") else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.sha == sha), None)


@dataclass
class Fault:
    """Something that goes wrong with a request.

    The connection is cut or held after some bytes (`lost`: after the work is done), a status is answered, or something is done before the answer.
    """

    where: Literal["put", "commit", "get", "info"]
    kind: Literal["cut", "lost", "hold", "status", "do"]
    match: str = ""
    """What the address of the request holds."""
    after: int = 0
    """Bytes that still pass."""
    skip: int = 0
    """Requests that are let through first."""
    times: int = -1
    """How often it happens; -1 for always."""
    status: int = 500
    code: str = ""
    """What the Hub calls the error."""
    do: Callable[[], object] = lambda: None
    met: threading.Event = field(default_factory=threading.Event)
    """Set when it has happened, for a test that waits for it."""

    def strikes(self, where: str, address: str) -> bool:
        """Whether it happens to this request."""
        if where != self.where or self.match not in address or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True
