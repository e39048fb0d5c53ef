"""Compiled rows compared with those that plain Jinja renders: `kbench generate --check`."""

from dataclasses import replace
from itertools import zip_longest

import pyarrow as pa
import pyarrow.compute as pc

from kbench.errors import CheckError
from kbench.generator.columns import concat
from kbench.generator.hashing import stream_key
from kbench.generator.packs import Pack, plainly
from kbench.generator.shards import Unit, unit_table
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES


def check_rows(world: World, pack: Pack, unit: Unit, table: pa.Table) -> int:
    """Render the rows of one block of each section of a unit with plain Jinja, and compare them with its table.

    Returns:
        How many rows were compared.

    Raises:
        CheckError: a row differs; names its id and template, and both texts.
    """
    if unit.config in ("facts", "entities"):
        return 0
    checked = 0
    for section in unit.sections:
        block = stream_key(world.seed, "check", unit.path, str(checked)) % section.blocks.size
        sample = replace(section, blocks=section.blocks[block : block + 1])
        # A world of its own: that of the unit remembers the unit's blocks, which are about to be needed again.
        apart = replace(world)
        plain = unit_table(apart, plainly(pack), replace(unit, sections=(sample,)))
        own = concat([apart.ids(kind, apart.members(kind, sample.blocks)) for kind in apart.spec.types])
        _compare(unit, table.filter(pc.is_in(table["entity_id"], own)), plain)
        checked += plain.num_rows
    return checked


def _compare(unit: Unit, compiled: pa.Table, plain: pa.Table) -> None:
    if compiled.equals(plain):
        return
    text = "text" if unit.config in DOCUMENT_STYLES else "question"
    for mine, theirs in zip_longest(compiled.to_pylist(), plain.to_pylist()):
        if mine == theirs:
            continue
        if not mine or not theirs or mine["id"] != theirs["id"]:
            found, wanted = (repr(row["id"]) if row else "nothing" for row in (mine, theirs))
            raise CheckError(f"{unit.path}: plain Jinja has the row {wanted} where compiled there is {found}{_OURS}")
        column = text if mine[text] != theirs[text] else next(name for name in mine if mine[name] != theirs[name])
        raise CheckError(
            f"{unit.path}, row {theirs['id']!r} ({theirs['template_id']}): plain Jinja has {column} "
            f"{theirs[column]!r}, compiled it is {mine[column]!r}{_OURS}"
        )
    raise AssertionError("tables differ, their rows do not")


_OURS = ": this is a defect of kbench, please report it"
