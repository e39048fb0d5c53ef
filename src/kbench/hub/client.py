"""The Hub's own client as kbench uses it: what a name may be, the token, quiet, and every failure told in one line."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from kbench import __version__
from kbench.errors import HubError, KbenchError

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_TRANSPORT = ("httpx2", "httpx", "httpcore2", "httpcore", "requests", "urllib3")
"""The libraries that huggingface_hub has spoken HTTP with, by the first word of their modules."""
_AGAIN = "run the same command again, what was done is kept"


class Unreachable(HubError):
    """The Hub did not answer; what was fetched before may do."""


def is_repo_id(text: str) -> bool:
    """Whether a text has the form ORG/NAME as the Hub takes it."""
    return (
        re.fullmatch(rf"{_PART}/{_PART}", text) is not None
        and max(map(len, text.split("/"))) <= 96
        and not ("--" in text or ".." in text or text.endswith(".git") or text.startswith("datasets/"))
    )


def check_repo_id(repo_id: str, kind: str = "dataset") -> None:
    """Raise HubError unless a text has the form ORG/NAME as the Hub takes it."""
    if not is_repo_id(repo_id):
        raise HubError(
            f"{repo_id!r} is no name of a {kind} on the Hub: expected ORG/NAME of letters, digits, '-', '_' and '.', "
            f"such as my-org/my-{'world' if kind == 'dataset' else kind}"
        )


def check_tag(tag: str) -> None:
    """Raise HubError unless a text can be a tag that is taken for no branch and no commit."""
    sound = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", tag) and not re.search(r"\.\.|\.$|\.lock$", tag)
    if not sound or tag in ("main", "HEAD") or re.fullmatch(r"[0-9a-f]{7,64}", tag):
        raise HubError(f"{tag!r} is no name of a tag: expected a version such as v1.0.0")


def hub_client() -> HfApi:
    """The client of the Hub that HF_ENDPOINT names."""
    return HfApi(library_name="kbench", library_version=__version__)


def need_token() -> None:
    """Raise HubError where the user has no token for the Hub."""
    if not get_token():
        raise HubError(
            "no token for the Hub: set HF_TOKEN to one that may write, or log in with `hf auth login` "
            "(a token is never an argument)"
        )


@contextmanager
def hub_errors(doing: str, repo_id: str) -> Iterator[None]:
    """Keep huggingface_hub quiet in the block, and turn what it raises into a HubError of one line.

    `doing` is what was tried, such as "push to". What the system says against a file passes as it is.
    """
    verbosity, had_bars = hub_logging.get_verbosity(), not are_progress_bars_disabled()
    hub_logging.set_verbosity(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    except KbenchError:
        raise
    except Exception as error:
        told = _told(error, doing, repo_id)
        if told is None:
            raise
        raise told from None
    finally:
        hub_logging.set_verbosity(verbosity)
        if had_bars:
            enable_progress_bars()


def _told(error: BaseException, doing: str, repo_id: str) -> HubError | None:
    """What went wrong; None where it has nothing to do with the Hub."""
    causes = [error]
    while (deeper := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(deeper)
    endpoint = constants.ENDPOINT
    for cause in causes:
        if isinstance(cause, OfflineModeIsEnabled):
            return Unreachable(f"cannot {doing} {repo_id}: HF_HUB_OFFLINE is set: unset it and run the command again")
        if isinstance(cause, HfHubHTTPError):
            return _answered(cause, doing, repo_id, endpoint)
        if type(cause).__module__.split(".")[0] in _TRANSPORT:
            what = " ".join(str(cause).split()) or type(cause).__name__
            return Unreachable(f"cannot {doing} {repo_id}: the connection to {endpoint} failed ({what}): {_AGAIN}")
    if isinstance(error, OSError) and error.errno is not None:
        return None
    if isinstance(error, OSError | ValueError | RuntimeError):
        # The last cause has the reason: huggingface_hub and hf_xet wrap it in sentences of several lines.
        what = " ".join(str(causes[-1]).split())[:200] or type(causes[-1]).__name__
        return HubError(f"cannot {doing} {repo_id}: {what}: {_AGAIN}")
    return None


def _answered(error: HfHubHTTPError, doing: str, repo_id: str, endpoint: str) -> HubError:
    status = error.response.status_code
    said = " ".join((error.server_message or "").split())[:200]
    because = f"{status}: {said}" if said else f"{status}"
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"cannot {doing} {repo_id}: it has no such revision at {endpoint} ({because})")
    if isinstance(error, RepositoryNotFoundError):
        seen = "" if get_token() else " (there is none: set HF_TOKEN)"
        what = "model" if doing.endswith("model") else "dataset"
        return HubError(f"no {what} {repo_id} at {endpoint}, or your token{seen} may not see it: check the name")
    if status == 401:
        return HubError(
            f"{endpoint} does not accept your token ({because}): set HF_TOKEN to a valid one, or `hf auth login` again"
        )
    if status == 403:
        needed = "open pull requests" if "pull request" in doing else f"write to {repo_id.split('/')[0]}"
        return HubError(f"your token may not {doing} {repo_id} ({because}): take one that may {needed}")
    if status == 412:
        return HubError(f"somebody else changed {repo_id} meanwhile: look at it and {_AGAIN}")
    if status == 429:
        return Unreachable(f"cannot {doing} {repo_id}: too many requests ({because}): wait a while and {_AGAIN}")
    kind = Unreachable if status >= 500 else HubError
    return kind(f"cannot {doing} {repo_id}: {endpoint} answered {because}: {_AGAIN}")
