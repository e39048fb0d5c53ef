"""A user's own facts, checked and frozen: who they are about, what is said of them, and what kind of value it is."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, cast, get_args

from kbench.errors import SpecError
from kbench.generator.ownfacts.file import FactFile, FactRow, meant_by, read_fact_file, shown
from kbench.generator.ownfacts.names import relation_labels, relation_names, same, types_of, verbal
from kbench.generator.surface import date_text, days_of
from kbench.ids import json_digest

OwnType = Literal["categorical", "numeric", "date"]
_KNOWN_TYPES = (*get_args(OwnType), "entity")
"""What the column value_type may say; an entity is treated like a categorical value."""

_NUMBER = re.compile(r"[-−]?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?")
_MOST_NUMBER = 2**53
"""Beyond it a double, which `number` is, no longer holds every whole number."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONG_DATE = re.compile(r"(\d{1,2}) ([A-Z][a-z]+) (\d{4})")
_MONTHS = {date_text(days_of(datetime.date(2000, month, 1))).split()[1]: month for month in range(1, 13)}


@dataclass(frozen=True)
class BookRelation:
    """A relation of a fact book: its name in ids and columns, its name in a sentence, and what kind of value it has."""

    name: str
    label: str
    value_type: OwnType
    unit: str

    def said(self, value: str) -> str:
        """The value as a sentence has it: its unit after it, unless it stands there already."""
        return value if value.endswith(self.unit) else f"{value} {self.unit}"

    def bare(self, value: str) -> str:
        """The value without its unit."""
        return value.removesuffix(self.unit).rstrip()


@dataclass(frozen=True)
class OwnFact:
    """A fact of a user: what is said of a subject, the other ways to say it, and where it was read."""

    subject: str
    relation: str
    value: str
    aliases: tuple[str, ...]
    number: float | None
    """Of a numeric value; of a date, the days since 1970-01-01."""
    place: str


