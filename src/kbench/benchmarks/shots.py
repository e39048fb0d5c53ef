"""Worked examples for a few-shot prompt: training rows about others than whom the tests ask about.

They are drawn from `pretrain`, and where that has too few from `train`. An exemplar is never about a subject of the row
asked, never needs or states a fact that the row needs, and is never in a phrasing of a held-out split.
Which values they have is left to chance: leaving out the right one would give it away by its absence.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from kbench.benchmarks.match import normalise
from kbench.errors import SpecError
from kbench.ids import digest_of
from kbench.schema import QUESTION_STYLES
from kbench.store import Release

Row = dict[str, Any]
ShotsFrom = Literal["same", "other"]

SOURCES = ("pretrain", "train")
HELD_OUT = ("validation", "test", "control")

_SUBJECTS = 128
"""How many subjects of a relation are kept to draw from: enough for any draw, and memory that does not grow."""
_LOOKED = 16
"""How many subjects are looked at for each exemplar, to find values that differ."""
_PLAINEST = "qa"
"""The style whose rows are shown where a row's own has too few."""
_COLUMNS = ["id", "style", "relation", "entity_id", "fact_ids", "template_id", "question", "answer", "answers"]
_COLUMNS += ["value_type"]


@dataclass(frozen=True)
class Exemplar:
    """A row to show, and whom it is about or names: the subjects and objects of its facts."""

    row: Row
    involved: frozenset[str]


Subjects = list[list[Exemplar]]
"""Of each subject its rows, in different phrasings."""


@dataclass(frozen=True)
class Pool:
    """What exemplars are drawn from: the subjects of each style, relation and split, in the order of `SOURCES`."""

    subjects: Mapping[tuple[str, str], Mapping[str, Subjects]]

    def every(self) -> Iterator[Row]:
        """All rows that may be shown."""
        for splits in self.subjects.values():
            for subjects in splits.values():
                yield from (exemplar.row for rows in subjects for exemplar in rows)

    def held(self, style: str, split: str) -> dict[str, Subjects]:
        """The relations of a style in a split."""
        return {r: splits[split] for (s, r), splits in self.subjects.items() if s == style and split in splits}


def subjects_of(row: Row) -> set[str]:
    """Whom a question is about: its entity, and the subjects of its facts (of both who are compared)."""
    return {row["entity_id"], *(fact.rpartition("/")[0] for fact in row["fact_ids"])}


def load_pool(release: Release, styles: Collection[str]) -> Pool:
    """The exemplars for rows of some styles of a release: rows of these and of `qa`; each says its `split`."""
    asked, phrasings = _held_out(release)
    rows: dict[tuple[str, str], dict[str, list[list[Row]]]] = defaultdict(dict)
    for style in sorted({*styles, _PLAINEST} & set(release.configs())):
        for split in (split for split in SOURCES if split in release.splits(style)):
            # `train` is about those whom the tests ask about: there only the row's own subject is left out, when drawn.
            barred = asked if split == "pretrain" else frozenset[str]()
            found = _by_relation(release.table(style, split).select(_COLUMNS), barred, phrasings)
            for relation, subjects in found.items():
                rows[style, relation][split] = subjects
    every = ((split, row) for s in rows.values() for split, subjects in s.items() for r in subjects for row in r)
    kept = []
    for split, row in every:
        row["split"] = split
        kept.append(row)
    objects = _objects(release, kept)
    return Pool(
        {
            key: {split: [[_exemplar(row, objects) for row in r] for r in subjects] for split, subjects in held.items()}
            for key, held in rows.items()
        }
    )


def exemplars(
    pool: Pool, row: Row, k: int, seed: int, *, shots_from: ShotsFrom = "same", one_set: bool = False
) -> list[Row]:
    """`k` rows to show before a row, of `k` subjects, with values as different as they come.

    With `same` they are of the row's style and relation; where those have too few subjects, of its style and with its
    type of value, then of `qa` with its type of value. With `other` they are of its style and other relations, then of
    `qa`. They follow from the seed and the row's id alone; with `one_set` from its style and relation instead, so that
    all questions of a relation are shown the same (but for whom an exemplar is about: there another takes its place).

    Raises SpecError where fewer than `k` may be shown.
    """
    key = f"{row['style']}/{row['relation']}" if one_set else row["id"]
    rng = Random(int(digest_of("shots", str(seed), key)[:16], 16))
    about = subjects_of(row)  # of each fact that the row needs, so no exemplar holds one of these facts either
    chosen, spare = list[Row](), list[Row]()
    subjects, values = set[str](), set[str]()
    for tier in _tiers(pool, row, rng, shots_from):
        for looked, exemplar in enumerate(tier):
            if len(chosen) == k or (looked >= _LOOKED * k and len(chosen) + len(spare) >= k):
                break
            subject, value = exemplar.row["entity_id"], normalise(exemplar.row["answer"])
            if subject in subjects or about & exemplar.involved:
                continue
            subjects.add(subject)
            (spare if value in values else chosen).append(exemplar.row)
            values.add(value)
        if len(chosen) + len(spare) >= k:
            return [*chosen, *spare][:k]
    found = len(chosen) + len(spare)
    raise SpecError(
        f"--shots {k} needs {k} exemplars for {row['id']!r}, and the release has {found} that are not about its "
        f"subjects: take --shots {found}, or a release with more entities"
    )


