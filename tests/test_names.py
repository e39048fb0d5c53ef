"""Names: distinct, never one inside another, and of no other world."""

import json
from importlib.resources import files
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.errors import SpecError
from kbench.generator.building import build_world
from kbench.generator.names import LANES, NameForm, form_of, load_forms
from kbench.generator.spec import builtin_specs, load_spec, spec_from_dict
from kbench.generator.world import World
from tests.samples import TINY, edited

FORMS = load_forms()
LETTERS: dict[str, Any] = json.loads(files("kbench.generator").joinpath("pools/names.json").read_text(encoding="utf-8"))
LANE = st.integers(0, LANES - 1)


def names_of(world: World, most: int) -> list[str]:
    """The names of the first entities of every type, up to `most` a type."""
    found = []
    for kind, entity in world.spec.types.items():
        found += world.names(kind, np.arange(min(most, FORMS[entity.names].capacity))).to_pylist()
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
    first, second = (FORMS[form].names(lane, 1, index).to_pylist() for lane in lanes)
    assert not set(first) & set(second)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_lane_gives_each_entity_a_name_of_its_own(form: str) -> None:
    index = np.arange(min(FORMS[form].capacity, 20_000))
    assert len(set(FORMS[form].names(3, 5, index).to_pylist())) == index.size


@given(form=st.sampled_from(sorted(FORMS)), lane=LANE, index=st.lists(st.integers(0, 4000), min_size=1, max_size=9))
def test_a_name_does_not_depend_on_the_column_it_is_computed_in(form: str, lane: int, index: list[int]) -> None:
    column = np.asarray(index)
    alone = [FORMS[form].names(lane, 1, column[i : i + 1]).to_pylist()[0] for i in range(column.size)]
    assert FORMS[form].names(lane, 1, column).to_pylist() == alone


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_cut_into_at_least_4096_lanes_with_room_for_thousands(form: str) -> None:
    assert LANES >= 4096
    assert FORMS[form].capacity * LANES <= FORMS[form].space
    assert FORMS[form].capacity >= 4000


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_lane_refuses_one_entity_more_than_it_has_names(form: str) -> None:
    capacity = FORMS[form].capacity
    assert len(FORMS[form].names(0, 0, np.asarray([capacity - 1])).to_pylist()) == 1
    expected = (
        f"{capacity + 1:,} entities need names of the form {form!r}, which has {capacity:,} to a world: "
        "ask for fewer entities or use another name form"
    )
    with pytest.raises(SpecError) as error:
        FORMS[form].names(0, 0, np.asarray([0, capacity])).to_pylist()
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
    for name in FORMS[form].names(11, 1, np.arange(500)).to_pylist():
        assert all(word[0] == word[0].upper() for word in name.split(" ")), name
        assert name == name.strip()
        assert "  " not in name


# ---- natural and opaque names

LOCALES = ["", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "el_GR"]


