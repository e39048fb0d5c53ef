"""CPU time of generation by stage, beside the writing of its tables alone (E) and two usual ways (A and B).

One process, Arrow on one thread. E is `kbench.store.write_table` of the same ready tables, the floor that no generator
can pass: each table is written twice, and which of the two writings counts as E alternates. Quote the ratios, which hold
on a noisy machine, not the seconds.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.table import Table

from kbench.contents import content_digest
from kbench.generator.building import build_world
from kbench.generator.packs import Pack, load_pack
from kbench.generator.shards import Unit, check_pack, in_working_order, plan_units, unit_table
from kbench.generator.spec import WorldSpec
from kbench.generator.world import World
from kbench.ids import file_sha256
from kbench.lean import keep_memory
from kbench.store import write_table
from tests.bench import baselines
from tests.bench.report import show, spread
from tests.bench.workload import SEED, article_spec, question_spec, use_one_thread

_WAYS: dict[baselines.Way, str] = {
    "A": "A: Faker, Template.render a row, datasets",
    "B": "B: Jinja compiled once, values ready, ParquetWriter",
}


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the stages of one shard, and of writing its table once more (E)."""

    rows: int
    words: int
    make: float
    digest: float
    write: float
    floor: float

    @property
    def whole(self) -> float:
        """What kbench spends on the shard."""
        return self.make + self.digest + self.write


@dataclass(frozen=True)
class Measured:
    """One config: its shards' costs, the planning before them, and the world's share of making rows."""

    config: str
    costs: list[Cost]
    plan: float
    world_share: float
    ready: pa.Table
    """The table of the first shard."""

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(cost.rows for cost in self.costs)

    @property
    def whole(self) -> float:
        """CPU seconds of kbench for the config, planning included."""
        return self.plan + sum(cost.whole for cost in self.costs)

    @property
    def floor(self) -> float:
        """CPU seconds of E for the config."""
        return sum(cost.floor for cost in self.costs)


class WorldClock:
    """The CPU time spent inside a world's methods; a method that calls others counts once."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._depth = 0

    def timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, its outermost calls timed."""

        @functools.wraps(method)
        def call(*args: Any, **named: Any) -> Any:
            if self._depth:
                return method(*args, **named)
            self._depth += 1
            start = time.process_time()
            try:
                return method(*args, **named)
            finally:
                self.spent += time.process_time() - start
                self._depth -= 1

        return call


@contextmanager
def world_clock() -> Iterator[WorldClock]:
    """Time every public method of World while the block runs."""
    clock = WorldClock()
    methods = {name: m for name, m in vars(World).items() if callable(m) and not name.startswith("_")}
    for name, method in methods.items():
        setattr(World, name, clock.timed(method))
    try:
        yield clock
    finally:
        for name, method in methods.items():
            setattr(World, name, method)


def measure(spec: WorldSpec, style: str, folder: Path) -> list[Measured]:
    """The style, the facts and the entities of a spec, generated shard by shard."""
    start = time.process_time()
    pack = load_pack()
    check_pack(spec, pack, (style,))
    world = build_world(spec, SEED)
    units = plan_units(world, pack, (style,))
    plan = time.process_time() - start
    costs: dict[str, list[Cost]] = {}
    ready: dict[str, pa.Table] = {}
    for number, unit in enumerate(unit for group in in_working_order(units) for unit in group):
        table, cost = _cost(world, pack, unit, folder, floor_first=number % 2 == 1)
        costs.setdefault(unit.config, []).append(cost)
        ready.setdefault(unit.config, table)
    shares = _world_shares(spec, pack, units)
    return [
        Measured(config, found, plan if config == style else 0.0, shares[config], ready[config])
        for config, found in costs.items()
    ]


def _cost(world: World, pack: Pack, unit: Unit, folder: Path, *, floor_first: bool) -> tuple[pa.Table, Cost]:
    """A shard's table and what it cost."""
    start = time.process_time()
    table = unit_table(world, pack, unit)
    made = time.process_time() - start
    path, again = folder / unit.path, folder / f"{unit.path}.again"
    if floor_first:
        floor, write = _writing(again, table), _writing(path, table)
    else:
        write, floor = _writing(path, table), _writing(again, table)
    start = time.process_time()
    content_digest(table)
    file_sha256(path)
    digested = time.process_time() - start
    path.unlink()
    again.unlink()
    return table, Cost(table.num_rows, _words(table), made, digested, write, floor)


def _writing(path: Path, table: pa.Table) -> float:
    start = time.process_time()
    write_table(path, table)
    return time.process_time() - start


def _words(table: pa.Table) -> int:
    return sum(len(text.split()) for text in table["text"].to_pylist()) if "text" in table.column_names else 0


def _world_shares(spec: WorldSpec, pack: Pack, units: Iterable[Unit]) -> dict[str, float]:
    """How much of making rows is the world's, by config: the first shard of each split, made again under the clock."""
    world = build_world(spec, SEED)
    spent: dict[str, tuple[float, float]] = {}
    for unit in units:
        if unit.shard == 0:
            with world_clock() as clock:
                start = time.process_time()
                unit_table(world, pack, unit)
                whole = time.process_time() - start
            before = spent.get(unit.config, (0.0, 0.0))
            spent[unit.config] = (before[0] + clock.spent, before[1] + whole)
    return {config: inside / whole for config, (inside, whole) in spent.items()}


