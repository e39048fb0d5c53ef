"""What a release would be, from a few blocks of each section made for real: rows, tokens, bytes and seconds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.contents import content_digest
from kbench.generator.hashing import Ints
from kbench.generator.packs import Pack
from kbench.generator.sections import Section
from kbench.generator.shards import Unit, plan_units, unit_table
from kbench.generator.world import World
from kbench.store import parquet_bytes

_FEW = 3
_CHARACTERS_A_TOKEN = 4
"""The usual rule of thumb for English; invented names take more."""


@dataclass(frozen=True)
class Estimate:
    """One split of one config: files, and about how many rows, tokens of text, bytes of Parquet and CPU seconds."""

    config: str
    split: str
    files: int
    rows: int
    tokens: int
    bytes: int
    seconds: float


def estimates(
    world: World, pack: Pack, styles: tuple[str, ...], progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Estimate]:
    """An estimate for each split, in the order of the release; nothing is written."""
    groups: dict[tuple[str, str], list[Unit]] = {}
    for unit in plan_units(world, pack, styles):
        groups.setdefault((unit.config, unit.split), []).append(unit)
    for number, ((config, split), units) in enumerate(groups.items(), 1):
        yield _estimate(world, pack, config, split, units)
        progress(number, len(groups))


@dataclass(frozen=True)
class _Measured:
    """A few blocks made for real."""

    rows: float = 0.0
    tokens: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0

    def plus(self, other: "_Measured", times: float = 1.0) -> "_Measured":
        """The sum with another, so many times."""
        return _Measured(
            self.rows + times * other.rows,
            self.tokens + times * other.tokens,
            self.bytes + times * other.bytes,
            self.seconds + times * other.seconds,
        )


def _estimate(world: World, pack: Pack, config: str, split: str, units: list[Unit]) -> Estimate:
    found = _Measured()
    sections: dict[tuple[str, str], list[Section]] = {}
    for unit in units:
        for section in unit.sections:
            sections.setdefault((section.role, section.probe), []).append(section)
    for group in sections.values():
        blocks = np.concatenate([section.blocks for section in group])
        found = found.plus(_extrapolated(world, pack, units[0], group[0], blocks))
    return Estimate(
        config, split, len(units), round(found.rows), round(found.tokens), round(found.bytes), found.seconds
    )


def _extrapolated(world: World, pack: Pack, unit: Unit, section: Section, blocks: Ints) -> _Measured:
    """What all blocks would be, from what a few cost beyond the first: a file has a price of its own."""
    first = _measured(world, pack, unit, replace(section, blocks=blocks[-1:]))
    if blocks.size == 1:
        return first
    few = _measured(world, pack, unit, replace(section, blocks=blocks[-_FEW:]))
    more = min(_FEW, int(blocks.size)) - 1
    slope = few.plus(first, -1.0)
    rest = (int(blocks.size) - more - 1) / more
    return few.plus(_Measured(few.rows / (more + 1) * more, slope.tokens, slope.bytes, max(0.0, slope.seconds)), rest)


def _measured(world: World, pack: Pack, unit: Unit, section: Section) -> _Measured:
    start = time.process_time()
    table = unit_table(world, pack, replace(unit, sections=(section,)))
    written = parquet_bytes(table)
    content_digest(table)
    took = time.process_time() - start
    return _Measured(table.num_rows, _characters(table) / _CHARACTERS_A_TOKEN, written, took)


def _characters(table: pa.Table) -> int:
    names = {"text", "question", "answer"} & set(table.schema.names)
    return sum(int(pc.sum(pc.utf8_length(table.column(name))).as_py() or 0) for name in names)
