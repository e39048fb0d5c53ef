"""Whether a model listens to the subject of a question, by all that can be read of it: its weights and its answers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from kbench.benchmarks.answers import value_words
from kbench.benchmarks.attention import Attended, subject_attention
from kbench.benchmarks.match import exact_match, normalise
from kbench.benchmarks.models.hf import HfModel
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import PLAIN, Prompting, open_prompter, read_answer
from kbench.benchmarks.sensitivity import Sensed, subject_sensitivity
from kbench.benchmarks.subject import Values, answer_entropy, modal_rate, swapped
from kbench.benchmarks.tasks import Guessing, Item, guessing
from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.store import Release

Row = dict[str, Any]

TOKENS = 16
"""The longest answer, in tokens: what is asked for is one value."""


@dataclass(frozen=True)
class Heard:
    """What a model made of some questions, each list with a place for each row.

    `values` are the predictions, each in the relation's own word for it where it is another word for a value of it.
    `attention` is None where a prompt does not name its subject, `sensitivity` where no other question is like it.
    """

    rows: Sequence[Row]
    predictions: Sequence[str]
    values: Sequence[str]
    attention: Sequence[Attended | None]
    sensitivity: Sequence[Sensed | None]

    @cached_property
    def correct(self) -> list[bool]:
        """Whether each answer is right."""
        return [exact_match(said, row["answers"]) for said, row in zip(self.predictions, self.rows, strict=True)]

    @cached_property
    def unnamed(self) -> int:
        """How many prompts do not name their subject."""
        return sum(each is None for each in self.attention)

    def modal(self, known: Guessing) -> Values:
        """Of each wrong answer whether it is the relation's commonest in training; None of the others."""
        return self._of_wrong(modal_rate(self.rows, self.values, known))

    def commonest(self) -> Values:
        """Of each wrong answer whether it is what the model itself says most often of the relation; None of others."""
        said: dict[str, Counter[str]] = defaultdict(Counter)
        for row, value in zip(self.rows, self.values, strict=True):
            said[row["relation"]][normalise(value)] += 1
        most = {relation: min(c.items(), key=lambda pair: (-pair[1], pair[0]))[0] for relation, c in said.items()}
        told = [normalise(value) == most[row["relation"]] for row, value in zip(self.rows, self.values, strict=True)]
        return self._of_wrong([float(each) for each in told])

    def entropy(self) -> Values:
        """Of each row the bits by which its answer is a surprise among the model's answers of the relation."""
        return answer_entropy(self.rows, self.values)

    def _of_wrong(self, values: Values) -> Values:
        return [None if right else each for each, right in zip(values, self.correct, strict=True)]

    def swapped(self) -> Values:
        """Of each row whether what was said of another subject is right of this one; None where there is no other."""
        return swapped(self.rows, self.predictions)

    def summary(self, known: Guessing) -> dict[str, float | None]:
        """The mean of each diagnostic, None where no row has it; `attention_even` is what even attention would pay."""
        attended = [each for each in self.attention if each]
        sensed = [each for each in self.sensitivity if each]
        return {
            "accuracy": mean(map(float, self.correct)),
            "attention": mean(each.total for each in attended),
            "attention_even": mean(each.even_total for each in attended),
            "sensitivity": mean(each.first_token for each in sensed),
            "sensitivity_values": mean(each.values for each in sensed),
            "modal": mean(self.modal(known)),
            "commonest": mean(self.commonest()),
            "entropy": mean(self.entropy()),
            "swapped": mean(self.swapped()),
        }


def listen(
    release: Release, model: HfModel, rows: Sequence[Row], *, prompting: Prompting = PLAIN, candidates: int = 24
) -> Heard:
    """Ask a model some questions of a release (rows of `listening_rows`, say), and look at it while it reads them.

    Args:
        release: where the rows are from.
        model: opened by `load_hf`: what is read are its own weights, which no other engine shows.
        rows: questions; sensitivity wants many of one phrasing.
        prompting: how they are put.
        candidates: how many values of a relation are weighed for `sensitivity_values`; 0 for none.

    Raises ModelError where the model gives no attention weights, or a prompt is too long for it.
    """
    names = {row["entity_id"]: str(row["name"]) for row in release.table("entities", "train").to_pylist()}
    prompter = open_prompter(release, rows, prompting, model.chat)
    shown = [prompter.shown(row) for row in rows]
    items = [Item(row, "", one.prompt, one.messages) for row, one in zip(rows, shown, strict=True)]
    decoding = Decoding(max_tokens=TOKENS, first_line=not prompting.reasons)
    replies = dict(model.ask(items, decoding))
    said = [
        read_answer(prompting, row, replies[place].texts[0]) if replies[place].texts else ""
        for place, row in enumerate(rows)
    ]
    words = value_words(release, rows)
    values = [words.get((row["relation"], normalise(text)), text) for row, text in zip(rows, said, strict=True)]
    attention = subject_attention(model, items, [names.get(row["entity_id"], "") for row in rows])
    return Heard(rows, said, values, attention, subject_sensitivity(model, items, guessing(release), candidates))


def listening_rows(
    release: Release,
    *,
    relations: Sequence[str] = (),
    split: str = "test",
    probe: str = "known",
    roles: Sequence[str] = ("background",),
    most: int = 240,
) -> list[Row]:
    """Held-out `qa` questions of some relations (none named: all): of each as many, in as few phrasings as can be.

    What is asked in one phrasing is asked of many subjects then, which sensitivity is about.

    Raises ReleaseError where there are none.
    """
    role = {row["entity_id"]: row["role"] for row in release.table("entities", "train").to_pylist()}
    held: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in release.table("qa", split).to_pylist():
        if row["probe"] == probe and role.get(row["entity_id"]) in roles:
            held[row["relation"]][row["template_id"]].append(row)
    if missing := [relation for relation in relations if relation not in held] or [] if held else ["any relation"]:
        raise ReleaseError(
            f"the release {release.path} has no questions of qa/{split} with the probe {probe} about {missing[0]}: "
            f"have {', '.join(held) or 'none'}"
        )
    wanted = list(relations) or list(held)
    share = max(1, most // len(wanted))
    found: list[Row] = []
    for relation in wanted:
        largest_first = sorted(held[relation].items(), key=lambda pair: (-len(pair[1]), pair[0]))
        of_it = [row for _, rows in largest_first for row in sorted(rows, key=_by_chance)]
        found += of_it[:share]
    return found


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that there are; None where there is none."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _by_chance(row: Mapping[str, Any]) -> str:
    """An even draw that is the same everywhere."""
    return digest_of("listening", row["id"])
