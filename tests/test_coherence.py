"""Values that agree: families, events, ages; and the permutations and intervals they are cut from."""

import datetime
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.errors import SpecError
from kbench.generator.hashing import Ints, Words
from kbench.generator.kinship import family_bounds, is_mother, parent_of, partner_of, place_of
from kbench.generator.slots import bounds, cycle, pick_one_of, slots
from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict
from kbench.generator.world import World, build_world
from tests.samples import DROP, edited
from tests.small import FAMILY, SEEDS, families, family

KEYS = st.integers(0, 2**63)
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


@given(key=KEYS, half=st.integers(2, 8), more=st.integers(0, 12))
def test_a_couple_are_each_others_partners_of_one_generation_and_one_of_them_is_the_mother(
    key: int, half: int, more: int
) -> None:
    elders, block = 2 * half, 4 * half + 2 * more
    index = np.arange(3 * block)
    keys: Words = np.repeat(np.asarray([key, key + 1, key + 2], dtype=np.uint64), block)
    partner = partner_of(keys, index, block)
    assert not (partner == index).any()
    assert np.array_equal(partner_of(keys, partner, block), index)
    assert np.array_equal(partner // block, index // block)
    place, other = place_of(keys, index, block), place_of(keys, partner, block)
    assert (is_mother(place) != is_mother(other)).all()
    assert ((place < elders) == (other < elders)).all()


@given(key=KEYS, half=st.integers(2, 8), more=st.integers(0, 12))
def test_the_parents_of_a_child_are_a_couple_of_the_elders_and_never_those_of_its_partner(
    key: int, half: int, more: int
) -> None:
    elders, block = 2 * half, 4 * half + 2 * more
    index = np.arange(block)
    keys: Words = np.full(block, key, dtype=np.uint64)
    young = index[place_of(keys, index, block) >= elders]
    mother, father = (parent_of(keys[young], young, block, elders, mother=m) for m in (True, False))
    assert np.array_equal(partner_of(keys[mother], mother, block), father)
    assert is_mother(place_of(keys[mother], mother, block)).all()
    assert (place_of(keys[mother], mother, block) < elders).all()
    assert set(mother.tolist()) | set(father.tolist()) == set(index.tolist()) - set(young.tolist())
    partner = partner_of(keys[young], young, block)
    assert not (parent_of(keys[young], partner, block, elders, mother=True) == mother).any()


@given(half=st.integers(2, 60), more=st.integers(0, 60))
def test_every_couple_has_a_child_and_none_has_more_than_half_of_them(half: int, more: int) -> None:
    young, couples = 2 * half + 2 * more, half
    sizes = np.diff([0, *family_bounds(young, couples), young])
    assert sizes.size == couples
    assert sizes.min() >= 1
    assert sizes.max() <= young // 2
    assert sizes.sum() == young


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
        assert world.is_female("person", parents) == [female] * children.size
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
    assert DEFAULT.values(one, subjects).text == DEFAULT.values(last, DEFAULT.follow(steps, subjects)).text


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
    subjects = world.members("match", np.arange(5))
    born = [world.numbers("born", ends(world, role, 5)) for role in ("match_winner", "match_loser")]
    apart = world.numbers("match_date", subjects) - np.maximum(*born)
    assert (apart >= 7300).all()
    assert (apart <= 9000).all()


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


# ---- slots


@given(n=st.integers(1, 200), m=st.integers(1, 60), zipf=st.booleans())
def test_intervals_cover_all_subjects_and_each_object_has_one(n: int, m: int, zipf: bool) -> None:
    found = bounds(n, m, zipf=zipf)
    if n <= m:
        assert found.size == 0
        return
    sizes = np.diff([0, *found, n])
    assert sizes.size == m
    assert sizes.min() >= 1
    assert sizes.sum() == n
    assert zipf or sizes.max() - sizes.min() <= 1
    assert not zipf or sizes[0] == sizes.max()


@given(key=KEYS, n=st.integers(1, 100), m=st.integers(1, 40), zipf=st.booleans())
def test_subjects_fill_the_intervals_of_their_objects(key: int, n: int, m: int, zipf: bool) -> None:
    keys: Words = np.full(n, key, dtype=np.uint64)
    found = slots(keys, keys + np.uint64(1), np.arange(n), n, m, bounds(n, m, zipf=zipf))
    counts = np.bincount(found, minlength=m)
    if n <= m:
        assert counts.max() == 1
    else:
        assert counts.tolist() == np.diff([0, *bounds(n, m, zipf=zipf), n]).tolist()


@given(key=KEYS, n=st.integers(2, 100))
def test_a_cycle_goes_once_through_the_whole_block(key: int, n: int) -> None:
    keys: Words = np.full(n, key, dtype=np.uint64)
    following = cycle(keys, np.arange(n), n)
    here, seen = 0, []
    for _ in range(n):
        seen.append(here)
        here = int(following[here])
    assert here == 0
    assert sorted(seen) == list(range(n))


@given(data=st.data(), key=KEYS, rows=st.integers(1, 5), m=st.integers(1, 6))
def test_one_of_several_is_picked_among_those_that_hold_the_wanted_slot(
    data: st.DataObject, key: int, rows: int, m: int
) -> None:
    width = m + data.draw(st.integers(0, 6))
    more = st.lists(st.integers(0, m - 1), min_size=width - m, max_size=width - m)
    theirs = np.asarray([data.draw(st.permutations([*range(m), *data.draw(more)])) for _ in range(rows)])
    row, wanted = np.repeat(np.arange(rows), m), np.tile(np.arange(m), rows)
    picked = pick_one_of(theirs, row, wanted, key, np.arange(rows * m))
    assert (theirs[row, picked] == wanted).all()


@cache
def _drawn() -> list[int]:
    theirs = np.zeros((1, 4), dtype=np.int64)
    zeros = np.zeros(400, dtype=np.int64)
    return [int(n) for n in pick_one_of(theirs, zeros, zeros, 5, np.arange(400))]


def test_each_of_several_that_hold_a_slot_is_picked_about_as_often() -> None:
    assert min(np.bincount(_drawn(), minlength=4)) > 70


def test_the_first_day_of_the_default_world_is_in_the_1930s_and_no_date_lies_in_the_future() -> None:
    """Dates build on one another, up to five deep: none may run past what a sentence can say."""
    dates = [name for name, r in DEFAULT.spec.relations.items() if r.value_type == "date" and r.subject != "university"]
    days = np.concatenate([column(DEFAULT, name, 200) for name in dates if name != "activated"])
    first, last = (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(d)) for d in (days.min(), days.max()))
    assert first.year >= 1938
    assert last.year <= 2026
