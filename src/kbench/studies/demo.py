"""The main job, end to end: eight worlds, their bases and finetunes, four contrasts and one page."""

import os
import queue
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from kbench.errors import SpecError
from kbench.store import prepare_folder, write_json
from kbench.studies.cells import finished_cell, run_cell
from kbench.studies.findings import LEAST_SEEDS, Findings, find
from kbench.workers import worker_pool

MARK = "kbench_demo.json"
PAGE = "report.html"


_updates: "Queue[tuple[int, float]] | None" = None


@dataclass(frozen=True)
class Demo:
    """The demo's outcome: what was found, what each cell keeps of itself, the page, and which seeds were reused."""

    findings: Findings
    cells: dict[int, dict[str, Any]]
    page: Path
    reused: tuple[int, ...]


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds from `0-7` or `1,2,5`. Raises SpecError of one line."""
    try:
        found: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
    except ValueError:
        raise SpecError(f"--seeds takes numbers such as 0-7 or 1,2,5 (got {text!r})") from None
    if not LEAST_SEEDS <= len(set(found)) <= 64:
        raise SpecError(f"--seeds needs {LEAST_SEEDS} to 64 different seeds (got {len(set(found))})")
    return tuple(dict.fromkeys(found))


def run_demo(
    out: Path, seeds: tuple[int, ...], workers: int, report: Callable[[int, float], None] = lambda seed, share: None
) -> Demo:
    """Run every seed's cell, side by side, then read the results and write the page.

    Args:
        out: everything is kept here; what is done is reused.
        seeds: one world each.
        workers: processes, each of one thread.
        report: called with a seed and the share of its cell that is done.

    Raises:
        OutputError: `out` holds something else.
    """
    prepare_folder(out, MARK)
    write_json(out / MARK, {"seeds": list(seeds)})
    folders = {seed: out / "seeds" / str(seed) for seed in seeds}
    earlier = {seed: finished_cell(seed, folder) for seed, folder in folders.items()}
    done = {seed: cell for seed, cell in earlier.items() if cell is not None}
    reused = tuple(done)
    for seed in reused:
        report(seed, 1.0)
    todo = {seed: folder for seed, folder in folders.items() if seed not in done}
    if todo:
        done.update(_run_all(todo, workers, report))
    findings = find(folders)
    from kbench.studies.report import write_report

    page = write_report(out / PAGE, findings, done, folders[seeds[0]] / "release", reused)
    return Demo(findings, done, page, reused)


def _run_all(
    folders: dict[int, Path], workers: int, report: Callable[[int, float], None]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run the cells in worker processes; one thread each, set before they start."""
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    updates: Queue[tuple[int, float]] = get_context("spawn").Queue()
    with worker_pool(min(workers, len(folders)), _start_worker, (updates,)) as pool:
        jobs: dict[Future[dict[str, Any]], int] = {
            pool.submit(_work, seed, folder): seed for seed, folder in folders.items()
        }
        waiting = set(jobs)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
            for seed, share in _drain(updates):
                report(seed, share)
            for job in finished:
                yield jobs[job], job.result()
                report(jobs[job], 1.0)


def _start_worker(updates: "Queue[tuple[int, float]]") -> None:
    global _updates
    _updates = updates
    warnings.filterwarnings("ignore", module="torch|transformers|accelerate")


def _work(seed: int, folder: Path) -> dict[str, Any]:
    updates = _updates
    return run_cell(seed, folder, lambda share: updates.put((seed, share)) if updates else None)


def _drain(updates: "Queue[tuple[int, float]]") -> Iterator[tuple[int, float]]:
    while True:
        try:
            yield updates.get_nowait()
        except queue.Empty:
            return
