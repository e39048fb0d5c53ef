"""What makes a run this one: release, base, recipe, the contents of the files that it names, and kbench's version."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.benchmarks.pretrained import versions
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.recipe_file import PATHS, file_digests
from kbench.benchmarks.results import hub_name
from kbench.errors import OutputError
from kbench.store import Release

_IDENTITY = ("version", "release", "base", "recipe", "files")
"""The versions of packages are kept beside it."""

Plan = dict[str, Any]


def plan_of(release: Release, base: str, digests: Mapping[str, str], recipe: TrainRecipe) -> Plan:
    """What a run is to be, and the packages that its weights depend on."""
    return {
        "version": __version__,
        "release": {"world": release.world, "digest": release.digest},
        "base": {"model": hub_name(base), **digests},
        "recipe": recipe.to_dict(),
        "files": file_digests(recipe.to_dict()),
        "packages": versions(),
    }


def read_plan(path: Path) -> Plan:
    """What a run folder keeps about its run. Raises OutputError where that is no JSON object."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = None
    if not isinstance(held, dict):
        raise OutputError(f"cannot read {path}, which says what run lies there: give another --out, or remove it")
    return held


def check_same(held: Plan, plan: Plan, out: Path, kind: str) -> None:
    """Raise OutputError, which names what differs, where the run in a folder is another; `kind` is of run it is."""
    there, wanted = (dict(_flat(each)) for each in (held, plan))
    differ = [name for name in {**wanted, **there} if there.get(name) != wanted.get(name)]
    if differ:
        raise OutputError(f"{out} holds another{kind} run, which differs in {', '.join(differ)}: give another --out")


def check_packages(begun: Plan, plan: Plan, out: Path) -> None:
    """Raise OutputError where an unfinished run was begun with other versions of what its weights depend on."""
    for package, now in plan["packages"].items():
        before = begun.get("packages", {}).get(package, now)
        if before != now:
            raise OutputError(
                f"{out} was begun with {package} {before} and this is {now}: both together make no run that "
                f"can be made again: install {package} {before}, or give another --out"
            )


def _flat(plan: Plan) -> Iterator[tuple[str, Any]]:
    """Its parts by name: a base or file by its digest, and by its path only where it has none."""
    for key in _IDENTITY:
        value = plan.get(key)
        parts = value if isinstance(value, dict) else {"": value}
        for name, part in parts.items():
            digested = name in (plan.get("files") or {}) if key == "recipe" else key == "base" and "weights" in parts
            if not (digested and name in ("model", *PATHS)):
                yield f"{key} {name}".strip(), part
