"""A release on the Hub as a benchmark there: which tasks its eval.yaml offers, and how these score a reply."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from kbench.errors import HubError, ReleaseError
from kbench.generator.benchmark import release_tasks
from kbench.hub.client import hub_client, hub_errors
from kbench.hub.pull import resolve
from kbench.hub.texts import offered_at, text_at
from kbench.leaderboard.entry import Entry
from kbench.store import EVAL, MANIFEST, Release, manifest_in

_MOST_EVAL = 64 * 1024
"""Bytes of an eval.yaml that is read; kbench's have a twentieth."""


@dataclass(frozen=True)
class Task:
    """A task of a dataset's eval.yaml as far as its score can be had from samples: the rows of one `test` split.

    `pattern` finds the answer in a reply, as inspect's scorer of this name does.
    """

    id: str
    config: str
    pattern: str
    rows: int


@dataclass(frozen=True)
class Benchmark:
    """A release on the Hub: the dataset, its commit, and the tasks that it offers."""

    dataset: str
    commit: str
    tasks: tuple[Task, ...]


def find_benchmark(entry: Entry, dataset: str) -> Benchmark:
    """The release of an entry on the Hub.

    Args:
        entry: the dataset has to hold the release that it is of.
        dataset: ORG/NAME[@REVISION].

    Raises:
        HubError: the name is none, the dataset holds another release or no task, or the Hub does not answer.
        ReleaseError: the dataset is no release.
    """
    repo_id, _, revision = dataset.partition("@")
    commit, api = resolve(repo_id, revision or None), hub_client()
    with TemporaryDirectory(prefix="kbench-") as stage, hub_errors("read", repo_id):
        offered = offered_at(api, repo_id, commit, Path(stage))
        manifest = manifest_in(offered.raw, f"{MANIFEST} of {repo_id}", "give another --dataset")
        digest = Release(Path(repo_id), manifest).digest
        if digest != entry.release.digest:
            raise HubError(
                f"{repo_id} holds the release {digest[:16]} at commit {commit[:12]}, and the entry {entry.id} is of "
                f"{entry.release.name} {entry.release.digest[:16]}: give the --dataset ORG/NAME[@REVISION] that holds "
                f"this one, or `kbench push` it"
            )
        raw = text_at(api, repo_id, commit, EVAL, Path(stage), _MOST_EVAL)
    tasks = _tasks(manifest, raw or b"", f"{EVAL} of {repo_id}")
    if not tasks:
        wrong = f"{EVAL} is missing" if raw is None else f"its {EVAL} has none that kbench wrote"
        raise HubError(f"{repo_id} offers no task at commit {commit[:12]} ({wrong}): `kbench push` the release again")
    return Benchmark(repo_id, commit, tasks)


def is_right(task: Task, prediction: str, answers: Sequence[str]) -> bool:
    """Whether the task's scorer takes a prediction for right: it knows the first answer alone, and minds no case."""
    match = re.search(task.pattern, prediction, re.IGNORECASE)
    return match is not None and bool(match[1]) and [match[1].lower()] == [answer.lower() for answer in answers[:1]]


def _tasks(manifest: dict[str, Any], raw: bytes, source: str) -> tuple[Task, ...]:
    """The tasks that a dataset offers as kbench wrote them, so that a score is of what its file asks."""
    try:
        offered = yaml.safe_load(raw)
        listed = offered["tasks"] if isinstance(offered, dict) else []
        mine = [task for task in release_tasks(manifest) if isinstance(listed, list) and task in listed]
    except (yaml.YAMLError, ValueError, KeyError, RecursionError):
        raise ReleaseError(f"{source} cannot be read: expected the file that `kbench push` sends") from None
    rows = {key.removesuffix("/test"): split["rows"] for key, split in manifest["splits"].items()}
    return tuple(
        Task(task["id"], task["config"], scorer["args"]["pattern"], rows[task["config"]])
        for task in mine
        for scorer in task["scorers"]
        if scorer["name"] == "pattern"
    )
