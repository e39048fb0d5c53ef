"""MMLU: exam questions with four options; each question is a subject of its own, each exam a relation."""

from collections import Counter
from collections.abc import Iterable

from kbench.errors import SpecError
from kbench.generator.choices import LETTERS, OPTIONS
from kbench.generator.ownfacts.file import shown
from kbench.generator.ownfacts.names import named
from kbench.generator.realdata.files import DataFile, Row
from kbench.generator.realdata.item import Found, Item, text_of, texts_of

COLUMNS = ("question", "subject", "choices", "answer")
ALIKE = "options that are alike"


def read_mmlu(files: Iterable[DataFile]) -> Found:
    """The questions of MMLU. Raises SpecError that names file and line where an item cannot be."""
    found = Found([])
    for row in (row for file in files for row in file.rows):
        question = text_of(row, "question", "mmlu", COLUMNS, lines=True)
        exam = text_of(row, "subject", "mmlu", COLUMNS)
        options = _options(row, found.left_out)
        if options:
            label = _label(row, len(options))
            relation = named("exam", exam)
            answers = (options[label],)
            found.items.append(Item(row.where, question, relation, question, answers, choices=options, label=label))
    return found


def _options(row: Row, left_out: Counter[str]) -> tuple[str, ...]:
    """The options; none where two are alike, so that the place of the right one is not certain."""
    options = texts_of(row, "choices", "mmlu", COLUMNS)
    given = row.fields["choices"]
    many = len(given) if isinstance(given, list) else 0
    if many > OPTIONS:
        raise SpecError(f"{row.where}: {many} choices: expected at most {OPTIONS}: delete the item")
    if len({option.casefold() for option in options}) < max(many, 2):
        left_out[ALIKE] += 1
        return ()
    return options


def _label(row: Row, options: int) -> int:
    given = text_of(row, "answer", "mmlu", COLUMNS)
    place = LETTERS.find(given.upper()) if len(given) == 1 and given.isalpha() else -1
    if given.isdecimal():
        place = int(given)
    if not 0 <= place < options:
        last = options - 1
        raise SpecError(
            f"{row.where}: answer: expected 0 to {last}, or A to {LETTERS[last]} (got {shown(given)}): mend it"
        )
    return place
