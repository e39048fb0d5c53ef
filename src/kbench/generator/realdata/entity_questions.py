"""EntityQuestions: a file a relation of questions in one wording, whose subject is what the wording leaves open."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from kbench.errors import SpecError
from kbench.generator.ownfacts.names import named
from kbench.generator.realdata.files import DataFile
from kbench.generator.realdata.item import Found, Item, text_of, texts_of

COLUMNS = ("question", "answers")
REWORDED = "questions in other words than their relation's"

_RELATIONS = {
    "P17": "country",
    "P19": "place_of_birth",
    "P20": "place_of_death",
    "P26": "spouse",
    "P36": "capital",
    "P40": "child",
    "P50": "author",
    "P69": "educated_at",
    "P106": "occupation",
    "P112": "founded_by",
    "P127": "owned_by",
    "P131": "located_in",
    "P136": "genre",
    "P159": "headquarters",
    "P170": "creator",
    "P175": "performer",
    "P176": "manufacturer",
    "P264": "record_label",
    "P276": "location",
    "P407": "language",
    "P413": "position_played",
    "P495": "country_of_origin",
    "P740": "place_of_formation",
    "P800": "notable_work",
}
"""What Wikidata's properties of the dataset are called; another keeps its number."""

_COMMON = 0.9
"""A piece of a question is of the wording where such a share of the relation's questions has it there."""


def read_entity_questions(files: Iterable[DataFile]) -> Found:
    """The questions of EntityQuestions. Raises SpecError that names file and item where one cannot be."""
    asked: dict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
    for file in files:
        prop = file.stem.split(".")[0]
        relation = _RELATIONS.get(prop.upper()) or named("relation", prop)
        for row in file.rows:
            question = text_of(row, "question", "entity-questions", COLUMNS)
            answers = texts_of(row, "answers", "entity-questions", COLUMNS)
            asked[relation].append((row.where, question, answers))
    found = Found([])
    for relation, rows in sorted(asked.items()):
        opening, ending = wording_of([question for _, question, _ in rows])
        if not opening and ending in ("", "?"):
            raise SpecError(
                f"{rows[0][0]}: an item without a subject: the {len(rows):,} questions of {relation} have no words in "
                "common beside it: give each relation a file of its own, such as P17.test.json"
            )
        for where, question, answers in rows:
            subject = question[len(opening) : len(question) - len(ending)].strip()
            if not (question.startswith(opening) and question.endswith(ending)):
                found.left_out[REWORDED] += 1
            elif not subject:
                raise SpecError(
                    f"{where}: an item without a subject: {question!r} is what all questions of {relation} say: "
                    "mend it, or give more questions of the relation"
                )
            else:
                found.items.append(Item(where, subject, relation, question, answers))
    return found


def wording_of(questions: Sequence[str]) -> tuple[str, str]:
    """What the questions of a relation begin with and end with, up to their subjects: by whole words."""
    pieces = [re.findall(r"\w+|\W", question) for question in questions]
    opening = _shared(pieces)
    ending = _shared([each[len(opening) :][::-1] for each in pieces])
    return "".join(opening), "".join(reversed(ending))


def _shared(pieces: Sequence[Sequence[str]]) -> list[str]:
    """The pieces that most begin with; those that begin otherwise no longer count."""
    found: list[str] = []
    left = list(pieces)
    while True:
        counts = Counter(each[len(found)] for each in left if len(each) > len(found))
        piece, many = counts.most_common(1)[0] if counts else ("", 0)
        if not many or many < _COMMON * len(pieces):
            return found
        left = [each for each in left if len(each) > len(found) and each[len(found)] == piece]
        found.append(piece)