@dataclass(frozen=True)
class FactBook:
    """A user's facts: the type of each subject, the relations, and the facts by (relation, subject)."""

    file: str
    rows: int
    digest: str
    """Of what the facts say, whatever the order of the rows and the name of the file."""
    types: Mapping[str, str]
    relations: Mapping[str, BookRelation]
    facts: Mapping[tuple[str, str], OwnFact]
    ignored: tuple[str, ...]

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The subjects in the order of their numbers: by type, then by name."""
        return tuple(sorted(self.types, key=lambda name: (self.types[name], name)))

    def of(self, relation: str) -> list[OwnFact | None]:
        """What a relation says of each subject, in the order of their numbers."""
        return [self.facts.get((relation, subject)) for subject in self.subjects]

    @property
    def oddities(self) -> list[str]:
        """What a user may not have meant, a line each."""
        found = []
        for column in self.ignored:
            hint = f": did you mean {meant_by(column)!r}?" if meant_by(column) else ""
            found.append(f"the column {column!r} of {self.file} is not used{hint}")
        odd = verbal([relation.label for relation in self.relations.values()])
        if odd:
            found.append(
                f"a sentence calls a relation `the {odd[0]} of …`: better write a noun for {', '.join(map(repr, odd))}"
            )
        return found


def load_facts(path: Path) -> FactBook:
    """A user's facts from a CSV, JSONL or Parquet file.

    Raises SpecError of one line with file and line where a fact is no fact, stands twice, or contradicts another.
    """
    return build_book(str(path), read_fact_file(path))


def build_book(where: str, file: FactFile) -> FactBook:
    """The checked book of the rows of a file; `where` opens each message. Raises SpecError as `load_facts` does."""
    types, names = types_of(where, file.rows), relation_names(file.rows)
    labels = relation_labels(file.rows, names)
    groups: dict[str, list[FactRow]] = {name: [] for name in sorted(labels)}
    for row in file.rows:
        groups[names[row.relation]].append(row)
    relations, facts = dict[str, BookRelation](), dict[tuple[str, str], OwnFact]()
    for name, rows in groups.items():
        relations[name] = _relation(where, name, labels[name], rows)
        for row in rows:
            _add(where, facts, relations[name], row)
    digest = _digest(types, relations, facts.values())
    return FactBook(file.name, len(file.rows), digest, types, relations, facts, file.ignored)


def _relation(where: str, name: str, label: str, rows: Sequence[FactRow]) -> BookRelation:
    unit, given = _unit(where, label, rows), _given_type(where, label, rows)
    if unit and given not in ("", "numeric"):
        raise SpecError(
            f"{where} {rows[0].place}: {shown(label)} is {given} and has the unit {unit!r}, but a unit is for numbers: "
            f"leave it away, or make the value_type numeric"
        )
    if given in ("categorical", "entity"):
        return BookRelation(name, label, "categorical", "")
    kinds = [parsed(row.value, unit)[0] for row in rows]
    if not given and not unit:
        return BookRelation(name, label, kinds[0] if len(set(kinds)) == 1 else "categorical", "")
    wanted = cast(OwnType, given or "numeric")
    for row, kind in zip(rows, kinds, strict=True):
        if kind != wanted:
            like = "a number such as 1299, 1,299 or 12.5" if wanted == "numeric" else "a date such as 1968-05-03"
            why, column = (f"is {wanted}", "value_type") if given else (f"has the unit {unit!r}", "unit")
            raise SpecError(
                f"{where} {row.place}: {shown(label)} {why}, so its value must be {like} (got {shown(row.value)}): "
                f"mend it, or leave the {column} of {shown(label)} away"
            )
    return BookRelation(name, label, wanted, unit)


def _given_type(where: str, label: str, rows: Sequence[FactRow]) -> str:
    first = next((row for row in rows if row.value_type), rows[0])
    for row in rows:
        if row.value_type and row.value_type not in _KNOWN_TYPES:
            known = ", ".join(_KNOWN_TYPES)
            raise SpecError(
                f"{where} {row.place}: unknown value_type {shown(row.value_type)}: have {known}, or leave it empty"
            )
        if row.value_type and row.value_type != first.value_type:
            raise SpecError(
                f"{where} {row.place}: {shown(label)} is {row.value_type} here and {first.value_type} in "
                f"{first.place}: give a relation one value_type"
            )
    return first.value_type


def _unit(where: str, label: str, rows: Sequence[FactRow]) -> str:
    for row in rows:
        if row.unit != rows[0].unit:
            here, there = (shown(unit) if unit else "none" for unit in (row.unit, rows[0].unit))
            raise SpecError(
                f"{where} {row.place}: the unit of {shown(label)} is {here} here and {there} in {rows[0].place}: give "
                f"all values of a relation one unit, or write the units into the values and leave the column empty"
            )
    return rows[0].unit


def parsed(value: str, unit: str) -> tuple[OwnType, float | None]:
    """What kind of value a text is by itself, and its number."""
    text = value.removesuffix(unit).rstrip()
    if _NUMBER.fullmatch(text):
        number = float(text.replace(",", "").replace("−", "-"))
        if abs(number) < _MOST_NUMBER:
            return "numeric", number
    day = _day(text)
    return ("categorical", None) if day is None else ("date", float(day))


def _day(text: str) -> int | None:
    try:
        if _ISO_DATE.fullmatch(text):
            return days_of(datetime.date.fromisoformat(text))
        long = _LONG_DATE.fullmatch(text)
        if long and long[2] in _MONTHS:
            return days_of(datetime.date(int(long[3]), _MONTHS[long[2]], int(long[1])))
    except ValueError:  # 31 February
        pass
    return None


def _add(where: str, facts: dict[tuple[str, str], OwnFact], relation: BookRelation, row: FactRow) -> None:
    number = None if relation.value_type == "categorical" else parsed(row.value, relation.unit)[1]
    aliases = tuple(sorted(set(row.aliases) - {row.value}))
    fact = OwnFact(row.subject, relation.name, row.value, aliases, number, row.place)
    other = facts.setdefault((relation.name, row.subject), fact)
    if other is fact:
        return
    told = f"the {relation.name[:60]} of {shown(row.subject)}"
    if same(other.value) == same(row.value):
        raise SpecError(f"{where} {row.place}: {told} stands in {other.place} already: delete one of the two")
    raise SpecError(
        f"{where} {row.place}: {told} is {shown(row.value)} here and {shown(other.value)} in {other.place}: "
        f"a relation has one value: keep one, or write both as one value"
    )


def _digest(types: Mapping[str, str], relations: Mapping[str, BookRelation], facts: Iterable[OwnFact]) -> str:
    told = []
    for fact in facts:
        relation = relations[fact.relation]
        about = [types[fact.subject], fact.subject, relation.name, relation.label, relation.value_type, relation.unit]
        told.append([*about, fact.value, *fact.aliases])
    return json_digest(sorted(told))
