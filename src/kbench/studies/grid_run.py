"""Running a grid: tasks side by side as soon as what they need is there; what fails stops nothing but its own cells."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from kbench.lock import folder_lock
from kbench.store import prepare_folder, write_json, write_text
from kbench.studies.grid import Grid
from kbench.studies.grid_orders import KINDS, Kind
from kbench.studies.grid_plan import Fetch, Find, Plan, Task, plan_grid
from kbench.studies.grid_workers import Ended, Told, Worker, hear_all, workers

ABOUT = "grid.json"
"""What a grid's folder keeps of it, and is known by."""

SECONDS: dict[Kind, float] = {"release": 2.0, "base": 38.0, "know": 20.0, "train": 8.0, "score": 1.0, "part": 10.0}
"""What a task is taken to cost beside the others, for the progress bar, as long as none of its kind is done."""

_WAIT = 0.5
Report = Callable[[float, float], None]
"""Called with what is done and what there is in all, in seconds of work."""


@dataclass(frozen=True)
class Failure:
    """A task that failed: why, and where its traceback is. Of one that could not begin, `blocked` names what failed."""

    task: Task
    reason: str
    blocked: bool = False


@dataclass(frozen=True)
class Outcome:
    """What has become of a grid's tasks: those of earlier runs, those done now, those that failed, by their folders."""

    plan: Plan
    reused: frozenset[Path]
    done: frozenset[Path]
    failures: dict[Path, Failure]

    def failed_cells(self) -> int:
        """How many cells have no result."""
        return sum(planned.result not in self.done | self.reused for planned in self.plan.cells)


def run_grid(
    grid: Grid,
    out: Path,
    find: Find,
    fetch: Fetch,
    jobs: int | None = None,
    report: Report = lambda done, total: None,
) -> Outcome:
    """Do what of a grid is not done, in `jobs` processes of one thread (None: a process a GPU, else one a CPU).

    A task that fails is kept with its reason and traceback, and tried again by the next run.

    Raises:
        OutputError: `out` holds something else, or another process writes it.
        ReleaseError, SpecError: a release cannot be had.
    """
    prepare_folder(out, ABOUT)
    with folder_lock(out):
        plan = plan_grid(grid, out, find, fetch)
        if not (out / ABOUT).is_file():
            write_json(out / ABOUT, {"name": grid.name, "status": "unfinished"})
        return run_plan(plan, grid.engine.backend, jobs, report)


def run_plan(plan: Plan, backend: str, jobs: int | None, report: Report) -> Outcome:
    """Do the tasks of a plan that are not done; the caller holds the folder."""
    return _Running(plan, backend, report).run(jobs)


@dataclass
class _Running:
    """The tasks that wait, those at work, and those that ended."""

    plan: Plan
    backend: str
    report: Report
    waiting: dict[Path, Task] = field(default_factory=dict)
    running: dict[Path, Task] = field(default_factory=dict)
    shares: dict[Path, float] = field(default_factory=dict)
    done: set[Path] = field(default_factory=set)
    failures: dict[Path, Failure] = field(default_factory=dict)
    together: bool = False
    weights: dict[Kind, float] = field(default_factory=dict)

    def run(self, jobs: int | None) -> Outcome:
        self.weights = {kind: self.plan.seconds(kind) or SECONDS[kind] for kind in KINDS}
        self.waiting = dict(self.plan.todo)
        self._tell()
        if self.waiting:
            devices = gpus()
            self.together = _engine_is_vllm(self.backend, devices)
            os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
            with workers(jobs or default_jobs(devices), devices) as crew:
                self._work(crew)
        now = frozenset(self.done)
        return Outcome(self.plan, self.plan.done, now, self.failures)

    def _work(self, crew: Sequence[Worker]) -> None:
        while self.waiting or self.running:
            self._drop_blocked()
            for worker in crew:
                if not worker.busy and (batch := self._next(worker)):
                    for task in batch:
                        self.running[task.folder] = self.waiting.pop(task.folder)
                        task.traceback.unlink(missing_ok=True)
                    worker.hand([task.order for task in batch])
            for said in hear_all(crew, _WAIT):
                if isinstance(said, Told):
                    self.shares[said.folder] = said.share
                else:
                    self._end(said)
            self._tell()

    def _next(self, worker: Worker) -> list[Task]:
        """What a free worker is to do: of the tasks that can begin, first one of the kind that it did last."""
        have = self.done | self.plan.done
        ready = [task for task in self.waiting.values() if all(need in have for need in task.needs)]
        ready = [task for task in ready if not self._is_held(task)]
        if not ready:
            return []
        same = [task for task in ready if type(task.order) is worker.kind] if worker.devices else []
        first = (same or ready)[0]
        if not (self.together and first.group and first.kind == "score"):
            return [first]
        return [task for task in ready if task.kind == "score" and task.group == first.group]

    def _is_held(self, task: Task) -> bool:
        """Whether a scoring waits for other adapters of its base, to be done with them by one engine."""
        if not (self.together and task.group and task.kind == "score"):
            return False
        unfinished = [*self.waiting.values(), *self.running.values()]
        return any(other.kind == "train" and other.group == task.group for other in unfinished)

    def _drop_blocked(self) -> None:
        """Take out what waits for something that failed."""
        for folder, task in list(self.waiting.items()):
            for need in task.needs:
                if need in self.failures:
                    self.failures[folder] = Failure(task, self.failures[need].reason, blocked=True)
                    del self.waiting[folder]
                    break

    def _end(self, ended: Ended) -> None:
        task = self.running.pop(ended.folder)
        about = {"status": "failed" if ended.reason else "done", "reason": ended.reason}
        cost = {"wall_s": ended.wall_s, "cpu_s": ended.cpu_s, "together": ended.together}
        write_json(task.state, {**about, "title": task.title, **cost})
        if ended.traceback:
            write_text(task.traceback, ended.traceback)
        if ended.reason:
            self.failures[ended.folder] = Failure(task, ended.reason)
        else:
            self.done.add(ended.folder)

    def _tell(self) -> None:
        over = self.plan.done | self.done | set(self.failures)
        skipped = set(self.plan.tasks) - set(self.plan.todo)
        done = total = 0.0
        for folder, task in self.plan.tasks.items():
            total += self.weights[task.kind]
            done += self.weights[task.kind] * (1.0 if folder in over | skipped else self.shares.get(folder, 0.0))
        self.report(done, total)


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return told.split(",")[:count] if told else [str(number) for number in range(count)]


def default_jobs(devices: Sequence[str]) -> int:
    """A process a GPU; where there is none, one a CPU that this process may use."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return len(devices) or cpus


def _engine_is_vllm(backend: str, devices: Sequence[str]) -> bool:
    return find_spec("vllm") is not None and (backend == "vllm" or (backend == "auto" and bool(devices)))
