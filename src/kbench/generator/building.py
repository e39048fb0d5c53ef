"""A world built of a spec and a seed, once it is known that the names and the background are enough for it."""

from kbench.errors import SpecError
from kbench.generator.names import form_of
from kbench.generator.packs import indefinite
from kbench.generator.relations import MOST_NUMBER
from kbench.generator.spec import WorldSpec
from kbench.generator.world import World
from kbench.schema import ROLES


def build_world(spec: WorldSpec, seed: str) -> World:
    """The world of a spec and a seed text. Raises SpecError where the spec has more entities than names."""
    world = World(spec, seed)
    for role in ROLES:
        blocks = spec.blocks(role)
        most, kind = min((_most_blocks(spec, kind), kind) for kind in spec.types)
        if (blocks - 1) * len(ROLES) + ROLES.index(role) + 1 > most and blocks:
            raise SpecError(
                f"{blocks * spec.block_size:,} {role} entities are more than the names of {indefinite(kind)} allow: "
                f"ask for at most {most // len(ROLES) * spec.block_size:,}, or give types.{kind} another name form"
            )
    for name, relation in spec.relations.items():
        if relation.reach > spec.blocks("background"):
            raise SpecError(
                f"relations.{name}.reach: {relation.reach} background blocks are meant, and sizes.background = "
                f"{spec.sizes.background} makes {spec.blocks('background')}"
            )
    return world


def _most_blocks(spec: WorldSpec, kind: str) -> int:
    """How many blocks, of all roles together, the names of a type are enough for."""
    entity = spec.types[kind]
    return MOST_NUMBER if entity.single else form_of(kind, entity.names, entity.locale).capacity // entity.block
