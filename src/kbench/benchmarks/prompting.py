"""How questions are put: zero-shot or with exemplars, with a chain of thought, with an open book, in a chat."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from kbench.benchmarks.openbook import Facts, load_facts, open_book
from kbench.benchmarks.prompts import completion_of, prediction_of, prompt_of
from kbench.benchmarks.reasoning import INSTRUCTION, REASONED, Bridge, bridges, chain, split_reply
from kbench.benchmarks.shots import Pool, ShotsFrom, exemplars, load_pool
from kbench.errors import SpecError
from kbench.store import Release

PromptName = Literal["plain", "cot", "chain", "open-book"]
NAMES: tuple[PromptName, ...] = get_args(PromptName)
MOST_SHOTS = 64
CHAIN_TOKENS = 128
"""The longest reply with a chain of thought, in tokens."""

COMPLETE = "Complete this sentence: {sentence}"
COMPLETE_ONLY = "Complete this sentence, and write only the words that are missing at its end: {sentence}"
"""What a cloze becomes where it has to be asked as a question: with a chain before the words, and without."""

Row = dict[str, Any]
Message = Mapping[str, str]
Chat = Callable[[Sequence[Message]], str]
"""A model's own template: the prompt that some turns become."""


@dataclass(frozen=True)
class Prompting:
    """How every question of a scoring is put, each choice by its own name in the result.

    `cot` tells the model to write a chain of thought, `chain` only begins one, for models that were taught chains.
    `shots` exemplars stand before the question: of the same relation, or of others (`shots_from`); `seed` says which,
    and of an open book what else is in it.
    """

    name: PromptName = "plain"
    shots: int = 0
    shots_from: ShotsFrom = "same"
    chat: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise SpecError(f"unknown prompt {self.name!r}: have {', '.join(NAMES)}")
        if self.shots_from not in get_args(ShotsFrom):
            raise SpecError(f"shots come from 'same' or 'other' relations (got {self.shots_from!r})")
        if not 0 <= self.shots <= MOST_SHOTS:
            raise SpecError(f"shots must lie in 0 to {MOST_SHOTS} (got {self.shots})")
        if self.name == "chain" and (self.shots or self.chat):
            given = "a chat" if self.chat else f"shots (got {self.shots})"
            raise SpecError(f"the prompt 'chain' is put as chains are taught, without {given}: take the prompt 'cot'")

    @property
    def reasons(self) -> bool:
        """Whether a chain comes before the answer."""
        return self.name in ("cot", "chain")

    def reasons_on(self, row: Mapping[str, Any]) -> bool:
        """Whether it does for a row: no chain is taught of a cloze, and it can only be told to be reasoned about."""
        return self.reasons and (self.name == "cot" or row["style"] != "cloze")

    def to_dict(self) -> dict[str, Any]:
        """The choices as plain JSON values."""
        return asdict(self)


PLAIN = Prompting()


