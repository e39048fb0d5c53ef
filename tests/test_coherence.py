"""Values that agree: families, events and ages, in the default world and in any other."""

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from kbench.errors import SpecError
from kbench.generator.building import build_world
from kbench.generator.hashing import Ints
from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict
from kbench.generator.world import World
from tests.samples import DROP, edited
from tests.small import FAMILY, SEEDS, families, family

DEFAULT = build_world(load_spec("default"), "7")
BLOCKS = np.arange(60)
YEAR = 365.2425


def column(world: World, name: str, blocks: int = 60) -> Ints:
    """The numbers of a date or number relation, for every subject in the first blocks."""
    return world.numbers(name, world.subjects(name, np.arange(blocks)))


def ends(world: World, path: str, blocks: int = 60) -> Ints:
    """The objects at the end of a path of entity relations, for every subject in the first blocks."""
    steps = path.split(".")
    return world.follow(steps, world.subjects(steps[0], np.arange(blocks)))


# ---- families


@given(spec=families(), seed=SEEDS)
@settings(max_examples=30)
def test_families_of_any_world_cohere(spec: WorldSpec, seed: str) -> None:
    world, blocks = World(spec, seed), np.arange(4)
    people = world.members("person", blocks)
    spouse = world.objects("spouse", people)
    assert np.array_equal(world.objects("spouse", spouse), people)
    assert not (spouse == people).any()
    born = world.numbers("born", people)
    assert (np.abs(world.numbers("born", spouse) - born) <= 8 * YEAR).all()
    children = world.subjects("mother", blocks)
    assert np.array_equal(children, world.subjects("father", blocks))
    elders = spec.types["person"].elders
    assert children.size == people.size - blocks.size * elders
    for link, female in (("mother", True), ("father", False)):
        parents = world.objects(link, children)
        assert (world.is_female("person", parents) == female).all()
        years = (world.numbers("born", children) - world.numbers("born", parents)) / YEAR
        assert years.min() >= 18.99
        assert years.max() <= 35.01
        assert not world.has(link, parents).any()
    siblings = world.objects("mother", children) == world.objects("mother", world.objects("spouse", children))
    assert not siblings.any()


def test_the_default_world_has_as_many_women_as_men_and_couples_of_both() -> None:
    people = DEFAULT.members("person", BLOCKS)
    female = np.asarray(DEFAULT.is_female("person", people))
    assert female.mean() == 0.5
    assert (np.asarray(DEFAULT.is_female("person", DEFAULT.objects("spouse", people))) != female).all()


# ---- the default world's ages and events


YEARS: list[tuple[str, str, float, float]] = [
    ("founded", "founder.born", 20, 40),
    ("founded", "founder.graduated", 0.1, 15),
    ("graduated", "born", 20, 28),
    ("mayor_since", "mayor.born", 30, 48),
    ("launched", "maker.founded", 1, 12),
    ("merger_date", "merger_buyer.founded", 1, 60),
    ("merger_date", "merger_target.founded", 1, 60),
    ("accident_date", "accident_product.launched", 0.1, 5),
    ("match_date", "match_winner.born", 20, 75),
    ("match_date", "match_loser.born", 20, 75),
    ("festival_date", "festival_city.mayor_since", 0.05, 4),
    ("festival_date", "festival_headliner.born", 18, 80),
    ("festival_date", "festival_prize.born", 18, 80),
]


@pytest.mark.parametrize(("later", "earlier", "least", "most"), YEARS)
def test_one_date_of_the_default_world_lies_so_many_years_after_another(
    later: str, earlier: str, least: float, most: float
) -> None:
    *steps, last = earlier.split(".")
    subjects = DEFAULT.subjects(later, BLOCKS)
    gap = (DEFAULT.numbers(later, subjects) - DEFAULT.numbers(last, DEFAULT.follow(steps, subjects))) / YEAR
    assert gap.min() >= least - 0.01
    assert gap.max() <= most + 0.01


def test_a_festival_falls_in_the_term_of_its_citys_mayor() -> None:
    cities = ends(DEFAULT, "festival_city")
    since, term = DEFAULT.numbers("mayor_since", cities), DEFAULT.numbers("term", cities)
    held = column(DEFAULT, "festival_date")
    assert (held > since).all()
    assert (held < since + term * 365).all()


