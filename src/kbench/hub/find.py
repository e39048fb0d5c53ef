"""A release found by its name: a folder, a named release on the shelf, or ORG/NAME on the Hub."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench.disk import cache_folder
from kbench.errors import HubError, ReleaseError
from kbench.shelf import names, shelved
from kbench.store import Release, open_release, write_json

Progress = Callable[[int, int], None]
Say = Callable[[str], None]

_SEEN = "kbench_revisions.json"
"""In the cache, beside the releases of a dataset: the commit that each revision was when it was last asked for."""


def find_release(name: str, progress: Progress = lambda done, total: None, say: Say = lambda line: None) -> Release:
    """The release that a name means: a folder, a name on the shelf, or ORG/NAME[@REVISION] on the Hub, in this order.

    What comes from the Hub is kept in the cache under its commit and taken from there the next time.

    Args:
        name: what the user wrote.
        progress: called with the bytes that are done of a download, and how many there are.
        say: called with a line where a release of the Hub was taken without asking it.

    Raises:
        ReleaseError: there is no such release, or it is not whole.
        HubError: the Hub does not answer or refuses, or a file there is not what its manifest says.
    """
    folder = find_folder(name)
    if folder is not None:
        return open_release(folder)
    repo_id, _, revision = name.partition("@")
    if re.fullmatch(r"[^/\\@\s]+/[^/\\@\s]+", repo_id) and not name.startswith((".", "~")):
        from kbench.hub.client import is_repo_id

        if is_repo_id(repo_id):
            return _pulled(repo_id, revision or None, progress, say)
    raise ReleaseError(
        f"no release at {name}: there is no such folder, none of {', '.join(names())} is called so, "
        f"and it is no ORG/NAME[@REVISION] of the Hub; make one with `kbench generate --out {name}`"
    )


def find_folder(name: str) -> Path | None:
    """The folder that a name means: one that exists, or that of a release on the shelf; None where there is neither.

    Raises ReleaseError where nothing is named, where the shelf has the recipe alone, or where the system does not take
    the name.
    """
    if not name:
        raise ReleaseError("no release was named: give a folder, kbench-tiny, or ORG/NAME on the Hub")
    try:
        if Path(name).exists():
            return Path(name)
    except OSError as error:  # too long a name, or a folder on the way that may not be read
        raise ReleaseError(f"no release at {name[:80]}: {error.strerror}: give a folder, or ORG/NAME") from None
    shelf = shelved(name)
    if shelf is not None and not _is_whole(shelf):
        raise ReleaseError(f"{name} comes with kbench as a recipe only: make it with `kbench generate --recipe {name}`")
    return shelf


def _is_whole(folder: Path) -> bool:
    """Whether a folder of the shelf holds its release, not its recipe and digests alone."""
    try:
        open_release(folder)
    except ReleaseError:
        return False
    return True


def _pulled(repo_id: str, revision: str | None, progress: Progress, say: Say) -> Release:
    """The release of a dataset of the Hub, from the cache where its commit is there whole."""
    from kbench.hub.client import Unreachable
    from kbench.hub.pull import pull_commit, resolve

    place = cache_folder() / "hub" / repo_id.replace("/", "--")
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision) and (held := _cached(place / revision)):
        return held  # a commit is what it is: nobody has to be asked
    seen = _seen(place)
    asked = revision or "main"
    try:
        commit = resolve(repo_id, revision)
    except Unreachable as error:
        known = seen.get(asked)
        held = _cached(place / known) if known else None
        if known is None or held is None:
            raise _no_folder(error, repo_id) from None
        say(f"{error}; taking {repo_id}@{asked} as it was when last asked for (commit {known[:12]})")
        return held
    except HubError as error:
        raise _no_folder(error, repo_id) from None
    if _cached(place / commit) is None:
        pull_commit(repo_id, commit, place / commit, progress, cached=True)
    if seen.get(asked) != commit:
        write_json(place / _SEEN, seen | {asked: commit})
    return _Cached(place / commit, open_release(place / commit).manifest)


def _no_folder(error: HubError, repo_id: str) -> HubError:
    """What the Hub said, after what a mistyped path has to be told."""
    return type(error)(f"there is no folder {repo_id}; as a dataset of the Hub: {error}")


class _Cached(Release):
    """A release in the cache, where no command has to make it again."""

    def read(self, file: dict[str, Any]) -> pa.Table:
        """As of any release."""
        try:
            return super().read(file)
        except ReleaseError as error:
            what = str(error).rpartition(": ")[0]
            raise ReleaseError(f"{what}: delete {self.path}, it is fetched again") from None


def _cached(folder: Path) -> Release | None:
    """The release in a folder of the cache; None where it is not whole: what is lost or cut off is fetched again."""
    try:
        manifest = open_release(folder).manifest
        if any((folder / file["path"]).stat().st_size != file["bytes"] for file in manifest["files"]):
            return None
    except (ReleaseError, OSError, KeyError):
        return None
    return _Cached(folder, manifest)


def _seen(place: Path) -> dict[str, str]:
    try:
        noted = json.loads((place / _SEEN).read_text(encoding="utf-8"))
        return {key: sha for key, sha in noted.items() if re.fullmatch(r"[0-9a-f]{40}", str(sha))}
    except (OSError, ValueError, AttributeError):
        return {}
