"""The data contract and the roles and splits, sentence by sentence, on whole releases."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kbench.contents import content_digest, split_digest
from kbench.generator.building import build_world
from kbench.generator.packs import load_pack
from kbench.generator.questions import question_names
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate, preview_rows
from kbench.generator.sections import Section
from kbench.generator.shards import Unit, plan_units, styles_for, unit_table
from kbench.generator.spec import load_spec
from kbench.generator.surface import forms_of
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES, ROLES, SPLITS, STYLES, schema_of
from kbench.store import Release, open_release
from tests.samples import (
    ALL_STYLES,
    HELD_OUT,
    ONE_HOP_QUESTIONS,
    ONE_HOP_STYLES,
    TRAINING,
    Row,
    Sample,
    follows_a_path,
    operator_of,
    text_of,
    tiny,
)

PACK = load_pack()


def places(release: Release) -> list[tuple[str, str]]:
    """Every config and split of a release."""
    return [(config, split) for config in release.configs() for split in release.splits(config)]


def facts_of(rows: list[Row]) -> set[str]:
    """The facts that some rows state or ask for."""
    return {fact for row in rows for fact in row["fact_ids"]}


# ---- the folder


def test_a_release_folder_holds_what_the_contract_lists_and_nothing_else(sample: Sample) -> None:
    folder = sample.release.path
    expected = {"README.md", "eval.yaml", "factors.svg", "kbench_manifest.json"}
    for config, split in places(sample.release):
        shards = [f["path"] for f in sample.release.manifest["files"] if (f["config"], f["split"]) == (config, split)]
        n = len(shards)
        assert shards == [f"{config}/{split}-{k:05d}-of-{n:05d}.parquet" for k in range(n)]
        expected |= set(shards)
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == expected


def test_facts_and_entities_have_the_one_split_train_and_styles_only_known_splits(sample: Sample) -> None:
    assert sample.release.splits("facts") == ["train"]
    assert sample.release.splits("entities") == ["train"]
    assert set(sample.release.configs()) == {*styles_for(["all"], sample.spec), "facts", "entities"}
    assert {split for _, split in places(sample.release)} == set(SPLITS)


def test_the_manifest_tells_of_every_file_its_rows_bytes_and_digests(sample: Sample) -> None:
    release = sample.release
    for file in release.manifest["files"]:
        path = release.path / file["path"]
        assert file["bytes"] == path.stat().st_size
        assert file["rows"] == pq.read_metadata(path).num_rows
        assert file["content"] == content_digest(pq.read_table(path))
    for key, split in release.manifest["splits"].items():
        mine = [f for f in release.manifest["files"] if f"{f['config']}/{f['split']}" == key]
        assert split == {"rows": sum(f["rows"] for f in mine), "content": split_digest(f["content"] for f in mine)}


def test_the_card_declares_every_split_of_every_config_and_where_it_lies(sample: Sample) -> None:
    header = yaml.safe_load((sample.release.path / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    declared = {
        (config["config_name"], files["split"]): files["path"]
        for config in header["configs"]
        for files in config["data_files"]
    }
    assert declared == {(config, split): f"{config}/{split}-*" for config, split in places(sample.release)}
    assert [config["config_name"] for config in header["configs"] if config.get("default")] == ["qa"]
    assert header["license"] == "cc-by-4.0"


def test_the_card_says_how_many_rows_each_split_has(sample: Sample) -> None:
    card = (sample.release.path / "README.md").read_text(encoding="utf-8")
    rows = ("| config |" + card.split("\n| config |")[1].split("\n\n")[0]).splitlines()
    counted = [line.split("|")[1:-1] for line in rows]
    names = [cell.strip() for cell in counted[0][1:]]
    table = {line[0].strip(" `"): [cell.strip() for cell in line[1:]] for line in counted[2:]}
    assert list(table) == sample.release.configs()
    for config, cells in table.items():
        found = {split: rows for split, rows in zip(names, cells, strict=True) if rows}
        splits = sample.release.manifest["splits"]
        assert found == {split: f"{splits[f'{config}/{split}']['rows']:,}" for split in sample.release.splits(config)}


def test_eval_yaml_has_a_task_for_the_test_split_of_each_question_style_with_one_answer(sample: Sample) -> None:
    tasks = yaml.safe_load((sample.release.path / "eval.yaml").read_text(encoding="utf-8"))["tasks"]
    asked = [style for style in styles_for(["all"], sample.spec) if style in QUESTION_STYLES - {"tone"}]
    expected = [(style, style, "test") for style in asked] + [("choice_letter", "choice", "test")]
    assert [(task["id"], task["config"], task["split"]) for task in tasks] == expected


# ---- datasets


def test_datasets_loads_every_split_of_every_config_as_it_stands(lab_release: Release) -> None:
    for config, split in places(lab_release):
        loaded = datasets.load_dataset(str(lab_release.path), config, split=split)
        assert loaded.num_rows == lab_release.manifest["splits"][f"{config}/{split}"]["rows"]
        assert loaded.column_names == schema_of(config).names
        assert loaded[0] == lab_release.table(config, split).slice(0, 1).to_pylist()[0]


def test_datasets_loads_the_release_in_the_folder_and_not_one_that_another_folder_of_that_name_held(
    tmp_path: Path,
) -> None:
    """Its cache knows a folder by its last name and its card, so the card must tell two releases apart."""
    for seed in ("7", "8"):
        release, _ = generate(Recipe(tiny(), seed, ("qa",)), tmp_path / seed / "same-name")
        loaded = datasets.load_dataset(str(release.path), "qa", split="test")
        assert loaded["id"][0].startswith(f"{release.world}/"), "the rows of another release"


SPARSE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("no validation phrasings", {"exposure__validation": 0}, ("qa", "multihop")),
    ("one block", {"sizes__entities": 1, "sizes__control": 0, "sizes__background": 0}, ("qa", "multihop")),
    (
        "one person, who is either taught to reason or tested",
        {"sizes__entities": 1, "sizes__control": 0, "sizes__background": 0, "types__person__block": 1},
        ("qa", "multihop"),
    ),
    ("every background question pretrained", {"background__questions": 1}, ("qa", "cloze")),
    ("documents alone", {}, ("article", "statement")),
]


@pytest.mark.parametrize(("changes", "styles"), [c[1:] for c in SPARSE], ids=[c[0] for c in SPARSE])
def test_datasets_loads_every_split_of_a_sparse_release(
    tmp_path: Path, changes: dict[str, Any], styles: tuple[str, ...]
) -> None:
    release, _ = generate(Recipe(tiny(**changes), "7", styles), tmp_path / f"sparse-{tmp_path.name}")
    for config, split in places(release):
        loaded = datasets.load_dataset(str(release.path), config, split=split)
        assert loaded.num_rows == release.manifest["splits"][f"{config}/{split}"]["rows"]


# ---- columns


def test_columns_have_the_types_of_the_contract_in_every_split(sample: Sample) -> None:
    for config, split in places(sample.release):
        table = sample.release.table(config, split)
        assert table.schema.equals(schema_of(config)), (config, split)
        assert not any(pa.types.is_null(field.type) for field in table.schema)


def test_no_column_but_number_holds_a_null(sample: Sample) -> None:
    for config, split in places(sample.release):
        table = sample.release.table(config, split)
        for name in set(table.schema.names) - {"number"}:
            column = table.column(name)
            assert column.null_count == 0, (config, split, name)
            if pa.types.is_list(column.type):
                assert pa.compute.list_flatten(column).null_count == 0, (config, split, name)


def test_a_number_stands_where_the_value_is_a_number_or_a_date_and_nowhere_else(sample: Sample) -> None:
    for row in [*sample.facts.values(), *sample.of(QUESTION_STYLES)]:
        assert (row["number"] is not None) == (row["value_type"] in ("numeric", "date")), row


# ---- ids

_ID: dict[str, Callable[[Row], str]] = {
    "question": lambda row: f"{row['entity_id']}/{row['relation']}/{row['style']}/{row['template_id'].split('/')[2]}",
    "article": lambda row: f"{row['entity_id']}/article/{row['kind']}/{row['template_id'].split('/')[2]}/",
    "dialogue": lambda row: f"{row['entity_id']}/dialogue/dialogue/{row['template_id'].split('/')[2]}/",
    "statement": lambda row: (
        f"{row['entity_id']}/statement/{row['kind']}/{row['relation']}.{row['template_id'].split('/')[2]}/0"
    ),
}


def test_every_id_is_unique_in_the_release(sample: Sample) -> None:
    seen = Counter(row["id"] for row in sample.everything)
    assert [identifier for identifier, n in seen.items() if n > 1] == []


def test_ids_are_built_from_world_entity_relation_style_and_phrasing(sample: Sample) -> None:
    world = sample.release.world
    assert re.fullmatch("[0-9a-f]{8}", world)
    for row in sample.everything:
        style = row["style"]
        assert re.fullmatch(rf"{world}/[a-z]+-\d+", row["entity_id"])
        if style in QUESTION_STYLES:
            assert row["id"] == _ID["question"](row)
        else:
            assert row["id"].startswith(_ID[style](row))
            assert re.fullmatch(rf"{row['entity_id']}/{style}/[a-z]+/[^/]+/\d+", row["id"])


def test_a_template_id_names_a_phrasing_of_the_pack_by_style_relation_and_id(sample: Sample) -> None:
    for row in sample.everything:
        style, relation, _ = row["template_id"].split("/")
        assert row["template_id"] in PACK.by_id
        assert style == row["style"]
        about = sample.entities[row["entity_id"]]["type"]
        assert relation == (about if style in ("article", "dialogue") else sample.spec.template_of(row["relation"]))


def test_a_fact_id_is_that_of_its_subject_and_relation(sample: Sample) -> None:
    for identifier, fact in sample.facts.items():
        assert identifier == f"{fact['subject_id']}/{fact['relation']}"


# ---- facts and entities


def test_there_is_one_fact_for_each_entity_and_relation_of_its_type_but_parents_have_no_parents(
    sample: Sample,
) -> None:
    links = {name: relation.link for name, relation in sample.spec.relations.items()}
    parents = {f["object_id"] for f in sample.facts.values() if links[f["relation"]] in ("mother", "father")}
    expected = {
        f"{identifier}/{relation}"
        for identifier, entity in sample.entities.items()
        for relation in sample.spec.relations_of(entity["type"])
        if links[relation] not in ("mother", "father") or identifier not in parents
    }
    assert set(sample.facts) == expected
    assert len(sample.facts) == sample.release.table("facts", "train").num_rows


def test_facts_agree_with_the_entities_they_are_about(sample: Sample) -> None:
    for fact in sample.facts.values():
        subject, relation = sample.entities[fact["subject_id"]], sample.spec.relations[fact["relation"]]
        assert (fact["subject"], fact["role"]) == (subject["name"], subject["role"])
        assert (fact["value_type"], fact["unit"]) == (relation.value_type, relation.unit)
        if relation.value_type == "entity":
            target = sample.entities[fact["object_id"]]
            assert (target["type"], target["name"]) == (relation.object, fact["value"])
            assert target["role"] == "background" if relation.reach else target["block"] == subject["block"]
        else:
            assert fact["object_id"] == ""


def test_names_are_unique_in_the_release(sample: Sample) -> None:
    names = [entity["name"] for entity in sample.entities.values()]
    assert len(set(names)) == len(names)


def test_an_entity_has_the_block_that_its_id_fixes_and_a_block_has_one_role(sample: Sample) -> None:
    roles = defaultdict(set)
    for identifier, entity in sample.entities.items():
        index = int(identifier.rsplit("-", 1)[1])
        assert entity["block"] == index // sample.spec.types[entity["type"]].block, identifier
        roles[entity["block"]].add(entity["role"])
    assert all(len(found) == 1 for found in roles.values())


def test_entities_counts_the_new_ones_over_all_types_and_control_adds_its_share(sample: Sample) -> None:
    counts = Counter(entity["role"] for entity in sample.entities.values())
    alone = Counter(e["role"] for e in sample.entities.values() if sample.spec.types[e["type"]].single)
    sizes, block = sample.spec.sizes, sample.spec.block_size
    wanted = {
        "new": sizes.entities,
        "control": sizes.entities * sizes.control,
        "background": sizes.background,
        "known": sizes.known,
    }
    for role in ROLES:
        assert wanted[role] <= counts[role] - alone[role] < wanted[role] + block, role
        assert sample.release.manifest["entities"][role] == counts[role]


# ---- texts


def test_one_row_is_one_distinct_text_of_its_style(sample: Sample) -> None:
    seen = Counter((row["style"], text_of(row)) for row in sample.everything)
    assert [text for text, n in seen.items() if n > 1] == []


def test_no_text_of_one_style_is_a_text_of_another(sample: Sample) -> None:
    """Or the effect of a style could not be told from that of the other."""
    styles: dict[str, set[str]] = defaultdict(set)
    for row in sample.everything:
        styles[text_of(row)].add(row["style"])
    assert {text: sorted(found) for text, found in styles.items() if len(found) > 1} == {}


def test_every_text_names_its_entity_unless_that_is_the_answer(sample: Sample) -> None:
    for row in sample.everything:
        name = sample.entities[row["entity_id"]]["name"]
        if row["style"] == "reverse" or operator_of(row) == "both":
            assert all(sample.facts[fact]["value"] in row["question"] for fact in row["fact_ids"]), row["id"]
            assert name in row["answers"]
        else:
            assert name in text_of(row), row["id"]


def test_a_persona_stands_once_in_the_new_and_once_in_the_control_entities(sample: Sample) -> None:
    for kind, entity in sample.spec.types.items():
        roles = [e["role"] for e in sample.entities.values() if e["type"] == kind]
        assert not entity.single or roles == ["new", "control"]


def written(sample: Sample, fact: Row) -> tuple[str, ...]:
    """The forms that a document may write a value in: the canonical one and, where the spec has two, the second."""
    source = World(sample.spec, "").source_of(fact["relation"])
    return forms_of(source, fact["value"], fact["number"])[: sample.spec.exposure.forms]


def test_a_document_states_the_value_of_each_of_its_facts(sample: Sample) -> None:
    for row in sample.of(DOCUMENT_STYLES):
        for fact in (sample.facts[identifier] for identifier in row["fact_ids"]):
            assert any(form.casefold() in row["text"].casefold() for form in written(sample, fact)), row["id"]
            assert fact["subject_id"] == row["entity_id"]


def test_an_article_states_every_fact_of_its_entity_that_is_stated_as_often(sample: Sample) -> None:
    """Facts of unequal doses stand in articles of their own, or some would be said more often than their dose."""
    mine: dict[tuple[str, int], set[str]] = defaultdict(set)
    for identifier, fact in sample.facts.items():
        mine[fact["subject_id"], fact["exposures"]].add(identifier)
    for row in sample.of(frozenset({"article"})):
        doses = {sample.facts[fact]["exposures"] for fact in row["fact_ids"]}
        assert len(doses) == 1, row["id"]
        assert set(row["fact_ids"]) == mine[row["entity_id"], doses.pop()]
        assert len(row["fact_ids"]) == len(set(row["fact_ids"]))
        assert row["relation"] == ""
        assert row["kind"] in sample.spec.articles


def test_the_kinds_of_article_that_the_spec_asks_for_are_all_written(sample: Sample) -> None:
    assert {row["kind"] for row in sample.of(frozenset({"article"}))} == set(sample.spec.articles)


def test_articles_of_the_lab_have_at_most_60_words(lab: Sample) -> None:
    longest = max(lab.of(frozenset({"article"})), key=lambda row: len(row["text"].split()))
    assert len(longest["text"].split()) <= 60, longest["text"]


def test_a_person_goes_by_one_pronoun_in_all_articles(lab: Sample) -> None:
    told: dict[str, set[str]] = defaultdict(set)
    for row in lab.of(frozenset({"article"})):
        if lab.entities[row["entity_id"]]["type"] == "person":
            told[row["entity_id"]] |= set(re.findall(r"\b(he|she)\b", row["text"].lower()))
    assert {len(pronouns) for pronouns in told.values()} == {1}
    assert set.union(*told.values()) == {"he", "she"}


def test_an_article_names_its_entity_before_or_in_the_sentence_of_its_first_fact(sample: Sample) -> None:
    for row in sample.of(frozenset({"article"})):
        forms = written(sample, sample.facts[row["fact_ids"][0]])
        stated = min(place for form in forms if (place := row["text"].casefold().find(form.casefold())) >= 0)
        name = sample.entities[row["entity_id"]]["name"]
        assert name in row["text"][:stated] + re.split(r"(?<=[.?!])\s", row["text"][stated:])[0], row["text"]


def test_every_text_begins_with_a_capital(sample: Sample) -> None:
    assert [row["id"] for row in sample.everything if not text_of(row)[0].isupper()] == []


# ---- answers


def follow(sample: Sample, row: Row) -> tuple[list[str], Row]:
    """The facts on the path of a row's relation from its entity, and the last of them."""
    here, passed = row["entity_id"], []
    for relation in row["relation"].split("."):
        fact = sample.facts[f"{here}/{relation}"]
        passed.append(fact["fact_id"])
        here = fact["object_id"]
    return passed, fact


