"""The frames of documents as scripts: which parts a text has, of them the sentences and questions it is to hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kbench.errors import TemplateError
from kbench.generator.columns import Ints, Press, runs, starts_of
from kbench.generator.lowering import lower
from kbench.generator.mentions import Columns
from kbench.generator.packs import Phrasing
from kbench.generator.setting import Setting
from kbench.generator.symbolic import Piece, Slot

SPEAKERS = {"user": "User", "assistant": "Assistant"}
_TURNS = "\0"


@dataclass(frozen=True)
class Part:
    """A part of a text: a plan of the press, or the sentence or question of one of the facts it states."""

    plan: int = -1
    sentence: int = -1
    question: int = -1
    speaker: str = "user"


Script = tuple[Part, ...]


class Frames:
    """The frames of one style and type of entity, set for a press."""

    def __init__(self, press: Press, mentions: Columns, frames: Sequence[Phrasing]) -> None:
        self._press, self._mentions, self._frames = press, mentions, frames
        self._setting = Setting(press, mentions)

    def article(self, frame: int, facts: int, form: int) -> Script | None:
        """The script of an article that states so many facts; None where it must be rendered text by text."""
        phrasing = self._frames[frame]
        plan = lower(phrasing, tuple(self._mentions), (("form", form),), (("sentences", facts),))
        if plan.pieces is None or phrasing.mends or not all(isinstance(piece, str | Slot) for piece in plan.pieces):
            return None
        return tuple(self._parts(plan.pieces))

    def article_of(self, frame: int, who: int, sentences: list[str], form: int) -> Script:
        """The script of one article, rendered as it stands."""
        text = self._frames[frame].render({**self._named(who), "sentences": sentences, "form": form})
        return (Part(self._press.plan([text])),)

    def dialogue(self, frame: int, facts: int) -> Script | None:
        """The script of a dialogue about so many facts; None where it must be rendered text by text."""
        phrasing = self._frames[frame]
        plan = lower(phrasing, (*self._mentions, "turns"))
        if plan.pieces is None or phrasing.mends or not all(isinstance(piece, str | Slot) for piece in plan.pieces):
            return None
        try:
            return tuple(self._turns(phrasing, plan.pieces, facts))
        except TemplateError:
            return None

    def dialogue_of(self, frame: int, who: int, facts: int) -> Script:
        """The script of one dialogue, rendered as it stands. Raises TemplateError where a line has no speaker."""
        phrasing = self._frames[frame]
        first, *rest = phrasing.render({**self._named(who), "turns": _TURNS}).split(_TURNS)
        pieces = [first, *(piece for part in rest for piece in (Slot("turns"), part))]
        return tuple(self._turns(phrasing, pieces, facts))

    def _named(self, who: int) -> dict[str, str]:
        return {variable: column[who].as_py() for variable, column in self._mentions.items()}

    def _parts(self, pieces: Sequence[Piece]) -> Iterator[Part]:
        run: list[str | int] = []
        for piece in pieces:
            if isinstance(piece, Slot) and piece.name == "sentences":
                if run:
                    yield Part(self._press.plan(run))
                    run = []
                yield Part(sentence=piece.place)
            else:
                run.append(self._set(piece))
        if run:
            yield Part(self._press.plan(run))

    def _turns(self, phrasing: Phrasing, pieces: Sequence[Piece], facts: int) -> Iterator[Part]:
        for line in _lines(pieces):
            if line == [Slot("turns")]:
                for fact in range(facts):
                    yield Part(question=fact)
                    yield Part(sentence=fact, speaker="assistant")
                continue
            speaker, colon, content = line[0].partition(": ") if line and isinstance(line[0], str) else ("", "", "")
            said = _stripped([content, *line[1:]])
            shown = "".join(piece if isinstance(piece, str) else "…" for piece in line)
            if Slot("turns") in line:
                raise TemplateError(f"{phrasing.where}: expected turns on a line of their own, got {shown!r}")
            if speaker not in SPEAKERS or not colon or not said:
                raise TemplateError(f"{phrasing.where}: expected `user: …` or `assistant: …`, got {shown!r}")
            yield Part(self._press.plan([self._set(piece) for piece in said]), speaker=speaker)

    def _set(self, piece: Piece) -> str | int:
        if isinstance(piece, str):
            return piece
        assert isinstance(piece, Slot)
        return self._setting.handle(piece.name)


def _lines(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces line by line; a line of turns alone is stripped."""
    line: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str):
            first, *more = piece.split("\n")
            line.append(first)
            for text in more:
                yield _tidied(line)
                line = [text]
        else:
            line.append(piece)
    yield _tidied(line)


def _tidied(line: list[Piece]) -> list[Piece]:
    kept = [piece for piece in line if piece != ""]
    turns = [piece for piece in kept if not isinstance(piece, str) or piece.strip()]
    return turns if turns == [Slot("turns")] else kept


def _stripped(line: list[Piece]) -> list[Piece]:
    line = list(line)
    if line and isinstance(line[0], str):
        line[0] = line[0].lstrip()
    if line and isinstance(line[-1], str):
        line[-1] = line[-1].rstrip()
    return [piece for piece in line if piece != ""]


@dataclass(frozen=True)
class Acted:
    """The parts of many texts laid end to end: those of text i stand from `starts[i]` to `starts[i + 1]`."""

    text: Ints
    """Of which text each part is."""
    plan: Ints
    assistant: Ints
    """1 where the assistant speaks it, 0 where the user does."""
    starts: Ints


def acted(scripts: Sequence[Script], script: Ints, first: Ints, sentences: Ints, questions: Ints) -> Acted:
    """The parts of many texts, each by its script; its sentences and questions stand from `first` on in theirs."""
    begins = starts_of(np.asarray([len(parts) for parts in scripts], dtype=np.int64))
    every = [part for parts in scripts for part in parts]
    plan, sentence, question = (
        np.asarray([getattr(part, name) for part in every], dtype=np.int64) for name in ("plan", "sentence", "question")
    )
    speaks = np.asarray([part.speaker == "assistant" for part in every], dtype=np.int64)
    counts = np.diff(begins)[script]
    at, starts = runs(begins[script], counts)
    text = np.repeat(np.arange(script.size), counts)
    plans = plan[at]
    for place, held in ((sentence, sentences), (question, questions)):
        mine = np.flatnonzero(place[at] >= 0)
        plans[mine] = held[first[text[mine]] + place[at[mine]]]
    return Acted(text, plans, speaks[at], starts)
