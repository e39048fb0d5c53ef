"""A file proposed to a model of the Hub: a pull request that its owner may take, opened once and never pushed."""

from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, HfApi

from kbench.errors import HubError
from kbench.hub.client import check_repo_id, hub_client, hub_errors, need_token
from kbench.hub.listing import some_files


@dataclass(frozen=True)
class Proposal:
    """A file that a model of the Hub has, or is to take."""

    url: str
    """Of the pull request, or of the file where the model has it."""
    opened: bool
    """Whether the pull request was opened now."""
    taken: bool
    """Whether the model has the file already."""


def propose_file(repo_id: str, path: str, data: bytes, title: str, description: str) -> Proposal:
    """Have a pull request of one commit open that writes a file to a model, unless the model has it.

    Args:
        repo_id: ORG/NAME of the model; it may be anybody's.
        path: of the file there.
        data: its bytes.
        title: of the pull request; an open one of this title by the same user, with another file, is not added to.
        description: of the pull request, in Markdown.

    Raises HubError: there is no such model, no token, one that may not, an earlier proposal stands in the way, or the
    Hub does not answer.
    """
    check_repo_id(repo_id, "model")
    need_token()
    api = hub_client()
    with hub_errors("open a pull request on the model", repo_id):
        head = str(api.model_info(repo_id).sha)
        if _has(api, repo_id, head, path, data):
            return Proposal(f"{api.endpoint}/{repo_id}/blob/main/{path}", opened=False, taken=True)
        if earlier := _earlier(api, repo_id, path, data, title):
            return Proposal(earlier, opened=False, taken=False)
        made = api.create_commit(
            repo_id,
            [CommitOperationAdd(path, data)],
            commit_message=title,
            commit_description=description,
            parent_commit=head,
            create_pr=True,
        )
        # A model's .gitignore may leave the file out, and the Hub says nothing.
        if not made.pr_url or not _has(api, repo_id, str(made.pr_revision), path, data):
            raise HubError(
                f"the pull request {made.pr_url} on {repo_id} came about without {path}: close it there, and ask "
                f"whoever owns the model to take the file"
            )
    return Proposal(made.pr_url, opened=True, taken=False)


def _earlier(api: HfApi, repo_id: str, path: str, data: bytes, title: str) -> str | None:
    """The address of an open pull request of the same user that has the file. Raises HubError where it has another."""
    user = api.whoami()["name"]
    asked = api.get_repo_discussions(
        repo_id, author=user, discussion_type="pull_request", discussion_status="open", repo_type="model"
    )
    mine = [each for each in asked if each.is_pull_request and each.title == title]
    for each in mine:
        if _has(api, repo_id, str(each.git_reference), path, data):
            return each.url
    if mine:
        raise HubError(
            f"your pull request {mine[0].url} proposes other results under the same title: close it there, then run "
            f"the same command again"
        )
    return None


def _has(api: HfApi, repo_id: str, revision: str, path: str, data: bytes) -> bool:
    found = some_files(api, repo_id, revision, [path], repo_type="model").get(path)
    return found is not None and found.holds(data)
