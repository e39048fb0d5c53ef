"""Two results of one release, compared on the rows that both were scored on."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kbench.benchmarks.definitions import PER_SAMPLE
from kbench.benchmarks.resampling import holm, intervals, sign_flip
from kbench.benchmarks.results import RESULTS, SAMPLES, read_result, read_samples, sample_columns
from kbench.errors import OutputError, SpecError
from kbench.rows import Rows

EXACT = "exact_match"
COMPARED: tuple[str, ...] = (EXACT, *PER_SAMPLE)
"""What can be compared."""


@dataclass(frozen=True)
class Paired:
    """One style and probe: both means over the same rows, and their difference, b less a.

    `low` and `high` are a 95 % interval (2,000 resamples of entities), `p` is that of a two-sided sign-flip test over
    entities, never less than `floor`; `p_holm` is adjusted for the number of lines (Holm 1979).
    """

    style: str
    probe: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    floor: float
    rows: int
    entities: int


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two results side by side: a line a style and probe, and what could not be paired.

    `only_a` and `only_b` are the rows that one of the two alone was asked, `unscored` those that both were asked but
    not both scored on (or that the measure does not apply to), `notes` what makes the two less alike than they should
    be.
    """

    a: str
    b: str
    measure: str
    lines: tuple[Paired, ...]
    only_a: int
    only_b: int
    unscored: int
    notes: tuple[str, ...]

    def scores(self) -> Rows:
        """The lines as rows."""
        return Rows(pa.Table.from_pylist([asdict(line) for line in self.lines]), f"{self.a} and {self.b}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        """A line a style and probe."""
        told = [f"{self.measure} of {self.a} and {self.b}, paired by row"]
        for line in self.lines:
            difference = f"{signed(line.difference)} ({signed(line.low)} to {signed(line.high)})"
            both = f"{line.a:.2f} and {line.b:.2f}: {difference}, p {p_text(line.p, line.floor)}"
            told.append(f"  {line.style:<9} {line.probe:<11} {both}, {line.rows:,} rows")
        return "\n".join(told + [f"  {left}" for left in (self.left_out(),) if left])

    def left_out(self) -> str:
        """How many rows are in no line, and why; empty where there are none."""
        counts = {
            f"in {self.a} only": self.only_a,
            f"in {self.b} only": self.only_b,
            "without a value in one": self.unscored,
        }
        said = [f"{count:,} {why}" for why, count in counts.items() if count]
        return f"left out: {', '.join(said)}" if said else ""


def compare_results(a: Path, b: Path, measure: str = EXACT) -> Comparison:
    """Compare two result folders by style and probe, in the order of the first.

    Raises:
        SpecError: there is no such measure.
        OutputError: a folder holds no finished result, the two are of different releases, or no row has the measure
            in both.
    """
    if measure not in COMPARED:
        raise SpecError(f"unknown measure {measure!r}: have {', '.join(COMPARED)}")
    first, second = _result(a), _result(b)
    ours, theirs = first["kbench"]["release"], second["kbench"]["release"]
    if ours["digest"] != theirs["digest"]:
        raise OutputError(
            f"expected two results of one release (got world {ours['world']}, digest {ours['digest'][:16]}, in {a} and "
            f"world {theirs['world']}, digest {theirs['digest'][:16]}, in {b}): score both models on the same release"
        )
    one, two = _values(a, measure), _values(b, measure)
    asked = [key for key in one if key in two]
    groups: dict[tuple[str, str], list[tuple[str, float, float]]] = defaultdict(list)
    for key in asked:
        here, there = one[key], two[key]
        if here.value is not None and there.value is not None:
            groups[here.style, here.probe].append((here.entity, here.value, there.value))
    if not groups:
        raise OutputError(
            f"{a} and {b} share {len(asked):,} rows, none with {measure} in both: "
            + ("score both with it, or compare another measure" if asked else "score the same splits")
        )
    return Comparison(
        a=str(a),
        b=str(b),
        measure=measure,
        lines=_lines(groups),
        only_a=len(one) - len(asked),
        only_b=len(two) - len(asked),
        unscored=len(asked) - sum(map(len, groups.values())),
        notes=tuple(_notes(first, second, (str(a), str(b)))),
    )


def signed(difference: float) -> str:
    """A difference as a table has it, with its sign; 0 has a plus."""
    return f"{round(difference, 2) + 0.0:+.2f}"


def p_text(p: float, floor: float) -> str:
    """A p as a table has it: `≤` at the least that the test can give where that is small, and never 0."""
    return f"≤{floor:.1g}" if p <= floor < 0.001 else f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


@dataclass(frozen=True)
class _Value:
    style: str
    probe: str
    entity: str
    value: float | None


def _result(folder: Path) -> dict[str, Any]:
    found = read_result(folder)
    if found is None:
        raise OutputError(f"expected a finished result (no {RESULTS} in {folder}): make one by kbench eval")
    return found


def _values(folder: Path, measure: str) -> dict[str, _Value]:
    """What was measured of each row, by its id; None where it was not scored."""
    path, column = folder / SAMPLES, "score" if measure == EXACT else measure
    if not path.is_file():
        raise OutputError(
            f"no {SAMPLES} in {folder}, whose rows are to be paired: score the model again into a new folder"
        )
    if column not in (known := sample_columns(folder)):
        raise OutputError(f"no {measure} in {path} (have {', '.join(known)}): score the model again into a new folder")
    table = read_samples(folder, ["id", "style", "probe", "entity_id", column])
    return {
        key: _Value(style, probe, entity, value)
        for key, style, probe, entity, value in zip(
            *(table.column(name).to_pylist() for name in ("id", "style", "probe", "entity_id", column)), strict=True
        )
    }


def _lines(groups: dict[tuple[str, str], list[tuple[str, float, float]]]) -> tuple[Paired, ...]:
    tests = []
    for group in groups.values():
        entities = [entity for entity, _, _ in group]
        values = np.asarray([(mine, other, other - mine) for _, mine, other in group])
        tests.append((values.mean(axis=0), intervals(entities, values[:, 2:])[0], sign_flip(entities, values[:, 2])))
    adjusted = holm([test.p for _, _, test in tests])
    return tuple(
        Paired(
            style=style,
            probe=probe,
            a=float(means[0]),
            b=float(means[1]),
            difference=float(means[2]),
            low=interval.low,
            high=interval.high,
            p=test.p,
            p_holm=p_holm,
            floor=test.floor,
            rows=len(group),
            entities=len({entity for entity, _, _ in group}),
        )
        for ((style, probe), group), (means, interval, test), p_holm in zip(
            groups.items(), tests, adjusted, strict=True
        )
    )


def _notes(first: dict[str, Any], second: dict[str, Any], names: tuple[str, str]) -> list[str]:
    """Where the two were asked in different ways, or one is of a part of the release."""
    notes = []
    ours, theirs = (_flat(result["kbench"].get("scoring", {})) for result in (first, second))
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key), theirs.get(key)
        if key not in ("splits", "limit", "likelihood") and here != there:
            notes.append(f"the two were asked differently: {key} is {_said(here)} and {_said(there)}")
    here, there = (_engine(result["kbench"].get("engine") or {}) for result in (first, second))
    if here and there and here != there and {here[1], there[1]} != {"float32"}:
        told = " and ".join(f"{name} in {dtype}" for name, dtype in (here, there))
        notes.append(f"the two were asked by different engines, which round differently: {told}")
    for result, name in zip((first, second), names, strict=True):
        if result["kbench"].get("partial"):
            notes.append(f"{name} is partial: it is no score of the whole release")
    return notes


def _engine(about: dict[str, Any]) -> tuple[str, str] | None:
    """The engine of a result, whatever its version, and its precision; None where no weights were asked here."""
    return (str(about["engine"]).split()[0], str(about["dtype"])) if about.get("dtype") else None


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted names: of a table, each of its keys."""
    found = dict[str, Any]()
    for key, value in settings.items():
        found |= {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return found


def _said(value: Any) -> str:
    return "not said" if value is None else str(value)
