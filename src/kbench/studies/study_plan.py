"""The plan of a study: the tasks of its cells, and those of its parts."""

from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.ids import json_digest
from kbench.studies.grid import Cell, GridModel, GridRecipe
from kbench.studies.grid_orders import BaseRef, Measure
from kbench.studies.grid_plan import Fetch, Find, Plan, Planner, Task
from kbench.studies.study import Part
from kbench.studies.study_design import MODEL, WORLD, Design

ABOUT_MODELS = ("subject", "biography", "graph", "similarity", "law")
"""Kinds of parts that look at the base and at the models of cells."""

PartFolders = dict[tuple[str, int], Path]
"""The folder of each part and seed."""


def plan_study(design: Design, out: Path, find: Find, fetch: Fetch) -> tuple[Plan, PartFolders]:
    """Every task of a study under a folder, and where its parts will lie."""
    planner = Planner(design.grid(), out, find, fetch)
    plan = planner.plan()
    parts: PartFolders = {}
    for name, seeds in design.parts.items():
        for seed in seeds:
            parts[name, seed] = _part(planner, design, name, design.study.parts[name], seed)
    return Plan(planner.tasks, plan.cells, tuple(parts.values())), parts


def part_title(part: Part, seed: int) -> str:
    """What one seed of a part is called among the tasks."""
    return f"{part.title}, seed {seed}"


def _part(planner: Planner, design: Design, name: str, part: Part, seed: int) -> Path:
    options = {**part.options, **design.budget.options.get(name, {})}
    release = ref = base = None
    runs: dict[str, Path] = {}
    if part.kind == "tones":
        release = planner.release(planner.grid.releases[0], seed)
        model = planner.grid.models[0]
        ref = planner.base(release, model)[1]
        for tone in options["tones"]:
            recipe = GridRecipe(f"tone={tone}", _tone_recipe(design, options, tone))
            cell = Cell(WORLD, MODEL, recipe.name, "", seed)
            runs[tone] = planner.train(cell, release, model, ref, recipe)
    if part.kind in ABOUT_MODELS:
        release = planner.release(planner.grid.releases[0], seed)
        model = planner.grid.models[0]
        base, ref = planner.base(release, model)
        runs |= _runs_of(planner, design, part, seed, release, model, ref)
    told = {key: value for key, value in options.items() if key not in ("train", "train_lab", "tones")}
    # Runs are named by all that they are made by, the version too; a part without any has to say it itself.
    made_by: Any = {each: _made_by(planner, run) for each, run in runs.items()} or __version__
    if base is not None:
        made_by = [__version__, planner.digests[str(base)], made_by]
    digest = json_digest([part.kind, told, seed, made_by])
    folder = planner.folder(planner.out / "parts", f"{name}.seed{seed}", digest)
    made = (need for run in runs.values() for need in planner.made(run) or planner.made(run.parent))
    needs = tuple(dict.fromkeys((*planner.made(release), *planner.made(base), *made)))
    order = Measure(part.kind, release, ref, runs, told, seed, folder)
    return planner.add(Task("part", part_title(part, seed), folder, needs, order))


def _made_by(planner: Planner, run: Path) -> list[str]:
    """What a run, or a checkpoint that it kept, is known by."""
    whole = planner.digests.get(str(run))
    return [whole] if whole else [planner.digests[str(run.parent)], run.name]


def _runs_of(
    planner: Planner, design: Design, part: Part, seed: int, release: Path, model: GridModel, ref: BaseRef
) -> dict[str, Path]:
    """The models of a part's cells that are trained on this seed: `cell` for the last, `cell@checkpoint` for others."""
    found: dict[str, Path] = {}
    for name in map(design.study.named, part.cells):
        cell = design.cells.get(name)
        if cell is None or seed not in cell.seeds:
            continue
        recipe = GridRecipe(cell.name, cell.values)
        run = planner.train(Cell(WORLD, MODEL, cell.name, "", seed), release, model, ref, recipe)
        found |= {f"{name}@{kept}" if kept else name: run / kept if kept else run for kept in part.checkpoints}
    return found


def _tone_recipe(design: Design, options: dict[str, Any], tone: str) -> dict[str, Any]:
    study = design.study
    shared = {**study.train, **(study.train_lab if design.is_lab else {})}
    own = {**options.get("train", {}), **(options.get("train_lab", {}) if design.is_lab else {})}
    return {**shared, "styles": ["tone"], **own, "tones": [tone]}
