"""The fact graph as tables: every fact and every entity of a range of blocks."""

import numpy as np
import pyarrow as pa

from kbench.generator.hashing import Ints
from kbench.generator.questions import in_order
from kbench.generator.sections import stated
from kbench.generator.spec import role_of
from kbench.generator.world import World
from kbench.ids import fact_id
from kbench.schema import ENTITY_SCHEMA, FACT_SCHEMA


def fact_rows(world: World, blocks: Ints) -> pa.Table:
    """One row a fact, for blocks of one role."""
    role, tables, order = role_of(int(blocks[0])), [], []
    for place, (name, relation) in enumerate(world.spec.relations.items()):
        index = world.subjects(name, blocks)
        ids, values = world.ids(relation.subject, index), world.values(name, index)
        n = len(ids)
        objects = world.ids(relation.object, values.object) if relation.object else [""] * n
        columns = {
            "fact_id": [fact_id(subject, name) for subject in ids],
            "subject_id": ids,
            "subject": world.names(relation.subject, index),
            "relation": [name] * n,
            "value_type": [relation.value_type] * n,
            "value": values.text,
            "number": values.number,
            "unit": [world.source_of(name).unit] * n,
            "object_id": objects,
            "exposures": stated(world, role, name, relation.subject, index).astype(np.int32),
            "role": [role] * n,
        }
        tables.append(pa.table(columns, schema=FACT_SCHEMA))
        block = world.block_of(relation.subject, index)
        kinds = list(world.spec.types).index(relation.subject)
        order.append([block, np.full_like(block, kinds), index, np.full_like(block, place)])
    return in_order(tables, order, FACT_SCHEMA)


def entity_rows(world: World, blocks: Ints) -> pa.Table:
    """One row an entity, for blocks of one role."""
    role, tables, order = role_of(int(blocks[0])), [], []
    for place, kind in enumerate(world.spec.types):
        index = world.members(kind, blocks)
        block = world.block_of(kind, index)
        columns = {
            "entity_id": world.ids(kind, index),
            "type": [kind] * index.size,
            "name": world.names(kind, index),
            "popularity": world.popularity(kind, index).astype(np.int32),
            "block": block,
            "role": [role] * index.size,
        }
        tables.append(pa.table(columns, schema=ENTITY_SCHEMA))
        order.append([block, np.full_like(block, place), index])
    return in_order(tables, order, ENTITY_SCHEMA)