def test_every_answer_is_the_fact_at_the_end_of_its_path(sample: Sample) -> None:
    for row in filter(follows_a_path, sample.of(QUESTION_STYLES)):
        passed, fact = follow(sample, row)
        assert row["fact_ids"] == passed
        assert row["hops"] == len(passed)
        assert fact["value"] in row["answers"]
        assert (row["value_type"], row["unit"]) == (fact["value_type"], fact["unit"])
        rounded = PACK.by_id[row["template_id"]].kind == "rounded"
        assert row["number"] == fact["number"] or rounded, row["id"]


def test_a_reverse_question_is_answered_by_the_subject_of_its_fact(sample: Sample) -> None:
    for row in sample.of(frozenset({"reverse"})):
        assert row["fact_ids"] == [f"{row['entity_id']}/{row['relation']}"]
        fact = sample.facts[row["fact_ids"][0]]
        assert row["answer"] == fact["subject"]
        assert fact["value"] in row["question"]
        assert (row["hops"], row["value_type"], row["number"], row["unit"]) == (1, "entity", None, "")


def test_a_reasoning_row_has_as_many_hops_as_facts_and_at_least_two_unless_it_counts(sample: Sample) -> None:
    for row in filter(operator_of, sample.of(QUESTION_STYLES)):
        assert row["hops"] == len(row["fact_ids"]) == len(set(row["fact_ids"])) == len(row["hop_ids"])
        assert row["hops"] >= (1 if operator_of(row) == "count" else 2)
        assert set(row["fact_ids"]) <= set(sample.facts)


