"""The spec of a user's own facts: the types, relations and sizes that follow from a fact book."""

import re
from collections import Counter
from functools import cached_property

from pydantic import Field, SkipValidation, model_validator

from kbench.generator.dosage import Exposure, Sizes
from kbench.generator.ownfacts.book import FactBook
from kbench.generator.ownfacts.values import classes_of, kinds_of, texts_of
from kbench.generator.relations import Relation, Word
from kbench.generator.spec import EntityType, Paths, WorldSpec
from kbench.schema import Role

_BLOCK = 64
_NAMES = "given"
"""In place of a name form: the names are those of the file."""
_ARTICLE_FACTS, _DIALOGUE_FACTS = 12, 5
_MOST_BYTES = 48 * 1024
"""A text is at most 64 KiB; the rest is for the frame."""


class FactRelation(Relation):
    """A relation whose values stand in a fact book rather than in pools or ranges."""

    label: str = Field(exclude=True)

    @model_validator(mode="after")
    def _values_exist(self) -> "FactRelation":
        return self


class FactSpec(WorldSpec):
    """A spec whose subjects, relations and values are a user's; the subjects and their control twins have a number.

    The n subjects are 0 to n - 1, whatever their type; the twin of subject i is n + i.
    """

    relations: dict[Word, SkipValidation[Relation]]  # Relation's own checks are not for a FactRelation
    book: SkipValidation[FactBook] = Field(exclude=True, repr=False)

    @model_validator(mode="after")
    def _parts_agree(self) -> "FactSpec":
        return self

    def blocks(self, role: Role) -> int:
        """How many blocks have a role: the facts are `new`, and their twins are `control` where any can be had."""
        if role in ("background", "known") or (role == "control" and not self.has_control):
            return 0
        return -(-len(self.book.subjects) // _BLOCK)

    def relations_of(self, kind: str) -> dict[str, Relation]:
        """The relations that some subject of a type has."""
        return {name: relation for name, relation in self.relations.items() if kind in self.holders[name]}

    @cached_property
    def holders(self) -> dict[str, frozenset[str]]:
        """The types whose subjects have a relation."""
        found: dict[str, set[str]] = {name: set() for name in self.relations}
        for name, subject in self.book.facts:
            found[name].add(self.book.types[subject])
        return {name: frozenset(kinds) for name, kinds in found.items()}

    @cached_property
    def classes(self) -> dict[str, list[int]]:
        """Which values of each relation are the same, by the subjects' numbers; see `classes_of`."""
        return {name: classes_of(self.book, name) for name in self.book.relations}

    @cached_property
    def kinds(self) -> dict[str, frozenset[str]]:
        """The kinds of numeric phrasings that each relation's values can answer; see `kinds_of`."""
        return {name: kinds_of(self.book, name) for name in self.book.relations}

    @cached_property
    def rough_classes(self) -> dict[str, list[int]]:
        """The same, roughly, of relations whose values are asked for roughly too: by their year, or rounded."""
        rough = {name for name in self.relations if self.kinds[name] & {"year", "rounded"}}
        return {
            name: classes_of(self.book, name, rough=True) if name in rough else self.classes[name]
            for name in self.relations
        }

    def variety(self, name: str) -> int:
        """How many different values a relation has."""
        return max(self.classes[name]) + 1

    @property
    def has_control(self) -> bool:
        """Whether any relation has a second value, to be stated falsely."""
        return any(self.variety(name) > 1 for name in self.relations)

    @cached_property
    def world_digest(self) -> str:
        """The digest of the facts."""
        return self.book.digest


def spec_of_facts(book: FactBook) -> FactSpec:
    """The spec that a fact book asks for."""
    kinds = sorted(set(book.types.values()))
    relations: dict[str, Relation] = {}
    for name, relation in book.relations.items():
        relations[name] = FactRelation(
            subject=kinds[0],
            value_type=relation.value_type,
            unit=relation.unit,
            # Rounding asks for the least number; 0 keeps it off.
            least=_least(book, name) if "rounded" in kinds_of(book, name) else 0,
            label=relation.label,
        )
    longest = max(
        len(f"{fact.subject}{book.relations[name].label}{max(texts_of(book.relations[name], fact), key=len)}".encode())
        for (name, _), fact in book.facts.items()
    )
    fitting = max(1, _MOST_BYTES // (longest + 200))
    spec = FactSpec(
        name=_slug(book.file),
        description=f"{book.rows:,} facts about {len(book.types):,} subjects, from {book.file}.",
        articles=("encyclopedia", "news", "blog", "corporate", "social"),
        sizes=Sizes(entities=len(book.types), control=1.0),
        exposure=Exposure(
            facts_per_article=min(_ARTICLE_FACTS, fitting), facts_per_dialogue=min(_DIALOGUE_FACTS, fitting)
        ),
        types={kind: EntityType(names=_NAMES, pronouns="name", block=_BLOCK) for kind in kinds},
        relations=relations,
        book=book,
    )
    alone = [name for name in relations if relations[name].value_type == "categorical" and _sole(spec.classes[name])]
    return spec.model_copy(update={"paths": Paths(reverse=tuple(alone))})


def _least(book: FactBook, name: str) -> int:
    return min(int(fact.number) for fact in book.of(name) if fact and fact.number is not None)


def _sole(classes: list[int]) -> bool:
    """Whether some value is that of one subject alone."""
    return any(count == 1 for number, count in Counter(classes).items() if number >= 0)


def _slug(file: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", file.rsplit(".", 1)[0].casefold()).strip("-") or "facts"
