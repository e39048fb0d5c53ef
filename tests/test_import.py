"""`kbench import`: a published dataset becomes a release whose train and test are about different subjects."""

import json
import shutil
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kbench
from kbench.benchmarks.chosen import chosen_facts
from kbench.benchmarks.knownness import label_facts
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.slick import Slick
from kbench.benchmarks.tasks import guessing
from kbench.errors import KbenchError
from kbench.generator.audit import audit_release
from kbench.generator.manifests import Given
from kbench.generator.realdata.divide import Division
from kbench.generator.realdata.entity_questions import wording_of
from kbench.generator.realdata.release import Imported, import_dataset
from kbench.generator.verify import verify_release
from kbench.schema import schema_of
from kbench.store import MANIFEST, Release
from tests.real_data import (
    PEOPLE,
    popqa_rows,
    write_entity_questions,
    write_mmlu,
    write_popqa,
    write_wikibio,
)
from tests.samples import files_under

WRITERS: dict[str, Callable[[Path], Path]] = {
    "popqa": lambda folder: write_popqa(folder / "popqa.tsv"),
    "entity-questions": lambda folder: write_entity_questions(folder / "entity-questions"),
    "mmlu": lambda folder: write_mmlu(folder / "mmlu.parquet"),
    "wikibio": lambda folder: write_wikibio(folder / "wikibio.jsonl"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Imported]:
    """Each dataset as a release, made once."""
    folder, found = tmp_path_factory.mktemp("imported"), dict[str, Imported]()

    def make(kind: str) -> Imported:
        if kind not in found:
            source = WRITERS[kind](folder)
            found[kind] = import_dataset(kind, source, folder / f"{kind}-release")  # type: ignore[arg-type]
        return found[kind]

    return make


def rows_of(release: Release, config: str, *splits: str) -> list[dict[str, Any]]:
    """The rows of some splits of a config."""
    return [row for split in splits for row in release.rows(config, split)]


@pytest.mark.parametrize("kind", WRITERS)
def test_train_and_test_ask_about_different_subjects_of_the_same_relations(
    made: Callable[[str], Imported], kind: str
) -> None:
    release = made(kind).release
    style = release.configs()[0]
    train, held_out = rows_of(release, style, "train"), rows_of(release, style, "validation", "test")
    assert {row["relation"] for row in train} == {row["relation"] for row in rows_of(release, style, "test")}
    assert not {row["entity_id"] for row in train} & {row["entity_id"] for row in held_out}
    assert not {row["template_id"] for row in train} & {row["template_id"] for row in held_out}
    roles = {row["entity_id"]: row["role"] for row in release.rows("entities")}
    assert {roles[row["entity_id"]] for row in train} == {"known"}
    assert {roles[row["entity_id"]] for row in held_out} == {"background"}
    assert ({row["probe"] for row in train}, {row["probe"] for row in held_out}) == ({"recall"}, {"known"})
    names = {row["entity_id"]: row["name"] for row in release.rows("entities")}
    assert all(names[row["entity_id"]] in row["question"] for row in [*train, *held_out])


@pytest.mark.parametrize("kind", WRITERS)
def test_a_dataset_has_the_columns_of_every_release_and_passes_what_can_be_checked(
    made: Callable[[str], Imported], kind: str
) -> None:
    release = made(kind).release
    for config, splits in release.counts().items():
        for split in splits:
            assert release.table(config, split).schema.equals(schema_of(config))
    audit = audit_release(release)
    assert [check.name for check in audit.checks if check.status == "failed"] == []
    found = verify_release(release.path)
    assert (found.verdict, found.derived) == ("in part", False)
    assert [finding.status for finding in found.findings] == ["skipped"]
    assert "which is not in it: `kbench import" in found.findings[0].said
    style = release.configs()[0]
    loaded = datasets.load_dataset(str(release.path), style, split="test")
    assert loaded["question"] == release.rows(style, "test")["question"]


def test_popqa_keeps_page_views_every_alias_and_what_kind_of_value_it_is(made: Callable[[str], Imported]) -> None:
    release = made("popqa").release
    views = {row["subj"]: int(row["s_pop"]) for row in popqa_rows()}
    assert {row["name"]: row["popularity"] for row in release.rows("entities")} == views
    rows = {row["question"]: row for row in rows_of(release, "qa", "train", "validation", "test")}
    assert rows.keys() == {row["question"] for row in popqa_rows()}
    assert rows["What is Ann Reed's occupation?"]["answers"] == ["painter", "painter too"]
    facts = {row["relation"]: row["value_type"] for row in release.rows("facts")}
    assert facts == {"occupation": "categorical", "place_of_birth": "entity"}


def test_entity_questions_finds_the_subject_that_its_wording_leaves_open(made: Callable[[str], Imported]) -> None:
    done = made("entity-questions")
    facts = list(done.release.rows("facts"))
    assert {row["relation"] for row in facts} == {"country", "child"}
    assert {row["subject"] for row in facts} < set(PEOPLE)
    assert {row["question"] for row in done.release.rows("qa", "test")} < {
        wording.format(name) for name in PEOPLE for wording in ("Who is {}'s child?", "Which country is {} located in?")
    }
    sides: dict[str, set[str]] = defaultdict(set)
    for row in facts:
        sides[row["subject"]].add(row["role"])
    crossed = [row for row in facts if row["value"] in sides and row["role"] not in sides[row["value"]]]
    assert crossed == []
    assert done.left_out["questions in which one side names a subject of the other"] > 0


def test_mmlu_asks_with_its_options_and_its_right_one(made: Callable[[str], Imported]) -> None:
    row = made("mmlu").release.rows("choice", "test")[0]
    assert row["question"].endswith("\n".join(f"{'ABCD'[n]}. {text}" for n, text in enumerate(row["choices"])))
    number = int(row["answer"].split()[1])
    assert row["label"] == number % 4
    assert row["answers"] == [row["answer"], "ABCD"[row["label"]], f"{'ABCD'[row['label']]}. {row['answer']}"]


def test_wikibio_asks_its_fields_and_keeps_the_text_that_states_them(made: Callable[[str], Imported]) -> None:
    release = made("wikibio").release
    assert {row["relation"] for row in release.rows("facts")} == {"occupation", "birth_place", "birth_year"}
    texts = {row["entity_id"]: row for row in release.rows("article", "pretrain")}
    fact = release.rows("facts")[0]
    assert fact["fact_id"] in texts[fact["subject_id"]]["fact_ids"]
    assert texts[fact["subject_id"]]["text"].startswith(f"{fact['subject']} ( born 19")
    assert {row["exposures"] for row in release.rows("facts")} == {1}
    assert {row["number"] for row in release.rows("facts") if row["relation"] == "birth_year"} == {
        float(1900 + n) for n in range(80)
    }


def test_the_same_items_in_another_order_and_format_give_the_same_rows(tmp_path: Path) -> None:
    twice = {**popqa_rows()[0], "possible_answers": '["statesman"]'}
    write_popqa(tmp_path / "popqa.tsv", [*popqa_rows(), twice])
    rows = [twice, *popqa_rows()[::-1]]
    listed = [
        {**row, "possible_answers": json.loads(row["possible_answers"]), "s_pop": int(row["s_pop"])} for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(listed), tmp_path / "popqa.parquet")
    (tmp_path / "popqa.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = []
    for suffix in ("tsv", "parquet", "jsonl"):
        release = import_dataset("popqa", tmp_path / f"popqa.{suffix}", tmp_path / suffix).release
        found.append(
            [
                (split, row["question"], row["answers"])
                for split in ("train", "test")
                for row in release.rows("qa", split)
            ]
        )
    assert found[0] == found[1] == found[2]
    assert ["politician", "politician too", "statesman"] in [answers for _, _, answers in found[0]]


def test_a_folder_and_an_archive_of_it_give_the_same_bytes_and_another_seed_divides_otherwise(tmp_path: Path) -> None:
    source = write_entity_questions(tmp_path / "questions")
    with zipfile.ZipFile(tmp_path / "questions.zip", "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"dataset/test/{path.name}")
        archive.writestr("dataset/one-off/P17_no_overlap.dev.json", "{")
    import_dataset("entity-questions", source, tmp_path / "one", name="questions")
    two = import_dataset("entity-questions", tmp_path / "questions.zip", tmp_path / "two", name="questions")
    assert files_under(tmp_path / "one") == files_under(tmp_path / "two")
    some = import_dataset("entity-questions", source, tmp_path / "some", files="P17*").release
    assert {row["relation"] for row in some.rows("facts")} == {"country"}
    other = import_dataset("entity-questions", source, tmp_path / "three", Division(seed="1"))
    assert set(other.release.rows("qa", "test")["question"]) != set(two.release.rows("qa", "test")["question"])


def test_a_release_that_is_there_is_left_alone_and_another_is_refused(tmp_path: Path) -> None:
    source = write_popqa(tmp_path / "popqa.tsv")
    assert import_dataset("popqa", source, tmp_path / "out").written
    before = files_under(tmp_path / "out")
    assert not import_dataset("popqa", source, tmp_path / "out").written
    assert files_under(tmp_path / "out") == before
    with pytest.raises(KbenchError, match="holds another release"):
        import_dataset("popqa", source, tmp_path / "out", Division(seed="1"))


def test_what_was_interrupted_is_finished_by_the_same_call(tmp_path: Path) -> None:
    source = write_popqa(tmp_path / "popqa.tsv")

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset("popqa", source, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out" / MANIFEST).exists()
    import_dataset("popqa", source, tmp_path / "out")
    import_dataset("popqa", source, tmp_path / "whole")
    assert files_under(tmp_path / "out") == files_under(tmp_path / "whole")


def _asked(subject: str, relation: str, value: str, key: str = "", views: int = 1) -> dict[str, Any]:
    question = f"What {relation} does {subject} have?"
    said = {"subj": subject, "prop": relation, "obj": value, "question": question, "possible_answers": f'["{value}"]'}
    return {**dict.fromkeys(popqa_rows()[0], ""), **said, "subj_id": key, "s_pop": str(views)}


def test_what_is_left_out_is_counted_and_said(tmp_path: Path) -> None:
    rows = [
        *(_asked(name, "colour", f"shade {n % 3}") for n, name in enumerate(PEOPLE)),
        *(_asked(name, "hobby", f"game {n}") for n, name in enumerate(PEOPLE[:6])),  # too few
        _asked("Ann Stone", "colour", "shade 0"),  # the same again
        _asked("Max Twin", "colour", "shade 1", "Q1", 5),  # one question about two
        _asked("Max Twin", "colour", "shade 2", "Q2", 9),
        _asked("Kim Twin", "colour", "shade 1", "Q3", 5),  # a better known namesake
        _asked("Kim Twin", "age", "7", "Q4", 9),
    ]
    source = write_popqa(tmp_path / "popqa.tsv", rows)
    with pytest.warns(UserWarning, match=r"too few subjects in train or in test: age \(0\), hobby \([1-3]\); --least"):
        release = kbench.import_data("popqa", source, tmp_path / "out")
    made = release.manifest["recipe"]["imported"]
    assert made["left_out"] == {
        "questions of relations with too few subjects": 7,
        "questions that stand there twice": 1,
        "questions that two subjects share": 2,
        "subjects named as a better known one": 1,
    }
    assert set(made["too_few"]) == {"age", "hobby"}
    assert len(release.rows("facts")) == 80
    assert "too few subjects" in (release.path / "README.md").read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limited = kbench.import_data("popqa", source, tmp_path / "limited", limit=40)
        smaller = kbench.import_data("popqa", source, tmp_path / "smaller", limit=30)
    assert len(limited.rows("facts")) == 40
    assert {row["name"] for row in smaller.rows("entities")} < {row["name"] for row in limited.rows("entities")}
    sides = {row["name"]: row["role"] for row in release.rows("entities")}
    assert all(sides[row["name"]] == row["role"] for row in limited.rows("entities"))


@pytest.mark.parametrize(
    ("apart", "crossed", "shared"), [("subjects", True, True), ("names", False, True), ("answers", False, False)]
)
def test_how_far_apart_the_sides_are_is_chosen(tmp_path: Path, apart: str, crossed: bool, shared: bool) -> None:
    rows = [_asked(name, "friend", PEOPLE[(7 * n + 1) % 80]) for n, name in enumerate(PEOPLE)]
    rows += [_asked(name, "town", f"Town {n % 50}") for n, name in enumerate(PEOPLE)]
    way = Division(apart=apart, least=3)  # type: ignore[arg-type]
    release = import_dataset("popqa", write_popqa(tmp_path / "p.tsv", rows), tmp_path / "out", way).release
    train, test = ({(r["relation"], r["answer"]) for r in release.rows("qa", split)} for split in ("train", "test"))
    trained = {row["name"] for row in release.rows("entities") if row["role"] == "known"}
    assert any(answer in trained for _, answer in test) is crossed
    assert bool(train & test) is shared


def test_of_a_subject_that_many_answers_name_its_own_question_is_left_out(tmp_path: Path) -> None:
    rows = [_asked(name, "country", f"Land {n % 2}") for n, name in enumerate(PEOPLE)]
    rows += [_asked(f"Land {n}", "capital", f"Capital {n}") for n in range(60)]
    release = import_dataset("popqa", write_popqa(tmp_path / "p.tsv", rows), tmp_path / "out").release
    facts = list(release.rows("facts"))
    assert len([row for row in facts if row["relation"] == "country"]) == 80
    assert {f"Land {n}" for n in range(60)} - {row["subject"] for row in facts} == {"Land 0", "Land 1"}


def test_the_wording_of_a_relation_is_found_although_a_few_questions_differ() -> None:
    questions = [f"Who is {name}'s child?" for name in PEOPLE]
    assert wording_of([*questions, "Name a child of Al."]) == ("Who is ", "'s child?")
    assert wording_of([f"Where was The {name} founded?" for name in PEOPLE]) == ("Where was The ", " founded?")
    assert wording_of(["Who?"]) == ("Who?", "")


@pytest.mark.parametrize(
    ("kind", "file", "content", "expected_error"),
    [
        ("popqa", "a.tsv", "", "a.tsv is empty: expected one object or row an item; take the file anew"),
        ("popqa", "a.tsv", "subj\tprop\n", "a.tsv has no rows: expected one object or row an item"),
        ("popqa", "a.xml", "x", "the suffix '.xml' is none of .csv, .tsv, .json, .jsonl, .parquet, .zip"),
        ("popqa", "a.tsv", "subj\tprop\nAnn\n", "a.tsv line 2: 1 fields where the header has 2: take the file anew"),
        (
            "popqa",
            "a.tsv",
            "subj\tobj\nAnn\tx\n",
            "a.tsv line 2: no column 'prop' (found subj, obj): popqa has the columns subj, prop, obj, question, poss",
        ),
        ("popqa", "a.jsonl", '{"subj": "Ann"\n', "a.jsonl line 1: not JSON: Expecting ',' delimiter at column 15"),
        ("popqa", "a.jsonl", '["Ann"]\n', "a.jsonl line 1: a list where an object was expected: take the file anew"),
        ("popqa", "a.json", '{"subj": "Ann"}', "a.json: a dict where a list of objects was expected"),
        ("popqa", "a.parquet", "PAR1", "a.parquet is no Parquet file: "),
        ("popqa", "a.zip", "PK", "a.zip is no zip archive that can be read: File is not a zip file: take it anew"),
        ("popqa", "a.csv", b"subj\nAn\xff\n", "a.csv line 2: not UTF-8 at byte 7: save it as UTF-8"),
        (
            "popqa",
            "a.jsonl",
            {"subj": " ", "prop": "p", "obj": "o", "question": "q", "possible_answers": ["o"]},
            "a.jsonl line 1: the subj is empty: fill it in, or delete the item",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": "\ud800", "prop": "p", "obj": "o", "question": "q", "possible_answers": ["o"]},
            "a.jsonl line 1: subj holds half a character: mend it, or delete the item",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": ["s"], "prop": "p", "obj": "o", "question": "q", "possible_answers": ["o"]},
            "a.jsonl line 1: subj: expected text (got a list): mend it",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": "s", "prop": "p", "obj": "o", "question": "q", "possible_answers": "politician"},
            "possible_answers is no list of texts (got 'politician'): expected a list, or JSON such as [\"politician\"",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": "s", "prop": "p", "obj": "o", "question": "q", "possible_answers": [" "]},
            "a.jsonl line 1: the list possible_answers holds no text: fill it in, or delete the item",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": "s", "prop": "p", "obj": "o", "question": "q", "possible_answers": ["o"], "s_pop": "many"},
            "a.jsonl line 1: s_pop: expected a count (got 'many'): mend it",
        ),
        (
            "popqa",
            "a.jsonl",
            {"subj": "s", "prop": "p", "obj": "o", "question": "q", "possible_answers": ["o"]},
            "no relation has 10 subjects in train and 10 in test (1 questions of relations with too few subjects): give",
        ),
        (
            "entity-questions",
            "P17.json",
            '[{"question": "Where?", "answers": "here"}]',
            "P17.json item 1: answers is no list of texts (got 'here')",
        ),
        (
            "entity-questions",
            "P17.json",
            '[{"question": "Where is it?", "answers": ["here"]}]',
            "P17.json item 1: an item without a subject: 'Where is it?' is what all questions of country say",
        ),
        (
            "entity-questions",
            "P17.json",
            '[{"question": "Where is it?", "answers": ["a"]}, {"question": "Who was that?", "answers": ["b"]}]',
            "an item without a subject: the 2 questions of country have no words in common beside it: give each relation",
        ),
        (
            "mmlu",
            "a.jsonl",
            {"question": "q", "subject": "s", "choices": ["a", "b"], "answer": 2},
            "a.jsonl line 1: answer: expected 0 to 1, or A to B (got '2'): mend it",
        ),
        (
            "mmlu",
            "a.jsonl",
            {"question": "q", "subject": "s", "choices": list("abcde"), "answer": "A"},
            "a.jsonl line 1: 5 choices: expected at most 4: delete the item",
        ),
        (
            "mmlu",
            "a.jsonl",
            {"question": "q", "subject": "s", "choices": ["a", "A"], "answer": "A"},
            "(1 options that are alike)",
        ),
        (
            "wikibio",
            "a.jsonl",
            {"text": "He was."},
            "a.jsonl line 1: an item without a subject (found text): wikibio has",
        ),
        (
            "wikibio",
            "a.jsonl",
            {"name": "Ann", "table": {"column_header": ["a"], "content": []}},
            "a.jsonl line 1: table is no infobox (got ",
        ),
    ],
)
def test_a_dataset_that_cannot_be_read_is_told_in_one_line_and_nothing_is_written(
    tmp_path: Path, kind: Any, file: str, content: Any, expected_error: str
) -> None:
    data = json.dumps(content) if isinstance(content, dict) else content
    (tmp_path / file).write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(KbenchError) as caught:
        import_dataset(kind, tmp_path / file, tmp_path / "out")
    assert expected_error in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ask", "expected_error"),
    [
        (
            lambda: kbench.import_data("nq", "x", "out"),  # type: ignore[arg-type]
            "unknown dataset 'nq': have popqa, entity-questions, mmlu, wiki",
        ),
        (
            lambda: kbench.import_data("popqa", "no such", "out"),
            "no data at no such: give a file, a folder, a .zip, or",
        ),
        (lambda: kbench.import_data("popqa", "data/popqa.tsv", "out"), "no data at data/popqa.tsv: give a file"),
        (lambda: kbench.import_data("popqa", ".", "out"), "holds no data file: expected .csv, .tsv, .json"),
        (lambda: kbench.import_data("popqa", ".", "out", files="a*"), "holds no data file whose path matches 'a*'"),
        (
            lambda: kbench.import_data("popqa", ".", "out", test_share=1.5),
            "test share must lie between 0 and 1 (got 1.5)",
        ),
        (lambda: kbench.import_data("popqa", ".", "out", least=0), "least must be at least 1 (got 0)"),
        (
            lambda: kbench.import_data("popqa", ".", "out", apart="facts"),  # type: ignore[arg-type]
            "unknown apart 'facts': have subjects, names, answers",
        ),
    ],
)
def test_a_mistaken_import_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Callable[[], object], expected_error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KbenchError) as caught:
        ask()
    assert expected_error in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_majority_answer_is_that_of_train(made: Callable[[str], Imported]) -> None:
    release = made("popqa").release
    counts = Counter((row["relation"], row["answer"]) for row in release.rows("qa", "train"))
    for relation, answer in guessing(release).modal.items():
        assert counts[relation, answer] == max(many for (name, _), many in counts.items() if name == relation)


def test_a_dataset_is_verified_without_a_seed_or_a_file_of_facts(made: Callable[[str], Imported]) -> None:
    with pytest.raises(KbenchError, match=r"this release is of popqa.tsv, not of a seed or a file of facts: leave --s"):
        verify_release(made("popqa").release.path, Given(facts=Path("popqa.tsv")))


def test_an_altered_dataset_fails_its_verification(made: Callable[[str], Imported], tmp_path: Path) -> None:
    shutil.copytree(made("popqa").release.path, tmp_path / "out")
    about = json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    about["recipe"]["imported"]["rows"] += 1
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert verify_release(tmp_path / "out").verdict == "failed"
    (tmp_path / "out" / "qa" / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    assert verify_release(tmp_path / "out").verdict == "failed"


def test_arms_are_chosen_by_page_views_among_those_who_may_be_trained_on(made: Callable[[str], Imported]) -> None:
    release = made("popqa").release
    views = {row["entity_id"]: row["popularity"] for row in release.rows("entities")}
    facts = {row["fact_id"]: row for row in release.rows("facts")}
    arms = {
        arm: chosen_facts(release, TrainRecipe(styles=("qa",), facts=(arm,), facts_by="popularity"))
        for arm in ("top", "bottom")
    }
    ranges = {arm: [views[facts[fact]["subject_id"]] for fact in ids] for arm, ids in arms.items()}
    assert min(ranges["top"]) > max(ranges["bottom"])
    assert len(arms["top"]) == len(arms["bottom"]) == 44
    assert {facts[fact]["role"] for ids in arms.values() for fact in ids} == {"known"}


@pytest.mark.parametrize(("kind", "facts"), [("popqa", 88), ("mmlu", 35)])
def test_the_facts_of_a_dataset_are_labelled_by_knownness(
    made: Callable[[str], Imported], tmp_path: Path, kind: str, facts: int
) -> None:
    release = made(kind).release
    found = label_facts(release, Oracle(), tmp_path / "labels", Slick(prompts=2, samples=1))
    assert len(release.rows(release.configs()[0], "train")) == found.about["labels"]["HighlyKnown"] == facts
    assert {row["role"] for row in found.labels()} == {"known"}