def test_the_answer_is_the_first_of_the_answers_and_none_is_given_twice(sample: Sample) -> None:
    for row in sample.of(QUESTION_STYLES):
        assert row["answer"] == row["answers"][0]
        assert len(set(row["answers"])) == len(row["answers"])
        assert all(answer == answer.strip() != "" for answer in row["answers"])


def test_a_number_may_be_answered_with_or_without_its_unit_and_its_commas(sample: Sample) -> None:
    for row in sample.of(QUESTION_STYLES):
        if row["value_type"] != "numeric":
            continue
        bare = {f"{row['number']:.0f}", f"{row['number']:,.0f}"}
        assert bare | {f"{form} {row['unit']}" for form in bare if row["unit"]} <= set(row["answers"]), row["id"]
        given = row["answer"].removesuffix(f" {row['unit']}") if row["unit"] else row["answer"]
        in_words = PACK.by_id[row["template_id"]].kind == "words"
        assert (given in bare) != in_words, row["id"]
        if row["unit"]:
            assert (given == row["answer"]) == (row["style"] == "numeric"), row["id"]


def test_no_question_has_two_sets_of_answers(sample: Sample) -> None:
    answers: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in sample.of(QUESTION_STYLES):
        answers[row["question"]].add(tuple(sorted(row["answers"])))
    assert {question for question, found in answers.items() if len(found) > 1} == set()


