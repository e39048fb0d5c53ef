"""Families and ties inside a block: the permutations and intervals that they are cut from."""

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kbench.generator.hashing import Words, permute
from kbench.generator.kinship import family_bounds, is_mother, parent_of, partner_of, peer_of, place_of
from kbench.generator.slots import bounds, cycle, pick_one_of, slots

KEYS = st.integers(0, 2**63)


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


@given(key=KEYS, half=st.integers(2, 8), more=st.integers(0, 12), draw=KEYS)
def test_a_peer_is_another_of_the_same_generation(key: int, half: int, more: int, draw: int) -> None:
    elders, block = 2 * half, 4 * half + 2 * more
    index = np.arange(2 * block)
    keys: Words = np.repeat(np.asarray([key, key + 1], dtype=np.uint64), block)
    peer = peer_of(keys, index, block, elders, np.full(index.size, draw, dtype=np.uint64))
    assert not (peer == index).any()
    assert np.array_equal(peer // block, index // block)
    assert np.array_equal(place_of(keys, peer, block) < elders, place_of(keys, index, block) < elders)


@given(half=st.integers(2, 60), more=st.integers(0, 60))
def test_every_couple_has_a_child_and_none_has_more_than_half_of_them(half: int, more: int) -> None:
    young, couples = 2 * half + 2 * more, half
    sizes = np.diff([0, *family_bounds(young, couples), young])
    assert sizes.size == couples
    assert sizes.min() >= 1
    assert sizes.max() <= young // 2
    assert sizes.sum() == young


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
    found = slots(keys + np.uint64(1), permute(keys, np.arange(n), n), n, m, bounds(n, m, zipf=zipf))
    counts = np.bincount(found, minlength=m)
    if n <= m:
        assert counts.max() == 1
    else:
        assert counts.tolist() == np.diff([0, *bounds(n, m, zipf=zipf), n]).tolist()


@given(key=KEYS, n=st.integers(2, 100))
def test_a_cycle_goes_once_through_the_whole_block(key: int, n: int) -> None:
    keys: Words = np.full(n, key, dtype=np.uint64)
    following = cycle(keys, permute(keys, np.arange(n), n), n)
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
