"""World specs: what is refused and in which words, and what a larger size may change."""

import math
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kbench.errors import SpecError
from kbench.generator.building import build_world
from kbench.generator.dosage import Background, Exposure, Sizes
from kbench.generator.packs import load_pack
from kbench.generator.relations import Relation
from kbench.generator.shards import plan_units, styles_for, unit_table
from kbench.generator.spec import EntityType, Paths, WorldSpec, builtin_specs, load_spec, role_of, spec_from_dict
from kbench.generator.world import World
from kbench.schema import ROLES, STYLES
from tests.samples import DROP, TINY, Row, edited, tiny


def refusal(changes: Mapping[str, Any]) -> str:
    """What the user reads when the tiny spec is changed so."""
    with pytest.raises(SpecError) as error:
        build_world(spec_from_dict(edited(TINY, changes), "w.toml"), "7")
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("colour", WorldSpec),
        ("sizes.colour", Sizes),
        ("exposure.colour", Exposure),
        ("background.colour", Background),
        ("types.person.colour", EntityType),
        ("relations.badge.colour", Relation),
        ("paths.colour", Paths),
    ],
)
def test_an_unknown_key_is_refused_with_the_list_of_known_ones(key: str, table: type[Any]) -> None:
    known = ", ".join(table.model_fields)
    assert refusal({key: 1}) == f"unknown key {key!r} in w.toml: have {known}"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no entities", {"sizes.entities": 0}, "sizes.entities: Input should be greater than or equal to 1 (got 0)"),
    (
        "a negative size",
        {"sizes.background": -1},
        "sizes.background: Input should be greater than or equal to 0 (got -1)",
    ),
    ("an absurd size", {"sizes.entities": 10**10}, "sizes.entities: Input should be less than or equal to 1000000000"),
    ("a size that is no number", {"sizes.control": math.nan}, "sizes.control: Input should be"),
    (
        "an infinite share",
        {"sizes.control": math.inf},
        "sizes.control: Input should be less than or equal to 4 (got inf)",
    ),
    (
        "a share above one",
        {"background.questions": 1.5},
        "background.questions: Input should be less than or equal to 1",
    ),
    ("half an entity", {"sizes.entities": 1.5}, "sizes.entities: Input should be a valid integer"),
    ("no paraphrase", {"exposure.paraphrases": 0}, "exposure.paraphrases: Input should be greater than or equal to 1"),
    ("no exposure", {"exposure.exposures": 0}, "exposure.exposures: Input should be greater than or equal to 1"),
    ("no test", {"exposure.test": 0}, "exposure.test: Input should be greater than or equal to 1"),
    ("an unknown article", {"articles": ["poem"]}, "articles.0: Input should be 'encyclopedia', 'news', 'blog', 'corp"),
    (
        "an unknown popularity",
        {"background.popularity": "even"},
        "background.popularity: Input should be 'zipf' or 'flat'",
    ),
    (
        "an unknown style",
        {"background.styles": ["song"]},
        "background.styles.0: Input should be 'article', 'dialogue', 'statement'",
    ),
    ("an empty block", {"types.person.block": 0}, "types.person.block: Input should be greater than or equal to 1"),
    ("a huge block", {"types.person.block": 9999}, "types.person.block: Input should be less than or equal to 1024"),
    (
        "an unknown name form",
        {"types.person.names": "x"},
        "types.person.names: unknown name form 'x': have person, mono",
    ),
    ("no world name", {"name": DROP}, "w.toml: name: Field required"),
    ("no subject", {"relations.badge.subject": DROP}, "relations.badge.subject: Field required"),
    (
        "an unknown subject",
        {"relations.badge.subject": "cat"},
        "relations.badge: unknown type 'cat': have person, company",
    ),
    (
        "an unknown object",
        {"relations.employer.object": "x"},
        "relations.employer: unknown type 'x': have person, company",
    ),
    ("no object", {"relations.employer.object": DROP}, "relations.employer: unknown type '': have person, company"),
    (
        "an unknown value type",
        {"relations.badge.value_type": "colour"},
        "relations.badge.value_type: Input should be 'cat",
    ),
    (
        "an unknown draw",
        {"relations.badge.draw": "even"},
        "relations.badge.draw: Input should be 'balanced' or 'uniform'",
    ),
    (
        "no step",
        {"relations.badge.step": 0},
        "relations.badge.step: Input should be greater than or equal to 1 (got 0)",
    ),
    ("no range", {"relations.badge.most": 10}, "relations.badge: least 10 must lie below most 10"),
    ("a range backwards", {"relations.height.most": 3}, "relations.height: least 150 must lie below most 3"),
    ("no last date", {"relations.born.last": DROP}, "relations.born: first 1945-01-01 must lie before last None"),
    (
        "dates backwards",
        {"relations.born.last": "1900-01-01"},
        "relations.born: first 1945-01-01 must lie before last 1900-01-01",
    ),
    ("no pools", {"relations.emblem.pools": []}, "relations.emblem: a categorical or tone relation needs pools"),
    (
        "an unknown pool",
        {"relations.emblem.pools": ["tin"]},
        "relations.emblem: unknown pool 'tin': have animal, brand_fate, cause, hobby",
    ),
    ("a pool elsewhere", {"relations.emblem.pools": ["../pools/tint"]}, "unknown pool '../pools/tint': have animal"),
    (
        "more values than the pool has",
        {"relations.industry.size": 999},
        "relations.industry: size 999 is more than the 16 values of industry",
    ),
    (
        "more values than the product of the pools",
        {"relations.emblem.size": 91},
        "relations.emblem: size 91 is more than the 90 values of tint × animal",
    ),
    (
        "one value",
        {"relations.industry.size": 1},
        "relations.industry.size: Input should be greater than or equal to 2",
    ),
    ("a chain of one", {"paths.chains": [["employer"]]}, "paths.chains: 'employer' must have 2 to 4 relations"),
    ("a chain of none", {"paths.chains": [[]]}, "paths.chains: '' must have 2 to 4 relations"),
    ("a chain of five", {"paths.chains": [["employer"] * 5]}, "must have 2 to 4 relations"),
    (
        "a chain over an unknown relation",
        {"paths.chains": [["employer", "x"]]},
        "paths.chains: unknown relation 'x': have emblem, badge, height, born, employer, industry",
    ),
    (
        "a chain that does not hang together",
        {"paths.chains": [["employer", "badge"]]},
        "paths.chains: 'badge' is no relation of a company, in 'employer.badge'",
    ),
    (
        "a chain over a relation that leads to no entity",
        {"paths.chains": [["emblem", "industry"]]},
        "paths.chains: 'emblem'",
    ),
    ("no types", {"types": {}, "relations": {}, "paths": {}}, "types"),
    ("no relations", {"relations": {}, "paths": {}}, "relations"),
    ("a number drawn from words", {"relations.badge.pools": ["hobby"]}, "relations.badge: "),
    ("a category that is an entity", {"relations.industry.object": "company"}, "relations.industry: "),
    ("more numbers than can be drawn", {"relations.height.most": 10**13}, "relations.height"),
    (
        "a relation to one's own type where a block has one of it",
        {
            "types.person.block": 1,
            "relations.mentor": {"subject": "person", "value_type": "entity", "object": "person"},
        },
        "relations.mentor",
    ),
    ("more words than can be drawn", {"relations.emblem.pools": ["occupation"] * 6}, "relations.emblem"),
    ("numbers past 64 bits", {"relations.height.most": 10**20}, "relations.height"),
    (
        "a full stop in a relation's name",
        {"relations": {**TINY["relations"], "a.b": TINY["relations"]["badge"]}},
        "a.b",
    ),
    ("a slash in a relation's name", {"relations": {**TINY["relations"], "a/b": TINY["relations"]["badge"]}}, "a/b"),
    ("a slash in a type's name", {"types": {**TINY["types"], "a/b": {"names": "person", "block": 1}}}, "a/b"),
    ("a size of yes", {"sizes.entities": True}, "sizes.entities"),
    ("a size in quotes", {"sizes.entities": "12"}, "sizes.entities"),
]


