"""Writing a release: shards first, each written and renamed; card and eval.yaml next; the manifest last."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kbench import __version__
from kbench.errors import OutputError
from kbench.generator.card import release_card, release_eval
from kbench.generator.ownfacts.pack import fit_pack
from kbench.generator.ownfacts.spec import FactSpec
from kbench.generator.ownfacts.world import checked_world, world_of
from kbench.generator.packs import Pack, load_pack
from kbench.generator.sections import Section, sections
from kbench.generator.seeds import commitment, salt_of
from kbench.generator.shards import Unit, check_pack, plan_units, unit_table
from kbench.generator.spec import WorldSpec
from kbench.generator.world import World
from kbench.ids import file_sha256, json_digest
from kbench.schema import ROLES, SPLITS, Role
from kbench.store import (
    FORMAT,
    MANIFEST,
    Release,
    content_digest,
    open_release,
    prepare_folder,
    split_digest,
    write_json,
    write_table,
    write_text,
)
from kbench.workers import worker_pool

Resume = Literal["if_possible", "always", "never"]
PLAN = ".kbench_plan.json"
"""What an unfinished release is to become; it is removed once the manifest stands."""


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a release: spec (which holds a user's own facts), seed, styles and template pack."""

    spec: WorldSpec
    seed: str = field(repr=False)
    styles: tuple[str, ...]
    templates: str | None = None
    private: bool = False
    """Whether the seed is a secret: the manifest then keeps a salted commitment to it."""

    def pack(self) -> Pack:
        """The template pack, as the spec needs it."""
        return fit_pack(load_pack(self.templates), self.spec, own=self.templates is not None)

    def describe(self, pack: Pack, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """The recipe as the manifest keeps it; `before` is what an unfinished or finished release says of its own."""
        seed = commitment(self.seed, salt_of(before)) if self.private else self.seed
        book = self.spec.book if isinstance(self.spec, FactSpec) else None
        return {
            "generator": __version__,
            "spec": self.spec.to_dict(),
            **({"facts": {"file": book.file, "rows": book.rows, "digest": book.digest}} if book else {}),
            "seed": seed,
            "styles": list(self.styles),
            "templates": {"name": pack.name, "version": pack.version, "digest": pack.digest},
        }


@dataclass(frozen=True)
class WrittenFile:
    """What the manifest keeps of a file."""

    path: str
    config: str
    split: str
    rows: int
    bytes: int
    sha256: str
    content: str


def preview_rows(recipe: Recipe, n: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of the first block of the first split of each style, n of them spread evenly; no file is written."""
    pack = recipe.pack()
    check_pack(recipe.spec, pack, recipe.styles)
    world = checked_world(recipe.spec, recipe.seed)
    for style in recipe.styles:
        for split in SPLITS:
            found = sections(world, style, split)
            if found:
                first = Section(found[0].role, found[0].blocks[:1], found[0].phrasing, found[0].probe)
                rows = unit_table(world, pack, Unit(style, split, 0, 1, (first,)))
                spread = [k * rows.num_rows // n for k in range(min(n, rows.num_rows))] if n < rows.num_rows else None
                yield style, (rows.take(spread) if spread else rows).to_pylist()
                break


def _write_unit(world: World, pack: Pack, unit: Unit, out: Path) -> WrittenFile:
    table = unit_table(world, pack, unit)
    path = out / unit.path
    if not table.num_rows:
        # datasets cannot read a file without rows, so there is none; the note says that it was looked for.
        empty = WrittenFile(unit.path, unit.config, unit.split, 0, 0, "", "")
        write_json(_note_of(out, unit), asdict(empty))
        return empty
    write_table(path, table)
    written = WrittenFile(
        unit.path,
        unit.config,
        unit.split,
        table.num_rows,
        path.stat().st_size,
        file_sha256(path),
        content_digest(table),
    )
    write_json(_note_of(out, unit), asdict(written))
    return written


def _note_of(out: Path, unit: Unit) -> Path:
    return out / f".{unit.path.replace('/', '-')}.json"


def _work(recipe: Recipe, unit: Unit, out: Path) -> WrittenFile:
    return _write_unit(world_of(recipe.spec, recipe.seed), recipe.pack(), unit, out)


def generate(
    recipe: Recipe,
    out: Path,
    *,
    workers: int = 1,
    resume: Resume = "if_possible",
    progress: Callable[[int, int, int], None] = lambda done, total, rows: None,
) -> tuple[Release, bool]:
    """Write a release, or finish one that was interrupted; a finished one is left alone.

    Args:
        recipe: what to write.
        out: the folder; it must be empty, or hold this same recipe.
        workers: processes to write with; the bytes do not depend on it.
        resume: `always` demands an unfinished or finished release in `out`, `never` an empty folder.
        progress: called with units done, units in all, and the rows of the unit just done.

    Returns:
        The release, and whether anything was written.

    Raises:
        OutputError: `out` holds something else.
        SpecError, TemplateError: the recipe cannot be.
    """
    pack = recipe.pack()
    check_pack(recipe.spec, pack, recipe.styles)
    world = checked_world(recipe.spec, recipe.seed)
    described = recipe.describe(pack, _described_in(out))
    if (out / MANIFEST).is_file():
        return _finished(out, described, resume), False
    _begin(out, described, resume)
    units = plan_units(world, pack, recipe.styles)
    files = dict(_notes(out, units))
    todo = [unit for unit in units if unit.path not in files]
    for number, written in enumerate(_write_all(recipe, world, pack, todo, out, workers), len(files) + 1):
        files[written.path] = written
        progress(number, len(units), written.rows)
    manifest = _manifest(described, world, [files[unit.path] for unit in units if files[unit.path].rows])
    write_text(out / "README.md", release_card(manifest, out))
    write_text(out / "eval.yaml", release_eval(manifest))
    write_json(out / MANIFEST, manifest)
    _tidy(out)
    return open_release(out), True


def _described_in(out: Path) -> dict[str, Any] | None:
    """The recipe that a folder says it holds or is to hold."""
    for source, key in ((out / MANIFEST, "recipe"), (out / PLAN, "")):
        if source.is_file():
            try:
                found = json.loads(source.read_text(encoding="utf-8"))
                return dict(found[key] if key else found)
            except (ValueError, KeyError, TypeError):
                return None
    return None


def _tidy(out: Path) -> None:
    """Remove the notes of the work in progress; the plan last, since it marks the folder as ours."""
    for note in out.glob(".*-of-*.parquet.json"):
        note.unlink()
    (out / PLAN).unlink(missing_ok=True)


def _write_all(
    recipe: Recipe, world: World, pack: Pack, todo: list[Unit], out: Path, workers: int
) -> Iterator[WrittenFile]:
    if workers == 1 or len(todo) < 2:
        for unit in todo:
            yield _write_unit(world, pack, unit, out)
        return
    with worker_pool(min(workers, len(todo))) as pool:
        jobs = [pool.submit(_work, recipe, unit, out) for unit in todo]
        for job in jobs:
            yield job.result()


def _finished(out: Path, described: dict[str, Any], resume: Resume) -> Release:
    release = open_release(out)
    if resume == "never":
        raise OutputError(f"{out} holds a release already: give another --out, or leave --resume never away")
    if release.manifest["recipe"] != described:
        raise OutputError(f"{out} holds another release (world {release.world}): give another --out")
    _tidy(out)
    return release


def _begin(out: Path, described: dict[str, Any], resume: Resume) -> None:
    prepare_folder(out, PLAN)
    plan = out / PLAN
    if plan.is_file():
        if resume == "never":
            raise OutputError(f"{out} holds an unfinished release: give another --out, or --resume if_possible")
        if json.loads(plan.read_text(encoding="utf-8")) != described:
            raise OutputError(f"{out} holds another, unfinished release: give another --out")
    elif resume == "always":
        raise OutputError(f"nothing to resume in {out}: leave --resume always away")
    write_json(plan, described)


def _notes(out: Path, units: list[Unit]) -> Iterator[tuple[str, WrittenFile]]:
    for unit in units:
        note, path = _note_of(out, unit), out / unit.path
        if note.is_file():
            written = WrittenFile(**json.loads(note.read_text(encoding="utf-8")))
            if not written.rows or (path.is_file() and file_sha256(path) == written.sha256):
                yield unit.path, written


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
        "entities": entities,
        "splits": splits,
        "files": [asdict(f) for f in files],
    }
