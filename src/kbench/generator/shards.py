"""The shards of a release: the units of work, their block ranges, and the rows of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import get_args

import pyarrow as pa

from kbench.errors import SpecError, TemplateError
from kbench.generator.coherence import OPERATORS
from kbench.generator.documents import document_rows, frames_of
from kbench.generator.facts import entity_rows, fact_rows
from kbench.generator.ownfacts.spec import FactSpec
from kbench.generator.ownfacts.world import world_of
from kbench.generator.packs import Pack, PhrasingRole
from kbench.generator.pools import load_pool
from kbench.generator.questions import builds_on_qa, question_names, question_rows
from kbench.generator.scene import scene_of
from kbench.generator.sections import Section, sections
from kbench.generator.spec import WorldSpec
from kbench.generator.statements import statement_rows
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, ROLES, SPLITS, STYLES, Split, schema_of

_ROWS_A_SHARD = 200_000
_WEIGHTS = {"article": 4, "dialogue": 15, "choice": 18, "tone": 50}
"""What a row counts for, in tenths, and in texts of several facts each fact: so shards take like room in memory."""

_SOURCES = {"dialogue": ("qa", "statement"), "article": ("statement",)}
"""The folders whose phrasings a style is made of, where they are not its own."""

_LACKS = {
    "multihop": "[paths] chains, compares, counts, lists, extremes or intersections",
    "numeric": "numeric or date relations",
    "reverse": "[paths] reverse",
    "choice": "relation with two values to choose among",
    "tone": "tone relations",
}

_FACTS_LACK = {
    "multihop": "the facts of a file are not chained",
    "numeric": "none of its values are numbers or dates",
    "reverse": "none of its values is that of one subject alone",
    "choice": "none of its relations has two values to choose among",
    "tone": "it does not say in which manner somebody speaks",
}


@dataclass(frozen=True)
class Unit:
    """The unit of work: one shard of one split of one config, a range of its blocks."""

    config: str
    split: Split
    shard: int
    shards: int
    sections: tuple[Section, ...]

    @property
    def path(self) -> str:
        """The file it becomes."""
        return f"{self.config}/{self.split}-{self.shard:05d}-of-{self.shards:05d}.parquet"


def styles_for(asked: list[str], spec: WorldSpec) -> tuple[str, ...]:
    """The styles to write, in the order of the vocabulary; reasoning questions bring the `qa` rows they build on.

    `all` leaves out what the spec has nothing for. Raises SpecError where such a style is asked for by name.
    """
    if not asked:
        raise SpecError(f"no style was asked for: have {', '.join(STYLES)}, all")
    world = world_of(spec, "")
    able = [style for style in STYLES if style in DOCUMENT_STYLES or question_names(world, style)]
    for style in asked:
        if style != "all" and style not in STYLES:
            raise SpecError(f"unknown style {style!r}: have {', '.join(STYLES)}, all")
        if style != "all" and style not in able:
            if isinstance(spec, FactSpec):
                why = f"{_FACTS_LACK[style]}: have {', '.join(able)}"
                raise SpecError(f"{spec.book.file} gives nothing to write as {style}, since {why}")
            raise SpecError(f"the spec {spec.name!r} has no {_LACKS[style]}, so there is nothing to write as {style}")
    wanted = set(able) if "all" in asked else set(asked)
    if any(builds_on_qa(world, style) for style in wanted):
        wanted.add("qa")
    return tuple(style for style in able if style in wanted)


def check_pack(spec: WorldSpec, pack: Pack, styles: tuple[str, ...]) -> None:
    """Raise TemplateError that names the first file or role that the spec needs and the pack lacks."""
    for _, message in lacking(spec, pack, styles):
        raise TemplateError(message)


def lacking(spec: WorldSpec, pack: Pack, styles: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each file that the spec needs and the pack lacks, or that lacks a role: its path, and what to do."""
    world = world_of(spec, "")
    for style in styles:
        names = list(spec.relations) if style in DOCUMENT_STYLES else question_names(world, style)
        for source in _SOURCES.get(style, (style,)):
            roles = get_args(PhrasingRole)[: 1 if style in DOCUMENT_STYLES else None]
            for name in names:
                yield from _missing(spec, pack, source, name, roles)
        for kind in spec.types if style in ("article", "dialogue") else ():
            if spec.relations_of(kind) and not frames_of(world, pack, style, kind):
                kinds = f"{' or '.join(spec.articles)} document" if style == "article" else "dialogue"
                yield f"{style}/{kind}.j2", f"the pack {pack.name!r} has no {kinds} in {style}/{kind}.j2: add one"
        for name in names if style == "tone" else ():
            for tone in sorted({value for pool in spec.relations[name].pools for value in load_pool(pool)}):
                yield from _missing(spec, pack, "voice", tone, get_args(PhrasingRole))


