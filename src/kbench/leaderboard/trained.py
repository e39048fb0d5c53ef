"""What an entry's model was trained from, how, and at what cost: its run folder, checked against what was scored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.benchmarks.identity import read_plan
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import LAB_BASE, RUN, hub_name, is_lab, model_digests, settings_digest
from kbench.errors import OutputError
from kbench.ids import json_digest
from kbench.leaderboard.entry import Base
from kbench.leaderboard.tracks import LAB, PINNED, stated
from kbench.store import Release

_COMMIT = re.compile(r"[0-9a-f]{12,40}")


@dataclass(frozen=True)
class Trained:
    """The folder of a model: its base, the recipe as an entry states it, and what the training took.

    Of a base of the lab that was not trained further, and of a model without a run, recipe and cost are empty.
    """

    folder: Path
    base: Base
    base_folder: Path | None
    recipe: Mapping[str, Any]
    tokens: int = 0
    wall_s: float = 0.0
    threads: int = 0
    untrained: bool = False


def find_model(name: str, given: Path | None) -> Path:
    """The folder of the model that a result names. Raises OutputError where it is not there."""
    folder = given or Path(name)
    if not folder.is_dir() and given is None:
        from kbench.hub.models import fetch_model

        folder = Path(fetch_model(name, download=False))
    if not folder.is_dir():
        raise OutputError(f"no model at {folder}: its digests are computed anew: give its folder with --run DIR")
    return folder


def read_trained(folder: Path, name: str, release: Release) -> Trained:
    """What a model's folder says of its training; `name` is what the result calls the model.

    Raises OutputError or SpecError of one line where the run is of another release, where its base is not what it says
    or is gone, and where its recipe sets what no entry can say.
    """
    if is_lab(str(folder)):
        return Trained(folder, _lab(folder, release), None, {}, untrained=True)
    if not (folder / RUN).is_file():
        return Trained(folder, Base(model=_pinned(folder, name)), None, {})
    about = read_plan(folder / RUN)
    try:
        if about["release"]["digest"] != release.digest:
            raise OutputError(
                f"{folder} was trained on the release {about['release']['digest']}, not on {release.path} "
                f"({release.digest}): train on that one"
            )
        base, base_folder = _base(about["base"], folder, release)
        recipe = recipe_of(about["recipe"], str(folder / RUN))
        done = about["trained"]
        said = stated(recipe, lab=base.model == LAB)
        found = Trained(
            folder, base, base_folder, said, int(done["tokens"]), float(done["wall_s"]), int(about.get("threads", 0))
        )
        there = model_digests(folder, None if base_folder is None else str(base_folder))
        _check_digests(about["weights"], there, f"{folder / RUN}", folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OutputError(f"{folder / RUN} is no run of this kbench ({error!r}): train the model again") from None
    return found


def check_scored(found: Trained, digests: Mapping[str, str], result: Path) -> None:
    """Raise OutputError unless the model's folder has the digests that a result says were scored."""
    there = model_digests(found.folder, None if found.base_folder is None else str(found.base_folder))
    settings = settings_digest(found.folder)
    if settings:
        there["settings"] = settings
    _check_digests(digests, there, str(result), found.folder)


def _check_digests(said: Mapping[str, str], there: Mapping[str, str], who: str, folder: Path) -> None:
    for name in sorted(said.keys() | there.keys()):
        if said.get(name) != there.get(name):
            raise OutputError(
                f"{who} names {name} {said.get(name, 'none')}, but {folder} has {there.get(name, 'none')}: "
                "the model was changed since, or is another: train and score it again"
            )


def _base(said: Mapping[str, Any], run: Path, release: Release) -> tuple[Base, Path | None]:
    """The base of a run, and its folder where it is on this machine."""
    name = str(said["model"])
    if PINNED.fullmatch(name):
        from kbench.hub.models import fetch_model

        folder = Path(fetch_model(name, download=False))
        return Base(model=name, weights=said.get("weights")), folder if folder.is_dir() else None
    folder = Path(name)
    if not is_lab(name):
        raise OutputError(
            f"the base of {run} is {name}, which is {'no base of the lab' if folder.is_dir() else 'not there'}: "
            "expected a base that `kbench train --model lab` built, or ORG/NAME@COMMIT: train it again"
        )
    base = _lab(folder, release)
    if base.weights != said["weights"]:
        raise OutputError(
            f"{run} was trained from the weights {said['weights']}, but {folder} has {base.weights}: "
            "the base was changed since: train it again"
        )
    return base, folder


def _lab(folder: Path, release: Release) -> Base:
    """A base of the lab, by its own account and the digest of its weights."""
    about = read_plan(folder / LAB_BASE)
    if about.get("release") != release.digest:
        raise OutputError(
            f"the base {folder} was built for the release {about.get('release')}, not for {release.path} "
            f"({release.digest}): train with `--model lab`"
        )
    digests = model_digests(folder)
    return Base(model=LAB, recipe=json_digest(about.get("recipe")), weights=digests.get("weights"))


def _pinned(folder: Path, name: str) -> str:
    """The name of a model without a run: with its commit where it lies in the Hub's cache, else the folder's own."""
    there = hub_name(str(folder.resolve()))
    if PINNED.fullmatch(there):
        return there
    return name if _COMMIT.fullmatch(name.rpartition("@")[2]) and not Path(name).exists() else folder.resolve().name