def test_no_answer_stands_in_its_question_unless_it_offers_the_candidates(sample: Sample) -> None:
    told = [
        (row["question"], answer)
        for row in sample.of(QUESTION_STYLES - {"choice"})
        for answer in row["answers"]
        if operator_of(row) != "compare"
        if re.search(rf"\b{re.escape(answer)}\b", row["question"], re.IGNORECASE)
    ]
    assert told == []


def test_numeric_questions_ask_for_numbers_and_dates_only_and_for_all_of_them(sample: Sample) -> None:
    numbers = {
        fact for fact, row in sample.facts.items() if row["value_type"] in ("numeric", "date") and row["role"] == "new"
    }
    assert facts_of(sample.rows["numeric", "train"]) & set(sample.facts) >= numbers
    assert {row["value_type"] for row in sample.of(frozenset({"numeric"}))} <= {"numeric", "date"}


# ---- hops


def test_hop_ids_are_the_qa_rows_of_the_same_split_that_ask_for_each_fact_in_turn(sample: Sample) -> None:
    """A background fact that a relation reaches for is asked where that background block is asked."""
    asked = {row["id"]: (split, row) for (style, split), rows in sample.rows.items() if style == "qa" for row in rows}
    for (style, split), rows in sample.rows.items():
        for row in rows if style in ("multihop", "reverse", "numeric") else ():
            found = [asked[hop] for hop in row["hop_ids"]]
            assert [hop["fact_ids"] for _, hop in found] == [[fact] for fact in row["fact_ids"] if found]
            block = sample.entities[row["entity_id"]]["block"]
            for where, hop in found:
                own = sample.entities[hop["entity_id"]]["block"] == block
                assert where == split if own else sample.role(hop) == "background", row["id"]