def _missing(
    spec: WorldSpec, pack: Pack, folder: str, name: str, roles: tuple[PhrasingRole, ...]
) -> Iterator[tuple[str, str]]:
    file = spec.template_of(name)
    for role in roles:
        if not [p for p in pack.of(folder, file, role) if p.kind != "reversal"]:
            yield (
                f"{folder}/{file}.j2",
                f"the spec's {name!r} has no {role} phrasing in {folder}/{file}.j2 of the pack {pack.name!r}: "
                f"add one and give the pack with --templates",
            )


def plan_units(world: World, pack: Pack, styles: tuple[str, ...]) -> list[Unit]:
    """Every shard of the release. Its bounds are block ranges that follow from the spec and the pack alone."""
    units: list[Unit] = []
    for style in styles:
        for split in SPLITS:
            found = sections(world, style, split)
            units += _shards(style, split, found, _rows_a_block(world, pack, style))
    everyone = [Section(role, world.blocks(role), "train", "") for role in ROLES if world.blocks(role).size]
    units += _shards("facts", "train", everyone, _facts_a_block(world))
    return units + _shards("entities", "train", everyone, world.spec.block_size)


def in_working_order(units: Iterable[Unit]) -> list[list[Unit]]:
    """The units as they are best worked on: those of the same blocks together, since they share what is computed."""
    groups: dict[tuple[str, bytes], list[Unit]] = {}
    for unit in units:
        blocks = b"".join(section.blocks.tobytes() for section in unit.sections)
        groups.setdefault((unit.config, blocks), []).append(unit)
    return list(groups.values())


def _rows_a_block(world: World, pack: Pack, style: str) -> int:
    """About how many rows the densest split of a style has in a block."""
    spec = world.spec
    if style in ("article", "dialogue"):
        return _facts_a_block(world) * spec.exposure.paraphrases * _WEIGHTS[style] // 10
    names = list(spec.relations) if style == "statement" else question_names(world, style)
    rows = 0
    for name in names:
        operator, *rest = name.split(".")
        kind = spec.start_of(rest[0] if operator in OPERATORS else name)
        phrasings = len(pack.of(style, spec.template_of(name), "train"))
        rows += spec.types[kind].block * min(phrasings, spec.exposure.paraphrases)
    return rows * _WEIGHTS.get(style, 10) // 10


def _facts_a_block(world: World) -> int:
    """How many facts a block has at most."""
    return sum(entity.block * len(world.spec.relations_of(kind)) for kind, entity in world.spec.types.items())


def _shards(config: str, split: Split, found: list[Section], rows_a_block: int) -> list[Unit]:
    most = max(1, _ROWS_A_SHARD // max(1, rows_a_block))
    total = sum(section.blocks.size for section in found)
    shards = -(-total // most)
    return [Unit(config, split, k, shards, tuple(_cut(found, k * most, (k + 1) * most))) for k in range(shards)]


def _cut(found: list[Section], first: int, last: int) -> Iterator[Section]:
    start = 0
    for section in found:
        low, high = max(first - start, 0), min(last - start, section.blocks.size)
        if low < high:
            yield replace(section, blocks=section.blocks[low:high])
        start += section.blocks.size


def unit_table(world: World, pack: Pack, unit: Unit) -> pa.Table:
    """The rows of one shard."""
    tables = [schema_of(unit.config).empty_table()]
    for section in unit.sections:
        scene = scene_of(world, pack, section)
        if unit.config == "facts":
            tables.append(fact_rows(scene))
        elif unit.config == "entities":
            tables.append(entity_rows(scene))
        elif unit.config in ("article", "dialogue"):
            tables.append(document_rows(scene, unit.config))
        elif unit.config == "statement":
            tables.append(statement_rows(scene))
        else:
            tables.append(question_rows(scene, unit.config, unit.split))
    return pa.concat_tables(tables)
