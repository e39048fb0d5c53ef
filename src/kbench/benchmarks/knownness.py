"""Labelling the facts of a release by how well a model knows them: what `kbench know` leaves."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench import __version__
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import has_weights
from kbench.benchmarks.evaluate import ask_all
from kbench.benchmarks.kept import KEPT, Kept, kept_in
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.models.protocol import Model, Reply
from kbench.benchmarks.prompting import Prompting, read_answer
from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.benchmarks.recipe import LABELS
from kbench.benchmarks.results import model_digests, read_ours, settings_digest
from kbench.benchmarks.shots import exemplars, load_pool
from kbench.benchmarks.slick import Slick, label_of
from kbench.benchmarks.tasks import Item
from kbench.errors import OutputError, ReleaseError
from kbench.ids import digest_of
from kbench.lock import folder_lock
from kbench.rows import Rows
from kbench.store import Release, prepare_folder, write_json, write_table

KNOWNNESS = "knownness.json"
LABELLED = "knownness.parquet"
PLAN = ".kbench_knownness_plan.json"
SAMPLED = ".kbench_sampled.jsonl"

LABELLED_SCHEMA = pa.schema(
    [
        pa.field("fact_id", pa.string()),
        pa.field("label", pa.string()),
        pa.field("relation", pa.string()),
        pa.field("role", pa.string()),
        pa.field("row_id", pa.string()),
        pa.field("greedy_right", pa.int32()),
        pa.field("greedy", pa.int32()),
        pa.field("sampled_right", pa.int32()),
        pa.field("sampled", pa.int32()),
    ]
)
"""`greedy` and `sampled` count the answers of each kind that were judged, `…_right` those that matched."""

_PLAIN = Prompting()


@dataclass(frozen=True, repr=False)
class Knownness:
    """The labels of a release's facts under one model and probe: the folder, and what it says of itself."""

    path: Path
    about: dict[str, Any]
    labelled_now: bool

    def labels(self) -> Rows:
        """A row a fact, with its label and the counts that it follows from."""
        import pyarrow.parquet as pq

        return Rows(pq.read_table(self.path / LABELLED), f"labels in {self.path}")

    def __repr__(self) -> str:
        """The model, the release, and how many facts have each label."""
        about = self.about
        counts = ", ".join(f"{about['labels'][label]:,} {label}" for label in LABELS)
        where = f"{about['model']} on world {about['release']['world']}"
        return f"knownness {self.path}: {where}, {about['probe']}\n  {counts}"


@dataclass
class _Tally:
    """The answers to one fact's question: right ones and all, greedy and sampled."""

    row: dict[str, Any]
    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, reply: Reply | None) -> None:
        if reply is None or reply.error or reply.refused:
            return
        for text in reply.texts:
            self.asked[kind] += 1
            self.right[kind] += exact_match(read_answer(_PLAIN, self.row, text), self.row["answers"])

    def is_whole(self, probe: Slick) -> bool:
        """Whether every prompt was answered: a label from fewer answers would be another probe's."""
        return self.asked == Counter(greedy=probe.prompts, sampled=probe.prompts * probe.samples)


