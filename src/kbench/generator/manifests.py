"""A manifest read back: its shape, and the recipe that it names, as far as a release says it."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kbench import __version__
from kbench.errors import KbenchError, ReleaseError
from kbench.generator.differences import shown
from kbench.generator.ownfacts.book import FactBook, load_facts
from kbench.generator.ownfacts.pack import fit_pack
from kbench.generator.ownfacts.spec import spec_of_facts
from kbench.generator.ownfacts.world import checked_world
from kbench.generator.packs import Pack, load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.seeds import VARIABLE, commitment, private_seed
from kbench.generator.shards import check_pack
from kbench.generator.spec import spec_from_dict
from kbench.generator.unfinished import PLAN
from kbench.schema import Role, Style
from kbench.store import DATA_FILE, FORMAT, MANIFEST

_REMEDY = "take the release from where it was published, or generate it again"
# No path of a manifest may lead out of the release.
_Shard = Annotated[str, Field(pattern=DATA_FILE)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SeedCommitment(_Entry):
    """What a manifest says of a private seed."""

    salt: str
    commitment: str


class PackEntry(_Entry):
    """What a manifest says of the template pack."""

    name: str
    version: str
    digest: str


class FactsEntry(_Entry):
    """What a manifest says of a user's own facts."""

    file: str
    rows: int
    digest: str


class ImportEntry(_Entry):
    """What a manifest says of a published dataset that a release was made of, and of how it was divided."""

    kind: str
    source: str
    files: int
    rows: int
    digest: str
    test_share: float
    validation_share: float
    apart: str
    least: int
    limit: int | None
    left_out: dict[str, int]
    too_few: dict[str, int]


