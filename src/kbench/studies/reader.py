"""Reading lessons: the background's questions as an open book asks them, with other names in every book.

Who is asked about is drawn anew for each book, so the answer can only be read there: what is remembered of a name
would be wrong.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kbench.benchmarks.examples import Example, taught_completion, taught_prompt, token_ids
from kbench.benchmarks.openbook import Fact, Facts, load_facts, sentence
from kbench.benchmarks.packing import lay
from kbench.benchmarks.prompting import Prompter, Prompting
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.train import Progress, fit
from kbench.store import Release

STYLES = ("qa", "numeric", "multihop", "reverse", "cloze")
"""Styles whose pretraining questions are lessons."""

_MORE = 3
"""How many further questions a book is asked."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """A question behind its open book, and what is to be answered."""

    prompt: str
    answer: str
    more: str = ""

    @property
    def text(self) -> str:
        """The lesson as it is read."""
        return self.prompt + self.answer + self.more


@dataclass(frozen=True)
class Names:
    """The names of a release's entities: the type of each, and all of a type."""

    types: Mapping[str, str]
    pools: Mapping[str, Sequence[str]]

    def changed(self, lesson: Lesson, stream: random.Random) -> Lesson:
        """The lesson with each name in it replaced by one drawn among all of its type, two never by the same."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in dict.fromkeys(self._pattern.findall(lesson.text)):
            found[self.types[name]].append(name)
        drawn = {
            name: other
            for kind, names in found.items()
            for name, other in zip(names, stream.sample(self.pools[kind], len(names)), strict=True)
        }
        parts = (lesson.prompt, lesson.answer, lesson.more)
        return Lesson(*(self._pattern.sub(lambda found: drawn[found[0]], text) for text in parts))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(self.types, key=len, reverse=True)))})\b")


def names_of(release: Release) -> Names:
    """The names of a release."""
    rows = release.table("entities", "train").select(["name", "type"]).to_pylist()
    pools: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        pools[row["type"]].append(row["name"])
    return Names({row["name"]: row["type"] for row in rows}, pools)


def lessons(release: Release, seed: int) -> list[Lesson]:
    """Every pretraining question, and each statement that ends with its value, put as an open book puts it.

    Behind its answer further questions follow, each of another fact in the book.
    """
    rows = list(_asked(release))
    facts = _of_background(load_facts(release, rows))
    prompter = Prompter(Prompting("open-book", seed=seed), facts=facts)
    told_in = {sentence(fact): fact.fact_id for fact in facts.by_id.values()}
    about: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if len(row["fact_ids"]) == 1:
            about[row["fact_ids"][0]].append(row)
    stream = random.Random(seed)
    found = list[Lesson]()
    for row in rows:
        prompt = prompter.shown(row).prompt
        others = [told_in[told] for told in book_of(prompt)]
        stream.shuffle(others)
        then = [stream.choice(about[fact]) for fact in others if about[fact] and [fact] != row["fact_ids"]][:_MORE]
        more = "".join(f"\n\n{taught_prompt(other)}{taught_completion(other)}" for other in then)
        found.append(Lesson(prompt, taught_completion(row), more))
    return found


def book_of(prompt: str) -> list[str]:
    """The sentences of an open book's prompt."""
    return prompt.split("\n\n")[0].removeprefix("Facts:\n- ").split("\n- ")


def reading(release: Release, tokenizer: Any, epochs: int, seed: int) -> list[list[Example]]:
    """What a reader learns in each epoch, as token ids, from the first answer on; no two books are alike.

    In the last epoch each book has one question, as it will be asked.
    """
    stream, names = random.Random(seed), names_of(release)
    found = list[list[Example]]()
    for epoch in range(1, epochs + 1):
        changed = [names.changed(lesson, stream) for lesson in lessons(release, epoch)]
        if epoch == epochs:
            changed = [replace(lesson, more="") for lesson in changed]
        stream.shuffle(changed)
        prompts = token_ids(tokenizer, [lesson.prompt for lesson in changed])
        full = token_ids(tokenizer, [lesson.text for lesson in changed])
        end = tokenizer.eos_token_id
        found.append([Example([*all_, end], len(asked), 1) for asked, all_ in zip(prompts, full, strict=True)])
    return found


def learn_to_read(
    model: Any, tokenizer: Any, release: Release, epochs: int, training: TrainRecipe, out: Path, progress: Progress
) -> None:
    """Train a pretrained base in place, each book in a row of its own; a killed training goes on from `out`."""
    books = reading(release, tokenizer, epochs, training.seed)
    longest = max(len(book.tokens) for epoch in books for book in epoch)
    rows = lay(books, -(-longest // 8) * 8, tokenizer.eos_token_id, together=False, ordered=True)
    fit(model, rows, training, out, progress)


def _asked(release: Release) -> Iterator[Row]:
    for style in STYLES:
        if "pretrain" in release.splits(style):
            yield from release.table(style, "pretrain").to_pylist()
    if "pretrain" in release.splits("statement"):
        rows = release.table("statement", "pretrain").to_pylist()
        facts = load_facts(release, rows).by_id
        for row in rows:
            value = facts[row["fact_ids"][-1]].value
            if len(row["fact_ids"]) == 1 and row["text"].endswith(f" {value}."):
                begun = row["text"].removesuffix(f" {value}.")
                yield {**row, "style": "cloze", "question": begun, "answer": value}


def _of_background(facts: Facts) -> Facts:
    """The same facts, with the others of each relation taken from those about the same subjects alone."""
    like: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts.by_id.values():
        like[fact.relation].append(fact)
    return replace(facts, by_relation=like)