@pytest.mark.parametrize(("changes", "expected_error"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_spec_that_cannot_be_is_refused_in_one_line(changes: dict[str, Any], expected_error: str) -> None:
    message = refusal(changes)
    assert expected_error in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("one", "other"), [("mononym", "mononym"), ("town", "city"), ("firm", "company"), ("event", "event")]
)
def test_two_types_whose_names_could_be_alike_or_nested_are_refused(one: str, other: str) -> None:
    types = {"person": {"names": one, "block": 4}, "company": {"names": other, "block": 2}}
    assert "name" in refusal({"types": types})


@pytest.mark.parametrize(("one", "other"), [("person", "mononym"), ("town", "firm"), ("city", "company")])
def test_two_types_whose_names_cannot_be_alike_nor_nested_are_taken(one: str, other: str) -> None:
    types = {"person": {"names": one, "block": 4}, "company": {"names": other, "block": 2}}
    assert list(spec_from_dict(edited(TINY, {"types": types}), "w.toml").types) == ["person", "company"]


def test_an_absurd_size_is_refused_before_memory_is_taken_for_it() -> None:
    tracemalloc.start()
    try:
        message = refusal({"sizes.entities": 10**9})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "are more than the names of a" in message
    assert peak < 64 * 2**20


def test_an_unknown_pool_is_reported_with_the_relation_that_asks_for_it() -> None:
    assert "relations.emblem" in refusal({"relations.emblem.pools": ["tin"]})


@pytest.mark.parametrize(
    ("role", "sizes", "asked"),
    [
        ("new", {"entities": 10**6}, "1,000,002"),
        ("control", {"entities": 2000, "control": 4}, "8,004"),
        ("background", {"background": 10**6}, "1,000,002"),
        ("known", {"known": 10**6}, "1,000,002"),
    ],
)
def test_more_entities_than_names_are_refused_with_the_most_that_fit(
    role: str, sizes: dict[str, int], asked: str
) -> None:
    most = 6738 // (len(ROLES) * 4) * 6
    assert refusal({"sizes": sizes}) == (
        f"{asked} {role} entities are more than the names of a person allow: "
        f"ask for at most {most:,}, or give types.person another name form"
    )


@pytest.mark.parametrize("key", ["entities", "background", "known"])
def test_the_most_entities_that_a_refusal_names_can_be_had(key: str) -> None:
    sizes = {"entities": 1, "control": 0, "background": 0, "known": 0}
    message = refusal({"sizes": {**sizes, key: 10**6}})
    most = int(message.split("at most ")[1].split(", or")[0].replace(",", ""))
    build_world(spec_from_dict(edited(TINY, {"sizes": {**sizes, key: most}}), "w.toml"), "7")


@pytest.mark.parametrize(
    ("content", "expected_error"),
    [
        (b"name = ", "not valid TOML"),
        (b"name = 'x'\nname = 'y'", "not valid TOML"),
        ("name = 'Zoë'".encode("latin-1"), "not valid"),
        (b"", "name: Field required"),
    ],
    ids=["broken", "a key twice", "not UTF-8", "empty"],
)
def test_a_file_that_is_no_spec_is_refused_by_name(tmp_path: Path, content: bytes, expected_error: str) -> None:
    source = tmp_path / "w.toml"
    source.write_bytes(content)
    with pytest.raises(SpecError, match=expected_error) as error:
        load_spec(source)
    assert str(source) in str(error.value)


@pytest.mark.parametrize("name", ["nope", "", "."])
def test_a_spec_that_is_not_there_is_refused_with_the_built_in_ones(name: str) -> None:
    with pytest.raises(SpecError) as error:
        load_spec(name)
    built_in = "default, known, known-facts, lab, starter, style-to-facts"
    assert str(error.value) == f"no world spec {name!r}: give a TOML file or one of {built_in}"


@pytest.mark.parametrize("name", builtin_specs())
def test_a_built_in_spec_loads_and_its_world_can_be_built(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == ("my_world" if name == "starter" else name)
    assert build_world(spec, "7").blocks("new").size == spec.blocks("new")


@pytest.mark.parametrize("name", builtin_specs())
def test_a_spec_survives_a_round_trip_through_json_values(name: str) -> None:
    spec = load_spec(name)
    again = spec_from_dict(spec.to_dict(), "again")
    assert again == spec
    assert again.world_digest == spec.world_digest


@pytest.mark.parametrize("entities", [1, 5, 6, 7, 1000])
@pytest.mark.parametrize("control", [0, 0.25, 0.34, 1])
def test_sizes_are_met_and_rounded_up_to_whole_blocks(entities: int, control: float) -> None:
    spec = tiny(sizes__entities=entities, sizes__control=control)
    for role, wanted in (("new", entities), ("control", entities * control)):
        have = spec.blocks(role) * spec.block_size  # type: ignore[arg-type]
        assert wanted <= have + 1e-9
        assert have < wanted + spec.block_size


def test_with_sizes_changes_sizes_only_and_refuses_absurd_ones() -> None:
    spec = tiny()
    larger = spec.with_sizes(entities=60)
    assert larger.sizes == Sizes(entities=60, control=0.5, background=12, known=0)
    assert larger.model_copy(update={"sizes": spec.sizes}) == spec
    with pytest.raises(SpecError, match=r"^--entities: sizes.entities: .* greater than or equal to 1 \(got 0\)$"):
        spec.with_sizes(entities=0)


def test_every_block_has_one_role_and_the_roles_take_turns() -> None:
    assert [role_of(block) for block in range(8)] == [*ROLES, *ROLES]


OTHER_WORLDS: list[tuple[str, dict[str, Any]]] = [
    ("another range", {"relations.height.most": 198}),
    ("another pool", {"relations.industry.pools": ["hobby"]}),
    ("another block", {"types.person.block": 5}),
    ("another unit", {"relations.height.unit": "inches"}),
    ("one relation less", {"relations.born": DROP}),
]
SAME_WORLD: list[tuple[str, dict[str, Any]]] = [
    ("more entities", {"sizes.entities": 999}),
    ("more exposures", {"exposure.exposures": 99}),
    ("no chains", {"paths.chains": []}),
    ("another name", {"name": "other"}),
]


@pytest.mark.parametrize("changes", [c[1] for c in OTHER_WORLDS], ids=[c[0] for c in OTHER_WORLDS])
def test_what_changes_values_gives_the_world_another_tag(changes: dict[str, Any]) -> None:
    assert World(spec_from_dict(edited(TINY, changes), "w"), "7").tag != World(tiny(), "7").tag


@pytest.mark.parametrize("changes", [c[1] for c in SAME_WORLD], ids=[c[0] for c in SAME_WORLD])
def test_what_changes_no_value_leaves_the_tag_of_the_world(changes: dict[str, Any]) -> None:
    assert World(spec_from_dict(edited(TINY, changes), "w"), "7").tag == World(tiny(), "7").tag


PACK = load_pack()


def rows_of(spec: WorldSpec) -> dict[tuple[str, str], list[Row]]:
    """Every row of a release of all styles with seed 7, by config and split."""
    world, pack = build_world(spec, "7"), PACK
    found: dict[tuple[str, str], list[Row]] = {}
    for unit in plan_units(world, pack, styles_for(["all"], spec)):
        found.setdefault((unit.config, unit.split), []).extend(unit_table(world, pack, unit).to_pylist())
    return found


@pytest.fixture(scope="module")
def tiny_rows() -> dict[tuple[str, str], list[Row]]:
    """Every row of the tiny spec as it stands."""
    return rows_of(tiny())


@pytest.mark.parametrize("sizes", [{"entities": 40}, {"background": 40}, {"known": 12}, {"control": 2}])
def test_a_larger_size_adds_rows_and_changes_no_earlier_row_nor_their_order(
    sizes: dict[str, Any], tiny_rows: dict[tuple[str, str], list[Row]]
) -> None:
    small = tiny_rows
    large = rows_of(tiny(**{f"sizes__{key}": value for key, value in sizes.items()}))
    key = {"facts": "fact_id", "entities": "entity_id"}
    more = 0
    for place, rows in small.items():
        ids = {row[key.get(place[0], "id")] for row in rows}
        kept = [row for row in large[place] if row[key.get(place[0], "id")] in ids]
        assert kept == rows, place
        more += len(large[place]) - len(rows)
    assert more > 0


def test_the_styles_asked_for_are_written_in_the_order_of_the_vocabulary() -> None:
    assert styles_for(["all"], load_spec("default")) == STYLES
    assert styles_for(["article", "qa", "qa"], tiny()) == ("qa", "article")


@pytest.mark.parametrize(
    ("style", "paths", "written"),
    [
        ("multihop", {}, ("qa", "multihop")),
        ("reverse", {"paths.reverse": ["employer"]}, ("qa", "reverse")),
        ("numeric", {"paths.differences": ["height"]}, ("qa", "numeric")),
        ("numeric", {}, ("numeric",)),
        ("choice", {}, ("choice",)),
        ("dialogue", {}, ("dialogue",)),
    ],
)
def test_reasoning_questions_bring_the_one_hop_questions_that_they_build_on(
    style: str, paths: dict[str, Any], written: tuple[str, ...]
) -> None:
    assert styles_for([style], spec_from_dict(edited(TINY, paths), "w")) == written


def test_all_leaves_out_the_styles_that_a_spec_has_nothing_for() -> None:
    bare = spec_from_dict(
        edited(TINY, {"paths": {}, **{f"relations.{n}": DROP for n in ("badge", "height", "born")}}), "w"
    )
    assert styles_for(["all"], bare) == ("qa", "dialogue", "article", "statement", "cloze", "choice")
    assert styles_for(["all"], tiny()) == tuple(style for style in STYLES if style not in ("reverse", "tone"))


@pytest.mark.parametrize(
    ("style", "changes", "expected_error"),
    [
        ("poem", {}, f"unknown style 'poem': have {', '.join(STYLES)}, all"),
        (
            "multihop",
            {"paths": {}},
            "the spec 'tiny' has no [paths] chains, compares, counts, lists, extremes or intersections, "
            "so there is nothing to write as multihop",
        ),
        (
            "numeric",
            {f"relations.{name}": DROP for name in ("badge", "height", "born")},
            "the spec 'tiny' has no numeric or date relations, so there is nothing to write as numeric",
        ),
        ("reverse", {}, "the spec 'tiny' has no [paths] reverse, so there is nothing to write as reverse"),
        ("tone", {}, "the spec 'tiny' has no tone relations, so there is nothing to write as tone"),
    ],
)
def test_a_style_that_cannot_be_written_is_refused(style: str, changes: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as error:
        styles_for(["qa", style], spec_from_dict(edited(TINY, changes), "w"))
    assert str(error.value) == expected_error


def test_a_key_left_at_its_default_is_the_same_world_as_one_left_out() -> None:
    written = spec_from_dict(edited(TINY, {"relations.badge.step": 1, "types.company.pronouns": "it"}), "w.toml")
    assert written.world_digest == tiny().world_digest
    other = spec_from_dict(edited(TINY, {"relations.badge.step": 2}), "w.toml")
    assert other.world_digest != tiny().world_digest


# ---- families of relations

PERSONA: dict[str, Any] = {
    "types.persona": {"names": "persona", "block": 1, "single": True},
    "relations.liking": {"subject": "persona", "value_type": "categorical", "topics": 3, "topic_pool": "favourite"},
}


def test_a_relation_with_topics_becomes_one_relation_a_topic_of_one_template_file() -> None:
    spec = spec_from_dict(edited(TINY, PERSONA), "w")
    mine = {name: relation for name, relation in spec.relations.items() if relation.family}
    assert list(mine) == ["liking_colour", "liking_season", "liking_board_game"]
    for name, relation in mine.items():
        assert relation.family == spec.template_of(name) == "liking"
        assert name == f"liking_{relation.topic.replace(' ', '_')}"
        assert relation.pools == (f"favourite.{relation.topic}",)
    assert "liking" not in spec.relations
    assert spec.template_of("badge") == "badge"


def test_more_topics_leave_the_relations_of_fewer_as_they_are() -> None:
    few, many = (
        spec_from_dict(edited(TINY, {**PERSONA, "relations.liking.topics": n}), "w").relations_of("persona")
        for n in (3, 9)
    )
    assert list(many.items())[:3] == list(few.items())
    assert len(many) == 9


def test_a_numeric_family_takes_its_topics_from_the_list_and_keeps_its_range() -> None:
    rating = {
        "subject": "persona",
        "value_type": "numeric",
        "least": 1,
        "most": 99,
        "topics": 2,
        "topic_pool": "things",
    }
    spec = spec_from_dict(edited(TINY, {**PERSONA, "relations.rating": rating}), "w")
    mine = [relation for relation in spec.relations.values() if relation.family == "rating"]
    assert [(r.least, r.most, r.pools) for r in mine] == [(1, 99, ())] * 2


FAMILIES: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown topic pool", {"topic_pool": "x", "pools": ["hobby"]}, "topic_pool: unknown topic pool 'x': have"),
    (
        "a topic pool that is a table",
        {"topic_pool": {"a": 1}},
        "topic_pool: Input should be a valid string (got {'a': 1})",
    ),
    ("more topics than there are", {"topics": 70}, "relations.liking.topics: 70 is more than the 40 of 'favourite'"),
    ("no topic", {"topics": 0}, "topics: Input should be greater than or equal to 1 (got 0)"),
    ("81 topics", {"topics": 81}, "topics: Input should be less than or equal to 80 (got 81)"),
    ("topics in words", {"topics": "3"}, "topics: Input should be a valid integer (got '3')"),
    ("an unknown value type", {"value_type": "x"}, "value_type: Input should be 'categorical', 'numeric'"),
    ("numbers without a range", {"value_type": "numeric", "topic_pool": "things"}, "least 0 must lie below most 0"),
]


@pytest.mark.parametrize(("changes", "expected_error"), [c[1:] for c in FAMILIES], ids=[c[0] for c in FAMILIES])
def test_a_family_that_cannot_be_is_refused_in_one_line_that_names_it(
    changes: dict[str, Any], expected_error: str
) -> None:
    liking = {**PERSONA["relations.liking"], **changes}
    message = refusal({**PERSONA, "relations.liking": liking})
    assert expected_error in message
    assert "relations.liking" in message
    assert "\n" not in message


def test_an_unknown_key_of_a_family_is_refused_with_the_keys_of_a_relation() -> None:
    message = refusal({**PERSONA, "relations.liking.colour": 1})
    assert message == f"unknown key 'relations.liking.colour' in w.toml: have {', '.join(Relation.model_fields)}"


def test_a_relation_of_the_name_of_a_topic_is_not_lost() -> None:
    """A family and a relation beside it could make one name of two things."""
    clash = {"subject": "persona", "value_type": "numeric", "least": 1, "most": 5}
    for order in ({"relations.liking_colour": clash, **PERSONA}, {**PERSONA, "relations.liking_colour": clash}):
        assert "liking_colour" in refusal(order)