def stages(found: list[Measured], label: str) -> list[str]:
    """One line of the table of stages, for one config or several together."""
    costs = [cost for one in found for cost in one.costs]
    rows, whole, floor = sum(o.rows for o in found), sum(o.whole for o in found), sum(o.floor for o in found)
    made = [(sum(c.make for c in one.costs), one.world_share) for one in found]
    seconds = [
        sum(one.plan for one in found),
        sum(make * share for make, share in made),
        sum(make * (1 - share) for make, share in made),
        sum(c.digest for c in costs),
        sum(c.write for c in costs),
        whole,
        floor,
    ]
    per_shard = spread([cost.whole / cost.floor for cost in costs])
    return [
        label,
        f"{rows:,}",
        f"{rows / whole:,.0f}",
        *(f"{s:.2f}" for s in seconds),
        f"{whole / floor:.2f}",
        per_shard,
    ]


def main() -> None:
    """Print the stages of kbench with multiples of E, then A and B for the same rows."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- generate", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="questions, at least")
    parser.add_argument("--articles", type=int, default=100_000, help="articles of about 150 words, at least")
    parser.add_argument("--sample", type=int, default=20_000, help="questions that A and B are measured on; 0: neither")
    parser.add_argument("--sample-articles", type=int, default=2_000, help="articles that A and B are measured on")
    parser.add_argument("--rounds", type=int, default=3, help="of A and B")
    parser.add_argument("--repeats", type=int, default=1, help="of everything")
    asked = parser.parse_args()
    use_one_thread()
    keep_memory()  # as every process of `kbench generate` does
    for _ in range(asked.repeats):
        with tempfile.TemporaryDirectory() as folder:
            questions = measure(question_spec(asked.rows), "qa", Path(folder))
            articles = measure(article_spec(asked.articles), "article", Path(folder))
        main_two = [questions[0], articles[0]]
        shown = Table(title="kbench, CPU seconds")
        names = ("plan", "world", "render", "digest", "write", "all", "E")
        for column in ("config", "rows", "rows / s", *names, "all / E", "by shard"):
            shown.add_column(column, justify="left" if column == "config" else "right")
        for one in main_two:
            shown.add_row(*stages([one], one.config))
        shown.add_row(*stages(main_two, "both"), end_section=True)
        # Tables of the fact graph that come with any release, here with two: not in `both`.
        for config in ("facts", "entities"):
            shown.add_row(*stages([one for one in (*questions, *articles) if one.config == config], config))
        words = sum(cost.words for cost in articles[0].costs) / articles[0].rows
        show(
            shown,
            "by shard: the median of all / E over shards, planning left out, and its quartiles",
            f"articles have {words:.0f} words on average",
        )
        if asked.sample:
            compare(main_two, asked.sample, asked.sample_articles, asked.rounds)


def compare(found: list[Measured], questions: int, articles: int, rounds: int) -> None:
    """Time A, B and E in turn on a sample, and print what they would take for the rows that kbench made."""
    pack = load_pack()
    chosen = baselines.samples(questions, articles, pack)
    rows = [one.rows for one in found]
    ready = [one.ready.slice(0, sample.rows) for one, sample in zip(found, chosen, strict=True)]
    ways: tuple[baselines.Way, ...] = ("B", "A")
    seconds: dict[str, list[float]] = {"E": [], "A": [], "B": []}
    for number in range(rounds + 1):
        spent: dict[str, list[float]] = {way: [baselines.cost(way, sample, pack) for sample in chosen] for way in ways}
        spent["E"] = [_writing_again(table) / table.num_rows for table in ready]
        # The first round, which compiles the templates and imports what A needs, does not count.
        for way, per_row in spent.items() if number else ():
            seconds[way].append(sum(n * cost for n, cost in zip(rows, per_row, strict=True)))
    whole, floor = sum(one.whole for one in found), sum(one.floor for one in found)
    shown = Table("way", title=f"CPU seconds for {rows[0]:,} questions and {rows[1]:,} articles")
    for column in ("CPU s", "× E", "kbench is faster by"):
        shown.add_column(column, justify="right")
    shown.add_row("E: writing alone", f"{floor:.1f}", "1.0", "")
    shown.add_row("kbench", f"{whole:.1f}", f"{whole / floor:.1f}", "1.00")
    for way in ways:
        times = [spent / beside for spent, beside in zip(seconds[way], seconds["E"], strict=True)]
        faster = [time * floor / whole for time in times]
        shown.add_row(_WAYS[way], spread(seconds[way]), spread(times), spread(faster, 2))
    show(
        shown,
        f"A and B: the median (quartiles) of {rounds} rounds on {questions:,} questions and {articles:,} articles, "
        "scaled by rows;",
        f"their × E is of the E of the same round ({spread(seconds['E'], 2)} s), so that a machine that slows down does "
        "not tilt it",
    )


def _writing_again(table: pa.Table) -> float:
    """CPU seconds of writing a table, the second time."""
    with tempfile.TemporaryDirectory() as folder:
        return [_writing(Path(folder) / "table.parquet", table) for _ in range(2)][1]


if __name__ == "__main__":
    main()
