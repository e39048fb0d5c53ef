"""How questions are put and answers read: exemplars, chains of thought, open books, chats."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.match import exact_match, normalise
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.openbook import DISTRACTORS, load_facts, open_book, sentence
from kbench.benchmarks.prompting import PLAIN, Prompting, default_max_tokens, read_answer
from kbench.benchmarks.prompts import prompt_of
from kbench.benchmarks.reasoning import bridges, chain, chain_facts
from kbench.benchmarks.shots import Pool, exemplars, load_pool, subjects_of
from kbench.benchmarks.tasks import Item, load_items, shots_shown
from kbench.errors import SpecError
from kbench.exports.examples import check_messages
from kbench.shelf import DEFAULT, shelved
from kbench.store import MANIFEST, Release, open_release
from tests.samples import Sample

SCORED = ("train", "test", "control")
HELD_OUT = ("validation", "test", "control")
COT = json.loads((Path(__file__).parent / "cases" / "cot.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def kbench_tiny() -> Release:
    """The release on the shelf."""
    folder = shelved(DEFAULT)
    assert folder
    return open_release(folder)


@pytest.fixture(scope="module", params=["kbench-tiny", "lab", "default"])
def release(request: pytest.FixtureRequest, kbench_tiny: Release, lab: Sample, default_sample: Sample) -> Release:
    """Releases with reasoning, with six relations, and with all relations, spouses and a persona."""
    return {"kbench-tiny": kbench_tiny, "lab": lab.release, "default": default_sample.release}[request.param]


@pytest.fixture(scope="module")
def tiny_pool(kbench_tiny: Release) -> Pool:
    """What exemplars of kbench-tiny are drawn from."""
    return load_pool(kbench_tiny, {"qa", "multihop", "cloze", "reverse"})


def some(release: Release, *styles: str, split: str = "test", step: int = 1) -> list[dict[str, Any]]:
    """Every so many rows of some styles."""
    rows = [row for style in styles for row in release.table(style, split).to_pylist()]
    return rows[::step]


def transcript(messages: Sequence[Mapping[str, str]]) -> str:
    """A chat template, as short as they come."""
    return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"


def test_a_plain_prompt_is_byte_for_byte_that_of_the_training_text(release: Release) -> None:
    for item in load_items(release, SCORED):
        assert (item.prompt, item.messages, item.bridges, item.shots) == (prompt_of(item.row), (), (), ())


@pytest.mark.parametrize("shots_from", ["same", "other"])
def test_no_exemplar_gives_away_what_a_row_asks(release: Release, shots_from: Any) -> None:
    held_out = {
        row["template_id"]
        for style in release.configs()
        for split in HELD_OUT
        if split in release.splits(style) and style not in ("facts", "entities")
        for row in release.table(style, split).select(["template_id"]).to_pylist()
    }
    names = {e["entity_id"]: e["name"] for e in release.table("entities", "train").to_pylist()}
    items = load_items(release, SCORED, 150, Prompting(shots=4, shots_from=shots_from))
    for item in items:
        about = subjects_of(item.row)
        assert len(item.shots) == len({shot["entity_id"] for shot in item.shots}) == 4
        for shot in item.shots:
            assert not set(shot["fact_ids"]) & set(item.row["fact_ids"]), (item.row["id"], shot["id"])
            assert not about & subjects_of(shot), (item.row["id"], shot["id"])
            assert shot["template_id"] not in held_out, shot["id"]
            assert shot["split"] in ("pretrain", "train")
            # Of a couple, the one's spouse names the other: a name of the row's subject must not stand there at all.
            told = " ".join([shot["question"], *shot["answers"]]) if shot["style"] != "choice" else shot["answer"]
            assert not any(names[who] in told for who in about), (item.row["id"], shot["id"])
            assert (shot["relation"] == item.row["relation"]) <= (shots_from == "same")


@pytest.mark.parametrize(
    ("split", "filled_from", "left"),
    [
        ("pretrain", "train", {"train"}),  # about those whom the tests ask about
        ("train", "test", {"pretrain"}),  # in the phrasings of the tests
    ],
)
def test_rows_that_the_tests_are_too_near_to_are_never_shown(
    lab_release: Release, tmp_path: Path, split: str, filled_from: str, left: set[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(lab_release.path, copy)
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    files = {(f["config"], f["split"]): f for f in manifest["files"]}
    given, taken = files["qa", split], files["qa", filled_from]
    (copy / given["path"]).write_bytes((copy / taken["path"]).read_bytes())
    given["sha256"] = taken["sha256"]
    (copy / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    pool = load_pool(open_release(copy), {"qa"})
    assert {shown["split"] for shown in pool.every()} == left
    assert {shown["split"] for shown in load_pool(lab_release, {"qa"}).every()} == {"pretrain", "train"}


def test_an_exemplar_is_taken_from_train_only_where_pretrain_lacks_its_style(kbench_tiny: Release) -> None:
    asked = ("qa", "numeric", "multihop", "reverse", "cloze", "choice")
    held = load_pool(kbench_tiny, asked).subjects.items()
    first = {(style, next(iter(splits))) for (style, _), splits in held if style in asked}
    assert first == {(style, "pretrain") for style in ("multihop", "numeric", "qa")} | {
        (style, "train") for style in ("choice", "cloze", "reverse")
    }


def test_exemplars_of_a_relation_with_too_few_subjects_have_its_type_of_value_and_are_counted(
    kbench_tiny: Release,
) -> None:
    items = load_items(kbench_tiny, ("train",), None, Prompting(shots=4))
    strangers = [(item.row, shot) for item in items for shot in item.shots if shot["relation"] != item.row["relation"]]
    assert {row["relation"] for row, _ in strangers} == {"maker"}
    assert all(shot["value_type"] == row["value_type"] for row, shot in strangers)
    assert shots_shown(items)["other relation"] == len(strangers) == 32


def test_exemplars_have_different_values_where_there_are_as_many(kbench_tiny: Release, tiny_pool: Pool) -> None:
    for row in some(kbench_tiny, "qa"):
        shown = exemplars(tiny_pool, row, 4, seed=0)
        assert len({normalise(shot["answer"]) for shot in shown}) == 4, row["id"]


def test_exemplars_do_not_depend_on_the_right_answer(kbench_tiny: Release, tiny_pool: Pool) -> None:
    rows = some(kbench_tiny, "qa", "cloze", "multihop", step=7)
    right = 0
    for row in rows:
        shown = exemplars(tiny_pool, row, 4, seed=0)
        assert shown == exemplars(tiny_pool, {**row, "answer": "nothing", "answers": ["nothing"]}, 4, seed=0)
        right += any(exact_match(shot["answer"], row["answers"]) for shot in shown)
    assert 0 < right < len(rows)


@pytest.mark.parametrize("prompting", [Prompting(shots=3), Prompting("cot", 2, "other"), Prompting("open-book", 1)])
def test_a_prompt_follows_from_seed_and_row_alone(kbench_tiny: Release, prompting: Prompting) -> None:
    def by_id(items: list[Item]) -> dict[str, str]:
        return {item.row["id"]: item.prompt for item in items}

    few = by_id(load_items(kbench_tiny, ("test",), 5, prompting))
    every = by_id(load_items(kbench_tiny, ("control", "test"), 60, prompting))
    assert few.items() <= every.items()
    other = by_id(load_items(kbench_tiny, ("test",), 5, Prompting(**{**prompting.to_dict(), "seed": 1})))
    changed = sum(few[key] != other[key] for key in few)
    assert changed > len(few) * 0.9


def test_one_set_of_exemplars_serves_a_relation_but_for_those_it_is_about(
    kbench_tiny: Release, tiny_pool: Pool
) -> None:
    rows = [row for row in some(kbench_tiny, "qa") if row["relation"] == "born"]
    sets = {tuple(shot["id"] for shot in exemplars(tiny_pool, row, 4, seed=3, one_set=True)) for row in rows}
    assert len(sets) == 1
    (shown,) = sets
    own = {row["id"]: row for row in some(kbench_tiny, "qa", split="pretrain")}[shown[1]]
    instead = [shot["id"] for shot in exemplars(tiny_pool, own, 4, seed=3, one_set=True)]
    assert shown[1] not in instead
    assert len(set(instead) & set(shown)) == 3


@pytest.mark.parametrize("shots", [1, 4])
def test_shots_stand_before_the_question_as_training_text(kbench_tiny: Release, shots: int) -> None:
    for item in load_items(kbench_tiny, ("test",), 3, Prompting(shots=shots)):
        *before, asked = item.prompt.split("\n\n")
        assert asked == prompt_of(item.row)
        for block, shot in zip(before, item.shots, strict=True):
            stop = "." if shot["style"] == "cloze" else ""
            assert block == f"{prompt_of(shot)} {shot['answer']}{stop}"


def test_the_chain_written_from_the_facts_names_every_bridge_and_is_read_as_the_right_answer(release: Release) -> None:
    rows = [item.row for item in load_items(release, SCORED, 200)]
    facts = load_facts(release, rows)
    multihop = 0
    for row in rows:
        reply = f" {chain(facts, row)}\nAnswer: {row['answer']}\n\nQuestion: What else?\nAnswer: nothing"
        assert exact_match(read_answer(Prompting("cot"), row, reply), row["answers"]), row["id"]
        share = chain_facts(bridges(facts, row), reply)
        assert share in (None, 1.0), row["id"]
        multihop += share == 1.0
        if share is not None:
            assert chain_facts(bridges(facts, row), f"I know it.\nAnswer: {row['answer']}") == 0.0
    assert multihop


def test_a_chain_has_one_sentence_a_hop_and_repeats_no_name(kbench_tiny: Release) -> None:
    paths = [row for row in some(kbench_tiny, "multihop") if row["relation"] == "employer.industry"]
    facts = load_facts(kbench_tiny, paths)
    for row in paths:
        employer, industry = facts.of(row)
        assert chain(facts, row) == f"The employer is {employer.value}. The industry is {industry.value}."
        assert bridges(facts, row) == ((employer.value,),)


@pytest.mark.parametrize(
    ("chain_said", "share"),
    [
        ("The height of A is 169 cm. The height of B is 184 cm.", 1.0),
        ("A has 169 and B 184.", 1.0),
        ("A has 169 cm.", 0.5),
        ("A has 1690 cm, B 18.184.", 0.0),
        ("", 0.0),
    ],
)
def test_a_bridge_counts_as_named_in_any_usual_form(chain_said: str, share: float) -> None:
    needed = (("169 cm", "169"), ("184 cm", "184"))
    assert chain_facts(needed, f"{chain_said}\nAnswer: B") == share
    assert chain_facts((), chain_said) is None


@pytest.mark.parametrize("case", COT, ids=lambda case: case["reason"])
def test_an_answer_is_read_out_of_a_chain_of_thought(case: dict[str, Any]) -> None:
    row = {"style": case.get("style", "qa"), "question": case.get("question", "?"), "answers": case["answers"]}
    found = read_answer(Prompting("cot"), row, case["reply"])
    assert found == case["prediction"]
    assert exact_match(found, row["answers"]) is case.get("correct", True)


def test_an_open_book_holds_the_facts_needed_among_others(release: Release) -> None:
    rows = [item.row for item in load_items(release, SCORED, 60)]
    facts = load_facts(release, rows)
    places = set[int]()
    for row in rows:
        needed = [sentence(fact) for fact in facts.of(row)]
        book = open_book(facts, row, seed=0)
        assert set(needed) <= set(book)
        assert len(book) == len(needed) + DISTRACTORS, row["id"]
        assert len(set(book)) == len(book)
        last = facts.of(row)[-1]
        rivals = [told for told in book if told not in needed and told.startswith(f"The {last.label} of ")]
        assert rivals or len(facts.by_relation[last.relation]) < 4, row["id"]
        places.add(book.index(needed[0]))
    assert places >= set(range(DISTRACTORS + 1))


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        ("born", "The date of birth of "),
        ("alma_mater", "The alma mater of "),
        ("election_winner", "The winner of "),
        ("opinion_chess", "The opinion of chess of "),
        ("price", "The price of "),
    ],
)
def test_a_fact_reads_as_a_sentence(default_sample: Sample, relation: str, expected: str) -> None:
    row = next(fact for fact in default_sample.facts.values() if fact["relation"] == relation)
    facts = load_facts(default_sample.release, [{"fact_ids": [row["fact_id"]]}])
    assert sentence(facts.by_id[row["fact_id"]]) == f"{expected}{row['subject']} is {row['value']}."


@pytest.mark.parametrize("prompting", [Prompting(shots=2, chat=True), Prompting("cot", 1, chat=True)])
def test_a_chat_has_a_turn_each_for_exemplar_and_answer_and_the_question_last(
    kbench_tiny: Release, prompting: Prompting
) -> None:
    for item in load_items(kbench_tiny, ("test", "control"), 3, prompting, transcript):
        assert item.chat
        assert len(item.messages) == 2 * prompting.shots + 1
        check_messages(item.row["id"], [*map(dict, item.messages), {"role": "assistant", "content": "x"}])
        assert item.messages[-1]["content"].endswith(item.row["question"])
        assert item.prompt == transcript(item.messages)
        for turn, shot in zip(item.messages[1::2], item.shots, strict=True):
            assert exact_match(read_answer(prompting, shot, turn["content"]), shot["answers"])


def test_a_zero_shot_chat_asks_the_question_itself_and_of_a_cloze_its_end(kbench_tiny: Release) -> None:
    items = load_items(kbench_tiny, ("test",), 1, Prompting(chat=True), Oracle().chat)
    asked = {item.row["style"]: (item.prompt, item.row["question"]) for item in items}
    assert asked["qa"][0] == asked["qa"][1]
    words = "Complete this sentence, and write only the words that are missing at its end: "
    assert asked["cloze"][0] == words + asked["cloze"][1]


def test_a_chat_that_repeats_the_sentence_of_a_cloze_is_read_behind_it() -> None:
    row = {"style": "cloze", "question": "The home of Peltialvin is", "answers": ["St. Ives"]}
    assert read_answer(Prompting(chat=True), row, "The home of Peltialvin is St. Ives.") == "St. Ives"
    assert read_answer(PLAIN, row, " St. Ives. The") == "St. Ives"


@pytest.mark.parametrize(
    "prompting",
    [
        PLAIN,
        Prompting(shots=2),
        Prompting(shots=2, shots_from="other"),
        Prompting("cot"),
        Prompting("cot", 2),
        Prompting("chain"),
        Prompting("open-book"),
        Prompting(shots=1, chat=True),
    ],
)
def test_the_page_shows_each_prompt_as_it_is(kbench_tiny: Release, prompting: Prompting) -> None:
    page = (Path(__file__).parent.parent / "docs" / "prompts.md").read_text(encoding="utf-8")
    items = load_items(kbench_tiny, ("test",), 1, prompting, Oracle().chat if prompting.chat else None)
    shown = next(item for item in items if item.row["style"] == "multihop")
    assert shown.row["id"] in page
    turns = "\n".join(f"{turn['role']}: {turn['content']}" for turn in shown.messages)
    assert f"```text\n{turns or shown.prompt}\n```" in page


def test_a_chain_may_be_longer_than_an_answer() -> None:
    assert (default_max_tokens(PLAIN), default_max_tokens(Prompting("cot"))) == (32, 128)


@pytest.mark.parametrize(
    ("choices", "expected_error"),
    [
        ({"name": "tree"}, "unknown prompt 'tree': have plain, cot, chain, open-book"),
        (
            {"name": "chain", "shots": 2},
            "the prompt 'chain' is put as chains are taught, without shots (got 2): take the prompt 'cot'",
        ),
        (
            {"name": "chain", "chat": True},
            "the prompt 'chain' is put as chains are taught, without a chat: take the prompt 'cot'",
        ),
        ({"shots": 65}, "shots must lie in 0 to 64 (got 65)"),
        ({"shots": -1}, "shots must lie in 0 to 64 (got -1)"),
        ({"shots_from": "test"}, "shots come from 'same' or 'other' relations (got 'test')"),
    ],
)
def test_a_prompting_that_cannot_be_is_told(choices: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as told:
        Prompting(**choices)
    assert str(told.value) == expected_error


def test_a_chat_without_a_template_is_told(kbench_tiny: Release) -> None:
    with pytest.raises(SpecError, match="a chat prompt needs a model with a chat template: score it without --chat"):
        load_items(kbench_tiny, ("test",), 1, Prompting(chat=True))


def test_more_shots_than_there_are_subjects_are_told(kbench_tiny: Release, tiny_pool: Pool) -> None:
    row = next(row for row in some(kbench_tiny, "reverse", split="train") if row["relation"] == "maker")
    few = Pool({("reverse", "maker"): tiny_pool.subjects["reverse", "maker"]})
    with pytest.raises(SpecError) as told:
        exemplars(few, row, 4, seed=0)
    assert str(told.value) == (
        f"--shots 4 needs 4 exemplars for {row['id']!r}, and the release has 3 that are not about its subjects: "
        "take --shots 3, or a release with more entities"
    )
