"""Names: distinct, never one inside another, and of no other world."""

import json
from importlib.resources import files
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.errors import SpecError
from kbench.generator.names import LANES, load_forms
from kbench.generator.spec import builtin_specs, load_spec
from kbench.generator.world import World

FORMS = load_forms()
LETTERS: dict[str, Any] = json.loads(files("kbench.generator").joinpath("pools/names.json").read_text(encoding="utf-8"))
LANE = st.integers(0, LANES - 1)


def names_of(world: World, most: int) -> list[str]:
    """The names of the first entities of every type, up to `most` a type."""
    found = []
    for kind, entity in world.spec.types.items():
        found += world.names(kind, np.arange(min(most, FORMS[entity.names].capacity)))
    return found


@pytest.mark.parametrize("spec", builtin_specs())
@pytest.mark.parametrize("seed", ["7", "8"])
def test_no_name_of_a_world_stands_in_another(spec: str, seed: str) -> None:
    names = [name.casefold() for name in names_of(World(load_spec(spec), seed), 2000)]
    together = "\n".join(names)
    assert len(names) > 3000
    assert [name for name in names if together.count(name) != 1] == []


@pytest.mark.parametrize("spec", builtin_specs())
def test_the_worlds_of_two_seeds_share_no_name(spec: str) -> None:
    first, second = World(load_spec(spec), "7"), World(load_spec(spec), "8")
    assert int(first.tag, 16) % LANES != int(second.tag, 16) % LANES
    assert set(names_of(first, 3000)) & set(names_of(second, 3000)) == set()


@given(form=st.sampled_from(sorted(FORMS)), lanes=st.lists(LANE, min_size=2, max_size=2, unique=True))
def test_names_of_two_lanes_are_distinct(form: str, lanes: list[int]) -> None:
    index = np.arange(min(500, FORMS[form].capacity))
    first, second = (FORMS[form].names(lane, 1, index) for lane in lanes)
    assert not set(first) & set(second)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_lane_gives_each_entity_a_name_of_its_own(form: str) -> None:
    index = np.arange(min(FORMS[form].capacity, 20_000))
    assert len(set(FORMS[form].names(3, 5, index))) == index.size


@given(form=st.sampled_from(sorted(FORMS)), lane=LANE, index=st.lists(st.integers(0, 4000), min_size=1, max_size=9))
def test_a_name_does_not_depend_on_the_column_it_is_computed_in(form: str, lane: int, index: list[int]) -> None:
    column = np.asarray(index)
    alone = [FORMS[form].names(lane, 1, column[i : i + 1])[0] for i in range(column.size)]
    assert FORMS[form].names(lane, 1, column) == alone


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_cut_into_at_least_4096_lanes_with_room_for_thousands(form: str) -> None:
    assert LANES >= 4096
    assert FORMS[form].capacity * LANES <= FORMS[form].space
    assert FORMS[form].capacity >= 4000


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_lane_refuses_one_entity_more_than_it_has_names(form: str) -> None:
    capacity = FORMS[form].capacity
    assert len(FORMS[form].names(0, 0, np.asarray([capacity - 1]))) == 1
    expected = (
        f"{capacity + 1:,} entities need names of the form {form!r}, which has {capacity:,} to a world: "
        "ask for fewer entities or use another name form"
    )
    with pytest.raises(SpecError) as error:
        FORMS[form].names(0, 0, np.asarray([0, capacity]))
    assert str(error.value) == expected


def test_no_onset_ends_another() -> None:
    pairs = combinations(LETTERS["onsets"], 2)
    assert [pair for pair in pairs if pair[0].endswith(pair[1]) or pair[1].endswith(pair[0])] == []


def codas(form: str) -> set[str]:
    """Every list of codas that closes a word of a form."""
    return {part["coda"] for part in LETTERS["forms"][form] if "coda" in part}


def shape(form: str) -> tuple[int, ...]:
    """The vowel groups of each invented word of a form."""
    return tuple(part["groups"] for part in LETTERS["forms"][form] if "coda" in part)


def test_no_coda_begins_another_of_its_list() -> None:
    for several in LETTERS["codas"].values():
        assert [pair for pair in combinations(several, 2) if pair[0].startswith(pair[1])] == []
        assert [pair for pair in combinations(several, 2) if pair[1].startswith(pair[0])] == []


def test_forms_that_could_stand_in_one_another_close_on_different_codas() -> None:
    """Forms that name their coda list alike are the two ways of naming one type: a spec may use only one of them."""
    clashes = []
    for one, other in combinations(FORMS, 2):
        if shape(one) != shape(other) or codas(one) & codas(other):
            continue
        for a in (coda for key in codas(one) for coda in LETTERS["codas"][key]):
            for b in (coda for key in codas(other) for coda in LETTERS["codas"][key]):
                if a.startswith(b) or b.startswith(a):
                    clashes.append((one, other, a, b))
    assert clashes == []


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_word_of_a_name_begins_with_a_capital(form: str) -> None:
    for name in FORMS[form].names(11, 1, np.arange(500)):
        assert all(word[0] == word[0].upper() for word in name.split(" ")), name
        assert name == name.strip()
        assert "  " not in name
