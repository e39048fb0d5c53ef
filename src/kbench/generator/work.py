"""The work of a release: its units made and drafted, in this process or in several."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from kbench.errors import KbenchError
from kbench.generator.check import check_rows
from kbench.generator.ownfacts.world import world_of
from kbench.generator.packs import Pack, load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.shards import Unit, in_working_order, unit_table
from kbench.generator.unfinished import Draft, write_draft
from kbench.generator.world import World
from kbench.lean import give_back, keep_memory
from kbench.workers import worker_pool


def drafts_of(
    recipe: Recipe, world: World, pack: Pack, todo: list[Unit], out: Path, canary: str, workers: int, check: bool
) -> Generator[Draft, None, None]:
    """The units of a release as they are written, in no set order; `check` compares a sample with plain Jinja."""
    waiting = deque(in_working_order(todo))
    helpers = min(workers, len(waiting)) - 1
    if helpers < 1:
        for group in waiting:
            yield from (_draft(world, pack, unit, out, canary, check) for unit in group)
        return
    with worker_pool(helpers, equip, (recipe, pack.digest)) as pool:
        running: set[Future[list[Draft]]] = set()
        while waiting or running:
            # Towards the end one by one, so that all end together.
            ahead = _AHEAD if len(waiting) > workers * _AHEAD else 1
            while waiting and len(running) < helpers * ahead:
                running.add(pool.submit(_work, waiting.popleft(), out, canary, check))
            # This process is one of the workers: its turn ends with each group, to hand out and take in.
            for unit in waiting.popleft() if waiting else ():
                yield _draft(world, pack, unit, out, canary, check)
            done, running = wait(running, None if not waiting else 0, FIRST_COMPLETED)
            for job in done:
                yield from job.result()


def _draft(world: World, pack: Pack, unit: Unit, out: Path, canary: str, check: bool) -> Draft:
    if _EQUIPMENT.get("config") != unit.config:
        _EQUIPMENT["config"] = unit.config
        give_back()
    table = unit_table(world, pack, unit)
    if check:
        check_rows(world, pack, unit, table)
    return write_draft(out, unit, table, canary)


_AHEAD = 2
"""So many groups of units lie ready for each helper, so that none waits while this process is at work."""

_EQUIPMENT: dict[str, Any] = {}
"""Of this process: the config it works on; in a helper also the recipe, and once it has begun its world and pack."""


def equip(recipe: Recipe, digest: str) -> None:
    """Begin a helper process that works on a recipe, with a pack of that digest."""
    keep_memory()
    _EQUIPMENT.update(recipe=recipe, digest=digest)


def equipment() -> tuple[World, Pack]:
    """The world and the pack of a helper process. Raises KbenchError where the pack is not the one it is to have."""
    if "pack" not in _EQUIPMENT:  # not when it is equipped: what goes wrong then ends the pool without a word
        recipe = _EQUIPMENT["recipe"]
        pack = load_pack(recipe.templates)
        if pack.digest != _EQUIPMENT["digest"]:
            raise KbenchError(f"the pack {pack.name!r} was changed while it was used: run the same command again")
        _EQUIPMENT.update(pack=recipe.fitted(pack), world=world_of(recipe.spec, recipe.seed))
    return _EQUIPMENT["world"], _EQUIPMENT["pack"]


def _work(units: list[Unit], out: Path, canary: str, check: bool) -> list[Draft]:
    world, pack = equipment()
    return [_draft(world, pack, unit, out, canary, check) for unit in units]