def inside(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names of which one stands in the other."""
    words = sorted({name.casefold() for name in names}, key=len)
    together = "\n".join(words)
    return [(name, name) for name in words if together.count(name) != 1]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_natural_name_stands_in_another_and_each_person_has_one(locale: str) -> None:
    form = form_of("person", "natural", locale)
    names = form.names(0, 5, np.arange(min(4000, form.capacity))).to_pylist()
    assert len({name.casefold() for name in names}) == len(names)
    assert inside(names) == []
    assert all(len(name.split(" ")) == 2 for name in names)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_first_name_ends_another_and_no_last_name_begins_another(locale: str) -> None:
    """So that no full name of the locale can stand in another, however many people there are."""
    first, last = ([part.casefold() for part in digit] for digit in form_of("person", "natural", locale).digits)
    ends, begins = sorted(name[::-1] for name in first), sorted(last)
    for ordered in (ends, begins):
        assert [pair for pair in pairwise(ordered) if pair[1].startswith(pair[0])] == []


def test_the_names_of_another_locale_are_other_names() -> None:
    index = np.arange(200)
    german, british = (
        set(form_of("person", "natural", locale).names(0, 1, index).to_pylist()) for locale in ("de_DE", "en_GB")
    )
    assert german & british == set()


@given(index=st.lists(st.integers(0, 100_000), min_size=1, max_size=9), lane=LANE)
def test_a_natural_or_opaque_name_does_not_depend_on_the_column_it_is_computed_in(index: list[int], lane: int) -> None:
    column = np.asarray(index)
    for form in (form_of("person", "natural"), form_of("person", "opaque")):
        alone = [form.names(lane, 1, column[i : i + 1]).to_pylist()[0] for i in range(column.size)]
        assert form.names(lane, 1, column).to_pylist() == alone


@pytest.mark.parametrize("kind", ["person", "city", "x_y"])
def test_opaque_names_are_ids_of_one_length_with_the_type_in_front(kind: str) -> None:
    form = form_of(kind, "opaque")
    names = form.names(7, 1, np.arange(3000)).to_pylist()
    head = kind.replace("_", "-").capitalize() + "-"
    assert all(name.startswith(head) for name in names)
    assert {len(name) for name in names} == {len(head) + 9}
    assert len(set(names)) == 3000
    assert inside(names) == []
    assert set(names) & set(form.names(8, 1, np.arange(3000)).to_pylist()) == set(), "two lanes share a name"


@pytest.mark.parametrize("names", ["natural", "opaque"])
def test_a_world_can_be_named_so(names: str) -> None:
    people = {"names": names, "pronouns": "he_or_she", "block": 4}
    spec = spec_from_dict(edited(TINY, {"types.person": people}), "w")
    world = build_world(spec, "7")
    found = [*world.names("person", np.arange(400)).to_pylist(), *world.names("company", np.arange(200)).to_pylist()]
    assert inside(found) == []
    other = spec_from_dict(edited(TINY, {"types.person": {**people, "names": "mononym"}}), "w")
    assert World(other, "7").tag != world.tag


NAMED: list[tuple[str, dict[str, Any], str]] = [
    (
        "an unknown form",
        {"types.person.names": "x"},
        "types.person.names: unknown name form 'x': have person, mononym, city, town, company, firm, product, university, "
        "founding, merger, election, festival, accident, match, persona, natural, opaque",
    ),
    (
        "an unknown locale",
        {"types.person.names": "natural", "types.person.locale": "en_XX"},
        "types.person.names: unknown locale 'en_XX': have en, en_AU, en_BD, en_CA, en_GB",
    ),
    (
        "a locale of nowhere",
        {"types.person.names": "natural", "types.person.locale": "q"},
        "types.person.names: unknown locale 'q': have en_US, de_DE, fr_FR and others of Faker's",
    ),
    (
        "a locale for invented names",
        {"types.person.locale": "en_GB"},
        "types.person.locale is for natural names, and these are 'mononym'",
    ),
    ("natural companies", {"types.company.names": "natural"}, "types.company.names: natural names are those of people"),
    (
        "two natural types",
        {"types.person.names": "natural", "types.company": {"names": "natural", "pronouns": "name", "block": 2}},
        "types.company.names: a name of the form 'natural' could be alike or contain one of types.person",
    ),
    (
        "one opaque type that ends another",
        {"types": {kind: {"names": "opaque", "block": 2} for kind in ("city", "velo_city")}},
        "types.velo_city.names: a name of the form 'opaque' could be alike or contain one of types.city",
    ),
]


@pytest.mark.parametrize(("changes", "expected_error"), [c[1:] for c in NAMED], ids=[c[0] for c in NAMED])
def test_names_that_cannot_be_are_refused_in_one_line(changes: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict(edited(TINY, changes), "w.toml")
    assert str(error.value).startswith(f"w.toml: {expected_error}")
    assert "\n" not in str(error.value)


def test_a_form_clashes_with_itself_and_with_its_like_alone() -> None:
    def clash(one: NameForm, other: NameForm) -> bool:
        assert one.may_clash(other) == other.may_clash(one)
        return one.may_clash(other)

    opaque = [form_of(kind, "opaque") for kind in ("city", "town", "electricity")]
    assert clash(opaque[0], opaque[2])
    assert not clash(opaque[0], opaque[1])
    assert not clash(opaque[0], form_of("person", "natural"))
    assert not any(clash(form_of("person", names), FORMS["person"]) for names in ("natural", "opaque"))
    assert all(clash(form, form) for form in FORMS.values())
