"""The levels of a study: for each cell, reading and seed the share of right answers, and what stands beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from kbench.benchmarks.cohort import TAUGHT_ROLES
from kbench.benchmarks.diet import taught_celebrities, taught_entities
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import SAMPLES
from kbench.benchmarks.tasks import guessing
from kbench.benchmarks.taught import taught
from kbench.store import open_release
from kbench.studies.grid_plan import Plan, Planned
from kbench.studies.study import Reading
from kbench.studies.study_design import Design

Row = dict[str, Any]
_NEEDED = ("id", "style", "probe", "split", "entity_id", "relation", "fact_ids", "correct", "prediction", "answers")


@dataclass(frozen=True)
class Level:
    """One reading of one cell in one seed: `value` over `rows` answers, beside the same of control, base and chance."""

    cell: str
    reading: str
    seed: int
    value: float
    rows: int
    entities: int
    control: float | None
    base: float | None
    chance: float | None


@dataclass(frozen=True)
class Levels:
    """Every level of a study; `planned` are the cells and readings that its design has (of a part no reading)."""

    every: tuple[Level, ...]
    planned: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def _index(self) -> Mapping[tuple[str, str], dict[int, Level]]:
        found: dict[tuple[str, str], dict[int, Level]] = {}
        for level in self.every:
            found.setdefault((level.cell, level.reading), {})[level.seed] = level
        return found

    def of(self, cell: str, reading: str) -> Mapping[int, Level]:
        """A reading of a cell by seed; empty where there is none."""
        return self._index.get((cell, reading), {})

    def missing(self, wanted: Iterable[tuple[str, str]]) -> str:
        """What there is no level of among some cells and readings, and why; empty where all are there."""
        without = [pair for pair in dict.fromkeys(wanted) if not self.of(*pair)]
        lost = [pair for pair in without if self.planned & {pair, (pair[0], "")}]
        told = {
            "not run in this budget": [pair for pair in without if pair not in lost],
            "planned, but nothing came of it": lost,
        }
        return "; ".join(f"{why}: {', '.join(map(': '.join, pairs))}" for why, pairs in told.items() if pairs)

    @property
    def cells(self) -> list[str]:
        """The cells that were read."""
        return list(dict.fromkeys(level.cell for level in self.every))


def planned_levels(design: Design) -> frozenset[tuple[str, str]]:
    """The cells and readings of a design; of a part its name alone, for what it reads is its own."""
    readings = design.study.readings.items()
    found = {(cell.name, name) for cell in design.cells.values() for name, read in readings if read.ask in cell.asks}
    return frozenset(found | {(part, "") for part in design.parts})


def read_levels(design: Design, plan: Plan, done: Iterable[Path]) -> list[Level]:
    """The levels of every cell whose result is there."""
    have = set(done)
    found: list[Level] = []
    worlds: dict[Path, _World] = {}
    for planned in plan.cells:
        if planned.result not in have or planned.cell.seed is None:
            continue
        world = worlds.setdefault(planned.release, _World(planned.release))
        asked = {name: r for name, r in design.study.readings.items() if r.ask == planned.cell.prompt}
        found += _levels_of(planned, design, world, asked)
    return found


@dataclass
class _World:
    """A release and what is looked up in it again and again."""

    path: Path
    bases: dict[Path, Mapping[str, Row]] = field(default_factory=dict)

    @cached_property
    def release(self) -> Any:
        return open_release(self.path)

    @cached_property
    def entities(self) -> Mapping[str, tuple[str, str]]:
        rows = self.release.table("entities", "train").to_pylist()
        return {row["entity_id"]: (row["role"], row["type"]) for row in rows}

    @cached_property
    def guesses(self) -> Any:
        return guessing(self.release)

    @cached_property
    def bridged(self) -> frozenset[tuple[str, str]]:
        """The relations and facts that multi-step questions of `train` go through."""
        if "train" not in self.release.splits("multihop"):
            return frozenset()
        rows = self.release.table("multihop", "train").select(["relation", "fact_ids"]).to_pylist()
        return frozenset((row["relation"], fact) for row in rows for fact in row["fact_ids"])

    def base(self, result: Path) -> Mapping[str, Row]:
        if result not in self.bases:
            self.bases[result] = {row["id"]: row for row in _samples(result)}
        return self.bases[result]


def _levels_of(planned: Planned, design: Design, world: _World, readings: Mapping[str, Reading]) -> Iterable[Level]:
    cell, seed = design.cells[planned.cell.recipe], planned.cell.seed
    assert seed is not None
    rows = _samples(planned.result)
    who = _Subjects.of(design, cell.name, world, seed)
    for name, reading in readings.items():
        chosen = [row for row in rows if _fits(row, reading, world, who)]
        if not chosen:
            continue
        value, control = _share(chosen, reading), _control(rows, chosen, reading, world)
        base = None
        if cell.trained:
            answers = world.base(planned.base)
            # A reply of the base that could not be scored says nothing.
            known = [_is_right(answers[row["id"]], reading) for row in chosen if row["id"] in answers]
            base = fmean(known) if known else None
        less = {"": 0.0, "control": control, "base": base}[reading.less]
        if less is None:
            continue
        chance = fmean(world.guesses.chance(row) for row in chosen)
        entities = len({row["entity_id"] for row in chosen})
        yield Level(cell.name, name, seed, value - less, len(chosen), entities, control, base, chance)


@dataclass(frozen=True)
class _Subjects:
    """Whom a cell teaches, and whom in all phrasings; None where it makes no difference between them."""

    trained: bool
    taught: frozenset[str] | None = None
    celebrities: frozenset[str] | None = None

    def teaches(self, entity: str, role: str) -> bool | None:
        """Whether a cell taught somebody: never a control; None of the base, and of the background, taught before."""
        if not self.trained or role not in (*TAUGHT_ROLES, "control"):
            return None
        return role in TAUGHT_ROLES and (self.taught is None or entity in self.taught)

    @classmethod
    def of(cls, design: Design, cell: str, world: _World, seed: int) -> "_Subjects":
        values = design.cells[cell].values
        trained = design.cells[cell].trained
        if not trained or not ({"volume", "celebrities"} & values.keys()):
            return cls(trained)
        recipe = recipe_of({**values, "seed": seed}, cell)
        release = taught(world.release)
        return cls(
            True,
            taught_entities(release, recipe) if "volume" in values else None,
            taught_celebrities(release, recipe) if "celebrities" in values else None,
        )


def _samples(result: Path) -> list[Row]:
    return [
        row
        for row in pq.read_table(result / SAMPLES, columns=[*_NEEDED, "status"]).to_pylist()
        if row["status"] == "scored"
    ]


def _fits(row: Row, reading: Reading, world: _World, who: _Subjects) -> bool:
    if row["style"] not in reading.styles or row["probe"] not in reading.probes:
        return False
    if reading.relations and row["relation"] not in reading.relations:
        return False
    role, kind = world.entities.get(row["entity_id"], ("", ""))
    if role not in reading.roles or (reading.types and kind not in reading.types):
        return False
    is_taught = who.teaches(row["entity_id"], role)
    if reading.taught is not None and is_taught is not None and is_taught != reading.taught:
        return False
    if reading.celebrity is not None and (
        who.celebrities is None or (row["entity_id"] in who.celebrities) != reading.celebrity
    ):
        return False
    return not reading.bridge or (_is_seen(row, world) == (reading.bridge == "seen"))


def _is_seen(row: Row, world: _World) -> bool:
    """Whether the facts that a question goes on to from its subject were gone through in training, each of them."""
    onward = [fact for fact in row["fact_ids"] if not fact.startswith(f"{row['entity_id']}/")]
    return bool(onward) and all((row["relation"], fact) in world.bridged for fact in onward)


def _control(rows: list[Row], chosen: list[Row], reading: Reading, world: _World) -> float | None:
    """The same asked of never-trained twins: of the styles, relations and types that were read."""
    kinds = {(row["style"], row["relation"], world.entities[row["entity_id"]][1]) for row in chosen}
    twins = [
        row
        for row in rows
        if row["split"] == "control"
        and (row["style"], row["relation"], world.entities.get(row["entity_id"], ("", ""))[1]) in kinds
    ]
    return _share(twins, reading) if twins and "control" not in reading.roles else None


def _share(rows: list[Row], reading: Reading) -> float:
    return fmean(_is_right(row, reading) for row in rows)


def _is_right(row: Row, reading: Reading) -> bool:
    """Whether the answer is right; of some readings only in its own surface form, which comes first."""
    return bool(row["correct"]) and (not reading.own_form or exact_match(row["prediction"], row["answers"][:1]))