def _tiers(pool: Pool, row: Row, rng: Random, shots_from: ShotsFrom) -> Iterator[Iterator[Exemplar]]:
    """What is drawn from, the best first: each lends what the ones before it lack."""
    style, relation = row["style"], row["relation"]
    if shots_from == "same":
        for split in SOURCES:
            yield _drawn(pool.subjects.get((style, relation), {}).get(split, []), rng)
    for near in dict.fromkeys([style, _PLAINEST]):
        for split in SOURCES:
            others = [
                subjects
                for name, subjects in pool.held(near, split).items()
                if name != relation and (shots_from == "other" or _type(subjects) == row["value_type"])
            ]
            yield _by_turns(others, rng)


def _type(subjects: Subjects) -> str:
    return str(subjects[0][0].row["value_type"])


def _by_turns(relations: Sequence[Subjects], rng: Random) -> Iterator[Exemplar]:
    """One subject of each relation after the other, over and over."""
    turns: Iterable[Iterator[Exemplar]] = (_drawn(relations[place], rng) for place in _order(len(relations), rng))
    while turns:
        left = []
        for turn in turns:
            exemplar = next(turn, None)
            if exemplar is not None:
                left.append(turn)
                yield exemplar
        turns = left


def _drawn(subjects: Subjects, rng: Random) -> Iterator[Exemplar]:
    """The subjects in a random order, each in one of its phrasings."""
    for place in _order(len(subjects), rng):
        phrasings = subjects[place]
        yield phrasings[rng.randrange(len(phrasings))]


def _order(n: int, rng: Random) -> Iterator[int]:
    # A shuffle that is done only as far as it is asked for.
    moved: dict[int, int] = {}
    for place in range(n):
        other = rng.randrange(place, n)
        yield moved.get(other, other)
        moved[other] = moved.get(place, place)


def _held_out(release: Release) -> tuple[frozenset[str], frozenset[str]]:
    """Whom the held-out questions of a release are about, and in which phrasings."""
    asked, phrasings = set[str](), set[str]()
    for style in (config for config in release.configs() if config in QUESTION_STYLES):
        for split in (split for split in HELD_OUT if split in release.splits(style)):
            table = release.table(style, split)
            asked |= _distinct(table.column("entity_id"))
            asked |= {fact.rpartition("/")[0] for fact in _distinct(pc.list_flatten(table.column("fact_ids")))}
            phrasings |= _distinct(table.column("template_id"))
    return frozenset(asked), frozenset(phrasings)


def _distinct(column: pa.ChunkedArray) -> set[str]:
    return set(pc.unique(column).to_pylist())


def _by_relation(
    table: pa.Table, barred: frozenset[str], phrasings: frozenset[str]
) -> dict[str, list[list[dict[str, Any]]]]:
    """Of each relation the rows of its first subjects, none of them barred."""
    places: dict[str, dict[str, list[int]]] = defaultdict(dict)
    columns = (table.column(name).to_pylist() for name in ("relation", "entity_id", "template_id"))
    for place, relation, entity, phrasing in zip(count(), *columns, strict=False):
        subjects = places[relation]
        if entity in barred or phrasing in phrasings or (len(subjects) >= _SUBJECTS and entity not in subjects):
            continue
        subjects.setdefault(entity, []).append(place)
    kept = [place for subjects in places.values() for held in subjects.values() for place in held]
    rows: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in table.take(pa.array(kept, pa.int64())).to_pylist():
        if not subjects_of(row) & barred:
            rows[row["relation"]][row["entity_id"]].append(row)
    return {relation: list(subjects.values()) for relation, subjects in rows.items()}


def _objects(release: Release, rows: Iterable[Row]) -> dict[str, str]:
    """The object of each fact that some rows need, where it has one."""
    needed = pa.array(sorted({fact for row in rows for fact in row["fact_ids"]}), pa.string())
    facts = release.table("facts", "train").select(["fact_id", "object_id"])
    found = facts.filter(pc.is_in(facts.column("fact_id"), value_set=needed))
    pairs = zip(found.column("fact_id").to_pylist(), found.column("object_id").to_pylist(), strict=True)
    return {fact: thing for fact, thing in pairs if thing}


def _exemplar(row: Row, objects: Mapping[str, str]) -> Exemplar:
    involved = subjects_of(row) | {objects[fact] for fact in row["fact_ids"] if fact in objects}
    return Exemplar(row, frozenset(involved))
