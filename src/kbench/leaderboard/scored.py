"""A result folder as an entry needs it: whole, of the release, and its scores those of its samples."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from kbench.benchmarks.asking import ASKED
from kbench.benchmarks.evaluate import judge
from kbench.benchmarks.metrics import Accuracy, Sample, accuracies
from kbench.benchmarks.models.protocol import Reply
from kbench.benchmarks.prompting import Prompting
from kbench.benchmarks.results import RESULTS, SAMPLES, read_result, read_samples
from kbench.benchmarks.tasks import Item, guessing
from kbench.errors import OutputError
from kbench.leaderboard.entry import Asked
from kbench.leaderboard.questions import JUDGED, Question, check_answers, items_of, prompting_of, questions_of
from kbench.leaderboard.samples import SCHEMA
from kbench.store import Release

CLOSE = 1e-9
"""What a score may be off by when it is computed again: another machine sums in another order."""

_COLUMNS = [name for name in SCHEMA.names if name != "facts"] + ["split", "reply", "status"]
_COMPARED = ("accuracy", "low", "high", "stderr", "control", "rows", "entities", "facts", "unscored", "errors")


@dataclass(frozen=True)
class Scored:
    """A whole result on a release: its folder, the name of its model, its `kbench` block, and how it was asked.

    `own_known` and `base_known` are the accuracies of model and base on what the release's background asks of them,
    where it has any.
    """

    folder: Path
    model: str
    kbench: Mapping[str, Any]
    prompting: Prompting
    asked: Asked
    own_known: float | None
    base_known: float | None

    @property
    def digests(self) -> dict[str, str]:
        """The digests of the model, as the scoring found them."""
        names = ("weights", "tokenizer", "adapter", "settings")
        return {name: self.kbench[name] for name in names if self.kbench.get(name)}


def read_scored(folder: Path, release: Release) -> Scored:
    """What a result folder says of itself. Raises OutputError of one line where it is partial, or no whole result."""
    about = read_result(folder)
    if about is None:
        raise OutputError(f"no finished result at {folder}: `kbench eval` writes {RESULTS} there, last of all")
    with _ours(folder):
        kbench = about["kbench"]
        _check_whole(folder, kbench, release)
        scoring = kbench["scoring"]
        prompting = Prompting(**scoring["prompt"])
        asked = Asked(
            prompt=prompting.name, shots=prompting.shots, chat=prompting.chat, max_tokens=scoring["max_tokens"]
        )
        if prompting_of(asked) is not None and prompting.seed:
            raise OutputError(f"{folder} was asked with --prompt-seed {prompting.seed}: score it with 0")
        scores = {(score["style"], score["probe"]): score for score in kbench["scores"]}
        known = scores.get(("qa", "known"), {})
        return Scored(
            folder, str(about["model_name"]), kbench, prompting, asked, known.get("accuracy"), known.get("base")
        )


def judged_rows(scored: Scored, release: Release) -> list[dict[str, Any]]:
    """The samples of `test` and `control`, as an entry keeps them.

    Raises OutputError where samples are not the release's, or verdicts and scores are not those of the replies.
    """
    with _ours(scored.folder):
        return _rows(scored.folder, scored.kbench, release, scored.prompting)


@contextmanager
def _ours(folder: Path) -> Iterator[None]:
    """Tell in one line what in a result is not as kbench writes it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise OutputError(f"{folder / RESULTS} is no result of this kbench ({reason}): score the model again") from None