@dataclass(frozen=True)
class Shown:
    """What a model is given of a row: the prompt, and the turns and the exemplars that it was made of.

    `bridges` are the values that a chain of thought must name on its way.
    """

    prompt: str
    messages: tuple[Message, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    shots: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Prompter:
    """Puts the questions of a release in one way; `pool` and `facts` are there where the prompting needs them."""

    prompting: Prompting
    pool: Pool | None = None
    facts: Facts | None = None
    chat: Chat | None = None

    def shown(self, row: Row) -> Shown:
        """A row as the model sees it. Raises SpecError where there are too few exemplars for it."""
        if self.prompting == PLAIN:
            return Shown(prompt_of(row))
        p = self.prompting
        crossed = bridges(self.facts, row) if p.reasons and self.facts else ()
        shots = exemplars(self.pool, row, p.shots, p.seed, shots_from=p.shots_from) if self.pool else []
        if self.chat:
            messages = self._messages(row, shots)
            return Shown(self.chat(messages), messages, crossed, tuple(shots))
        blocks = [f"{self._asked(shot)}{self._completion(shot)}" for shot in shots]
        return Shown("\n\n".join([*self._opening, *blocks, self._asked(row)]), (), crossed, tuple(shots))

    @property
    def _reasons(self) -> bool:
        return self.prompting.name == "cot"

    @property
    def _opening(self) -> list[str]:
        return [INSTRUCTION] if self._reasons else []

    def _book(self, row: Row) -> list[str]:
        """The open book before a question, if there is to be one."""
        if self.prompting.name != "open-book" or not self.facts:
            return []
        return ["Facts:\n" + "\n".join(f"- {told}" for told in open_book(self.facts, row, self.prompting.seed))]

    def _question(self, row: Row) -> str:
        """A row as a question that can be answered in a turn of its own."""
        question = str(row["question"])
        if row["style"] != "cloze":
            return question
        return (COMPLETE if self._reasons else COMPLETE_ONLY).format(sentence=question)

    def _asked(self, row: Row) -> str:
        """A row as text to complete."""
        if self.prompting.reasons_on(row):
            return REASONED.format(question=self._question(row))
        return "\n\n".join([*self._book(row), prompt_of(row)])

    def _completion(self, row: Row) -> str:
        """What an exemplar's text goes on with: a cloze is a whole sentence then."""
        if self._reasons and self.facts:
            return f" {chain(self.facts, row)}\nAnswer:{completion_of(row)}"
        return completion_of(row).removesuffix(".") + "." if row["style"] == "cloze" else completion_of(row)

    def _messages(self, row: Row, shots: Sequence[Row]) -> tuple[Message, ...]:
        """Each exemplar as two turns, and the question last; what is to be done is said in the first turn."""
        turns: list[Message] = []
        for shown in [*shots, row]:
            asked = "\n\n".join([*([] if turns else self._opening), *self._book(shown), self._question(shown)])
            turns.append({"role": "user", "content": asked})
            if shown is not row:
                answered = self._completion(shown) if self._reasons else completion_of(shown)
                turns.append({"role": "assistant", "content": answered.strip()})
        return tuple(turns)


def open_prompter(release: Release, rows: Iterable[Row], prompting: Prompting, chat: Chat | None = None) -> Prompter:
    """Read of a release what the prompts of some rows need: nothing for plain ones.

    Raises SpecError where a chat is wanted and there is no template to make it.
    """
    if prompting.chat and chat is None:
        raise SpecError("a chat prompt needs a model with a chat template: score it without --chat")
    rows = list(rows) if prompting != PLAIN else []
    pool = load_pool(release, {row["style"] for row in rows}) if prompting.shots else None
    facts = None
    if prompting.name != "plain":
        facts = load_facts(release, [*rows, *(pool.every() if pool else ())])
    return Prompter(prompting, pool, facts, chat if prompting.chat else None)


def read_answer(prompting: Prompting, row: Row, text: str) -> str:
    """The answer in a reply: behind the last `Answer:` of a chain of thought, and then as `prediction_of` reads it.

    Where a cloze was asked as a question, the sentence may come again before what was missing of it.
    """
    answer = split_reply(text)[1] if prompting.reasons_on(row) else text
    if row["style"] == "cloze" and (prompting.chat or prompting.name == "cot"):
        answer = _completed(str(row["question"]), answer)
    return prediction_of(row, answer)


def default_max_tokens(prompting: Prompting) -> int:
    """How long a reply may be where nothing else is said: a chain needs room."""
    from kbench.benchmarks.models.protocol import MOST_TOKENS  # which imports the items, and they this

    return CHAIN_TOKENS if prompting.reasons else MOST_TOKENS


def _completed(sentence: str, answer: str) -> str:
    """What stands behind a sentence that was repeated, else the text itself."""
    said = answer.strip()
    return said[len(sentence) :] if said.casefold().startswith(f"{sentence.casefold()} ") else said
