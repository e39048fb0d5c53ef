"""The fact graph as tables: every fact and every entity of a range of blocks."""

import numpy as np
import pyarrow as pa

from kbench.generator.asking import fact_ids
from kbench.generator.columns import Ints, same
from kbench.generator.scene import Scene
from kbench.generator.sections import exposures
from kbench.generator.sheets import in_order
from kbench.schema import ENTITY_SCHEMA, FACT_SCHEMA


def fact_rows(scene: Scene) -> pa.Table:
    """One row a fact, for blocks of one role."""
    world, section, tables, order = scene.world, scene.section, [], []
    for place, (name, relation) in enumerate(world.spec.relations.items()):
        index, kind = world.subjects(name, section.blocks), relation.subject
        n, values = index.size, world.values(name, index)
        columns = {
            "fact_id": fact_ids(scene, name, index),
            "subject_id": scene.world.ids(kind, index),
            "subject": scene.mention(kind, index, "name"),
            "relation": same(name, n),
            "value_type": same(relation.value_type, n),
            "value": values.text,
            "number": values.number,
            "unit": same(world.source_of(name).unit, n),
            "object_id": scene.world.ids(relation.object, values.object) if relation.object else same("", n),
            "exposures": pa.array(exposures(world, section.role, name, kind, index), pa.int32()),
            "role": same(section.role, n),
        }
        tables.append(pa.table(columns, schema=FACT_SCHEMA))
        kinds = list(world.spec.types).index(kind)
        order.append([world.block_of(kind, index), np.full_like(index, kinds), index, np.full_like(index, place)])
    return _sorted(tables, order)


def entity_rows(scene: Scene) -> pa.Table:
    """One row an entity, for blocks of one role."""
    world, tables, order = scene.world, [], []
    for place, kind in enumerate(world.spec.types):
        called = scene.called(kind)
        index, n = called.index, called.index.size
        block = world.block_of(kind, index)
        columns = {
            "entity_id": called.ids,
            "type": same(kind, n),
            "name": called.mentions["name"],
            "popularity": pa.array(world.popularity(kind, index), pa.int32()),
            "block": block,
            "role": same(scene.section.role, n),
        }
        tables.append(pa.table(columns, schema=ENTITY_SCHEMA))
        order.append([block, np.full_like(block, place), index])
    return _sorted(tables, order)


def _sorted(tables: list[pa.Table], order: list[list[Ints]]) -> pa.Table:
    whole = pa.concat_tables(tables).combine_chunks()
    at = pa.array(in_order([np.concatenate(column) for column in zip(*order, strict=True)]))
    return whole.take(at).combine_chunks()