SAME_PEOPLE = [
    ("chief.employer", ""),
    ("mayor.home", ""),
    ("election_winner", "election_city.mayor"),
    ("founding_place", "founding_of.headquarters"),
]


@pytest.mark.parametrize(("one", "other"), SAME_PEOPLE)
def test_two_paths_of_the_default_world_lead_to_the_same_entity(one: str, other: str) -> None:
    subjects = DEFAULT.subjects(one.split(".")[0], BLOCKS)
    assert np.array_equal(ends(DEFAULT, one), ends(DEFAULT, other) if other else subjects)


@pytest.mark.parametrize(
    ("one", "other"), [("election_date", "election_city.mayor_since"), ("founding_date", "founding_of.founded")]
)
def test_two_paths_of_the_default_world_lead_to_the_same_date(one: str, other: str) -> None:
    *steps, last = other.split(".")
    subjects = DEFAULT.subjects(one, BLOCKS)
    assert np.array_equal(DEFAULT.numbers(one, subjects), DEFAULT.numbers(last, DEFAULT.follow(steps, subjects)))
    assert (
        DEFAULT.values(one, subjects).text.to_pylist()
        == DEFAULT.values(last, DEFAULT.follow(steps, subjects)).text.to_pylist()
    )


APART = [
    ("merger_target", "merger_buyer"),
    ("match_loser", "match_winner"),
    ("election_rival", "election_winner"),
    ("festival_prize", "festival_headliner"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_roles_in_one_event_are_two_entities_of_one_block(one: str, other: str) -> None:
    first, second = ends(DEFAULT, one, 400), ends(DEFAULT, other, 400)
    kind = DEFAULT.spec.relations[one].object
    assert not (first == second).any()
    assert np.array_equal(DEFAULT.block_of(kind, first), DEFAULT.block_of(kind, second))


@given(spec=families(), seed=SEEDS)
@settings(max_examples=20)
def test_what_binds_relations_holds_in_any_world(spec: WorldSpec, seed: str) -> None:
    world = World(spec, seed)
    assert np.array_equal(ends(world, "chief.employer", 5), world.members("company", np.arange(5)))
    assert np.array_equal(ends(world, "mayor.home", 5), world.members("city", np.arange(5)))
    assert np.array_equal(ends(world, "match_host", 5), ends(world, "match_city.mayor", 5))
    assert not (ends(world, "match_loser", 5) == ends(world, "match_winner", 5)).any()
    winner, loser = ends(world, "match_winner", 5), ends(world, "match_loser", 5)
    assert np.array_equal(world.has("mother", winner), world.has("mother", loser)), "of one generation"
    subjects = world.members("match", np.arange(5))
    born = [world.numbers("born", ends(world, role, 5)) for role in ("match_winner", "match_loser")]
    apart = world.numbers("match_date", subjects) - np.maximum(*born)
    assert (apart >= 7300).all()
    assert (apart <= 9000).all()


@pytest.mark.parametrize("way", [{"apart_from": "spouse"}, {"same_as": "home.mayor"}, {"same_as": "spouse.spouse"}])
def test_a_relation_that_would_make_somebody_their_own_object_is_refused_or_does_not(way: dict[str, str]) -> None:
    """Or its statement would say nothing, and its question would hold the answer."""
    patron = {"subject": "person", "value_type": "entity", "object": "person", **way}
    try:
        world = build_world(family(relations__patron=patron, paths={}), "7")
    except SpecError:
        return
    people = world.members("person", np.arange(200))
    assert not (world.objects("patron", people) == people).any()


def test_a_relation_that_reaches_points_at_so_many_background_blocks() -> None:
    changes = {"relations__employer__reach": 3, "relations__chief": DROP, "paths": {}, "sizes__background": 96}
    world = build_world(family(**changes), "7")
    employers = world.objects("employer", world.members("person", np.arange(200)))
    assert set(world.block_of("company", employers).tolist()) == {2, 6, 10}


# ---- refusals

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("odd elders", {"types.person.elders": 5}, "types.person.elders: expected an even number of at least 4 parents"),
    ("fewer children than parents", {"types.person.elders": 8}, "(got 8 of a block of 12)"),
    (
        "no elders",
        {"types.person.elders": 0, "relations.born.gap": 0},
        "a tie of the family needs a type with elders",
    ),
    ("two of a single type", {"types.persona.block": 2}, "types.persona: a single type has block = 1 (got 2)"),
    (
        "a single object",
        {"relations.spouse": {"subject": "person", "value_type": "entity", "object": "persona"}},
        "a persona stands once in the world and is nobody's object",
    ),
    ("a tie to another type", {"relations.spouse.object": "company"}, "relations.spouse.link: a tie of the family"),
    ("among the unknown", {"relations.mayor.among": "x"}, "relations.mayor: unknown relation 'x'"),
    ("among the wrong ones", {"relations.mayor.among": "employer"}, "must be a plain relation of a person to a city"),
    ("among too few", {"types.company.block": 13}, "among: a block has too few person for each company"),
    ("apart from others", {"relations.match_loser.apart_from": "match_city"}, "apart_from: 'match_city' must"),
    ("apart from the unknown", {"relations.match_loser.apart_from": "x"}, "unknown relation 'x'"),
    ("the same as another type", {"relations.match_host.same_as": "match_city"}, "'match_city' is entity of city"),
    ("the same as nothing", {"relations.match_host.same_as": "match_city.x"}, "unknown relation 'x'"),
    ("a path through a value", {"relations.match_host.same_as": "match_date.mayor"}, "'match_date' leads to no entity"),
    ("a path that breaks", {"relations.match_host.same_as": "match_city.employer"}, "'employer' is no relation of a"),
    ("after a name", {"relations.founded.after": ["founder.home"]}, "'founder.home' is entity, this relation is not"),
    ("after a parent", {"relations.founded.after": ["founder.mother.born"]}, "not everybody has a mother"),
    ("after itself", {"relations.founded.after": ["founded"]}, "depends on itself: founded → founded"),
    ("gap without elders", {"relations.founded.gap": 9}, "after takes least and most, not first, last or gap"),
    (
        "in a circle",
        {"relations.mayor": {**FAMILY["relations"]["mayor"], "among": "", "same_as": "mayor"}},
        "depends on itself: mayor → mayor",
    ),
    ("two ways", {"relations.match_host.among": "employer"}, "among and same_as exclude one another"),
    ("after for a name", {"relations.home.after": ["born"]}, "after is for numeric and date relations"),
    ("a link for a number", {"relations.height.link": "partner"}, "link is for entity relations"),
    ("pools for an entity", {"relations.home.pools": ["hobby"]}, "pools are for categorical and tone relations"),
    ("an operator's name", {"relations.count": FAMILY["relations"]["height"]}, "relations.count: the name is taken"),
    ("reach into nothing", {"relations.home.reach": 1, "relations.mayor": DROP}, "1 background blocks are meant"),
    (
        "a gap of a type without elders",
        {
            "relations.founded": {
                "subject": "company",
                "value_type": "date",
                "first": "1990-01-01",
                "last": "1991-01-01",
                "gap": 9,
            }
        },
        "relations.founded.gap: types.company has no elders",
    ),
]


@pytest.mark.parametrize(("changes", "expected_error"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_relations_that_cannot_agree_are_refused_in_one_line(changes: dict[str, Any], expected_error: str) -> None:
    bare = {"paths": {}, "relations.match_host": DROP, **changes}
    if any(path.startswith("relations.match_host") for path in changes):
        del bare["relations.match_host"]
    with pytest.raises(SpecError) as error:
        build_world(spec_from_dict(edited(FAMILY, bare), "w.toml"), "7")
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)


def test_the_first_day_of_the_default_world_is_in_the_1930s_and_no_date_lies_in_the_future() -> None:
    """Dates build on one another, up to five deep: none may run past what a sentence can say."""
    dates = [name for name, r in DEFAULT.spec.relations.items() if r.value_type == "date" and r.subject != "university"]
    days = np.concatenate([column(DEFAULT, name, 200) for name in dates if name != "activated"])
    first, last = (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(d)) for d in (days.min(), days.max()))
    assert first.year >= 1938
    assert last.year <= 2026
