"""What an audit reads: every row of a release as Arrow columns, its facts, entities and spec."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from kbench.errors import ReleaseError
from kbench.generator.audits.search import NameIndex
from kbench.generator.spec import WorldSpec, spec_from_dict
from kbench.schema import DOCUMENT_STYLES, STYLES
from kbench.store import Release

TRAINING = ("pretrain", "train")
HELD_OUT = ("validation", "test", "control")


class Fact(NamedTuple):
    """A row of `facts`."""

    fact_id: str
    subject_id: str
    subject: str
    relation: str
    value_type: str
    value: str
    number: float | None
    unit: str
    object_id: str
    exposures: int
    role: str


class Entity(NamedTuple):
    """A row of `entities`."""

    entity_id: str
    type: str
    name: str
    popularity: int
    block: int
    role: str


@dataclass(frozen=True)
class Part:
    """The rows of one split of one style."""

    style: str
    split: str
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def is_document(self) -> bool:
        """Whether the rows are texts rather than questions."""
        return self.style in DOCUMENT_STYLES

    def texts(self, column: str) -> list[str]:
        """A column of text."""
        found: list[str] = self.table.column(column).to_pylist()
        return found

    def lists(self, column: str) -> list[list[str]]:
        """A column of lists of texts."""
        found: list[list[str]] = self.table.column(column).to_pylist()
        return found

    def numbers(self, column: str) -> list[float | None]:
        """A column of numbers."""
        found: list[float | None] = self.table.column(column).to_pylist()
        return found

    def said(self) -> list[str]:
        """What each row says before its answer: the text of a document, the turns of a dialogue too, the question."""
        if not self.is_document:
            return self.texts("question")
        texts = self.texts("text")
        if self.style != "dialogue":
            return texts
        turns: list[list[dict[str, str]]] = self.table.column("turns").to_pylist()
        return ["\n".join([text, *(t["content"] for t in said)]) for text, said in zip(texts, turns, strict=True)]

    def bare_questions(self) -> list[str]:
        """The questions without the options that follow them."""
        questions = self.texts("question")
        if self.style != "choice":
            return questions
        return [q.split("\nA. ")[0] for q in questions]


@dataclass(frozen=True)
class Reading:
    """A release as it is audited."""

    release: Release
    spec: WorldSpec | None
    """None where the facts are a user's own or a published dataset's: there is no world to derive them from."""
    parts: tuple[Part, ...]
    fact_rows: tuple[Fact, ...]
    entity_rows: tuple[Entity, ...]

    @property
    def of_user_facts(self) -> bool:
        """Whether the facts are a user's own; its control rows then ask what the test asks, with other answers."""
        return "facts" in self.release.manifest["recipe"]

    @property
    def of_dataset(self) -> bool:
        """Whether the facts are a published dataset's: names and wordings are its own, those of test are train's."""
        return "imported" in self.release.manifest["recipe"]

    @property
    def whose(self) -> str:
        """Whose the facts and names are that no world gives, for a message."""
        return "a published dataset's" if self.of_dataset else "a user's own"

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        """The facts by id."""
        return {fact.fact_id: fact for fact in self.fact_rows}

    @cached_property
    def entities(self) -> Mapping[str, Entity]:
        """The entities by id."""
        return {entity.entity_id: entity for entity in self.entity_rows}

    @cached_property
    def names(self) -> NameIndex:
        """Every name of the release, to be found in texts."""
        return self.names_of(*{entity.role for entity in self.entity_rows})

    def names_of(self, *roles: str) -> NameIndex:
        """The names of the entities of some roles, to be found in texts."""
        return NameIndex({e.name: self.article_of(e.type) for e in self.entity_rows if e.role in roles})

    def article_of(self, kind: str) -> str:
        """What stands before the names of a type in a sentence."""
        found = self.spec.types.get(kind) if self.spec else None
        return found.article if found else ""

    def topic_of(self, relation: str) -> str:
        """The topic of a relation that belongs to a family."""
        found = self.spec.relations.get(relation) if self.spec else None
        return found.topic if found else ""

    def role_of(self, entity: str) -> str:
        """The role of an entity; empty where there is none such."""
        found = self.entities.get(entity)
        return found.role if found else ""

    def documents(self, *splits: str) -> Iterator[Part]:
        """The documents of some splits (of all, where none is named)."""
        return (p for p in self.parts if p.is_document and (not splits or p.split in splits))

    def questions(self, *splits: str) -> Iterator[Part]:
        """The questions of some splits (of all, where none is named)."""
        return (p for p in self.parts if not p.is_document and (not splits or p.split in splits))

    @cached_property
    def taught(self) -> frozenset[str]:
        """The facts of `known` entities that `train` teaches in every style, as no pretrained document states them."""
        if self.spec is None or not self.spec.background.taught:
            return frozenset()
        told = {f for part in self.documents("pretrain") for facts in part.lists("fact_ids") for f in facts}
        tiered = {name for name, relation in self.spec.relations.items() if relation.tiered}
        known = (f for f in self.fact_rows if f.role == "known" and f.relation in tiered)
        return frozenset(f.fact_id for f in known if f.fact_id not in told)

    @property
    def true_facts(self) -> tuple[Fact, ...]:
        """The facts that are meant to be true: not those of the twins of a user's own subjects."""
        return tuple(f for f in self.fact_rows if not (self.of_user_facts and f.role == "control"))

    def true_questions(self) -> Iterator[Part]:
        """The questions whose answers are meant to be true: not the perturbed ones of a user's own facts."""
        return (p for p in self.questions() if not (self.of_user_facts and p.split == "control"))


def read_release(release: Release, step: Callable[[], None] = lambda: None) -> Reading:
    """Read a whole release; `step` is called after each split.

    Raises ReleaseError where a file is not what the manifest says or a table of facts or entities is missing, and
    SpecError where the manifest's spec is not one of this version.
    """
    for config in ("facts", "entities"):
        if config not in release.configs():
            raise ReleaseError(f"the release {release.path} has no {config}: have {', '.join(release.configs())}")
    parts = []
    for style in STYLES:
        for split in release.splits(style):
            parts.append(Part(style, split, release.table(style, split)))
            step()
    recipe = release.manifest["recipe"]
    is_real = {"facts", "imported"} & set(recipe)
    spec = None if is_real else spec_from_dict(recipe["spec"], f"the manifest of {release.path}")
    facts = tuple(map(Fact._make, _rows(release.table("facts", "train"), Fact._fields)))
    entities = tuple(map(Entity._make, _rows(release.table("entities", "train"), Entity._fields)))
    return Reading(release, spec, tuple(parts), facts, entities)


def _rows(table: pa.Table, columns: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    return zip(*(table.column(name).to_pylist() for name in columns), strict=True)