def test_one_hop_questions_build_on_no_other(sample: Sample) -> None:
    for row in sample.of(ONE_HOP_QUESTIONS):
        if not operator_of(row):
            assert (row["hops"], row["hop_ids"]) == (1, [])


def test_a_multihop_and_a_reverse_question_name_every_hop(sample: Sample) -> None:
    for row in sample.of(frozenset({"multihop", "reverse"})):
        assert len(row["hop_ids"]) == row["hops"]


def test_a_background_that_asks_for_multihop_questions_has_the_hops_they_build_on(tmp_path: Path) -> None:
    release, _ = generate(Recipe(tiny(background__styles=["multihop"]), "7", ("qa", "multihop")), tmp_path)
    ids = {identifier for split in release.splits("qa") for identifier in release.table("qa", split)["id"].to_pylist()}
    for split in release.splits("multihop"):
        for hops in release.table("multihop", split)["hop_ids"].to_pylist():
            assert set(hops) <= ids, split


def test_every_chain_of_the_spec_is_asked_in_every_split(lab: Sample) -> None:
    chains = {".".join(chain) for chain in lab.spec.paths.chains}
    for split in lab.release.splits("multihop"):
        assert {row["relation"] for row in lab.rows["multihop", split]} == chains, split


@pytest.mark.parametrize("style", ["multihop", "reverse", "numeric"])
def test_every_path_of_the_spec_is_asked(sample: Sample, style: str) -> None:
    """Of a few subjects, in one split or the other: those of training and of the tests are not the same."""
    names = set(question_names(World(sample.spec, ""), style))
    assert {row["relation"] for row in sample.of(frozenset({style}))} == names


# ---- exposures


def test_the_repeats_of_a_fact_in_one_style_sum_to_its_exposures(sample: Sample) -> None:
    """Of `known` entities the documents count: their questions are the arms of a study, as often asked as new ones."""
    for style in sorted(ONE_HOP_STYLES & set(sample.release.configs())):
        stated: Counter[str] = Counter()
        for row in sample.of(frozenset({style}), *TRAINING):
            for fact in row["fact_ids"] if not operator_of(row) else ():
                stated[fact] += row["repeat"]
        assert stated
        expected = {
            fact: sample.spec.exposure.exposures
            if sample.facts[fact]["role"] == "known" and style not in DOCUMENT_STYLES
            else sample.facts[fact]["exposures"]
            for fact in stated
        }
        assert {fact: n for fact, n in stated.items() if n != expected[fact]} == {}, style


