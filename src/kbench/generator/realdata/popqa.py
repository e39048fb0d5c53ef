"""PopQA: questions in one wording a relation, with the page views of their subjects and all aliases of the answer."""

from collections.abc import Iterable

from kbench.generator.ownfacts.names import named
from kbench.generator.realdata.files import DataFile
from kbench.generator.realdata.item import Found, Item, text_of, texts_of, whole_number

COLUMNS = ("subj", "prop", "obj", "question", "possible_answers")
"""Those that are needed; `subj_id` and `s_pop` are used where they are there."""


def read_popqa(files: Iterable[DataFile]) -> Found:
    """The questions of PopQA. Raises SpecError that names file and line where an item cannot be."""
    items = []
    for row in (row for file in files for row in file.rows):
        subject, prop, value, question = (text_of(row, name, "popqa", COLUMNS) for name in COLUMNS[:4])
        others = texts_of(row, "possible_answers", "popqa", COLUMNS)
        items.append(
            Item(
                row.where,
                subject,
                named("relation", prop),
                question,
                tuple(dict.fromkeys((value, *others))),
                str(row.fields.get("subj_id") or ""),
                whole_number(row, "s_pop"),
            )
        )
    return Found(items)
