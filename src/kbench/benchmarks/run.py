"""A run: one training of one model on one release, kept as a folder that any tool can load the model from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from kbench import __version__
from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.packing import training_rows
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RUN, model_digests
from kbench.benchmarks.train import Progress, fit
from kbench.errors import OutputError, ReleaseError
from kbench.store import Release, prepare_folder, write_json

PLAN = ".kbench_run_plan.json"


@dataclass(frozen=True, repr=False)
class Run:
    """A finished training: its folder, which is also the model's, and what the run keeps about it."""

    path: Path
    about: dict[str, Any]
    trained_now: bool

    def __repr__(self) -> str:
        """Where it lies, what it was trained from and on, and what that took."""
        done, recipe = self.about["trained"], self.about["recipe"]
        lines = [
            f"run {self.path}: {self.about['base']['model']} on world {self.about['release']['world']}",
            f"  {', '.join(recipe['styles'])}, {recipe['epochs']:,} epochs: {done['steps']:,} steps, "
            f"{done['tokens']:,} tokens, {done['wall_s']:.0f} s, loss {done['loss']:.3f}",
        ]
        return "\n".join(lines)


def train_run(
    release: Release, base: str, recipe: TrainRecipe, out: Path, progress: Progress = lambda done, total: None
) -> Run:
    """Finetune a model on a release. A finished run is left alone; an interrupted one goes on from its checkpoint.

    Raises:
        OutputError: `out` holds something else, or another run.
        ReleaseError: the release lacks a style of the recipe, or its `pretrain` split where the recipe replays it.
        ModelError: the base cannot be loaded.
    """
    check_styles(release, recipe)
    digests = model_digests(Path(base))
    plan = {
        "version": __version__,
        "release": {"world": release.world, "digest": release.digest},
        "base": {"model": base, **digests},
        "recipe": recipe.to_dict(),
    }
    if (out / RUN).is_file():
        about = json.loads((out / RUN).read_text(encoding="utf-8"))
        if _identity({key: about[key] for key in plan}) != _identity(plan):
            raise OutputError(f"{out} holds another run: give another --out")
        return Run(out, about, trained_now=False)
    loaded = load_hf(base)
    rows = training_rows(release, loaded.tokenizer, recipe)
    prepare_folder(out, PLAN)
    if (out / PLAN).is_file() and _identity(json.loads((out / PLAN).read_text(encoding="utf-8"))) != _identity(plan):
        raise OutputError(f"{out} holds another, unfinished run: give another --out")
    write_json(out / PLAN, plan)
    torch.manual_seed(recipe.seed)
    trained = fit(loaded.model, rows, recipe, out, progress)
    loaded.model.save_pretrained(out)
    loaded.tokenizer.save_pretrained(out)
    about = {**plan, "weights": model_digests(out), "trained": asdict(trained)}
    write_json(out / RUN, about)
    (out / PLAN).unlink()
    return Run(out, about, trained_now=True)


def check_styles(release: Release, recipe: TrainRecipe) -> None:
    """Raise ReleaseError where the release lacks a style of the recipe."""
    for style in recipe.styles:
        if "train" not in release.splits(style):
            have = ", ".join(c for c in release.configs() if c not in ("facts", "entities"))
            raise ReleaseError(f"the release {release.path} has no style {style!r} to train on: have {have}")


def _identity(plan: dict[str, Any]) -> dict[str, Any]:
    """What makes two runs the same: the base by its weights, and by its path only where it has no digest."""
    base = plan["base"]
    return {**plan, "base": {**base, "model": None} if base.get("weights") else base}
