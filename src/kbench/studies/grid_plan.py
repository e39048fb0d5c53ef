"""What a grid needs done: releases, bases, trainings and scorings, each in a folder named by its content."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.benchmarks.knownness import KNOWNNESS
from kbench.benchmarks.recipe_file import file_digests
from kbench.benchmarks.results import RUN, model_digests, read_result
from kbench.benchmarks.slick import PROBE
from kbench.errors import KbenchError
from kbench.generator.packs import Pack
from kbench.ids import json_digest
from kbench.store import MANIFEST, Release
from kbench.studies.grid import Cell, Grid, GridModel, GridPrompt, GridRecipe, GridRelease
from kbench.studies.grid_orders import (
    BASE,
    PART,
    BaseRef,
    Build,
    Generate,
    Kind,
    Know,
    Order,
    Score,
    Train,
    seeded_recipe,
)

Find = Callable[[str], Release]
"""The release that a name means: a folder, one on the shelf, or one on the Hub."""

Fetch = Callable[[str], str]
"""The folder of a model of the Hub; any other model as it is."""


@dataclass(frozen=True)
class Task:
    """One piece of work: its folder under the grid's, what it waits for, and what a worker is told.

    Tasks of one `group` are done together by one engine where they can be.
    """

    kind: Kind
    title: str
    folder: Path
    needs: tuple[Path, ...]
    order: Order
    group: str = ""

    @property
    def state(self) -> Path:
        """The file that says how it ended, beside its folder."""
        return self.folder.with_name(f"{self.folder.name}.task.json")

    @property
    def traceback(self) -> Path:
        """The file of its traceback, where it failed."""
        return self.folder.with_name(f"{self.folder.name}.traceback.txt")

    def told(self) -> dict[str, Any]:
        """How it ended: `status`, `reason`, `wall_s`, `cpu_s`; empty where it never did."""
        try:
            found: dict[str, Any] = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def is_done(self) -> bool:
        """Whether its folder holds what it makes, and nothing was found wrong with it."""
        return _is_made(self.kind, self.folder) and self.told().get("status") != "failed"


def _is_made(kind: Kind, folder: Path) -> bool:
    if kind == "score":
        result = read_result(folder)
        return result is not None and not result["kbench"].get("errors")
    if kind == "base":
        return (folder / BASE).is_file() and BaseRef("", folder).is_there()
    return (folder / {"release": MANIFEST, "know": KNOWNNESS, "train": RUN, "part": PART}[kind]).is_file()


@dataclass(frozen=True)
class Planned:
    """A cell and the folders of its release, its base's result, its run (a base has none) and its result."""

    cell: Cell
    release: Path
    base: Path
    run: Path | None
    result: Path


@dataclass(frozen=True)
class Plan:
    """The tasks of a grid by their folders, each after all that it needs, and the cells that are read off them."""

    tasks: dict[Path, Task]
    cells: tuple[Planned, ...]
    beside: tuple[Path, ...] = ()
    """What is wanted beside the cells."""

    @cached_property
    def done(self) -> frozenset[Path]:
        """The folders that were whole when the plan was first asked."""
        return frozenset(task.folder for task in self.tasks.values() if task.is_done())

    @cached_property
    def todo(self) -> dict[Path, Task]:
        """What is still to be done: no base is built anew for cells that are all finished."""
        wanted: set[Path] = set()
        waiting = [*(planned.result for planned in self.cells), *self.beside]
        while waiting:
            folder = waiting.pop()
            if folder not in wanted and folder not in self.done:
                wanted.add(folder)
                waiting += self.tasks[folder].needs
        return {folder: task for folder, task in self.tasks.items() if folder in wanted}

    def seconds(self, kind: Kind) -> float | None:
        """What a finished task of a kind took, in the mean; None where none is."""
        told = [task.told() for task in self.tasks.values() if task.kind == kind and task.folder in self.done]
        walls = [each["wall_s"] for each in told if each.get("status") == "done"]
        return sum(walls) / len(walls) if walls else None


