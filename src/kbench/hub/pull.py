"""Pulling a release from the Hub: only the files that its manifest names, each checked, the manifest last."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RevisionNotFoundError

from kbench.disk import make_durable, told_in_one_line
from kbench.errors import HubError, OutputError
from kbench.hub.arrived import fault_of
from kbench.hub.client import check_repo_id, hub_client, hub_errors
from kbench.hub.listing import TEXTS, RemoteFile, some_files
from kbench.hub.offered import Offered
from kbench.hub.texts import MOST_TEXT, download, offered_at
from kbench.hub.unfinished import PLAN, begin, end
from kbench.lock import folder_lock
from kbench.store import MANIFEST, Release, open_release, prepare_folder

Progress = Callable[[int, int], None]

STAGE = ".kbench_pull.part"
"""Where files are downloaded to; only what was checked leaves it."""


def resolve(repo_id: str, revision: str | None) -> str:
    """The commit that a revision of a dataset names; without one, the newest.

    Raises HubError where the name is none, there is no such dataset or revision, or the Hub does not answer.
    """
    check_repo_id(repo_id)
    api = hub_client()
    with hub_errors("pull", repo_id):
        try:
            commit = api.dataset_info(repo_id, revision=revision).sha
        except RevisionNotFoundError:
            tags = sorted(ref.name for ref in api.list_repo_refs(repo_id, repo_type="dataset").tags)
            have = f"have the tags {', '.join(tags[:10])}" if tags else "it has no tags"
            raise HubError(f"no revision {revision!r} of {repo_id} at {api.endpoint}: {have}") from None
    if commit is None:
        raise HubError(f"cannot pull {repo_id}: {api.endpoint} does not say of which commit it is")
    return commit


def pull_release(
    repo_id: str, revision: str | None, out: Path, progress: Progress = lambda done, total: None
) -> tuple[Release, bool]:
    """Take a release from the Hub into a folder, or finish what was interrupted; one that is there whole is left alone.

    Args:
        repo_id: ORG/NAME.
        revision: a tag, a branch or a commit; None for the newest.
        out: the folder; it must be empty, or hold this release or an unfinished pull of it.
        progress: called with the bytes done and how many there are.

    Returns:
        The release, and whether anything was written.

    Raises:
        HubError: the Hub does not answer or refuses, or a file there is not what the manifest says.
        ReleaseError: what is there is no release, or of a newer format.
        OutputError: `out` holds something else or cannot be written.
    """
    return pull_commit(repo_id, resolve(repo_id, revision), out, progress)


def pull_commit(
    repo_id: str, commit: str, out: Path, progress: Progress, *, cached: bool = False
) -> tuple[Release, bool]:
    """As `pull_release`, of a commit.

    With `cached` the folder is this commit's by its name: what it holds otherwise is damage and is fetched again, and
    another process that pulls into it is waited for.
    """
    api = hub_client()
    with told_in_one_line(out), tempfile.TemporaryDirectory(prefix="kbench-") as stage, hub_errors("pull", repo_id):
        offered = offered_at(api, repo_id, commit, Path(stage))
        texts = some_files(api, repo_id, commit, TEXTS)
    if not cached and (out / MANIFEST).is_file() and not _has_manifest(out, offered):
        raise OutputError(f"{out} holds another release than {repo_id} has now: give another --out")
    prepare_folder(out, PLAN, MANIFEST, *(path.name for path in out.glob("*") if cached))
    with folder_lock(out, wait=cached), told_in_one_line(out):
        missing = _missing(out, offered, texts)
        if not missing and _has_manifest(out, offered):
            end(out)
            return open_release(out), False
        begin(out, repo_id, commit, offered.paths)
        (out / MANIFEST).unlink(missing_ok=True)
        _fetch(api, repo_id, commit, out, offered, texts, missing, progress)
        paths = [out / path for path in (*offered.paths, *texts)]
        make_durable([*paths, *sorted({path.parent for path in paths}), out])
        part = out / f".{MANIFEST}.part"
        part.write_bytes(offered.raw)
        part.replace(out / MANIFEST)
        make_durable([out / MANIFEST, out])
        end(out)
    return open_release(out), True


def _has_manifest(out: Path, offered: Offered) -> bool:
    return (out / MANIFEST).is_file() and (out / MANIFEST).read_bytes() == offered.raw


def _missing(out: Path, offered: Offered, texts: dict[str, RemoteFile]) -> list[str]:
    """What is not in a folder as it should be."""
    data = [path for path, entry in offered.files.items() if not entry.is_held_by(out / path)]
    return [*data, *(path for path, remote in texts.items() if not remote.is_same_as(out / path))]


def _fetch(
    api: HfApi,
    repo_id: str,
    commit: str,
    out: Path,
    offered: Offered,
    texts: dict[str, RemoteFile],
    missing: list[str],
    progress: Progress,
) -> None:
    """Download what is missing, one file after another: each is checked, then it gets its place."""
    with hub_errors("pull", repo_id):
        listed = texts | some_files(api, repo_id, commit, offered.files)
    sizes = {path: file.size for path, file in listed.items()} | {p: e.bytes for p, e in offered.files.items()}
    for path in missing:  # before a byte of any is downloaded
        _check_listed(repo_id, path, listed.get(path), offered)
    total, done = sum(sizes.values()), sum(sizes[path] for path in sizes if path not in missing)
    stage = out / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    try:
        progress(done, total)
        for path in missing:
            with hub_errors("pull", repo_id):
                came = download(api, repo_id, commit, path, stage)
            _check_came(repo_id, path, came, listed[path], offered)
            (out / path).parent.mkdir(exist_ok=True)
            came.replace(out / path)
            done += sizes[path]
            progress(done, total)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _check_listed(repo_id: str, path: str, remote: RemoteFile | None, offered: Offered) -> None:
    entry = offered.files.get(path)
    if remote is None:
        raise HubError(
            f"{path} is missing from {repo_id}, though its manifest names it: nothing was taken in its place"
        )
    if entry is None and remote.size > MOST_TEXT:
        raise HubError(f"{path} of {repo_id} has {remote.size:,} bytes, more than a release's: it was not downloaded")
    if entry and (remote.size != entry.bytes or remote.sha256 not in (None, entry.sha256)):
        said = f"{entry.bytes:,} bytes, sha256 {entry.sha256[:12]}"
        found = f"{remote.size:,} bytes, sha256 {(remote.sha256 or 'not told')[:12]}"
        raise HubError(
            f"{path} of {repo_id} is not what its manifest says ({said}; there {found}): it was not downloaded; "
            f"tell whoever publishes it, or take another --revision"
        )


def _check_came(repo_id: str, path: str, came: Path, remote: RemoteFile, offered: Offered) -> None:
    entry = offered.files.get(path)
    held = entry.is_held_by(came) if entry else remote.is_same_as(came)
    if not held:
        what = "the sha256 in the manifest" if entry else "what the Hub lists"
        raise HubError(
            f"{path} of {repo_id} was altered (it is not {what}): it was thrown away, what came before is kept; "
            f"run the same command again, and if it stays so tell whoever publishes it"
        )
    fault = fault_of(came, entry) if entry else None
    if fault:
        raise HubError(
            f"{path} of {repo_id} {fault}: it was thrown away; tell whoever publishes it, or take another --revision"
        )
