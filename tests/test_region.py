"""Regions: a world that remembers columns says what the world says, of whomever it is asked."""

import gc
import weakref

import numpy as np
import pyarrow as pa
import pytest

from kbench.generator.building import build_world
from kbench.generator.columns import Ints
from kbench.generator.packs import load_pack
from kbench.generator.region import Region
from kbench.generator.scene import scene_of
from kbench.generator.sections import Section
from kbench.generator.shards import Unit, unit_table
from kbench.generator.world import World
from tests.samples import SPECS, tiny

WORLDS = {name: build_world(spec(), "7") for name, spec in SPECS.items()}
CHANCE = np.random.default_rng(7)


def held(world: World) -> Ints:
    """The blocks of a region: the first two new ones, with the persona where there is one."""
    return world.blocks("new")[:2]


def askable(world: World, region: Region, kind: str) -> dict[str, Ints]:
    """Columns of entities of a type that a region may be asked about: its own and others, in all orders."""
    own = world.members(kind, held(world))
    other = world.members(kind, world.blocks("background" if world.blocks("background").size else "control"))
    whole = np.concatenate([own, other[:5]])
    return {
        "none": own[:0],
        "a part": own[1:4],
        "the very column": region.members(kind, region.held),
        "all, shuffled": CHANCE.permutation(own),
        "some, repeated": own[CHANCE.integers(0, max(1, own.size), 2 * own.size)] if own.size else own,
        "the last": own[-1:],
        "others": other,
        "own and others": CHANCE.permutation(whole),
    }


def same(mine: object, theirs: object, what: str) -> None:
    """Fail, and say of what, where a region says something else than its world."""
    if isinstance(theirs, np.ndarray):
        assert isinstance(mine, np.ndarray)
        assert mine.tolist() == theirs.tolist(), what
    else:
        assert isinstance(mine, pa.Array)
        assert mine.equals(theirs), what


def said_of(world: World, kind: str, index: Ints) -> dict[str, object]:
    """What a world says of some entities of a type."""
    found: dict[str, object] = {
        "ids": world.ids(kind, index),
        "names": world.names(kind, index),
        "female": world.is_female(kind, index),
        "popularity": world.popularity(kind, index),
        "block": world.block_of(kind, index),
        "rank": world.rank("label", kind, index, 4),
    }
    for name, relation in world.spec.relations_of(kind).items():
        found[f"has {name}"] = world.has(name, index)
        having = index[world.has(name, index)]
        values = world.values(name, having)
        found |= {f"text of {name}": values.text, f"number of {name}": values.number, f"ends of {name}": values.object}
        found[f"forms of {name}"] = world.forms(name, having, values)
        if values.code is not None:
            found[f"codes of {name}"] = values.code
        if relation.object:
            found[f"objects of {name}"] = world.objects(name, having)
        elif not relation.pools:
            found[f"numbers of {name}"] = world.numbers(name, having)
        if not relation.object and not relation.same_as and relation.choices > 1:
            found[f"another {name}"] = world.with_code(name, having, np.ones_like(having))
    return found


@pytest.mark.parametrize("name", list(SPECS))
def test_a_region_says_of_everybody_what_its_world_says(name: str) -> None:
    world = WORLDS[name]
    region = Region(world.spec, world.seed, held=held(world))
    for kind in world.spec.types:
        for asked, index in askable(world, region, kind).items():
            mine, theirs = (said_of(place, kind, index) for place in (region, world))
            assert list(mine) == list(theirs)
            for what, column in theirs.items():
                same(mine[what], column, f"{what}, {kind}, {asked}")


@pytest.mark.parametrize("name", list(SPECS))
def test_what_a_region_says_first_does_not_change_what_it_says_next(name: str) -> None:
    world = WORLDS[name]
    blocks = held(world)
    for kind in world.spec.types:
        own = world.members(kind, blocks)
        for relation in world.spec.relations_of(kind):
            region = Region(world.spec, world.seed, held=blocks)
            for index in (own[:2], own[::-1], own):
                having = index[world.has(relation, index)]
                same(region.values(relation, having).text, world.values(relation, having).text, relation)


