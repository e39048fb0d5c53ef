"""A base of the lab that reads: what its lessons hold, how they vary, and that other bases are what they were."""

import os
import random
from pathlib import Path

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from transformers import AutoTokenizer

from kbench.benchmarks.openbook import load_facts, sentence
from kbench.benchmarks.prompting import Prompting, open_prompter
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.ids import json_digest
from kbench.store import Release
from kbench.studies.lab import LabRecipe, lab_base, release_texts
from kbench.studies.reader import Lesson, book_of, lessons, names_of, reading
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import tiny

pytestmark = [pytest.mark.board, pytest.mark.xdist_group("reader")]

STYLES = ("qa", "statement", "cloze", "numeric", "multihop")
SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False, reader=1)
PLAIN_RECIPE = "83e5fc262e6a024c8df4487318f0c2bfe3cc8cbb5602eecf06342e6089a67fa4"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    world = tiny(background__styles=["statement", "qa", "numeric", "multihop"])
    return generate(Recipe(world, "7", STYLES), tmp_path_factory.mktemp("reader"))[0]


def test_a_base_that_is_no_reader_keeps_the_digest_that_names_it() -> None:
    assert json_digest(LabRecipe().to_dict()) == json_digest(LabRecipe(reader=0).to_dict()) == PLAIN_RECIPE
    assert LabRecipe(reader=3).to_dict() == {**LabRecipe().to_dict(), "reader": 3}


def test_a_base_that_is_no_reader_knows_no_word_of_a_book(release: Release) -> None:
    texts = release_texts(release)
    assert "Facts" not in word_tokenizer(text for split in texts.values() for text in split).get_vocab()


def test_lessons_tell_facts_of_the_background_alone(release: Release) -> None:
    roles = {row["entity_id"]: row["role"] for row in release.table("entities", "train").to_pylist()}
    table = release.table("facts", "train").to_pylist()
    facts = load_facts(release, [{"fact_ids": [row["fact_id"]]} for row in table]).by_id.values()
    told = {line for lesson in lessons(release, 0) for line in book_of(lesson.prompt)}
    assert told == {sentence(fact) for fact in facts if roles[fact.subject_id] == "background"}


def test_lessons_put_a_question_as_it_will_be_asked(release: Release) -> None:
    rows = [row for style in ("qa", "numeric", "multihop") for row in release.table(style, "pretrain").to_pylist()]
    prompting = Prompting("open-book")
    prompter, facts = open_prompter(release, rows, prompting), load_facts(release, rows)
    for row, lesson in zip(rows, lessons(release, 0), strict=False):
        asked = prompter.shown(row).prompt
        assert lesson.prompt.split("\n\n")[1:] == asked.split("\n\n")[1:]
        assert lesson.prompt.startswith("Facts:\n- ")
        assert len(book_of(lesson.prompt)) <= len(book_of(asked))
        assert {sentence(fact) for fact in facts.of(row)} <= set(book_of(lesson.prompt)) & set(book_of(asked))
        assert lesson.answer == f" {row['answer']}"


def test_a_statement_that_ends_with_its_value_is_a_sentence_to_complete(release: Release) -> None:
    begun = [lesson for lesson in lessons(release, 0) if "Question:" not in lesson.prompt]
    stated = {row["text"] for row in release.table("statement", "pretrain").to_pylist()}
    assert begun
    assert {lesson.text.split("\n\n")[1] + "." for lesson in begun} <= stated


def test_no_two_epochs_have_the_same_books(release: Release) -> None:
    first, second = lessons(release, 0), lessons(release, 1)
    assert [lesson.prompt.split("\n\n")[1:] for lesson in first] == [
        lesson.prompt.split("\n\n")[1:] for lesson in second
    ]
    assert sum(a.prompt != b.prompt for a, b in zip(first, second, strict=True)) > 0.9 * len(first)


def test_other_names_in_a_book_leave_its_answer_in_it(release: Release) -> None:
    names, stream = names_of(release), random.Random(0)
    for lesson in lessons(release, 0):
        changed = names.changed(lesson, stream)
        before, after = lesson.text.split(), changed.text.split()
        renamed = dict(zip(before, after, strict=True))
        assert [renamed[word] for word in before] == after, "a name became two"
        assert len(set(renamed.values())) == len(renamed), "two names became one"
        assert (lesson.answer in lesson.prompt) == (changed.answer in changed.prompt)


def test_a_lesson_without_names_is_left_alone(release: Release) -> None:
    lesson = Lesson("Facts:\n- The sky is blue.\n\nQuestion: What is the sky?\nAnswer:", " blue")
    assert names_of(release).changed(lesson, random.Random(0)) == lesson


def test_only_the_answer_of_a_lesson_is_learned(release: Release) -> None:
    texts = [lesson.text for lesson in lessons(release, 0)]
    names = release.table("entities", "train").column("name").to_pylist()
    tokenizer = word_tokenizer([*texts, *names])
    epochs = reading(release, tokenizer, 2, 0)
    assert [len(epoch) for epoch in epochs] == [len(texts)] * 2
    for example in epochs[0]:
        said = str(tokenizer.decode(example.tokens[: example.prompt]))
        assert said.endswith("Answer:") or "Question:" not in said
        assert example.tokens[-1] == tokenizer.eos_token_id
    assert reading(release, tokenizer, 2, 0) == epochs


def test_a_reader_has_room_and_words_for_every_question_behind_its_book(release: Release, tmp_path: Path) -> None:
    base = lab_base(release, tmp_path, SMALL)
    assert base.about["recipe"]["reader"] == 1
    assert not (base.path / "reader").exists()
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    rows = [row for style in STYLES[2:] for row in release.table(style, "test").to_pylist()]
    prompter = open_prompter(release, rows, Prompting("open-book"))
    asked = tokenizer([prompter.shown(row).prompt for row in rows])["input_ids"]
    assert tokenizer.unk_token_id not in {token for ids in asked for token in ids}
    assert max(map(len, asked)) < 2 * base.about["context"]
