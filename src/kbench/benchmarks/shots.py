"""Worked examples for a few-shot prompt: training rows about others than whom the tests ask about.

They are drawn from `pretrain` where that has the relation, else from `train`. An exemplar is never about a subject of
the row asked, never needs or states a fact that the row needs, and is never in a phrasing of a held-out split.
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
_COLUMNS = ["id", "style", "relation", "entity_id", "fact_ids", "template_id", "question", "answer", "answers", "unit"]


@dataclass(frozen=True)
class Exemplar:
    """A row to show, its facts, and whom it is about or names: the subjects and objects of these facts."""

    row: Row
    facts: frozenset[str]
    involved: frozenset[str]


@dataclass(frozen=True)
class Pool:
    """What exemplars are drawn from: by style and relation, of each subject its rows; and the split of each such."""

    rows: Mapping[str, Mapping[str, list[list[Exemplar]]]]
    sources: Mapping[tuple[str, str], str]

    def every(self) -> Iterator[Row]:
        """All rows that may be shown."""
        for relations in self.rows.values():
            for subjects in relations.values():
                yield from (exemplar.row for rows in subjects for exemplar in rows)


def subjects_of(row: Row) -> set[str]:
    """Whom a question is about: its entity, and the subjects of its facts (of both who are compared)."""
    return {row["entity_id"], *(fact.rpartition("/")[0] for fact in row["fact_ids"])}


def load_pool(release: Release, styles: Collection[str]) -> Pool:
    """The exemplars of some styles of a release."""
    asked, phrasings = _held_out(release)
    rows: dict[str, dict[str, list[list[Row]]]] = {}
    sources: dict[tuple[str, str], str] = {}
    for style in sorted(set(styles) & set(release.configs())):
        rows[style] = {}
        for source in (split for split in SOURCES if split in release.splits(style)):
            # Whom the tests ask about may be shown only where there is nobody else: in `train`, which is about them.
            barred = asked if source == "pretrain" else frozenset[str]()
            found = _by_relation(release.table(style, source).select(_COLUMNS), barred, phrasings)
            for relation, subjects in found.items():
                if relation not in rows[style]:
                    rows[style][relation] = subjects
                    sources[style, relation] = source
    objects = _objects(release, [row for s in rows.values() for r in s.values() for subject in r for row in subject])
    return Pool(
        {
            style: {
                relation: [[_exemplar(row, objects) for row in subject] for subject in subjects]
                for relation, subjects in relations.items()
            }
            for style, relations in rows.items()
        },
        sources,
    )


def exemplar_source(release: Release, styles: Collection[str] = QUESTION_STYLES) -> dict[str, str]:
    """The split that the exemplars of each style come from: `pretrain`, `train`, or both, relation by relation."""
    found: dict[str, set[str]] = defaultdict(set)
    for (style, _), source in load_pool(release, styles).sources.items():
        found[style].add(source)
    return {style: " and ".join(sorted(sources)) for style, sources in sorted(found.items())}


def exemplars(
    pool: Pool, row: Row, k: int, seed: int, *, shots_from: ShotsFrom = "same", one_set: bool = False
) -> list[Row]:
    """`k` rows to show before a row, of `k` subjects, with values as different as they come.

    They follow from the seed and the row's id alone; with `one_set` from its style and relation instead, so that all
    questions of a relation are shown the same ones (but for whom an exemplar is about: there another takes its place).

    Raises SpecError where fewer than `k` may be shown.
    """
    key = f"{row['style']}/{row['relation']}" if one_set else row["id"]
    rng = Random(int(digest_of("shots", str(seed), key)[:16], 16))
    facts, about = set(row["fact_ids"]), subjects_of(row)
    chosen, spare = list[Row](), list[Row]()
    subjects, values = set[str](), set[str]()
    for looked, exemplar in enumerate(_candidates(pool, row, rng, shots_from)):
        if looked >= _LOOKED * k and len(chosen) + len(spare) >= k:
            break
        subject, value = exemplar.row["entity_id"], normalise(exemplar.row["answer"])
        if subject in subjects or facts & exemplar.facts or about & exemplar.involved:
            continue
        subjects.add(subject)
        (spare if value in values else chosen).append(exemplar.row)
        values.add(value)
        if len(chosen) == k:
            break
    shown = [*chosen, *spare][:k]
    if len(shown) < k:
        what = f"{row['style']}/{row['relation']}" if shots_from == "same" else f"other relations of {row['style']}"
        other = ", or --shots-from other" if shots_from == "same" else ""
        raise SpecError(
            f"--shots {k} needs {k} exemplars of {what} that are not about the subject of {row['id']!r}, the release "
            f"has {len(shown)}: take --shots {len(shown)}{other}"
        )
    return shown


def _candidates(pool: Pool, row: Row, rng: Random, shots_from: ShotsFrom) -> Iterator[Exemplar]:
    """Subjects in a random order, each with one of its phrasings; of other relations one after the other."""
    relations = pool.rows.get(row["style"], {})
    if shots_from == "same":
        yield from _drawn(relations.get(row["relation"], []), rng)
        return
    names = [name for name in relations if name != row["relation"]]
    rng.shuffle(names)
    turns = [_drawn(relations[name], rng) for name in names]
    while turns:
        left = []
        for turn in turns:
            exemplar = next(turn, None)
            if exemplar is not None:
                left.append(turn)
                yield exemplar
        turns = left


def _drawn(subjects: Sequence[list[Exemplar]], rng: Random) -> Iterator[Exemplar]:
    # A shuffle that is done only as far as it is asked for.
    moved: dict[int, int] = {}
    for place in range(len(subjects)):
        other = rng.randrange(place, len(subjects))
        drawn = moved.get(other, other)
        moved[other] = moved.get(place, place)
        phrasings = subjects[drawn]
        yield phrasings[rng.randrange(len(phrasings))]


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
    return Exemplar(row, frozenset(row["fact_ids"]), frozenset(involved))
