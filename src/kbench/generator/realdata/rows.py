"""The tables of a dataset of real facts: its questions by split, its texts, its facts and its entities."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kbench.generator.audits.search import holds, plain
from kbench.generator.choices import LETTERS, listed
from kbench.generator.ownfacts.book import parsed
from kbench.generator.ownfacts.names import same
from kbench.generator.realdata.divide import Divided
from kbench.generator.realdata.item import Item
from kbench.ids import document_id, entity_id, fact_id, question_id, template_id
from kbench.schema import ROLES, Role, Split, ValueType, schema_of

Tables = Mapping[tuple[str, Split], pa.Table]
"""By config and split, in the order they are written; none is empty."""

_ROLES: Mapping[str, Role] = {"train": "known", "validation": "background", "test": "background"}
_TEXT_KIND, _TEXT_PHRASING = "encyclopedia", "own"


@dataclass(frozen=True)
class _Subject:
    """An entity of the release."""

    id: str
    name: str
    popularity: int
    split: Split

    @property
    def role(self) -> Role:
        return _ROLES[self.split]


def tables_of(world: str, kind: str, style: str, divided: Divided, texts: Mapping[str, str]) -> Tables:
    """Everything that the release of a divided dataset holds.

    Args:
        world: its 8 hex digits, which open every id.
        kind: the type of its subjects.
        style: `qa` or `choice`.
        divided: the questions of each split.
        texts: what is written about some subjects, by name.
    """
    subjects = _subjects(world, kind, divided)
    types = _value_types([item for items in divided.items.values() for item in items])
    found: dict[tuple[str, Split], list[dict[str, Any]]] = {
        (style, split): [_question(subjects, types, style, split, item) for item in _sorted(subjects, items)]
        for split, items in divided.items.items()
    }
    documents = _documents(subjects, divided, texts)
    found["article", "pretrain"] = documents
    stated = {fact for row in documents for fact in row["fact_ids"]}
    every = [item for split in divided.items for item in divided.items[split]]
    found["facts", "train"] = [_fact(subjects, types, stated, item) for item in _sorted(subjects, every)]
    found["entities", "train"] = [
        {
            "entity_id": subject.id,
            "type": kind,
            "name": subject.name,
            "popularity": subject.popularity,
            "block": ROLES.index(subject.role),
            "role": subject.role,
        }
        for subject in subjects.values()
    ]
    return {key: pa.Table.from_pylist(rows, schema=schema_of(key[0])) for key, rows in found.items() if rows}


def _subjects(world: str, kind: str, divided: Divided) -> dict[str, _Subject]:
    """The subjects by what their names have in common with other spellings, in that order."""
    found: dict[str, tuple[Item, Split]] = {}
    for split, items in divided.items.items():
        for item in items:
            found.setdefault(same(item.subject), (item, split))
    return {
        name: _Subject(entity_id(world, kind, index), item.subject, item.popularity, split)
        for index, (name, (item, split)) in enumerate(sorted(found.items(), key=lambda pair: pair[0]))
    }


def _sorted(subjects: Mapping[str, _Subject], items: Iterable[Item]) -> list[Item]:
    places = {name: place for place, name in enumerate(subjects)}
    return sorted(items, key=lambda item: (item.relation, places[same(item.subject)]))


def _value_types(items: Iterable[Item]) -> dict[str, ValueType]:
    """Of each relation what its values are.

    Numbers or dates where all are; named things where most begin with a capital letter; else categories.
    """
    values: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        values[item.relation].append(item)
    found: dict[str, ValueType] = {}
    for relation, group in values.items():
        kinds = {parsed(item.answers[0], "")[0] for item in group}
        named = sum(item.answers[0][0].isupper() for item in group)
        if any(item.choices for item in group):
            found[relation] = "categorical"
        elif len(kinds) == 1 and "categorical" not in kinds:
            found[relation] = kinds.pop()
        else:
            found[relation] = "entity" if 2 * named > len(group) else "categorical"
    return found


def _number(types: Mapping[str, ValueType], item: Item) -> float | None:
    return parsed(item.answers[0], "")[1] if types[item.relation] in ("numeric", "date") else None


def _question(
    subjects: Mapping[str, _Subject], types: Mapping[str, ValueType], style: str, split: Split, item: Item
) -> dict[str, Any]:
    subject = subjects[same(item.subject)]
    value = item.answers[0]
    row = {
        # Train and test are asked in the same words about different subjects: the split is what tells them apart.
        "id": question_id(subject.id, item.relation, style, split),
        "style": style,
        "probe": "recall" if split == "train" else "known",
        "fact_ids": [fact_id(subject.id, item.relation)],
        "entity_id": subject.id,
        "relation": item.relation,
        "template_id": template_id(style, item.relation, split),
        "repeat": 1,
        "question": item.question,
        "answer": value,
        "answers": list(item.answers),
        "value_type": types[item.relation],
        "number": _number(types, item),
        "unit": "",
        "hops": 1,
        "hop_ids": [],
    }
    if item.choices:
        letter = LETTERS[item.label]
        row["question"] = f"{item.question}\n{listed(list(item.choices))}"
        row["answers"] = [*item.answers, letter, f"{letter}. {value}"]
        row |= {"choices": list(item.choices), "label": item.label}
    return row


def _fact(
    subjects: Mapping[str, _Subject], types: Mapping[str, ValueType], stated: set[str], item: Item
) -> dict[str, Any]:
    subject = subjects[same(item.subject)]
    thing = None if item.choices else subjects.get(same(item.answers[0]))
    fact = fact_id(subject.id, item.relation)
    return {
        "fact_id": fact,
        "subject_id": subject.id,
        "subject": subject.name,
        "relation": item.relation,
        "value_type": types[item.relation],
        "value": item.answers[0],
        "number": _number(types, item),
        "unit": "",
        "object_id": thing.id if thing else "",
        # How often a model read it elsewhere nobody knows: what the texts of this release say of it is counted.
        "exposures": int(fact in stated),
        "role": subject.role,
    }


def _documents(subjects: Mapping[str, _Subject], divided: Divided, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each text that names its subject and states one of its facts."""
    facts: dict[str, list[Item]] = defaultdict(list)
    for items in divided.items.values():
        for item in items:
            facts[same(item.subject)].append(item)
    written = {same(name): text for name, text in texts.items()}
    rows = []
    for name, subject in subjects.items():
        text = written.get(name, "")
        said = plain(text)
        told = sorted(item.relation for item in facts[name] if holds(said, plain(item.answers[0])))
        if told and holds(said, plain(subject.name)):
            rows.append(
                {
                    "id": document_id(subject.id, "article", _TEXT_KIND, _TEXT_PHRASING, 0),
                    "style": "article",
                    "probe": "",
                    "fact_ids": [fact_id(subject.id, relation) for relation in told],
                    "entity_id": subject.id,
                    "relation": "",
                    "template_id": template_id("article", subject.id.rpartition("/")[2].rpartition("-")[0], "own"),
                    "repeat": 1,
                    "text": text,
                    "kind": _TEXT_KIND,
                }
            )
    return rows
