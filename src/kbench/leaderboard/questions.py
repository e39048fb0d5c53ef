"""The questions of a release as an entry's samples hold them, and whether samples are answers to these."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kbench.benchmarks.asking import ASKED
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.prompting import PLAIN, Prompting
from kbench.benchmarks.tasks import Item, load_items
from kbench.errors import OutputError
from kbench.leaderboard.entry import Asked
from kbench.store import Release

JUDGED = ("test", "control")
"""The splits whose samples an entry keeps: what is asked of `train` is recall."""

MOST_LETTERS = 8192
"""A prediction is no longer: of a reply only the answer is kept."""

OPEN_BOOK = "open-book"

Question = Mapping[str, Any]
_ASKED_OF = ("style", "probe", "entity_id", "relation", "fact_ids", "facts", "prompt", "answers")


def prompting_of(asked: Asked) -> Prompting | None:
    """How an entry says it was asked; None where its prompts hang on what it does not say: exemplars, a template."""
    return None if asked.chat or asked.shots else Prompting(name=asked.prompt)  # type: ignore[arg-type]


def items_of(release: Release, prompting: Prompting | None, splits: Sequence[str] = ASKED) -> list[Item]:
    """What a model is asked of a release; where the prompting is not known, as it is asked plainly."""
    return load_items(release, splits, prompting=prompting or PLAIN)


def judged_items(release: Release, prompting: Prompting | None) -> list[Item]:
    """The questions of an entry's samples: `test` as it was asked, `control` without an open book; see `closed`."""
    shut = PLAIN if prompting is not None and prompting.name == OPEN_BOOK else prompting
    return [*items_of(release, prompting, ("test",)), *items_of(release, shut, ("control",))]


def closed(open_book: Iterable[dict[str, Any]], plain: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the samples behind an open book all but the controls, and these as they were asked without.

    Whoever is given the facts answers the controls too, and what is left of the score would be nothing.
    """
    told = [row for row in open_book if row["probe"] != "control"]
    return [*told, *(row for row in plain if row["probe"] == "control")]


def questions_of(release: Release, items: Iterable[Item], *, prompts: bool = True) -> dict[str, Question]:
    """Each question by its id, in the release's order; without `prompts` where these are not known."""
    columns = release.table("facts", "train").select(["fact_id", "subject", "relation", "value"]).to_pydict()
    parts = zip(*(columns[name] for name in ("subject", "relation", "value")), strict=True)
    told = dict(zip(columns["fact_id"], (" | ".join(fact) for fact in parts), strict=True))
    return {
        item.row["id"]: {
            **{name: item.row[name] for name in ("style", "probe", "entity_id", "relation", "fact_ids", "answers")},
            "facts": [told[fact] for fact in item.row["fact_ids"]],
            "prompt": item.prompt if prompts else None,
            "split": item.split,
        }
        for item in items
    }


def check_answers(rows: Sequence[Mapping[str, Any]], questions: Mapping[str, Question], where: str) -> None:
    """Raise OutputError, which names the first, unless each question is answered once, as it is, and judged as it is.

    A row without a verdict counts as wrong, and is left as it is, unless its prediction is right.
    """
    ids = [row["id"] for row in rows]
    seen = set[str]()
    for name in ids:
        if name in seen:
            raise OutputError(f"{where} has the question {_short(name)} twice: expected each once")
        seen.add(name)
    if strange := [name for name in ids if name not in questions]:
        raise OutputError(f"{where} has {len(strange):,} questions that its release does not ask: {_short(strange[0])}")
    if missing := [name for name in questions if name not in seen]:
        raise OutputError(
            f"{where} lacks {len(missing):,} of the release's {len(questions):,} questions, the first {missing[0]}: "
            "score the whole release"
        )
    for row in rows:
        _check_answer(row, questions[row["id"]], where)


def _check_answer(row: Mapping[str, Any], question: Question, where: str) -> None:
    name = row["id"]
    for column in _ASKED_OF:
        if column not in row or question[column] is None:
            continue
        if row[column] != question[column]:
            raise OutputError(
                f"{where}: the {column} of {name} is not the release's: "
                f"expected {_short(question[column])}, got {_short(row[column])}"
            )
    said, right = row["prediction"], row["correct"]
    if not isinstance(said, str) or len(said) > MOST_LETTERS:
        got = f"{len(said):,}" if isinstance(said, str) else "none"
        raise OutputError(f"{where}: the prediction of {name} must have at most {MOST_LETTERS:,} letters (got {got})")
    if bool(right) != exact_match(said, question["answers"]):
        verdict = "unscored" if right is None else "right" if right else "wrong"
        raise OutputError(
            f"{where}: {name} is marked {verdict}, but its prediction is {_short(said)} "
            f"and its answers are {_short(question['answers'])}: the samples were changed"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