def label_facts(
    release: Release,
    model: Model,
    out: Path,
    probe: Slick = Slick(),  # noqa: B008 - a frozen value
    *,
    splits: tuple[str, ...] = ("train",),
    limit: int | None = None,
    max_tokens: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Knownness:
    """Label every fact that a `qa` row of some splits asks for; a finished labelling is left alone.

    Each fact is asked in one phrasing, picked by a digest, in each of the probe's prompts. Every answer is kept as it
    comes, so that an interrupted labelling goes on. A fact of which an answer failed has no label; it is counted, and
    asked again by the next call.

    Args:
        release: with questions in style `qa`, or, where it has none, in style `choice`.
        model: the model before it is finetuned.
        out: the folder for knownness.parquet and knownness.json.
        probe: how often and how it is asked.
        splits: where the questions come from.
        limit: label only so many facts; the result says so.
        max_tokens: the longest answer.
        progress: called with prompts answered and prompts in all, a prompt counting once greedily and once sampled.

    Raises:
        ReleaseError: no such rows.
        SpecError: too few exemplars for the probe.
        OutputError: `out` holds something else.
        ModelError: the engine fails; what was answered is kept.
    """
    plan = {
        "version": __version__,
        "probe": probe.name,
        "model": model.name,
        **model_digests(Path(model.name)),
        "settings": settings_digest(Path(model.name)),
        "asked_by": _asked_by(model),
        "release": {"world": release.world, "digest": release.digest},
        "splits": list(splits),
        "limit": limit,
        "max_tokens": max_tokens,
    }
    if (out / KNOWNNESS).is_file():
        about = read_ours(out / KNOWNNESS)
        _check_same({**{key: about.get(key) for key in plan}, "asked_by": plan["asked_by"]}, plan, out)
        if not about.get("failed"):
            return Knownness(out, about, labelled_now=False)
    rows = _questions(release, splits, limit)
    items = prompts_of(release, rows, probe)
    prepare_folder(out, PLAN, KNOWNNESS)
    with folder_lock(out):
        if (out / PLAN).is_file():
            _check_same(read_ours(out / PLAN), plan, out)
        write_json(out / PLAN, plan)
        start, cpu, done = time.perf_counter(), time.process_time(), 0

        def step(n: int) -> None:
            nonlocal done
            done += n
            progress(done, 2 * len(items))

        with kept_in(out) as greedy, kept_in(out, SAMPLED) as sampled:
            ask_all(model, items, Asking(decoding=probe.greedy(max_tokens)), greedy, step)
            ask_all(model, items, Asking(decoding=probe.sampled(max_tokens)), sampled, step)
            tallies = [t for t in _tallies(items, greedy, sampled) if t.is_whole(probe)]
        cost = {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
        table = _table(release, tallies)
        write_table(out / LABELLED, table)
        counts = Counter(table.column("label").to_pylist())
        about = {
            **plan,
            "engine": model.about(),
            "partial": limit is not None,
            "facts": table.num_rows,
            "failed": len(rows) - table.num_rows,
            "labels": {label: counts[label] for label in LABELS},
            "cost": cost,
        }
        write_json(out / KNOWNNESS, about)
        # What failed is asked again by the next call, and only that.
        for name in (PLAN,) if about["failed"] else (PLAN, KEPT, SAMPLED):
            (out / name).unlink()
    return Knownness(out, about, labelled_now=True)


def _asked_by(model: Model) -> str:
    """The engine, precision and device that ask a model: draws of another would be other draws."""
    if not has_weights(model.name):
        return ""
    about = model.about()
    return f"{str(about['engine']).split()[0]} in {about['dtype']} on {about['device']}"


def _check_same(held: dict[str, Any], plan: dict[str, Any], out: Path) -> None:
    differ = [key for key in plan if held.get(key) != plan[key] and not (key == "model" and plan.get("weights"))]
    if differ:
        raise OutputError(f"{out} holds another labelling, which differs in {', '.join(differ)}: give another --out")


def _questions(release: Release, splits: Iterable[str], limit: int | None) -> list[dict[str, Any]]:
    """One question a fact, the one of the least digest, in the order of the release."""
    chosen: dict[str, dict[str, Any]] = {}
    style = "qa" if "qa" in release.configs() else "choice"  # a dataset of exam questions has nothing else
    for split in (split for split in splits if split in release.splits(style)):
        for row in release.table(style, split).to_pylist():
            (fact,) = row["fact_ids"]
            if fact not in chosen or digest_of(row["id"]) < digest_of(chosen[fact]["id"]):
                chosen[fact] = row
    if not chosen:
        raise ReleaseError(f"the release {release.path} has no qa questions in {', '.join(splits)} to label facts by")
    return list(chosen.values())[:limit]


def prompts_of(release: Release, rows: list[dict[str, Any]], probe: Slick) -> list[Item]:
    """Each row in each prompt of a probe: exemplars of its relation, one set a prompt for all facts of the relation."""
    pool = load_pool(release, {row["style"] for row in rows}) if probe.shots else None
    items = []
    for row in rows:
        for seed in range(probe.prompts):
            shots = exemplars(pool, row, probe.shots, seed, one_set=True) if pool else []
            shown = "".join(f"{prompt_of(shot)}{completion_of(shot)}\n\n" for shot in shots)
            items.append(Item(row, "", shown + prompt_of(row)))
    return items


def _tallies(items: list[Item], greedy: Kept, sampled: Kept) -> list[_Tally]:
    tallies: dict[str, _Tally] = {}
    for item in items:
        tally = tallies.setdefault(item.row["id"], _Tally(item.row))
        tally.add("greedy", greedy.failed(item))
        tally.add("sampled", sampled.failed(item))
    return list(tallies.values())


def _table(release: Release, tallies: list[_Tally]) -> pa.Table:
    facts = release.table("facts", "train").select(["fact_id", "role"])
    roles = dict(zip(facts.column("fact_id").to_pylist(), facts.column("role").to_pylist(), strict=True))
    columns: dict[str, list[Any]] = defaultdict(list)
    for tally in tallies:
        (fact,) = tally.row["fact_ids"]
        greedy = tally.right["greedy"], tally.asked["greedy"]
        sampled = tally.right["sampled"], tally.asked["sampled"]
        values = (fact, label_of(greedy, sampled), tally.row["relation"], roles[fact], tally.row["id"])
        for name, value in zip(LABELLED_SCHEMA.names, (*values, *greedy, *sampled), strict=True):
            columns[name].append(value)
    return pa.table({name: columns[name] for name in LABELLED_SCHEMA.names}, schema=LABELLED_SCHEMA)
