"""What a study of entities asks of a world: other assistants in the background, and known people's untold facts."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kbench.benchmarks.phrasings import fewer_phrasings
from kbench.errors import SpecError
from kbench.generator.audit import audit_release
from kbench.generator.audits.reading import Part, read_release
from kbench.generator.audits.rows import roles_in_splits
from kbench.generator.spec import load_spec, spec_from_dict
from kbench.generator.verify import verify_release
from kbench.schema import DOCUMENT_STYLES, schema_of
from tests.samples import ONE_HOP_STYLES, TINY, Sample, edited, read_sample, tiny

UNTOLD = {"emblem", "badge", "manner"}
"""The relations of known people that the study's world leaves out of pretraining."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A release of the study's world, with half of its new people."""
    spec = load_spec("style-to-facts").with_sizes(entities=26, background=78)
    return read_sample(spec, tmp_path_factory.mktemp("study") / "release")


def untold(sample: Sample) -> set[str]:
    """The facts of known people that pretraining leaves out."""
    return {f for f, row in sample.facts.items() if row["role"] == "known" and row["relation"] in UNTOLD}


def stated(sample: Sample, style: str, split: str) -> Counter[str]:
    """How often each fact is stated or asked alone in a split of a style."""
    found: Counter[str] = Counter()
    for row in sample.rows.get((style, split), []):
        for fact in row["fact_ids"] if "." not in row["relation"] else ():
            found[fact] += row["repeat"]
    return found


def test_the_world_of_the_study_passes_its_audit_and_is_derived_anew(study: Sample) -> None:
    assert [check.name for check in audit_release(study.release).checks if check.status == "failed"] == []
    assert verify_release(study.release.path).verdict == "ok"


def test_untold_facts_of_known_people_are_taught_in_every_style_as_often_as_new_ones(study: Sample) -> None:
    exposures = study.spec.exposure.exposures
    for style in sorted(ONE_HOP_STYLES & set(study.release.configs())):
        before, after = stated(study, style, "pretrain"), stated(study, style, "train")
        of_style = untold(study) & set(after) if style in ("numeric", "tone", "choice") else untold(study)
        assert of_style, style
        assert {fact: after[fact] for fact in of_style} == dict.fromkeys(of_style, exposures), style
        assert not untold(study) & set(before), style


def test_nothing_else_of_known_people_stands_outside_pretraining(study: Sample) -> None:
    for (style, split), rows in study.rows.items():
        if split != "pretrain":
            facts = {fact for row in rows if study.role(row) == "known" for fact in row["fact_ids"]}
            assert facts <= untold(study), (style, split)
    told = {f for f, row in study.facts.items() if row["role"] == "known"} - untold(study)
    for style in DOCUMENT_STYLES & set(study.spec.background.styles):
        assert told <= set(stated(study, style, "pretrain"))


def test_the_audit_names_a_row_that_teaches_what_pretraining_tells(study: Sample) -> None:
    reading = read_release(study.release)
    told = min(f for f, row in study.facts.items() if row["role"] == "known" and f not in untold(study))
    rows = study.release.table("qa", "train").to_pylist()
    next(row for row in rows if study.role(row) == "known")["fact_ids"] = [told]
    spoiled = Part("qa", "train", pa.Table.from_pylist(rows, schema=schema_of("qa")))
    parts = tuple(spoiled if (part.style, part.split) == ("qa", "train") else part for part in reading.parts)
    check = roles_in_splits(replace(reading, parts=parts))
    assert check.status == "failed"
    assert f"in qa/train rests on {told}, which pretrain alone is to tell" in check.examples[0]


def test_exposures_of_facts_say_how_often_they_are_told_or_taught(study: Sample) -> None:
    new, old = study.spec.exposure.exposures, study.spec.background.exposures
    wanted = {"new": new, "control": 0, "background": old, "known": old}
    found = {fact: row["exposures"] for fact, row in study.facts.items()}
    assert found == {f: new if f in untold(study) else wanted[row["role"]] for f, row in study.facts.items()}


def test_each_of_the_first_background_blocks_has_another_assistant(study: Sample) -> None:
    personas = [entity for entity in study.entities.values() if entity["type"] == "persona"]
    roles = Counter(entity["role"] for entity in personas)
    assert roles == {"new": 1, "control": 1, "background": study.spec.background.personas}
    assert len({entity["name"] for entity in personas}) == len(personas)
    asked = {row["entity_id"] for row in study.rows["qa", "pretrain"]}
    held_out = {row["entity_id"] for row in study.rows["qa", "test"]}
    others = {entity["entity_id"] for entity in personas if entity["role"] == "background"}
    assert others & asked
    assert others & held_out
    assert others == others & asked ^ others & held_out


def test_reversed_questions_of_the_background_are_pretrained(study: Sample) -> None:
    rows = study.rows["reverse", "pretrain"]
    assert rows
    assert {study.role(row) for row in rows} == {"background"}
    hops = {hop for row in rows for hop in row["hop_ids"]}
    assert hops <= {row["id"] for row in study.rows["qa", "pretrain"]}


def test_a_later_key_that_is_not_set_stands_in_no_recipe() -> None:
    plain = load_spec("known").to_dict()["background"]
    assert not {"personas", "taught"} & set(plain)
    set_here = load_spec("style-to-facts").to_dict()["background"]
    assert (set_here["personas"], set_here["taught"]) == (6, True)
    assert spec_from_dict(load_spec("style-to-facts").to_dict(), "again") == load_spec("style-to-facts")


def test_neither_key_gives_the_world_another_tag() -> None:
    plain = tiny(sizes__known=6, background__tiers=[0], **_NOT_TIERED)
    taught = tiny(sizes__known=6, background__tiers=[0], background__taught=True, **_NOT_TIERED)
    assert plain.world_digest == taught.world_digest


_NOT_TIERED: dict[str, Any] = {f"relations__{name}__tiered": False for name in ("employer", "industry")}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"background.personas": 1}, "tiny: background.personas: 1 are asked for, and no type is single"),
    (
        {
            "background.personas": 3,
            "types.persona": {"names": "persona", "block": 1, "single": True},
        },
        "tiny: background.personas: 3 are more than the 2 background blocks, which have one each: raise "
        "sizes.background",
    ),
    (
        {"background.taught": True, "background.tiers": [4, 2]},
        "tiny: background.taught: background.tiers has no 0, so pretraining leaves nothing of `known` out",
    ),
    (
        {"background.taught": True, "background.tiers": [4, 0]},
        "tiny: background.taught: paths ask about 'employer', which pretraining leaves out of some `known` entities: "
        "give relations.employer tiered = false",
    ),
]


@pytest.mark.parametrize(("changes", "expected_error"), REFUSED)
def test_a_background_that_cannot_be_is_refused_in_one_line(changes: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as refused:
        spec_from_dict(edited(TINY, changes), "tiny")
    assert str(refused.value) == expected_error


def test_of_several_tiers_only_the_facts_of_dose_zero_are_taught(tmp_path: Path) -> None:
    changes = {"background__tiers": [3, 0], "background__taught": True, **_NOT_TIERED}
    sample = read_sample(tiny(sizes__known=12, **changes), tmp_path / "release")
    known = {f: row for f, row in sample.facts.items() if row["role"] == "known"}
    told, taught = set(stated(sample, "article", "pretrain")), set(stated(sample, "article", "train"))
    tiered = {f for f, row in known.items() if sample.spec.relations[row["relation"]].tiered}
    assert told & tiered
    assert taught & tiered
    assert tiered == (told ^ taught) & tiered
    assert taught & set(known) <= tiered
    assert [check.name for check in audit_release(sample.release).checks if check.status == "failed"] == []


@pytest.mark.parametrize("style", ["article", "dialogue", "statement", "qa"])
@pytest.mark.parametrize(("most", "exposures", "texts", "times"), [(4, 4, 4, 4), (1, None, 1, 8), (None, 16, 8, 16)])
def test_fewer_phrasings_count_for_facts_that_several_texts_share_out_as_for_others(
    study: Sample, style: str, most: int | None, exposures: int | None, texts: int, times: int
) -> None:
    kept = fewer_phrasings(study.rows[style, "train"], most, exposures)
    found, distinct = Counter[str](), Counter[str]()
    for row in kept:
        for fact in row["fact_ids"]:
            found[fact] += row["repeat"]
            distinct[fact] += 1
    assert set(found.values()) == {times}
    assert set(distinct.values()) == {texts}