def test_exposures_are_what_the_spec_says_and_none_for_control(sample: Sample) -> None:
    flat = sample.spec.background.popularity == "flat"
    background = sample.spec.background.exposures
    for fact in sample.facts.values():
        popularity = sample.entities[fact["subject_id"]]["popularity"]
        old = {background} if flat else {min(popularity, background)}
        tiers = set(sample.spec.background.tiers)
        tiered = tiers if sample.spec.relations[fact["relation"]].tiered else {background}
        expected = {
            "new": {sample.spec.exposure.exposures},
            "control": {0},
            "background": old,
            "known": tiered if tiers else old,
        }
        assert fact["exposures"] in expected[fact["role"]]


def test_a_fact_is_trained_in_as_many_paraphrases_as_the_spec_says_or_the_pack_has(sample: Sample) -> None:
    for style in ("qa", "statement", "cloze", "choice"):
        distinct = Counter(fact for row in sample.rows[style, "train"] for fact in row["fact_ids"])
        for fact, n in distinct.items():
            if sample.facts[fact]["role"] == "new":
                file = sample.spec.template_of(sample.facts[fact]["relation"])
                phrasings = sum(p.kind != "reversal" for p in PACK.of(style, file, "train"))
                exposure = sample.spec.exposure
                assert n == min(exposure.paraphrases, phrasings, exposure.exposures), fact


def test_the_paraphrases_of_a_fact_are_shown_about_equally_often(sample: Sample) -> None:
    repeats: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in sample.of(ONE_HOP_STYLES, "train"):
        for fact in row["fact_ids"] if not operator_of(row) else ():
            repeats[row["style"], fact].append(row["repeat"])
    assert all(max(found) - min(found) <= 1 and min(found) >= 1 for found in repeats.values())


def test_held_out_questions_are_asked_once(sample: Sample) -> None:
    assert {row["repeat"] for row in sample.of(ALL_STYLES, *HELD_OUT)} == {1}


def test_every_phrasing_that_is_needed_is_used_by_some_fact(sample: Sample) -> None:
    """Facts start at different phrasings, so none is left out where there are rows enough: eight a phrasing."""
    used = {row["template_id"] for row in sample.of(frozenset({"qa"}), "train")}
    rows = Counter(row["relation"] for row in sample.rows["qa", "train"])
    phrasings = {name: PACK.of("qa", name, "train") for name in rows}
    wanted = {f"qa/{name}/{p.id}" for name, n in rows.items() for p in phrasings[name] if n >= 8 * len(phrasings[name])}
    assert wanted
    assert wanted <= used


# ---- roles and splits

ROLES_OF_SPLITS: dict[str, tuple[set[str], set[str]]] = {
    "pretrain": ({"background", "known"}, {"background"}),
    "train": ({"new"}, {"new", "known"}),
    "validation": (set(), {"new", "known", "background"}),
    "test": (set(), {"new", "known", "background"}),
    "control": (set(), {"control"}),
}
"""The roles that a split may hold: of documents, of questions."""


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_the_roles_of_the_table_and_no_other(sample: Sample, split: str) -> None:
    documents, questions = ROLES_OF_SPLITS[split]
    present = {entity["role"] for entity in sample.entities.values()}
    written = set(sample.release.configs())
    if split == "pretrain":
        written &= set(sample.spec.background.styles)
    for style in sorted(written & DOCUMENT_STYLES):
        assert {sample.role(row) for row in sample.of(frozenset({style}), split)} == documents & present, style
    for style in sorted(written & ONE_HOP_QUESTIONS):
        assert {sample.role(row) for row in sample.of(frozenset({style}), split)} == questions & present, style
    assert {sample.role(row) for row in sample.of(QUESTION_STYLES, split)} <= questions
    others = [style for style in ALL_STYLES - written if (style, split) in sample.rows]
    assert others == []


def test_every_new_fact_is_written_and_asked_in_train(sample: Sample) -> None:
    new = {fact for fact, row in sample.facts.items() if row["role"] == "new"}
    for style in ("qa", "cloze", "choice", "statement", "article", "dialogue"):
        trained = {fact for fact in facts_of(sample.rows[style, "train"]) if sample.facts[fact]["role"] == "new"}
        assert trained == new, style


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("style", ["qa", "numeric", "cloze", "choice", "tone"])
def test_validation_and_test_ask_for_the_same_new_facts_as_train(sample: Sample, style: str, split: str) -> None:
    def asked(place: str) -> set[str]:
        rows = [row for row in sample.rows[style, place] if not operator_of(row)]
        return {f for f in facts_of(rows) if sample.facts[f]["role"] in ("new", "known")}

    if style in sample.release.configs():
        assert asked(split) == asked("train") != set()


