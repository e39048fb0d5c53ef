"""Some files of any dataset of the Hub, in the Hub's own cache: data that is no release yet."""

from collections.abc import Callable, Sequence
from pathlib import Path

from kbench.errors import HubError
from kbench.hub.client import hub_client, hub_errors
from kbench.hub.listing import all_files
from kbench.hub.pull import resolve

Progress = Callable[[int, int], None]


def fetch_dataset(
    repo_id: str,
    revision: str | None,
    choose: Callable[[Sequence[str]], Sequence[str]],
    most_bytes: int,
    progress: Progress = lambda done, total: None,
) -> tuple[Path, str]:
    """The folder of a dataset's commit in the cache, with the chosen files in it, and the commit.

    Args:
        repo_id: ORG/NAME.
        revision: a tag, a branch or a commit; None for the newest.
        choose: picks among the paths of the dataset.
        most_bytes: more is not downloaded.
        progress: called with the bytes done and how many there are.

    Raises HubError where the Hub does not answer or refuses, nothing is chosen or it is too much.
    """
    commit = resolve(repo_id, revision)
    api = hub_client()
    with hub_errors("fetch", repo_id):
        listed = all_files(api, repo_id, commit)
    wanted = sorted(choose(sorted(listed)))
    total, done = sum(listed[path].size for path in wanted), 0
    if not wanted:
        have = ", ".join(sorted(listed)[:5])
        raise HubError(f"{repo_id} has no data file that was asked for: have {have}; pick others with --files PATTERN")
    if total > most_bytes:
        raise HubError(
            f"{repo_id} has {total:,} bytes of data, more than the {most_bytes:,} that are read: "
            "pick some of its files with --files PATTERN"
        )
    folder = Path()
    for path in wanted:
        with hub_errors("fetch", repo_id):
            came = Path(api.hf_hub_download(repo_id, path, repo_type="dataset", revision=commit))
        if not listed[path].is_same_as(came):
            raise HubError(f"{path} of {repo_id} is not what the Hub lists: delete {came}, and run the command again")
        folder = Path(*came.parts[: len(came.parts) - len(Path(path).parts)])
        done += listed[path].size
        progress(done, total)
    return folder, commit