def _check_whole(folder: Path, kbench: Mapping[str, Any], release: Release) -> None:
    if kbench["release"]["digest"] != release.digest:
        raise OutputError(
            f"{folder} is a result on the release {kbench['release']['digest']}, not on {release.path} "
            f"({release.digest}): score the model on that one"
        )
    scoring = kbench["scoring"]
    left = [
        f"the first {scoring['limit']} rows" if scoring["limit"] is not None else "",
        f"the styles {', '.join(scoring['styles'])}" if scoring["styles"] else "",
        f"the probes {', '.join(scoring['probes'])}" if scoring.get("probes") else "",
        f"the splits {', '.join(scoring['splits'])}" if tuple(scoring["splits"]) != ASKED else "",
        "a part" if kbench["partial"] else "",
    ]
    if part := next(filter(None, left), ""):
        raise OutputError(f"{folder} is partial: only {part} was asked: score the whole release")
    if errors := max(kbench["errors"], kbench["n_errors"]):
        raise OutputError(f"{folder} has {errors:,} rows without a reply: the same `kbench eval` asks them again")
    if scoring["decoding"] != "greedy":
        raise OutputError(f"{folder} was decoded {scoring['decoding']}: expected greedy, which gives the same twice")


def _rows(folder: Path, kbench: Mapping[str, Any], release: Release, prompting: Prompting) -> list[dict[str, Any]]:
    """The judged rows of a result, if its samples are the release's and its scores those of the samples."""
    where = str(folder / SAMPLES)
    # A chat's template is the model's own: the questions are then read as they are put plainly, and prompts are not.
    items = items_of(release, None if prompting.chat else prompting)
    questions = questions_of(release, items, prompts=not prompting.chat)
    samples = read_samples(folder, _COLUMNS).to_pylist()
    if kbench["samples"] != len(samples):
        raise OutputError(f"{where} has {len(samples):,} rows, its result says {kbench['samples']:,}: score it again")
    check_answers(samples, questions, where)
    by_id = {row["id"]: row for row in samples}
    judged = [_judged(item, by_id[item.row["id"]], prompting, where) for item in items]
    _check_scores(folder, kbench["scores"], accuracies(judged, guessing(release), None))
    return [{**_kept(row, questions[row["id"]])} for row in samples if questions[row["id"]]["split"] in JUDGED]


def _kept(row: Mapping[str, Any], question: Question) -> dict[str, Any]:
    return {name: question["facts"] if name == "facts" else row[name] for name in SCHEMA.names}


def _judged(item: Item, row: Mapping[str, Any], prompting: Prompting, where: str) -> Sample:
    """The sample of a row, judged anew. Raises OutputError where the verdict is another than the row's."""
    if row["split"] != item.split:
        raise OutputError(f"{where}: {row['id']} is of the split {item.split}, not of {row['split']}")
    found = judge(item, Reply((row["reply"],), refused=row["status"] == "unscored"), prompting)
    if (found.status, found.correct) != (row["status"], row["correct"]):
        raise OutputError(
            f"{where}: the verdict on {row['id']} is {row['correct']}, its reply gives {found.correct}: "
            "the samples were changed"
        )
    if found.status == "scored" and found.prediction != row["prediction"]:
        raise OutputError(
            f"{where}: the prediction of {row['id']} is {row['prediction'][:60]!r}, "
            f"its reply gives {found.prediction[:60]!r}: the samples were changed"
        )
    return found


def _check_scores(folder: Path, claimed: list[Mapping[str, Any]], found: list[Accuracy]) -> None:
    """Raise OutputError where a score of a result is not what its samples give."""
    said = {(score["style"], score["probe"]): score for score in claimed}
    given = {(score.style, score.probe): score for score in found}
    if odd := sorted(said.keys() ^ given.keys()):
        raise OutputError(
            f"{folder / RESULTS}: the scores of {' '.join(odd[0])} do not fit the samples: score it again"
        )
    for key, score in given.items():
        for name in _COMPARED:
            there, here = said[key][name], getattr(score, name)
            if not is_same(there, here):
                raise OutputError(
                    f"{folder / RESULTS}: {name} of {' '.join(key)} is {there}, its samples give {here}: score it again"
                )


def is_same(there: Any, here: Any) -> bool:
    """Whether two figures are one, but for the order of sums."""
    if isinstance(there, float) and isinstance(here, float):
        return isclose(there, here, rel_tol=0, abs_tol=CLOSE)
    return bool(there == here)