def test_control_asks_for_all_facts_of_control_entities_in_test_phrasings(sample: Sample) -> None:
    control = {fact for fact, row in sample.facts.items() if row["role"] == "control"}
    for style in ("qa", "cloze", "choice"):
        assert facts_of(sample.rows[style, "control"]) == control
    for row in sample.of(QUESTION_STYLES, "control"):
        assert PACK.by_id[row["template_id"]].role == "test"


def test_training_rows_are_in_train_phrasings_and_held_out_rows_in_those_of_their_split(sample: Sample) -> None:
    roles = {"pretrain": "train", "train": "train", "validation": "validation", "test": "test", "control": "test"}
    for (_, split), rows in sample.rows.items():
        assert {PACK.by_id[row["template_id"]].role for row in rows} <= {roles[split]}


def test_no_template_of_a_training_split_is_one_of_a_held_out_split(sample: Sample) -> None:
    trained = {row["template_id"] for row in sample.of(ALL_STYLES, *TRAINING)}
    held_out = {row["template_id"] for row in sample.of(ALL_STYLES, *HELD_OUT)}
    assert trained & held_out == set()
    assert held_out


def test_no_held_out_text_is_a_training_text(sample: Sample) -> None:
    def plain(row: Row) -> str:
        return " ".join(text_of(row).casefold().split()).rstrip("?. ")

    trained = {plain(row) for row in sample.of(ALL_STYLES, *TRAINING)}
    assert [row["id"] for row in sample.of(ALL_STYLES, *HELD_OUT) if plain(row) in trained] == []


def test_no_control_entity_is_named_in_a_training_text_nor_given_as_an_answer(sample: Sample) -> None:
    trained = [*sample.of(ALL_STYLES, *TRAINING)]
    together = "\n".join([text_of(row) + "\n" + "\n".join(row.get("answers", [])) for row in trained])
    assert [name for name in sample.names("control") if name.casefold() in together.casefold()] == []
    assert sample.names("control")


def test_no_new_entity_is_named_in_pretrain(sample: Sample) -> None:
    rows = [*sample.of(ALL_STYLES, "pretrain")]
    together = "\n".join([text_of(row) + "\n" + "\n".join(row.get("answers", [])) for row in rows])
    assert [name for name in sample.names("new") if name in together] == []
    assert rows


def test_training_text_states_no_fact_of_a_control_entity(sample: Sample) -> None:
    stated = facts_of([*sample.of(ALL_STYLES, *TRAINING)])
    assert {fact for fact in stated if sample.facts[fact]["role"] == "control"} == set()


def test_all_background_and_known_facts_stand_in_pretrained_documents(sample: Sample) -> None:
    world = {f for f, row in sample.facts.items() if row["role"] in ("background", "known") and row["exposures"]}
    for style in DOCUMENT_STYLES & set(sample.spec.background.styles):
        assert facts_of(sample.rows[style, "pretrain"]) == world


def test_the_stated_share_of_background_blocks_is_asked_in_pretrain_and_the_rest_is_held_out(sample: Sample) -> None:
    def blocks(*splits: str) -> set[int]:
        rows = sample.of(frozenset({"qa"}), *splits)
        return {sample.entities[row["entity_id"]]["block"] for row in rows if sample.role(row) == "background"}

    every = {entity["block"] for entity in sample.entities.values() if entity["role"] == "background"}
    asked, held_out = blocks("pretrain"), blocks("validation", "test")
    assert asked | held_out == every
    assert asked & held_out == set()
    assert abs(len(asked) - len(every) * sample.spec.background.questions) < 1


def test_the_probe_of_a_row_follows_from_its_style_split_and_role(sample: Sample) -> None:
    held_out = {"cloze": "cross_style", "multihop": "multihop", "reverse": "reverse", "choice": "choice"}
    derived = {"compare": "compare", "difference": "compare"}
    for (style, split), rows in sample.rows.items():
        for row in rows:
            if style in DOCUMENT_STYLES:
                expected = ""
            elif split == "control":
                expected = "control"
            elif split == "pretrain" or sample.role(row) == "background":
                expected = "known"
            else:
                tested = held_out.get(style, "paraphrase")
                if operator_of(row):
                    tested = derived.get(operator_of(row), "aggregate")
                expected = "recall" if split == "train" else tested
            assert row["probe"] == expected, row["id"]


def test_the_subjects_of_reasoning_rows_in_train_are_not_those_of_validation_and_test(sample: Sample) -> None:
    def subjects(*splits: str) -> set[str]:
        rows = sample.of(frozenset({"multihop", "reverse", "numeric"}), *splits)
        reasoned = [row for row in rows if row["style"] != "numeric" or operator_of(row)]
        return {row["entity_id"] for row in reasoned if sample.role(row) in ("new", "known")}

    assert subjects("train") & subjects("validation", "test") == set()
    assert subjects("validation") == subjects("test")
    assert subjects("train")
    assert subjects("test")