class SpecEntry(BaseModel):
    """What every spec has; the rest is checked when it is read."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str
    description: str


class RecipeEntry(_Entry):
    """What a manifest says of its recipe."""

    generator: str
    spec: SpecEntry
    facts: FactsEntry | None = None
    imported: ImportEntry | None = None
    seed: str | SeedCommitment
    styles: Annotated[list[Style], Field(min_length=1)]
    templates: PackEntry


class SplitEntry(_Entry):
    """What a manifest says of a split."""

    rows: int
    content: str


class FileEntry(_Entry):
    """What a manifest says of a file."""

    path: _Shard
    config: str
    split: str
    rows: int
    bytes: int
    sha256: str
    content: str

    @model_validator(mode="after")
    def _stands_in_its_split(self) -> "FileEntry":
        if not self.path.startswith(f"{self.config}/{self.split}-"):
            raise ValueError(f"is not a file of {self.config}/{self.split}")
        return self


class ManifestEntries(_Entry):
    """A whole manifest."""

    format: int
    world: str
    recipe: RecipeEntry
    recipe_digest: str
    canary: str
    entities: dict[Role, int]
    splits: dict[str, SplitEntry]
    files: Annotated[list[FileEntry], Field(min_length=1)]


def read_manifest(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The manifest in a folder, as it was written and as a JSON object.

    Raises ReleaseError where there is none, where it cannot be read, or where it is of a newer format.
    """
    source = folder / MANIFEST
    if not folder.is_dir():
        raise ReleaseError(f"no release at {folder}: there is no such folder")
    if not source.is_file() and (folder / PLAN).is_file():
        raise ReleaseError(
            f"{folder} is an unfinished release: it has no {MANIFEST} yet; the same `kbench generate` finishes it"
        )
    if not source.is_file():
        raise ReleaseError(f"no release at {folder}: it has no {MANIFEST}, so there is nothing to verify it by")
    try:
        raw = source.read_bytes()
        manifest = json.loads(raw.decode("utf-8"))
        json.dumps(manifest, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ReleaseError(f"{source} was altered: it holds half a character: {_REMEDY}") from None
    except OSError as error:
        raise ReleaseError(f"cannot read {source}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{source} was altered: it is not UTF-8 at byte {error.start:,}: {_REMEDY}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,} column {error.colno:,}"
        raise ReleaseError(f"{source} was altered: it is no JSON at {place}: {error.msg}: {_REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{source} was altered: it is no JSON: {error}: {_REMEDY}") from None
    if not isinstance(manifest, dict):
        raise ReleaseError(f"{source} was altered: it is no JSON object: {_REMEDY}")
    version = manifest.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ReleaseError(f"{source} has format {version}, this kbench reads up to {FORMAT}: update kbench")
    return raw, manifest


def misshapen(entry: type[BaseModel], value: Any, above: str) -> Iterator[tuple[str, str]]:
    """Each key path of a value from a manifest that has not the shape it should have, and how; `above` opens it."""
    try:
        entry.model_validate(value)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            place = ".".join([*([above] if above else []), *(str(part) for part in error["loc"])])
            given = "" if error["type"] == "missing" else f" (found {shown(error['input'])})"
            message = error["msg"].removeprefix("Value error, ").partition(" or instance of")[0]
            yield place, f"{message[0].lower()}{message[1:]}{given}"


@dataclass(frozen=True)
class Given:
    """What a release does not hold and whoever verifies it may have: files with its seed and facts, its templates."""

    seed_file: Path | None = None
    templates: Path | None = None
    facts: Path | None = None


@dataclass(frozen=True)
class ReadBack:
    """The recipe of a release and its templates, where all of it is known; else why not."""

    recipe: Recipe | None
    pack: Pack
    missing: tuple[str, ...] = ()
    """What would have to be given, a sentence each."""
    wrong: tuple[tuple[str, str], ...] = ()
    """What was given and is not it: the key path, and a sentence."""
    impossible: str = ""
    """Why no such recipe can be."""


def read_back(entry: RecipeEntry, given: Given) -> ReadBack:
    """The recipe that a manifest names, completed by what is given.

    Raises:
        ReleaseError: something was given that the release has no use for.
        SpecError, TemplateError: a file that was given cannot be read.
    """
    if entry.imported:
        return _imported(entry.imported, given)
    missing: list[str] = []
    wrong: list[tuple[str, str]] = []
    seed = _seed(entry, given.seed_file, missing, wrong)
    pack = load_pack(given.templates)
    _check_templates(entry, pack, given.templates, missing, wrong)
    book = _facts(entry, given.facts, missing, wrong)
    recipe, impossible = None, ""
    try:
        # A spec can be read, and be found to be none, without the seed.
        spec = None if entry.facts else spec_from_dict(entry.spec.model_dump(), "spec")
        if seed is not None and not missing and not wrong:
            spec = spec or spec_of_facts(cast(FactBook, book))
            templates = None if given.templates is None else str(given.templates)
            private = isinstance(entry.seed, SeedCommitment)
            recipe = Recipe(spec, seed, tuple(entry.styles), templates, private)
            pack = fit_pack(pack, spec, own=templates is not None)
            check_pack(spec, pack, recipe.styles)
            checked_world(spec, seed)
    except KbenchError as error:
        recipe, impossible = None, str(error)
    return ReadBack(recipe, pack, tuple(missing), tuple(wrong), impossible)


def _imported(entry: ImportEntry, given: Given) -> ReadBack:
    """That the rows are a dataset's, which no recipe gives again."""
    if given != Given():
        raise ReleaseError(
            f"this release is of {entry.source}, not of a seed or a file of facts: leave --seed-file, --facts and "
            "--templates away"
        )
    again = f"`kbench import {entry.kind}` of the same files gives the same digest"
    return ReadBack(None, load_pack(None), (f"it is made of {entry.source}, which is not in it: {again}",))


def _facts(entry: RecipeEntry, file: Path | None, missing: list[str], wrong: list[tuple[str, str]]) -> FactBook | None:
    if entry.facts is None:
        if file is not None:
            raise ReleaseError("this release is of an invented world, not of a file of facts: leave --facts away")
        return None
    if file is None:
        missing.append(f"it is made of {entry.facts.file}, which is not in it: give that file with --facts FILE")
        return None
    # The spec takes its name from that of the file, which may have another one here.
    book = replace(load_facts(file), file=entry.facts.file)
    if book.digest != entry.facts.digest:
        wrong.append(("recipe.facts.digest", f"is not that of {file}: these are other facts, or it was edited"))
    return book


def _seed(entry: RecipeEntry, file: Path | None, missing: list[str], wrong: list[tuple[str, str]]) -> str | None:
    if isinstance(entry.seed, str):
        if file is not None:
            raise ReleaseError("this release's seed is no secret, its manifest has it: leave --seed-file away")
        return entry.seed
    if file is None and not os.environ.get(VARIABLE):
        missing.append(f"its seed is private: give it with --seed-file FILE, or in the environment as {VARIABLE}")
        return None
    seed = private_seed(file)
    if commitment(seed, entry.seed.salt)["commitment"] != entry.seed.commitment:
        where = f"in {file}" if file else f"in the environment ({VARIABLE})"
        wrong.append(("recipe.seed.commitment", f"is not that of the seed {where}: another seed, or it was edited"))
    return seed


def _check_templates(
    entry: RecipeEntry, ours: Pack, folder: Path | None, missing: list[str], wrong: list[tuple[str, str]]
) -> None:
    theirs = entry.templates
    if theirs.digest == ours.digest:
        return
    name = f"{theirs.name!r} version {theirs.version!r} (digest {theirs.digest[:16]})"
    if folder is not None:
        wrong.append(("recipe.templates.digest", f"is not that of {folder}: that is not {name}"))
    elif theirs.name == ours.name and entry.generator != __version__:
        missing.append(
            f"kbench {entry.generator} wrote it in its own templates, this is {__version__}: use that version"
        )
    else:
        missing.append(f"its templates are {name}, not the built-in ones: give them with --templates DIR")
