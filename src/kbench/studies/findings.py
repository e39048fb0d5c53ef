"""What the demo's cells show: levels by arm and probe, four contrasts, and whether they may be read at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kbench.studies.cells import ARMS, cell_results
from kbench.studies.contrasts import Contrast, paired, t_interval

GATE = 0.8
"""The least accuracy of a base on held-out questions about its background for its seed to count."""
LEAST_SEEDS = 3

PROBES: tuple[tuple[str, str, str], ...] = (
    ("held-out questions", "qa", "paraphrase"),
    ("numbers", "numeric", "paraphrase"),
    ("cloze", "cloze", "cross_style"),
    ("two hops", "multihop", "multihop"),
    ("background (retention)", "qa", "known"),
)


@dataclass(frozen=True)
class Level:
    """The mean accuracy of an arm on a probe over seeds, its 95 % t interval, and what to hold it against."""

    arm: str
    probe: str
    style: str
    mean: float
    low: float
    high: float
    rows: int
    entities: int
    control: float | None
    chance: float
    majority: float


@dataclass(frozen=True)
class Findings:
    """The demo's outcome. `refusal` says why nothing may be read off it, and is empty where it may."""

    seeds: tuple[int, ...]
    used: tuple[int, ...]
    gates: dict[int, float]
    refusal: str
    levels: tuple[Level, ...]
    contrasts: tuple[Contrast, ...]
    beside: tuple[Contrast, ...]
    both_hops: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class _Cell:
    seed: int
    scores: dict[tuple[str, str, str], dict[str, Any]]
    by_relation: dict[tuple[str, str, str, str], float]
    both_hops: dict[str, tuple[float, float]]

    def accuracy(self, arm: str, style: str, probe: str) -> float:
        return float(self.scores[arm, style, probe]["accuracy"])


def find(cells: dict[int, Path]) -> Findings:
    """Read every cell's results and compute levels and contrasts over the seeds whose base passed its check."""
    read = [_read(seed, path) for seed, path in sorted(cells.items())]
    gates = {cell.seed: cell.accuracy("base", "qa", "known") for cell in read}
    used = [cell for cell in read if gates[cell.seed] >= GATE]
    seeds = tuple(cell.seed for cell in read)
    if len(used) < LEAST_SEEDS:
        failed = ", ".join(f"seed {seed}: {value:.2f}" for seed, value in gates.items() if value < GATE)
        refusal = (
            f"not interpretable: {len(used)} of {len(read)} bases answered at least {GATE:.0%} of the background "
            f"questions ({failed}), and {LEAST_SEEDS} are needed: what a base never learned says nothing about format"
        )
        return Findings(seeds, tuple(c.seed for c in used), gates, refusal, (), (), (), ())
    contrasts = (
        _contrast(used, "question_format", "QA − article, questions", "qa", "article", "qa", "paraphrase"),
        _contrast(used, "cloze_format", "QA − article, cloze", "qa", "article", "cloze", "cross_style"),
        _values(used, "numeric_matched", "number − category (matched)", "badge", "emblem"),
        _two_hop(used),
    )
    return Findings(
        seeds,
        tuple(c.seed for c in used),
        gates,
        "",
        tuple(_level(used, arm, *probe) for probe in PROBES for arm in ("base", *ARMS)),
        contrasts,
        (
            _values(used, "numeric_unmatched", "number − category (unmatched)", "height", "occupation"),
            _hops_lost(used),
        ),
        tuple((arm, *_mean_pair([c.both_hops[arm] for c in used])) for arm in ARMS),
    )


def _read(seed: int, path: Path) -> _Cell:
    scores: dict[tuple[str, str, str], dict[str, Any]] = {}
    by_relation: dict[tuple[str, str, str, str], float] = {}
    both: dict[str, tuple[float, float]] = {}
    for arm, result in cell_results(path).items():
        for entry in result["kbench"]["scores"]:
            scores[arm, entry["style"], entry["probe"]] = entry
        samples = pq.read_table(path / "results" / arm / "samples.parquet").to_pylist()
        groups: dict[tuple[str, str, str, str], list[bool]] = {}
        for row in samples:
            groups.setdefault((arm, row["style"], row["probe"], row["relation"]), []).append(row["correct"])
        by_relation |= {key: sum(right) / len(right) for key, right in groups.items()}
        both[arm] = _both_hops(samples)
    return _Cell(seed, scores, by_relation, both)


def _both_hops(samples: list[dict[str, Any]]) -> tuple[float, float]:
    """The share of two-hop questions whose every hop was answered right, and the accuracy among those."""
    right = {row["id"]: row["correct"] for row in samples}
    asked = [row for row in samples if row["probe"] == "multihop"]
    able = [row for row in asked if all(right[hop] for hop in row["hop_ids"])]
    share = len(able) / len(asked) if asked else float("nan")
    return share, sum(row["correct"] for row in able) / len(able) if able else float("nan")


def _mean_pair(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    shares = [share for share, _ in pairs]
    given = [accuracy for _, accuracy in pairs if accuracy == accuracy]
    return sum(shares) / len(shares), sum(given) / len(given) if given else float("nan")


def _level(cells: list[_Cell], arm: str, title: str, style: str, probe: str) -> Level:
    entries = [cell.scores[arm, style, probe] for cell in cells]
    values = [float(e["accuracy"]) for e in entries]
    low, high = t_interval(values)
    controls = [e["control"] for e in entries if e["control"] is not None]
    return Level(
        arm,
        title,
        style,
        sum(values) / len(values),
        max(0.0, low),
        min(1.0, high),
        sum(e["rows"] for e in entries),
        sum(e["entities"] for e in entries),
        sum(controls) / len(controls) if controls and probe != "known" else None,
        sum(e["chance"] for e in entries) / len(entries),
        sum(e["majority"] for e in entries) / len(entries),
    )


def _contrast(cells: list[_Cell], name: str, title: str, left: str, right: str, style: str, probe: str) -> Contrast:
    return paired(
        name,
        title,
        f"accuracy on {style} rows, probe {probe}: finetuned on {left} minus finetuned on {right}",
        (f"{left}-trained", [cell.accuracy(left, style, probe) for cell in cells]),
        (f"{right}-trained", [cell.accuracy(right, style, probe) for cell in cells]),
    )


def _values(cells: list[_Cell], name: str, title: str, numeric: str, categorical: str) -> Contrast:
    key = ("article", "qa", "paraphrase")
    return paired(
        name,
        title,
        f"finetuned on articles, asked held-out questions: relation {numeric} minus relation {categorical}",
        (numeric, [cell.by_relation[*key, numeric] for cell in cells]),
        (categorical, [cell.by_relation[*key, categorical] for cell in cells]),
    )


def _two_hop(cells: list[_Cell]) -> Contrast:
    return paired(
        "two_hop",
        "two hops − their floor",
        "finetuned on questions: two-hop questions about new people minus the same about never-trained people",
        ("new people", [cell.accuracy("qa", "multihop", "multihop") for cell in cells]),
        ("never trained", [cell.accuracy("qa", "multihop", "control") for cell in cells]),
    )


def _hops_lost(cells: list[_Cell]) -> Contrast:
    return paired(
        "hops_lost",
        "one hop − two hops",
        "finetuned on questions: the share of two-hop questions whose every hop is answered, minus accuracy on them",
        ("both hops answered", [cell.both_hops["qa"][0] for cell in cells]),
        ("question answered", [cell.accuracy("qa", "multihop", "multihop") for cell in cells]),
    )