def test_every_one_hop_fact_that_a_reasoning_row_needs_is_in_train(sample: Sample) -> None:
    asked, written = facts_of(sample.rows["qa", "train"]), facts_of(sample.rows["statement", "train"])
    known = facts_of(sample.rows["statement", "pretrain"])
    for row in sample.of(frozenset({"multihop", "reverse", "numeric"}), "train", "validation", "test"):
        if sample.role(row) == "new":
            mine = {fact for fact in row["fact_ids"] if sample.facts[fact]["role"] == "new"}
            assert mine <= asked & written
            assert set(row["fact_ids"]) - mine <= known


# ---- order and shards


def test_the_rows_of_a_role_stand_in_the_order_of_their_entities(sample: Sample) -> None:
    types = list(sample.spec.types)
    for place, rows in sample.rows.items():
        order: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for row in rows:
            kind, index = row["entity_id"].split("/")[1].rsplit("-", 1)
            order[sample.role(row)].append((sample.entities[row["entity_id"]]["block"], types.index(kind), int(index)))
        assert all(found == sorted(found) for found in order.values()), place


BIG = load_spec("default").with_sizes(entities=100_000, background=50_000)


@pytest.mark.parametrize("style", STYLES)
def test_the_shards_of_a_big_split_cover_its_blocks_in_order_each_once(style: str) -> None:
    world = build_world(BIG, "7")
    few = plan_units(build_world(BIG.with_sizes(entities=40, background=80), "7"), PACK, (style,))
    found: dict[str, list[Any]] = defaultdict(list)
    for unit in plan_units(world, PACK, (style,)):
        found[f"{unit.config}/{unit.split}"].append(unit)
    assert set(found) == {f"{unit.config}/{unit.split}" for unit in few}
    assert max(len(units) for units in found.values()) > 1
    for units in found.values():
        assert [unit.shard for unit in units] == list(range(len(units)))
        assert {unit.shards for unit in units} == {len(units)}
        blocks: dict[str, list[int]] = defaultdict(list)
        for unit in units:
            for section in unit.sections:
                blocks[section.role] += section.blocks.tolist()
        for role, covered in blocks.items():
            assert covered == sorted(set(covered))
            if units[0].config in ("facts", "entities"):
                assert covered == world.blocks(role).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [*STYLES, "facts", "entities"])
def test_no_shard_of_a_big_release_has_many_more_than_200_thousand_rows(config: str) -> None:
    world = build_world(BIG, "7")
    for unit in plan_units(world, PACK, (config,) if config in STYLES else ("qa",)):
        if unit.config == config and unit.shard == 0:
            first = unit.sections[0]
            # Not the very first block, which alone holds the persona.
            block = Section(first.role, first.blocks[1:2], first.phrasing, first.probe)
            rows = unit_table(world, PACK, Unit(config, unit.split, 0, 1, (block,))).num_rows
            assert rows * sum(section.blocks.size for section in unit.sections) <= 240_000, unit.path


@pytest.mark.parametrize("config", [*STYLES, "facts", "entities"])
def test_the_rows_of_a_split_do_not_depend_on_where_it_is_cut(config: str) -> None:
    world = build_world(tiny(sizes__entities=30), "7")
    for unit in plan_units(world, PACK, (config,) if config in STYLES else ("qa",)):
        if unit.config != config:
            continue
        whole = unit_table(world, PACK, unit)
        pieces = [
            unit_table(world, PACK, Unit(config, unit.split, 0, 1, (Section(s.role, block, s.phrasing, s.probe),)))
            for s in unit.sections
            for block in s.blocks.reshape(-1, 1)
        ]
        assert content_digest(pa.concat_tables(pieces)) == content_digest(whole), unit.path


def test_a_preview_shows_rows_that_the_release_has_from_all_over_its_first_block(lab: Sample) -> None:
    styles = styles_for(["all"], lab.spec)
    shown = dict(preview_rows(Recipe(lab.spec, "7", styles), 3))
    assert tuple(shown) == styles
    for style, rows in shown.items():
        every = lab.rows[style, lab.release.splits(style)[0]]
        places = [every.index(row) for row in rows]
        assert len(places) == 3
        assert places == sorted(set(places))
        blocks = {lab.entities[row["entity_id"]]["block"] for row in rows}
        assert blocks == {lab.entities[every[0]["entity_id"]]["block"]}


def test_a_release_that_was_moved_opens_and_keeps_its_digest(tmp_path: Path) -> None:
    release, _ = generate(Recipe(tiny(), "7", ("qa",)), tmp_path / "here")
    digest = release.digest
    release.path.rename(tmp_path / "there")
    assert open_release(tmp_path / "there").digest == digest
