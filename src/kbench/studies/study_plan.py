"""The plan of a study: the tasks of its cells, and those of its parts."""

from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.ids import json_digest
from kbench.studies.grid import Cell, GridRecipe
from kbench.studies.grid_orders import Measure
from kbench.studies.grid_plan import Fetch, Find, Plan, Planner, Task
from kbench.studies.study import Part
from kbench.studies.study_design import MODEL, WORLD, Design

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
    release = ref = None
    runs: dict[str, Path] = {}
    if part.kind == "tones":
        release = planner.release(planner.grid.releases[0], seed)
        model = planner.grid.models[0]
        ref = planner.base(release, model)[1]
        for tone in options["tones"]:
            recipe = GridRecipe(f"tone={tone}", _tone_recipe(design, options, tone))
            cell = Cell(WORLD, MODEL, recipe.name, "", seed)
            runs[tone] = planner.train(cell, release, model, ref, recipe)
    told = {key: value for key, value in options.items() if key not in ("train", "train_lab", "tones")}
    # Runs are named by all that they are made by, the version too; a part without any has to say it itself.
    made_by = {tone: planner.digests[str(run)] for tone, run in runs.items()} or __version__
    digest = json_digest([part.kind, told, seed, made_by])
    folder = planner.folder(planner.out / "parts", f"{name}.seed{seed}", digest)
    needs = tuple(need for path in (release, *runs.values()) for need in planner.made(path))
    order = Measure(part.kind, release, ref, runs, told, seed, folder)
    return planner.add(Task("part", part_title(part, seed), folder, needs, order))


def _tone_recipe(design: Design, options: dict[str, Any], tone: str) -> dict[str, Any]:
    study = design.study
    shared = {**study.train, **(study.train_lab if design.is_lab else {})}
    own = {**options.get("train", {}), **(options.get("train_lab", {}) if design.is_lab else {})}
    return {**shared, "styles": ["tone"], **own, "tones": [tone]}
