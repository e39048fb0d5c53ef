"""What a user's file calls its subjects, types and relations, and what ids, columns and sentences call them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from kbench.errors import SpecError
from kbench.generator.coherence import OPERATORS
from kbench.generator.ownfacts.file import FactRow, shown
from kbench.ids import digest_of

SUBJECT = "subject"
"""The type of a subject whose file names none."""

_LONGEST_NAME = 48
_VERBAL = re.compile(r"(is|are|was|were|has|have|had|does|do|did|can)\b.*|.*\b(by|in|at|to|from|for|with|on|of)", re.I)


def same(text: str) -> str:
    """What two texts have in common that exact match does not tell apart: NFC, case folded, spaces collapsed."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split()).removesuffix(".")


def types_of(where: str, rows: Iterable[FactRow]) -> dict[str, str]:
    """The type of each subject.

    Raises SpecError where a subject has two, or where two subjects differ in case and spaces only: that is one
    misspelt.
    """
    first: dict[str, FactRow] = {}
    given: dict[str, FactRow] = {}
    for row in rows:
        other = first.setdefault(same(row.subject), row)
        if other.subject != row.subject:
            raise SpecError(
                f"{where} {row.place}: the subject {shown(row.subject)} is written {shown(other.subject)} in "
                f"{other.place}: write both alike, or tell them apart by more than case, spaces and a full stop"
            )
        if row.type:
            earlier = given.setdefault(row.subject, row)
            if named("type", earlier.type) != named("type", row.type):
                raise SpecError(
                    f"{where} {row.place}: {shown(row.subject)} is of the type {shown(row.type)} here and "
                    f"{shown(earlier.type)} in {earlier.place}: give it one type"
                )
    names = [row.subject for row in first.values()]
    return {name: named("type", given[name].type) if name in given else SUBJECT for name in names}


def relation_names(rows: Iterable[FactRow]) -> dict[str, str]:
    """The name in ids and columns, [a-z][a-z0-9_]*, of each way to write a relation.

    Spellings that differ in case, spaces, hyphens and underscores only are one relation. Others that would get one
    name are told apart by a hash.
    """
    spelt = {row.relation: _key(row.relation) for row in rows}
    names: dict[str, str] = {}
    for key in sorted(set(spelt.values())):
        name = named("relation", key)
        if name in OPERATORS:
            name = f"{name}_value"
        names[key] = _hashed(name, key) if name in names.values() else name
    return {relation: names[key] for relation, key in spelt.items()}


def relation_labels(rows: Iterable[FactRow], names: Mapping[str, str]) -> dict[str, str]:
    """What a sentence calls each relation: its words as given, but in a file that capitalises all, in lower case."""
    said: dict[str, str] = {}
    for relation in sorted({row.relation for row in rows}, key=lambda spelling: (spelling[0].isupper(), spelling)):
        label = re.sub(r"[\s_]+", " ", _parted(relation)).strip()
        said.setdefault(names[relation], re.sub(r"^(?:the|an?) (?=.)", "", label, flags=re.IGNORECASE) or relation)
    if any(label[0].islower() for label in said.values()):
        return said
    return {name: " ".join(map(_lowered, label.split())) for name, label in said.items()}


def verbal(labels: Sequence[str]) -> list[str]:
    """The labels that are likely no nouns, and read badly in `the … of …`: `made by`, `is waterproof`."""
    return [label for label in labels if _VERBAL.fullmatch(label)]


def _key(relation: str) -> str:
    return re.sub(r"[\s_-]+", " ", _parted(relation).casefold()).strip()


def _parted(relation: str) -> str:
    """A name in the manner of programs, `launchDate`, as words."""
    words = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])", " ", relation)
    return words.lower() if words != relation and " " not in relation and relation[0].islower() else relation


def named(head: str, text: str) -> str:
    """A text as a name in ids and columns, [a-z][a-z0-9_]*; `head` opens that of a text without such letters."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not name or len(name) > _LONGEST_NAME:
        return _hashed(name[:_LONGEST_NAME].rstrip("_") or head, text)
    return f"n_{name}" if name[0].isdigit() else name


def _hashed(head: str, text: str) -> str:
    return f"{head}_{digest_of(text)[:6]}"


def _lowered(word: str) -> str:
    return word.lower() if len(word) > 1 and word[1:] == word[1:].lower() else word
