"""Compiled rows compared with those that plain Jinja renders: `kbench generate --check`."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from kbench.errors import TemplateError
from kbench.generator.hashing import stream_key
from kbench.generator.packs import Pack, plainly
from kbench.generator.sections import Section
from kbench.generator.shards import Unit, unit_table
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES


def check_rows(world: World, pack: Pack, unit: Unit, table: pa.Table) -> int:
    """Render the rows of one block of each section of a unit with plain Jinja, and compare them with its table.

    Returns:
        How many rows were compared.

    Raises:
        TemplateError: a row differs; names its id and template, and both texts.
    """
    if unit.config in ("facts", "entities"):
        return 0
    checked = 0
    for section in unit.sections:
        block = stream_key(world.seed, "check", unit.path, str(checked)) % section.blocks.size
        sample = Section(section.role, section.blocks[block : block + 1], section.phrasing, section.probe)
        # A world of its own: that of the unit remembers the unit's blocks, which are about to be needed again.
        rows = unit_table(replace(world), plainly(pack), replace(unit, sections=(sample,)))
        if rows.num_rows:
            _compare(unit, table, rows)
            checked += rows.num_rows
    return checked


def _compare(unit: Unit, table: pa.Table, plain: pa.Table) -> None:
    first = pc.index(table["id"], plain["id"][0]).as_py()
    compiled = table.slice(max(first, 0), plain.num_rows)
    if compiled.equals(plain):
        return
    text = "text" if unit.config in DOCUMENT_STYLES else "question"
    for mine, theirs in zip(compiled.to_pylist(), plain.to_pylist(), strict=True):
        if mine != theirs:
            column = text if mine[text] != theirs[text] else next(name for name in mine if mine[name] != theirs[name])
            raise TemplateError(
                f"{unit.path}, row {theirs['id']!r} ({theirs['template_id']}): plain Jinja has {column} "
                f"{theirs[column]!r}, compiled it is {mine[column]!r}: this is a defect of kbench, please report it"
            )
    raise AssertionError("tables differ, their rows do not")