@pytest.mark.parametrize("name", list(SPECS))
def test_the_subjects_of_a_region_are_those_that_have_the_relation(name: str) -> None:
    world = WORLDS[name]
    region = Region(world.spec, world.seed, held=held(world))
    for relation in world.spec.relations:
        for blocks in (region.held, region.held[:1], world.blocks("control")):
            same(region.subjects(relation, blocks), world.subjects(relation, blocks), relation)


def test_elders_have_no_mother_in_a_region_either() -> None:
    world = WORLDS["default"]
    region = Region(world.spec, world.seed, held=held(world))
    index = region.members("person", region.held)
    has = region.has("mother", index)
    elders = world.spec.types["person"].elders
    assert (~has).sum() == elders * held(world).size > 0
    assert region.subjects("mother", region.held).tolist() == index[has].tolist()
    mothers = region.objects("mother", index[has])
    assert mothers.tolist() == world.objects("mother", index[has]).tolist()
    assert not region.has("mother", mothers).any()
    # Asked with those who have none first, as a column of the whole region is.
    assert region.names("person", mothers).equals(world.names("person", mothers))


def test_a_region_knows_where_its_own_stand_and_says_nothing_of_others() -> None:
    world = WORLDS["tiny"]
    region = Region(world.spec, world.seed, held=held(world))
    own = world.members("person", held(world))
    places = region.places("person", own[::-1])
    assert places is not None
    assert places.tolist() == list(range(own.size))[::-1]
    for other in (own + own.max() + 1, np.append(own, own.max() + 1), own - own.min() - 1, own[:0]):
        assert region.places("person", other) is None


# ---- scenes: what is remembered, and for how long


PACK = load_pack(None)


def section(world: World, first: int, split_of: str = "train") -> Section:
    """A section of one new block."""
    return Section("new", world.blocks("new")[first : first + 1], "train" if split_of == "train" else "test", "recall")


def test_the_scene_of_a_section_knows_what_was_computed_for_one_of_the_same_blocks() -> None:
    world = build_world(tiny(), "7")
    train = scene_of(world, PACK, section(world, 0))
    called = train.called("person")
    test = scene_of(world, PACK, section(world, 0, "test"))
    assert test.called("person") is called
    assert (train.section.phrasing, test.section.phrasing) == ("train", "test")
    other = scene_of(world, PACK, section(world, 1))
    assert set(other.called("person").index.tolist()).isdisjoint(called.index.tolist())


def test_at_most_two_sections_are_remembered_and_the_one_used_longest_ago_is_freed() -> None:
    world = build_world(tiny(), "7")

    def visit(first: int) -> weakref.ref[Ints]:
        scene = scene_of(world, PACK, section(world, first))
        scene.memory["a cycle",] = scene  # as what is remembered of a scene knows it
        return weakref.ref(scene.called("person").index)

    gc.collect()
    gc.disable()  # what is forgotten is freed at once, not whenever cycles are looked for
    try:
        zero, one = visit(0), visit(1)
        visit(0)
        assert zero() is not None
        two = visit(2)
        assert one() is None
        assert zero() is not None
        assert two() is not None
        visit(1)
        assert zero() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "config", ["qa", "article", "dialogue", "statement", "choice", "multihop", "facts", "entities"]
)
def test_rows_do_not_depend_on_which_sections_were_written_before(config: str) -> None:
    spec = tiny()

    def rows(world: World, first: int) -> pa.Table:
        return unit_table(world, PACK, Unit(config, "train", 0, 1, (section(world, first),)))

    apart = {first: rows(build_world(spec, "7"), first) for first in range(3)}
    together = build_world(spec, "7")
    for first in (0, 1, 0, 2, 1, 1, 0, 2):
        assert rows(together, first).equals(apart[first])
    assert apart[0].num_rows
    assert not apart[0].equals(apart[1])


def test_a_mention_is_the_same_whether_its_entity_is_one_of_the_section_or_not() -> None:
    world = build_world(tiny(), "7")
    everyone = world.members("company", world.blocks("new"))
    here = scene_of(world, PACK, section(world, 0))
    own = here.called("company").index
    assert 0 < own.size < everyone.size
    one_by_one = [here.mention("company", np.asarray([who]), "Their")[0].as_py() for who in everyone]
    assert one_by_one == here.mention("company", everyone, "Their").to_pylist()
    assert one_by_one[: own.size] == here.mention("company", own, "Their").to_pylist()
