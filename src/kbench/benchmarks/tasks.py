"""The items of a release that a model is asked, and what guessing would score on them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kbench.benchmarks.prompting import PLAIN, Chat, Prompting, open_prompter
from kbench.benchmarks.reasoning import Bridge
from kbench.errors import ReleaseError, SpecError
from kbench.schema import QUESTION_STYLES, REASONING
from kbench.store import Release

UNMATCHED = frozenset({"tone"})
"""Question styles whose answers are not to be matched: a reply in the right tone has many wordings."""


@dataclass(frozen=True)
class Item:
    """One question row, the split it stands in, and the exact prompt that is shown.

    Where the prompt was made by a chat template (`chat`), it brings the special tokens that it begins with; `messages`
    are the turns that it was made of. `bridges` are the values that a chain of thought must name on its way,
    `shots` the rows that were shown before the question, each with its `split`.
    """

    row: dict[str, Any]
    split: str
    prompt: str
    messages: tuple[Mapping[str, str], ...] = ()
    bridges: tuple[Bridge, ...] = ()
    shots: tuple[dict[str, Any], ...] = ()

    @property
    def chat(self) -> bool:
        """Whether the prompt is that of a chat."""
        return bool(self.messages)


@dataclass(frozen=True)
class Guessing:
    """What is known of each pool of answers: the values in it, and the commonest in `train`."""

    values: dict[str, list[str]]
    modal: dict[str, str]
    subjects: dict[str, str]
    """Of each fact of a comparison, whom it is about."""

    def chance(self, row: dict[str, Any]) -> float:
        """The accuracy of a uniform guess among the values that could be the row's answer."""
        return 1 / max(1, len(self.candidates(row)))

    def candidates(self, row: dict[str, Any]) -> list[str]:
        """What a guess is made among: the options, the two compared, or the values that the relation takes."""
        if row["style"] == "choice":
            return list(row["choices"])
        if row["relation"].startswith("compare."):
            return [self.subjects[fact] for fact in row["fact_ids"]]
        return self.values.get(pool_of(row["style"], row["relation"]), [])

    def in_form(self, row: dict[str, Any]) -> bool:
        """Whether the answer is written as its pool's values are, not as a year, in words, or rounded."""
        values = self.values.get(pool_of(row["style"], row["relation"]), [])
        place = bisect_left(values, row["answer"])
        return place < len(values) and values[place] == row["answer"]


def pool_of(style: str, relation: str) -> str:
    """The name of the pool of values that a question's answer comes from."""
    derived = style == "reverse" or relation.split(".")[0] in REASONING
    return f"{style}/{relation}" if derived else relation.split(".")[-1]


def load_items(
    release: Release,
    splits: Iterable[str],
    limit: int | None = None,
    prompting: Prompting = PLAIN,
    chat: Chat | None = None,
    styles: Collection[str] = (),
    probes: Collection[str] = (),
) -> list[Item]:
    """Every question of the given splits, or of each style and split the first `limit`; `tone` has no exact answer.

    Of some `styles` and `probes` alone, where they are named. Each is put as `prompting` says; `chat` is that of the
    model to be asked.

    Raises:
        ReleaseError: there is no question, or none of a style that was named.
        SpecError: the limit is below 1, or there are fewer exemplars than the prompting wants.
        ModelError: a chat is wanted and the model has no chat template.
    """
    if limit is not None and limit < 1:
        raise SpecError(f"limit must be at least 1 (got {limit})")
    rows = list[tuple[dict[str, Any], str]]()
    asked = [config for config in release.configs() if config in QUESTION_STYLES - UNMATCHED]
    if missing := [style for style in styles if style not in asked]:
        have = ", ".join(asked) or "none"
        raise ReleaseError(f"the release {release.path} has no questions in style {missing[0]!r} to score: have {have}")
    for style in (config for config in asked if config in styles or not styles):
        for split in (s for s in splits if s in release.splits(style)):
            table = release.table(style, split)
            if probes:
                table = table.filter(pc.is_in(table.column("probe"), pa.array(sorted(probes))))
            rows += [(row, split) for row in table.slice(0, limit).to_pylist()]
    if not rows and probes:
        raise ReleaseError(f"the release {release.path} has no questions to score of the probes {', '.join(probes)}")
    if not rows:
        raise ReleaseError(f"the release {release.path} has no questions: generate it with --style qa or --style all")
    prompter = open_prompter(release, [row for row, _ in rows], prompting, chat)
    items = []
    for row, split in rows:
        shown = prompter.shown(row)
        items.append(Item(row, split, shown.prompt, shown.messages, shown.bridges, shown.shots))
    return items


def shots_shown(items: Iterable[Item]) -> dict[str, int]:
    """How many exemplars all prompts show, from which splits, and how many are of another relation than the question.

    With `shots_from="same"` the last are those that stood in where a relation had too few subjects.
    """
    shown = Counter[str]()
    for item in items:
        for shot in item.shots:
            shown[shot["split"]] += 1
            shown["other relation"] += shot["relation"] != item.row["relation"]
    return dict(sorted(shown.items()))


def guessing(release: Release) -> Guessing:
    """The values that each relation takes in the release's facts, and each kind of reasoning in its answers."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    taught: dict[str, Counter[str]] = defaultdict(Counter)
    compared, subjects = set[str](), dict[str, str]()
    for style in set(release.configs()) & {"numeric", "multihop", "reverse"}:
        for split in release.splits(style):
            for row in release.table(style, split).select(["relation", "answer", "fact_ids"]).to_pylist():
                pool = pool_of(style, row["relation"])
                if "/" in pool:
                    values[pool][row["answer"]] += 1
                    taught[pool][row["answer"]] += split == "train"
                if row["relation"].startswith("compare."):
                    compared |= set(row["fact_ids"])
    facts = release.table("facts", "train").to_pylist()
    # Where no fact is new, as in a published dataset, the known ones are what `train` asks for.
    role = "new" if any(fact["role"] == "new" for fact in facts) else "known"
    for fact in facts:
        values[fact["relation"]][fact["value"]] += 1
        taught[fact["relation"]][fact["value"]] += fact["role"] == role
        if fact["fact_id"] in compared:
            subjects[fact["fact_id"]] = fact["subject"]
    modal = {name: min(c.items(), key=lambda pair: (-pair[1], pair[0]))[0] for name, c in taught.items()}
    return Guessing({name: sorted(counter) for name, counter in values.items()}, modal, subjects)


def modal_answer(known: Guessing, row: dict[str, Any]) -> str:
    """The commonest answer of the row's pool in training."""
    return known.modal.get(pool_of(row["style"], row["relation"]), "")
