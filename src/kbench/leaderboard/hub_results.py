"""An entry's results for the Hub: the file of scores that a model there shows, and the pull request that brings it."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from kbench.errors import HubError
from kbench.hub.client import check_repo_id, need_token
from kbench.hub.proposal import propose_file
from kbench.leaderboard.entry import Entry
from kbench.leaderboard.hub_benchmark import Benchmark, find_benchmark, is_right
from kbench.leaderboard.samples import Row
from kbench.leaderboard.tracks import token_class

FOLDER = ".eval_results"
"""Where the Hub looks for the results of a model, in its repository."""

_DIGITS = 6


@dataclass(frozen=True)
class Sent:
    """Results that a model of the Hub has, or is to take."""

    url: str
    """Of the pull request, or of the file where the model has it."""
    path: str
    """Of the file in the model's repository."""
    text: str
    """The file."""
    tasks: tuple[str, ...]
    opened: bool
    """Whether the pull request was opened now."""
    taken: bool
    """Whether the model has the file already."""


def send_results(entry: Entry, samples: Sequence[Row], model_repo: str, dataset: str) -> Sent:
    """Propose an entry's results to a model of the Hub, in a pull request; one that is open, or was taken, is found.

    Args:
        entry: what the results are of.
        samples: its samples, with the columns of `samples.SCHEMA`.
        model_repo: ORG/NAME of the model, which may be anybody's.
        dataset: ORG/NAME[@REVISION] of the release on the Hub.

    Raises:
        HubError: a name is none, there is no token, the dataset holds another release, has none of its tasks or the
            samples cover none of them, an earlier proposal stands in the way, or the Hub does not answer or refuses.
        ReleaseError: the dataset is no release.
    """
    check_repo_id(model_repo, "model")
    check_repo_id(dataset.partition("@")[0])
    need_token()
    there = find_benchmark(entry, dataset)
    results = results_of(entry, samples, there)
    text = results_yaml(results)
    path = f"{FOLDER}/{there.dataset.split('/')[1]}_{entry.id}.yaml"
    title = f"kbench results on {there.dataset} (entry {entry.id})"
    made = propose_file(model_repo, path, text.encode(), title, _description(entry, there, results))
    return Sent(made.url, path, text, tuple(each.task_id for each in results), made.opened, made.taken)


def results_of(entry: Entry, samples: Sequence[Row], there: Benchmark) -> list[EvalResultEntry]:
    """One result for each task whose whole test split is in the samples: the share of right answers.

    Raises HubError where there is none.
    """
    found = []
    for task in there.tasks:
        # A sample does not tell its split: of what is asked in `test` and `control`, the latter has a probe of its own.
        rows = [row for row in samples if row["style"] == task.config and row["probe"] != "control"]
        if len({row["id"] for row in rows}) != task.rows or len(rows) != task.rows:
            continue
        right = sum(is_right(task, row["prediction"] or "", row["answers"]) for row in rows)
        found.append(
            EvalResultEntry(
                dataset_id=there.dataset,
                task_id=task.id,
                value=round(right / task.rows, _DIGITS),
                dataset_revision=there.commit,
                date=entry.submitted.isoformat(),
                source_url=entry.url or None,
                source_name=entry.title if entry.url else None,
                notes=_notes(entry),
            )
        )
    if not found:
        have = ", ".join(f"{task.id} ({task.rows:,} rows)" for task in there.tasks)
        raise HubError(
            f"the samples of {entry.id} cover no task of {there.dataset}: expected every row of the test split of one "
            f"of {have}; score the whole release"
        )
    return found


def results_yaml(results: Sequence[EvalResultEntry]) -> str:
    """The file that holds some results."""
    return str(yaml.safe_dump(eval_result_entries_to_yaml(list(results)), sort_keys=False, allow_unicode=True))


def _notes(entry: Entry) -> str:
    """How the model was asked and what else is known of it, in numbers and ids alone."""
    told = [f"corrected headline {_interval(entry)}"]
    if entry.track == "methods":
        times = token_class(entry.cost.tokens, entry.article_pass)
        told.append(f"at most {times}x the tokens of one article pass" if times else "more than 16x one article pass")
    told += [f"{entry.asked.shots} shots"] if entry.asked.shots else []
    told += ["asked as a chat"] if entry.asked.chat else []
    return "; ".join([*told, f"kbench leaderboard entry {entry.id}"])


def _description(entry: Entry, there: Benchmark, results: Sequence[EvalResultEntry]) -> str:
    """What the owner of the model reads; nothing in it is the submitter's own text, which could pose as Markdown."""
    lines = [f"| {each.task_id} | {each.value:.4f} |" for each in results]
    return "\n".join(
        [
            f"Scores of this model on the dataset `{there.dataset}` at commit `{there.commit}`, for its leaderboard:",
            "one file, nothing else is changed.",
            "",
            "| task | right answers, as a share |",
            "|---|---|",
            *lines,
            "",
            f"kbench leaderboard entry `{entry.id}`, release `{entry.release.digest[:16]}`, "
            f"corrected headline {_interval(entry)}.",
        ]
    )


def _interval(entry: Entry) -> str:
    scores = entry.scores
    return f"{scores.headline:.3f} ({scores.low:.3f} to {scores.high:.3f})"
