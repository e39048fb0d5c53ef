"""The texts of a release on the Hub, which say what it is: read by commit, without its data."""

from pathlib import Path

from huggingface_hub import HfApi

from kbench.errors import HubError, ReleaseError
from kbench.hub.listing import some_files
from kbench.hub.offered import Offered, offered_by
from kbench.store import MANIFEST

MOST_TEXT = 16 << 20
"""A text of more bytes is not downloaded."""


def offered_at(api: HfApi, repo_id: str, commit: str, stage: Path) -> Offered:
    """What a commit's manifest offers.

    Raises:
        HubError: it is not what the Hub lists.
        ReleaseError: there is none, or it is none of kbench.
    """
    raw = text_at(api, repo_id, commit, MANIFEST, stage)
    if raw is None:
        raise ReleaseError(f"{repo_id} is no release of kbench: it has no {MANIFEST} at commit {commit[:12]}")
    return offered_by(raw, f"{MANIFEST} of {repo_id}")


def text_at(api: HfApi, repo_id: str, commit: str, path: str, stage: Path, most: int = MOST_TEXT) -> bytes | None:
    """A file of at most so many bytes, downloaded into `stage`; None where there is none. Raises as `offered_at`."""
    listed = some_files(api, repo_id, commit, [path]).get(path)
    if listed is None:
        return None
    if listed.size > most:
        what = "manifest" if path == MANIFEST else "text"
        raise ReleaseError(f"{path} of {repo_id} is no {what} of kbench: it has {listed.size:,} bytes")
    came = download(api, repo_id, commit, path, stage).read_bytes()
    if not listed.holds(came):
        raise HubError(f"{path} of {repo_id} was altered (it is not what the Hub lists): run the same command again")
    return came


def download(api: HfApi, repo_id: str, commit: str, path: str, stage: Path) -> Path:
    """The file that a commit has at a path, below `stage`."""
    return Path(api.hf_hub_download(repo_id, path, repo_type="dataset", revision=commit, local_dir=stage))
