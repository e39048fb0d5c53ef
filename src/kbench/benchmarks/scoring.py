"""Scoring a model on a release and keeping the result: model and base on the same rows, side by side."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import ENGINE, Engine
from kbench.benchmarks.evaluate import ask_all, judge, weigh_all
from kbench.benchmarks.kept import KEPT, Kept, kept_in
from kbench.benchmarks.likelihood import likelihoods, requests_of
from kbench.benchmarks.metrics import Sample, accuracies
from kbench.benchmarks.models.adapter_files import is_adapter, read_adapter
from kbench.benchmarks.models.open import asked_by, check_model, open_model, without_adapter
from kbench.benchmarks.models.protocol import Model
from kbench.benchmarks.question import base_folder, check_same, question_of
from kbench.benchmarks.results import RESULTS, read_ours, read_result, read_verdicts, write_result
from kbench.benchmarks.tasks import Guessing, Item, guessing, load_items, shots_shown
from kbench.lock import folder_lock
from kbench.rows import Rows
from kbench.store import Release, prepare_folder, write_json

PLAN = ".kbench_result_plan.json"
"""What an unfinished result is to become."""

EVERYTHING = Asking()


@dataclass(frozen=True, repr=False)
class Result:
    """A scored model: the folder, results.json, the samples where they were scored now, and whether they were."""

    path: Path
    about: dict[str, Any]
    samples: list[Sample]
    scored_now: bool

    def scores(self) -> Rows:
        """A row a style and probe: accuracy, its interval, control, base, chance, majority, and how many rows."""
        return Rows(pa.Table.from_pylist(self.about["kbench"]["scores"]), f"scores in {self.path}")

    def __repr__(self) -> str:
        """The model, the release, and each score beside its interval, control and chance level."""
        kbench = self.about["kbench"]
        partial = ", partial" if kbench["partial"] else ""
        lines = [f"result {self.path}: {self.about['model_name']} on world {kbench['release']['world']}{partial}"]
        for s in kbench["scores"]:
            beside = ", ".join(f"{key} {s[key]:.2f}" for key in ("control", "base", "chance") if s[key] is not None)
            interval = f"{s['accuracy']:.2f} ({s['low']:.2f} to {s['high']:.2f})"
            lines.append(f"  {s['style']:<9} {s['probe']:<11} {interval}, {beside}, {s['rows']:,} rows")
        return "\n".join(lines)


def score(
    release: Release,
    model: str,
    out: Path,
    asking: Asking = EVERYTHING,
    *,
    base: str | None = None,
    base_result: Path | None = None,
    engine: Engine = ENGINE,
    opened: Model | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    wait: bool = False,
) -> Result:
    """Score a model beside its base on the same rows; a finished result is left alone, an unfinished one goes on.

    Each reply is kept as it comes: whoever kills this loses no more than the batch in work. Rows that ended in errors
    are asked again by the next call. The base is scored once for each way of asking and kept in the cache, unless
    `base_result` is where it was scored already. `opened` is the model itself, where somebody else holds it. With
    `wait` another process that writes `out` is waited for; what it has finished then is the result.

    Raises:
        OutputError: `out` holds another result or something else, or another process is writing it.
        ModelError: a model cannot be loaded, or its engine fails; what was replied until then is kept.
    """
    question = question_of(release, model, base, asking)
    if finished := _finished(out, question):
        return finished
    plan = {**question, "asked_by": asked_by(model, engine)}
    if out.exists():
        _check_unfinished(out, plan)
    known = guessing(release)
    told = _Told(progress, scorings=2 if base and base_result is None else 1)
    if opened is None:
        check_model(model)
    where = base_result or (base_folder(question, asked_by(base, engine)) if base else None)
    tuned = opened
    if tuned is None and base and is_adapter(Path(model)):
        tuned = open_model(model, release, engine, base=base, chat=asking.prompting.chat)
    if base and where and base_result is None:
        # An adapter's base is asked in the engine that holds both.
        untuned = without_adapter(tuned) if tuned else None
        score(release, base, where, asking, engine=engine, opened=untuned, progress=told.of_the_base, wait=True)
    tuned = tuned or open_model(model, release, engine, chat=asking.prompting.chat)
    items = load_items(release, asking.splits, asking.limit, asking.prompting, tuned.chat, asking.styles, asking.probes)
    requests = requests_of(items, known) if asking.likelihood else []
    next(iter(tuned.weigh(requests[:0])), None) if asking.likelihood else None
    told.begin(len(items) + len(requests))
    prepare_folder(out, PLAN, RESULTS)
    with folder_lock(out, wait=wait):
        # Who held the lock before may have done it all meanwhile.
        if finished := _finished(out, question):
            return finished
        _check_unfinished(out, plan)
        write_json(out / PLAN, plan)
        start, cpu = time.perf_counter(), time.process_time()
        truth = _truth(tuned, model, base, items, engine)
        with kept_in(out) as kept:
            ask_all(tuned, items, asking, kept, told.step)
            weigh_all(tuned, requests, kept, told.step)
            samples = _judged(items, requests, known, asking, kept)
            read, written = kept.tokens(items)
        cost = {"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
        about = {
            **plan,
            "engine": tuned.about(),
            **({"adapter_truth": truth} if truth else {}),
            **({"shots": shots_shown(items)} if asking.prompting.shots else {}),
            "partial": asking.partial,
            "errors": sum(sample.status == "error" for sample in samples),
            "cost": {**cost, "prompt_tokens": read, "tokens": written},
        }
        scores = accuracies(samples, known, read_verdicts(where) if where else None)
        result = write_result(out, release, question["model"], scores, samples, about)
        (out / PLAN).unlink(missing_ok=True)
        if not about["errors"]:
            (out / KEPT).unlink(missing_ok=True)
    return Result(out, result, samples, scored_now=True)


def _judged(
    items: list[Item], requests: list[tuple[Item, str]], known: Guessing, asking: Asking, kept: Kept
) -> list[Sample]:
    """The sample of each item, of the replies and likelihoods that were kept."""
    samples = [judge(item, kept.failed(item), asking.prompting) for item in items]
    if not asking.likelihood:
        return samples
    weights = [kept.weight(item, text) for item, text in requests]
    weighed = likelihoods(items, known, weights)
    return [replace(sample, likelihood=each) for sample, each in zip(samples, weighed, strict=True)]


def _truth(tuned: Model, model: str, base: str | None, items: Sequence[Item], engine: Engine) -> dict[str, Any] | None:
    """The proof that an adapter is applied; None for what is none. Raises ModelError where it is not."""
    untuned = without_adapter(tuned)
    if untuned is None:
        return None
    from kbench.benchmarks.models.adapter_truth import adapter_truth

    below = base or read_adapter(Path(model)).base
    return adapter_truth(tuned, untuned, Path(model), below, items, trust_remote_code=engine.trust_remote_code)


def _finished(out: Path, question: dict[str, Any]) -> Result | None:
    """What a folder holds of this question, where every row has its verdict. Raises OutputError where it is another."""
    found = read_result(out)
    if found is None:
        return None
    check_same(found["kbench"], question, f"another result (of {found['model_name']})", out)
    if found["kbench"].get("errors"):
        return None
    for left in (PLAN, KEPT):  # of a process that was killed right behind its last file
        with suppress(OSError):
            (out / left).unlink()
    return Result(out, found, [], scored_now=False)


def _check_unfinished(out: Path, plan: dict[str, Any]) -> None:
    """Raise OutputError where a folder holds something else than this question, unfinished, or another engine's.

    A plan without any reply, as a mistyped endpoint leaves it, holds nothing that could be lost.
    """
    prepare_folder(out, PLAN, RESULTS)
    kept = out / KEPT
    if (out / PLAN).is_file() and kept.is_file() and kept.stat().st_size:
        check_same(read_ours(out / PLAN), plan, "another, unfinished result", out)
    elif (found := read_result(out)) is not None:
        check_same(found["kbench"], plan, "a result with errors", out)


@dataclass
class _Told:
    """What is heard of the progress, in rows: of the base's scoring, where there is one, then of the model's."""

    progress: Callable[[int, int], None]
    scorings: int
    done: int = 0
    total: int = 0

    def of_the_base(self, done: int, total: int) -> None:
        self.progress(done, 2 * total)

    def begin(self, rows: int) -> None:
        self.total, self.done = rows * self.scorings, rows * (self.scorings - 1)

    def step(self, n: int) -> None:
        self.done += n
        self.progress(self.done, self.total)