def plan_grid(grid: Grid, out: Path, find: Find, fetch: Fetch) -> Plan:
    """Every task of a grid under a folder. Raises SpecError or ReleaseError where a release cannot be had.

    A model that cannot be fetched stops nothing: its tasks say why, when they are tried.
    """
    return Planner(grid, out, find, fetch).plan()


@dataclass
class Planner:
    """Plans tasks under a folder: those of a grid's cells, and what a study has beside them."""

    grid: Grid
    out: Path
    find: Find
    fetch: Fetch
    tasks: dict[Path, Task] = field(default_factory=dict)
    folders: dict[tuple[Path, str], Path] = field(default_factory=dict)
    held: dict[Path, dict[str, Path]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    models: dict[str, tuple[str, Any]] = field(default_factory=dict)
    releases: dict[tuple[str, int | None], Path] = field(default_factory=dict)
    names: dict[Path, str] = field(default_factory=dict)
    packs: dict[str, Pack] = field(default_factory=dict)
    """The template pack of each recipe: reading one takes longer than all else of a plan."""

    def plan(self) -> Plan:
        """The tasks of every cell."""
        wanted = list(self.grid.cells())
        models = {model.name: model for model in self.grid.models}
        recipes = {recipe.name: recipe for recipe in self.grid.recipes}
        prompts = {prompt.name: prompt for prompt in self.grid.prompts}
        releases = {release.name: release for release in self.grid.releases}
        cells = []
        for cell in wanted:
            model, recipe, prompt = models[cell.model], recipes[cell.recipe], prompts[cell.prompt]
            release = self.release(releases[cell.release], cell.seed)
            base, ref = self.base(release, model)
            untuned = self._score(cell, release, ref, base, prompt)
            run = None
            if recipe.train:
                run = self.train(cell, release, model, ref, recipe)
            result = self._score(cell, release, ref, run, prompt, untuned) if run else untuned
            cells.append(Planned(cell, release, untuned, run, result))
        # Python keeps the order in which tasks were first planned, and each was planned after what it needs.
        return Plan(self.tasks, tuple(cells))

    def release(self, release: GridRelease, seed: int | None) -> Path:
        """The folder of a release; where each seed has a world of its own, of that seed's."""
        key = release.name, seed if release.each_seed else None
        if key not in self.releases:
            self.releases[key] = self._found(release, key[1])
            self.names[self.releases[key]] = release.name if key[1] is None else f"{release.name}.seed{seed}"
        return self.releases[key]

    def _found(self, release: GridRelease, seed: int | None) -> Path:
        if release.source:
            found = self.find(release.source)
            self.digests[str(found.path)] = found.digest
            return found.path
        recipe = seeded_recipe(release.recipe, seed)
        if release.recipe not in self.packs:
            self.packs[release.recipe] = recipe.pack()
        digest = json_digest(recipe.describe(self.packs[release.recipe]))
        name = release.name if seed is None else f"{release.name}.seed{seed}"
        folder = self.folder(self.out / "releases", name, digest)
        self.digests[str(folder)] = digest
        title = f"release {release.name}" if seed is None else f"release {release.name} seed {seed}"
        return self.add(Task("release", title, folder, (), Generate(release.recipe, folder, seed)))

    def base(self, release: Path, model: GridModel) -> tuple[Path, BaseRef]:
        """The folder that the results of a base lie in, and how the base is found."""
        source, weights = self._model(model)
        identity = json_digest([__version__, self.digests[str(release)], weights, dict(model.lab)])
        name = self.names[release]
        folder = self.folder(self.out / "bases", f"{name}.{model.name}", identity)
        self.digests[str(folder)] = identity
        if not model.is_lab:
            return folder, BaseRef(source, None)
        order = Build(release, dict(model.lab), folder)
        self.add(Task("base", f"base {model.name} of {name}", folder, self.made(release), order))
        return folder, BaseRef("", folder)

    def _model(self, model: GridModel) -> tuple[str, Any]:
        """A model as training and scoring take it, and the digests of its weights (its name, where there are none)."""
        if model.name not in self.models:
            try:
                source = self.fetch(model.source) if model.has_weights and not model.is_lab else model.source
            except KbenchError:
                source = model.source
            self.models[model.name] = source, model_digests(Path(source)) or source
        return self.models[model.name]

    def train(self, cell: Cell, release: Path, model: GridModel, ref: BaseRef, recipe: GridRecipe) -> Path:
        """The folder of a run."""
        values = {**recipe.values, "seed": cell.seed}
        base = self.base(release, model)[0]
        digest = json_digest([self.digests[str(base)], {**values, **file_digests(values)}])
        name = f"{cell.release}.{cell.model}.{cell.recipe}.seed{cell.seed}"
        cells = self.folder(self.out / "cells", name, digest)
        self.digests[str(cells / "run")] = digest
        title = f"training {cell.release} {cell.model} {cell.recipe} seed {cell.seed}"
        needs = [*self.made(release), *self.made(base)]
        if str(values.get("knownness", "")).startswith(PROBE):
            labels = self.know(release, model, ref, values["knownness"].removeprefix(PROBE))
            values["knownness"] = str(labels.resolve())
            needs.append(labels)
        order = Train(release, ref, values, self.grid.engine.trust_remote_code, cells / "run")
        return self.add(Task("train", title, cells / "run", tuple(needs), order, self._group(ref, recipe)))

    def know(self, release: Path, model: GridModel, ref: BaseRef, probe: str) -> Path:
        """The folder of the labels that a base gives the facts of a release."""
        base = self.base(release, model)[0]
        digest = json_digest([self.digests[str(base)], probe])
        folder = self.folder(self.out / "labels", f"{self.names[release]}.{model.name}", digest)
        order = Know(release, ref, probe, self.grid.engine, folder)
        title = f"labels of {self.names[release]} {model.name}"
        return self.add(Task("know", title, folder, (*self.made(release), *self.made(base)), order))

    def _score(
        self, cell: Cell, release: Path, ref: BaseRef, model: Path, prompt: GridPrompt, untuned: Path | None = None
    ) -> Path:
        """The scoring of a base (`untuned` is None), or of a run beside its base."""
        within = model.parent if untuned else model
        kept = [prompt.checkpoint] if untuned and prompt.checkpoint else []
        digest = json_digest([self.digests[str(model)], prompt.asking.to_dict(), *kept])
        folder = self.folder(within, prompt.name, digest)
        run = model.joinpath(*kept) if untuned else None
        order = Score(release, ref, run, untuned, prompt.asking, self.grid.engine, folder)
        needs = (*self.made(release), *self.made(model), *self.made(untuned))
        told = cell if untuned else f"base {cell.model} of {cell.release} {cell.prompt}"
        group = self.tasks[model].group if untuned else ""
        return self.add(Task("score", f"scoring {told}", folder, needs, order, group))

    def _group(self, ref: BaseRef, recipe: GridRecipe) -> str:
        """Adapters of one base can be scored by one engine of vLLM."""
        return f"{ref.source or ref.folder}" if recipe.values.get("method") == "lora" else ""

    def made(self, folder: Path | None) -> tuple[Path, ...]:
        """What a task that needs a folder waits for: nothing, where no task makes it."""
        return (folder,) if folder in self.tasks else ()

    def add(self, task: Task) -> Path:
        """Plan a task, where it is not planned already."""
        self.tasks.setdefault(task.folder, task)
        return task.folder

    def folder(self, parent: Path, name: str, digest: str) -> Path:
        """The folder of some content: one that is there under whatever name, else one of this name."""
        key = digest[:12]
        if (parent, key) not in self.folders:
            if parent not in self.held:
                self.held[parent] = _held(parent)
            self.folders[parent, key] = self.held[parent].get(key, parent / f"{name}-{key}")
        return self.folders[parent, key]


def _held(parent: Path) -> dict[str, Path]:
    """The folders in a folder, by the digest that their names end in."""
    return {path.name.rpartition("-")[2]: path for path in _folders(parent)}


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from sorted(path for path in parent.iterdir() if path.is_dir())
