"""What a user starts a world of their own from: a spec, its JSON schema, and a template pack for it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from kbench.errors import OutputError
from kbench.generator.packs import FOLDERS
from kbench.generator.questions import question_names
from kbench.generator.spec import WorldSpec, load_spec
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, STYLES
from kbench.store import write_text

SPEC, SCHEMA, PACK = "world.toml", "world.schema.json", "templates"

_PACK_TOML = """name = "mine"
version = "1"
language = "en"
description = "Phrasings for my world, started from the built-in pack."
licence = "Apache-2.0"
"""


def world_schema() -> dict[str, Any]:
    """The JSON schema of a world spec, for editors that complete and check TOML."""
    schema = WorldSpec.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "kbench world spec"}


def schema_text() -> str:
    """The schema as the file that kbench ships."""
    return json.dumps(world_schema(), indent=2, ensure_ascii=False) + "\n"


def write_starter(folder: Path) -> list[Path]:
    """Write a spec, its schema and a template pack. Raises OutputError where the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already and not empty: give another folder")
    written = {folder / SPEC: _read("kbench.generator", "worlds/starter.toml"), folder / SCHEMA: schema_text()}
    written[folder / PACK / "pack.toml"] = _PACK_TOML
    for path in pack_files(load_spec("starter")):
        written[folder / PACK / path] = _read("kbench.templates", f"pack/{path}")
    for target, text in written.items():
        write_text(target, text)
    return list(written)


def pack_files(spec: WorldSpec) -> list[str]:
    """The files of the built-in pack that a spec has a use for."""
    world, names = World(spec, ""), set[tuple[str, str]]()
    for style in STYLES:
        if style in DOCUMENT_STYLES:
            names |= {(style, kind) for kind in spec.types} if style != "statement" else set()
            continue
        names |= {(style, spec.template_of(name)) for name in question_names(world, style)}
    names |= {("statement", spec.template_of(name)) for name in spec.relations}
    names |= {("statement", ".".join(chain)) for chain in spec.paths.chains}
    root = files("kbench.templates").joinpath("pack")
    found = [
        f"{folder}/{source.name}"
        for folder in FOLDERS
        for source in (root.joinpath(folder).iterdir() if root.joinpath(folder).is_dir() else ())
        if (folder, source.name.removesuffix(".j2")) in names
    ]
    return sorted(found)


def _read(package: str, path: str) -> str:
    return files(package).joinpath(path).read_text(encoding="utf-8")
