"""Writing a release: shards first, each written and renamed; card, picture and eval.yaml next; the manifest last."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kbench.contents import split_digest
from kbench.disk import make_durable, told_in_one_line
from kbench.errors import CheckError, KbenchError, OutputError, SpecError, TemplateError
from kbench.generator.benchmark import release_eval
from kbench.generator.card import release_card
from kbench.generator.ownfacts.world import checked_world
from kbench.generator.packs import Pack
from kbench.generator.picture import release_picture
from kbench.generator.recipe import Recipe, canary_of
from kbench.generator.sections import sections
from kbench.generator.shards import Unit, check_pack, plan_units, unit_table
from kbench.generator.unfinished import (
    PLAN,
    Resume,
    WrittenFile,
    accept,
    begin,
    described_in,
    files_done,
    is_untidy,
    remove_parts,
    sweep,
    templates_digest,
    tidy,
)
from kbench.generator.work import drafts_of
from kbench.generator.world import World
from kbench.ids import json_digest
from kbench.lock import folder_lock
from kbench.schema import ROLES, SPLITS, Role
from kbench.store import (
    CARD,
    EVAL,
    FORMAT,
    MANIFEST,
    PICTURE,
    Release,
    open_release,
    prepare_folder,
    write_json,
    write_text,
)

Progress = Callable[[int, int, int], None]


def preview_rows(recipe: Recipe, n: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of the first block of the first split of each style, n of them spread evenly; no file is written."""
    pack = recipe.pack()
    check_pack(recipe.spec, pack, recipe.styles)
    world = checked_world(recipe.spec, recipe.seed)
    for style in recipe.styles:
        for split in SPLITS:
            found = sections(world, style, split)
            if found:
                first = replace(found[0], blocks=found[0].blocks[:1])
                rows = unit_table(world, pack, Unit(style, split, 0, 1, (first,)))
                spread = [k * rows.num_rows // n for k in range(min(n, rows.num_rows))] if n < rows.num_rows else None
                yield style, (rows.take(spread) if spread else rows).to_pylist()
                break


def generate(
    recipe: Recipe,
    out: Path,
    *,
    workers: int = 1,
    resume: Resume = "if_possible",
    check: bool = False,
    progress: Progress = lambda done, total, rows: None,
) -> tuple[Release, bool]:
    """Write a release, or finish one that was interrupted; a finished one is left alone.

    Args:
        recipe: what to write.
        out: the folder; it must be empty, or hold this same recipe. What is unfinished there may have been begun with
            other versions of the templates: what they change is written anew.
        workers: processes to write with; the bytes do not depend on it.
        resume: `always` demands an unfinished or finished release in `out`, `never` an empty folder.
        check: render the rows of a block of each section with plain Jinja too, and compare.
        progress: called with files done, files in all, and the rows of the file just done; first of all with what is
            done already, and no rows.

    Returns:
        The release, and whether anything was written.

    Raises:
        OutputError: `out` holds something else, another process writes it, or it cannot be written.
        SpecError, TemplateError: the recipe cannot be.
        CheckError: a compiled row is not that of plain Jinja.
        KbenchError: a worker process died.
    """
    if workers < 1:
        raise SpecError(f"workers must be at least 1 (got {workers})")
    pack = recipe.pack()
    check_pack(recipe.spec, pack, recipe.styles)
    world = checked_world(recipe.spec, recipe.seed)
    if not (out / MANIFEST).is_file():
        prepare_folder(out, PLAN, MANIFEST)
        with folder_lock(out), told_in_one_line(out):
            if not (out / MANIFEST).is_file():  # another process may have finished it meanwhile
                begin(out, recipe.describe(pack, described_in(out)), resume)
                _write(recipe, world, pack, out, workers, check, progress)
                return open_release(out), True
    release = _finished(out, recipe.describe(pack, described_in(out)), resume)
    if is_untidy(out):  # its process was killed after the manifest stood, or is just ending
        with suppress(OutputError), folder_lock(out), told_in_one_line(out):
            tidy(out)
    return release, False


def _write(recipe: Recipe, world: World, pack: Pack, out: Path, workers: int, check: bool, progress: Progress) -> None:
    """Write what is not done yet of the release that is begun in `out`, and make it whole."""
    units = plan_units(world, pack, recipe.styles)
    templates = {unit.config: templates_digest(pack, unit.config) for unit in units}
    files = files_done(out, units, templates)
    sweep(out, units, files)
    progress(len(files), len(units), 0)
    todo = [unit for unit in units if unit.path not in files]
    described = recipe.describe(pack, described_in(out))
    try:
        with closing(drafts_of(recipe, world, pack, todo, out, canary_of(described), workers, check)) as drafts:
            for draft in drafts:
                written = files[draft.file.path] = accept(out, draft, templates[draft.file.config])
                progress(len(files), len(units), written.rows)
        manifest = _manifest(described, world, [files[unit.path] for unit in units if files[unit.path].rows])
        complete(out, manifest)
    except BaseException as error:
        with suppress(OSError):
            remove_parts(out)
        if isinstance(error, KbenchError):
            mendable = isinstance(error, TemplateError) and not isinstance(error, CheckError)
            remedy = ": mend it and run the same command again" if mendable else ""
            error.args = (f"{error}{remedy} ({len(files)} of {len(units)} files are done and kept)",)
        raise


def complete(out: Path, manifest: dict[str, Any]) -> None:
    """Make a folder that holds every table of a release whole: card, eval.yaml and picture, then the manifest."""
    write_text(out / CARD, release_card(manifest, out))
    write_text(out / EVAL, release_eval(manifest))
    write_text(out / PICTURE, release_picture(manifest))
    paths = [out / file["path"] for file in manifest["files"]]
    texts = [out / name for name in (CARD, EVAL, PICTURE)]
    make_durable([*paths, *texts, *sorted({path.parent for path in paths}), out])
    write_json(out / MANIFEST, manifest)
    make_durable([out / MANIFEST, out])
    tidy(out)


def _finished(out: Path, described: dict[str, Any], resume: Resume) -> Release:
    release = open_release(out)
    if resume == "never":
        raise OutputError(f"{out} holds a release already: give another --out, or leave --resume never away")
    if release.manifest["recipe"] != described:
        raise OutputError(f"{out} holds another release (world {release.world}): give another --out")
    return release


def _manifest(described: dict[str, Any], world: World, files: list[WrittenFile]) -> dict[str, Any]:
    return manifest_of(described, world.tag, {role: world.count(role) for role in ROLES}, files)


def manifest_of(
    described: dict[str, Any], world: str, entities: dict[Role, int], files: list[WrittenFile]
) -> dict[str, Any]:
    """The manifest of a release: its recipe as it is described, its world, its entities by role, and its files."""
    splits: dict[str, dict[str, Any]] = {}
    for key in dict.fromkeys(f"{f.config}/{f.split}" for f in files):
        mine = [f for f in files if f"{f.config}/{f.split}" == key]
        splits[key] = {"rows": sum(f.rows for f in mine), "content": split_digest(f.content for f in mine)}
    return {
        "format": FORMAT,
        "world": world,
        "recipe": described,
        "recipe_digest": json_digest(described),
        "canary": canary_of(described),
        "entities": entities,
        "splits": splits,
        "files": [asdict(f) for f in files],
    }
