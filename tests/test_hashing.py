"""Laws of the keyed hashes and permutations under every world."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.generator.hashing import below, mix, permute, stream_key, unpermute

KEYS = st.integers(0, 2**64 - 1)


@given(key=KEYS, n=st.integers(1, 1500))
def test_permute_hits_every_number_below_n_once(key: int, n: int) -> None:
    assert np.array_equal(np.sort(permute(key, np.arange(n), n)), np.arange(n))


@given(data=st.data(), key=KEYS, n=st.integers(1, 2**62))
def test_unpermute_inverts_permute_for_any_n(data: st.DataObject, key: int, n: int) -> None:
    x = np.asarray(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20)), dtype=np.int64)
    y = permute(key, x, n)
    assert (y >= 0).all()
    assert (y < n).all()
    assert np.array_equal(unpermute(key, y, n), x)
    assert np.array_equal(permute(key, unpermute(key, x, n), n), x)


@given(keys=st.lists(KEYS, min_size=1, max_size=20), n=st.integers(1, 10_000))
def test_a_column_of_keys_permutes_each_number_under_its_own_key(keys: list[int], n: int) -> None:
    x = np.arange(len(keys), dtype=np.int64) % n
    together = permute(np.asarray(keys, dtype=np.uint64), x, n)
    alone = [int(permute(key, x[i : i + 1], n)[0]) for i, key in enumerate(keys)]
    assert together.tolist() == alone


@given(key=KEYS, n=st.integers(1, 2**32), x=st.lists(st.integers(0, 2**62), min_size=1, max_size=50))
def test_below_stays_below_n(key: int, n: int, x: list[int]) -> None:
    drawn = below(key, np.asarray(x, dtype=np.int64), n)
    assert (drawn >= 0).all()
    assert (drawn < n).all()


@given(key=KEYS, x=st.lists(st.integers(0, 2**62), min_size=1, max_size=20))
def test_the_hash_of_one_number_does_not_depend_on_its_column(key: int, x: list[int]) -> None:
    column = np.asarray(x, dtype=np.int64)
    assert mix(key, column).tolist() == [int(mix(key, column[i : i + 1])[0]) for i in range(len(x))]


def test_below_draws_each_of_ten_numbers_about_equally_often() -> None:
    counts = np.bincount(below(stream_key("even"), np.arange(100_000), 10), minlength=10)
    assert counts.min() > 9_700
    assert counts.max() < 10_300


def test_two_keys_give_two_permutations() -> None:
    x = np.arange(1000)
    same = (permute(stream_key("a"), x, 1000) == permute(stream_key("b"), x, 1000)).sum()
    assert same < 10


@pytest.mark.parametrize("parts", [("ab",), ("b", "a"), ("a", "b", ""), ("a", "B")])
def test_streams_of_other_names_have_other_keys(parts: tuple[str, ...]) -> None:
    assert stream_key(*parts) != stream_key("a", "b")


def test_mix_is_splitmix64_with_its_published_vector() -> None:
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert mix(0, np.arange(1, 5)).tolist() == published


def test_the_arithmetic_gives_the_numbers_it_always_gave() -> None:
    x = np.arange(5)
    assert stream_key("7", "name", "person") == 4413150588960268524
    assert below(7, x, 1000).tolist() == [72, 389, 16, 900, 582]
    assert permute(7, x, 1000).tolist() == [66, 255, 375, 996, 778]
    assert unpermute(7, np.asarray([66, 255, 375, 996, 778]), 1000).tolist() == x.tolist()
