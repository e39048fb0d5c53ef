"""Pushing a release to the Hub: looked at first, then sent in one commit that is there whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from kbench.errors import HubError, ReleaseError
from kbench.hub.client import check_repo_id, check_tag, hub_client, hub_errors, need_token
from kbench.hub.listing import TEXTS, RemoteFile, all_files, is_kbenchs
from kbench.ids import file_sha256
from kbench.store import MANIFEST, Release

Progress = Callable[[int, int], None]

_TOGETHER = 4
"""Files that are uploaded at the same time."""


@dataclass(frozen=True)
class Pushed:
    """A release on the Hub."""

    commit: str
    url: str
    sent: int
    """Files that the commit wrote or deleted; 0 where all was there already and no commit was made."""
    tagged: bool
    """Whether the tag was made now."""


@dataclass(frozen=True)
class Push:
    """What is to be done that a dataset on the Hub holds a release, and nothing else of kbench."""

    release: Release
    repo_id: str
    private: bool
    tag: str | None
    head: str | None
    """The newest commit there; None where there is no such dataset yet."""
    digests: dict[str, str]
    """The sha256 of each file of the release."""
    write: tuple[str, ...]
    delete: tuple[str, ...]
    has_tag: bool

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return self.head is not None and not self.write and not self.delete and (self.tag is None or self.has_tag)


def plan_push(
    release: Release, repo_id: str, *, private: bool = False, tag: str | None = None, replace: bool = False
) -> Push:
    """What a push has to do; nothing is changed.

    Raises:
        HubError: the name or tag is none, there is no token, the Hub does not answer, or what it holds forbids it.
        ReleaseError: a file of the release is not what its manifest says.
    """
    check_repo_id(repo_id)
    if tag is not None:
        check_tag(tag)
    need_token()
    digests = _digests(release)
    api = hub_client()
    with hub_errors("push to", repo_id):
        try:
            info = api.dataset_info(repo_id)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:  # 404 or 401; if it is hidden from this token, making it will say so
            return Push(release, repo_id, private, tag, None, digests, tuple(digests), (), False)
        head = str(info.sha)
        remote = all_files(api, repo_id, head)
        tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id, repo_type="dataset").tags}
    if private and not info.private:
        raise HubError(f"{repo_id} exists and is public: --private makes new datasets private, it hides none")
    held = {path: file for path, file in remote.items() if is_kbenchs(path)}
    same = {p for p, sha256 in digests.items() if p in held and held[p].is_same_as(release.path / p, sha256)}
    # Somebody may have deleted the manifest; that our data lies there tells that it is this release.
    is_this = MANIFEST in same or (MANIFEST not in held and bool(same.difference(TEXTS)))
    if not is_this and not (replace and MANIFEST in held):
        _check_free(repo_id, remote)
    write = tuple(path for path in digests if path not in same)
    delete = tuple(sorted(held.keys() - digests.keys()))
    if tag in tags and (write or delete or tags[tag] != head):
        raise HubError(
            f"{repo_id} has the tag {tag} already, on another commit ({tags[tag][:12]}): a tag that others may have "
            f"used is not moved, give another --tag"
        )
    return Push(release, repo_id, private, tag, head, digests, write, delete, tag in tags)


def push_release(
    release: Release,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    replace: bool = False,
    progress: Progress = lambda done, total: None,
) -> Pushed:
    """Make a dataset on the Hub hold a release, in one commit; what is there already is not sent again.

    Args:
        release: it is not derived anew here: `kbench push` verifies it first.
        repo_id: ORG/NAME; the dataset is made if there is none.
        private: whether a new dataset is a private one.
        tag: a name for the commit.
        replace: take the place of another release that is there.
        progress: called with the bytes that are done and how many there are.

    Raises HubError and ReleaseError, as `plan_push`.
    """
    return carry_out(plan_push(release, repo_id, private=private, tag=tag, replace=replace), progress)


def carry_out(push: Push, progress: Progress = lambda done, total: None) -> Pushed:
    """Do what a push has to do. Raises HubError; what was uploaded is then kept there, and no commit was made."""
    api, head = hub_client(), push.head
    with hub_errors("push to", push.repo_id):
        if head is None:
            api.create_repo(push.repo_id, repo_type="dataset", private=push.private or None, exist_ok=True)
            info = api.dataset_info(push.repo_id)
            head = str(info.sha)
            # Another process may have made it, and filled it, since the plan was made.
            _check_free(push.repo_id, all_files(api, push.repo_id, head))
            if push.private and not info.private:
                raise HubError(f"{push.repo_id} is public, though it was to be private: nothing was sent")
        commit = _send(api, push, head, progress) if push.write or push.delete else head
        if push.tag is not None and not push.has_tag:
            api.create_tag(push.repo_id, tag=push.tag, revision=commit, repo_type="dataset")
    url = f"{api.endpoint}/datasets/{push.repo_id}"
    tagged = push.tag is not None and not push.has_tag
    return Pushed(commit, url, len(push.write) + len(push.delete), tagged)


def _send(api: HfApi, push: Push, head: str, progress: Progress) -> str:
    """Upload what is missing, then make the one commit; its hash."""
    sizes = {path: (push.release.path / path).stat().st_size for path in push.write}
    total, done = sum(sizes.values()), 0
    additions = [CommitOperationAdd(path, push.release.path / path) for path in push.write]
    progress(0, total)
    for start in range(0, len(additions), _TOGETHER):
        some = additions[start : start + _TOGETHER]
        api.preupload_lfs_files(push.repo_id, some, repo_type="dataset", num_threads=_TOGETHER, free_memory=False)
        for each in some:
            # Between the check and the upload somebody may have written the file.
            if each.upload_info.sha256.hex() != push.digests[each.path_in_repo]:
                raise ReleaseError(f"{push.release.path / each.path_in_repo} was altered while it was pushed")
            done += sizes[each.path_in_repo]
        progress(done, total)
    recipe = push.release.manifest["recipe"]
    made = api.create_commit(
        push.repo_id,
        [*additions, *(CommitOperationDelete(path, is_folder=False) for path in push.delete)],
        commit_message=f"{recipe['spec']['name']}: world {push.release.world}, digest {push.release.digest[:16]}",
        repo_type="dataset",
        parent_commit=head,
    )
    return str(made.oid)


def _digests(release: Release) -> dict[str, str]:
    """The sha256 of each file of a release. Raises ReleaseError where one is missing or is not what it should be."""
    found: dict[str, str] = {}
    advice = f"nothing was pushed, see `kbench verify {release.path}`"
    for entry in release.manifest["files"]:
        path = release.path / entry["path"]
        if not path.is_file():
            raise ReleaseError(f"{path} is missing from the release: {advice}")
        found[entry["path"]] = file_sha256(path)
        if found[entry["path"]] != entry["sha256"]:
            raise ReleaseError(f"{path} was altered (its sha256 is not the manifest's): {advice}")
    for name in (*TEXTS, MANIFEST):
        if (release.path / name).is_file():
            found[name] = file_sha256(release.path / name)
    return found


def _check_free(repo_id: str, remote: dict[str, RemoteFile]) -> None:
    """Raise HubError where a dataset holds something else than what the Hub puts into a new one."""
    if MANIFEST in remote:
        raise HubError(f"{repo_id} holds another release: give another --repo-id, or --replace to take its place")
    strangers = sorted(remote.keys() - {".gitattributes"})
    if strangers:
        raise HubError(f"{repo_id} holds something else ({strangers[0]}, no {MANIFEST}): give another --repo-id")
