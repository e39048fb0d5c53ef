"""The published datasets that kbench reads: how, in which style they are asked, and what their subjects are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kbench.generator.realdata.entity_questions import read_entity_questions
from kbench.generator.realdata.files import DataFile
from kbench.generator.realdata.item import Found
from kbench.generator.realdata.mmlu import read_mmlu
from kbench.generator.realdata.popqa import read_popqa
from kbench.generator.realdata.wikibio import read_wikibio

KindName = Literal["popqa", "entity-questions", "mmlu", "wikibio"]


@dataclass(frozen=True)
class Kind:
    """A published dataset: its name, its reader, its style, the type of its subjects, what of it is read by default."""

    title: str
    read: Callable[[Iterable[DataFile]], Found]
    style: Literal["qa", "choice"]
    subject: str
    files: tuple[str, ...] = ("*",)
    """Patterns of which the first one counts that picks a file."""


KINDS: Mapping[KindName, Kind] = {
    "popqa": Kind("PopQA", read_popqa, "qa", "subject"),
    # Its archive has further divisions of some relations beside train, dev and test.
    "entity-questions": Kind(
        "EntityQuestions", read_entity_questions, "qa", "subject", ("*dataset/[td]*/P*.json*", "P*.json*", "*")
    ),
    # The Hub's copy has every exam once more in a folder of its own, and other exams' questions in auxiliary_train.
    "mmlu": Kind("MMLU", read_mmlu, "choice", "question", ("all/[!a]*", "*")),
    "wikibio": Kind("WikiBio", read_wikibio, "qa", "person"),
}
