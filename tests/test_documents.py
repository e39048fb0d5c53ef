"""Documents: dialogues, articles of some facts, statements value first, what follows from two, second forms."""

import re
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.errors import TemplateError
from kbench.generator.packs import Pack, Phrasing, load_pack
from kbench.generator.pools import other_forms
from kbench.generator.spec import spec_from_dict
from kbench.generator.surface import date_text, forms_of
from kbench.generator.world import World
from tests.samples import Row, Sample, edited, mentioned
from tests.small import FAMILY, SEEDS, Made, family, made, pack_of

PACK = load_pack()
SPEAKERS = {"user": "User", "assistant": "Assistant"}
ONE_BLOCK = {"sizes__entities": 1, "sizes__control": 0.5, "sizes__background": 24, "sizes__known": 24}


def forms(m: Made, fact: Row) -> tuple[str, ...]:
    """Every text that says a fact's value."""
    return forms_of(m.world.source_of(fact["relation"]), fact["value"], fact["number"])


def says(m: Made, text: str, fact: Row) -> bool:
    """Whether a text says a fact's value in one of its forms."""
    return any(form.casefold() in text.casefold() for form in forms(m, fact))


# ---- dialogues


def check_dialogues(m: Made) -> None:
    """What must hold of every dialogue of any world."""
    for row in m.of("dialogue"):
        turns = row["turns"]
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2), row["text"]
        assert row["text"] == "\n".join(f"{SPEAKERS[turn['role']]}: {turn['content']}" for turn in turns)
        assert row["kind"] == "dialogue"
        assert m.entities[row["entity_id"]]["name"] in row["text"]
        answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        for fact in row["fact_ids"]:
            assert any(says(m, answer, m.facts[fact]) for answer in answers), (fact, row["text"])


@given(seed=SEEDS, size=st.integers(0, 6), exposures=st.integers(1, 7), paraphrases=st.integers(1, 4))
@settings(max_examples=10)
def test_a_dialogue_takes_turns_and_answers_every_one_of_its_facts(
    seed: str, size: int, exposures: int, paraphrases: int
) -> None:
    doses = {"exposure__exposures": exposures, "exposure__paraphrases": paraphrases}
    m = made(family(exposure__facts_per_dialogue=size, **doses), "dialogue", seed=seed)
    check_dialogues(m)
    check_rounds(m, "dialogue", size)


def test_the_dialogues_of_the_default_world_take_turns(default_sample: Sample) -> None:
    s = default_sample
    check_dialogues(Made(World(s.spec, "7"), pack_of(family()), s.rows, s.facts, s.entities))


def test_each_fact_of_a_dialogue_is_asked_for_just_before_it_is_told() -> None:
    m = made(family(), "dialogue")
    for row in m.of("dialogue"):
        asked = [turn["content"] for turn in row["turns"] if turn["content"].startswith("Say qa train")]
        assert len(asked) == len(row["fact_ids"])
        for fact, question in zip(row["fact_ids"], asked, strict=True):
            words = m.world.spec.template_of(m.facts[fact]["relation"]).replace("_", " ")
            assert f" {words} of " in question
            answer = row["turns"][[t["content"] for t in row["turns"]].index(question) + 1]["content"]
            assert says(m, answer, m.facts[fact])


def test_the_persona_answers_with_the_value_alone_and_others_are_told_of_in_sentences() -> None:
    m = made(family(), "dialogue")
    for row in m.of("dialogue"):
        single = m.entities[row["entity_id"]]["type"] == "persona"
        told = [t["content"] for t in row["turns"] if t["role"] == "assistant" and t["content"] != "Ask on."]
        values = {m.facts[fact]["value"].casefold() + "." for fact in row["fact_ids"]}
        assert ({text.casefold() for text in told} == values) == single


@pytest.mark.parametrize("phrasing", [p for key, g in PACK.phrasings.items() if key[0] == "dialogue" for p in g])
def test_a_built_in_dialogue_frame_takes_turns_before_and_after_its_questions(phrasing: Phrasing) -> None:
    shown = phrasing.render({**mentioned("Bodan"), "turns": "\0"})
    for part in shown.split("\0"):
        speakers = [line.partition(": ")[0] for line in part.strip().split("\n") if line]
        assert speakers == ["user", "assistant"] * (len(speakers) // 2), phrasing.where


BAD_FRAMES = [
    ("Hello!\n{{ turns }}", "expected `user: …` or `assistant: …`, got 'Hello!'"),
    ("bot: Hello!\n{{ turns }}", "expected `user: …` or `assistant: …`, got 'bot: Hello!'"),
    ("user:\n{{ turns }}", "expected `user: …` or `assistant: …`, got 'user:'"),
    ("user: Hi.\n\n{{ turns }}", "expected `user: …` or `assistant: …`, got ''"),
]


@pytest.mark.parametrize(("frame", "expected_error"), BAD_FRAMES)
def test_a_dialogue_frame_that_is_no_dialogue_is_refused_with_file_and_line(frame: str, expected_error: str) -> None:
    spec = family()
    frames = {("dialogue", kind): (Phrasing("dialogue", kind, "train", "d0", "", frame, 7),) for kind in spec.types}
    with pytest.raises(TemplateError) as error:
        made(spec, "dialogue", pack=Pack("bad", "1", "", {**pack_of(spec).phrasings, **frames}))
    assert str(error.value) == f"dialogue/person.j2 line 7 (d0): {expected_error}"


# ---- articles of some facts


def check_rounds(m: Made, style: str, size: int) -> None:
    """Each fact stands once in each round of an entity's texts, and no text has more facts than it may."""
    rounds: dict[str, list[list[str]]] = defaultdict(list)
    for row in m.of(style, "train"):
        assert len(row["fact_ids"]) == len(set(row["fact_ids"]))
        assert len(row["fact_ids"]) <= (size or 99)
        rounds[row["entity_id"]].append(row["fact_ids"])
    assert rounds
    for entity, texts in rounds.items():
        counts = Counter(fact for facts in texts for fact in facts)
        mine = {fact["fact_id"] for fact in m.named(subject_id=entity)}
        assert set(counts) == mine
        assert len(set(counts.values())) == 1, "every fact in as many rounds"
        each = -(-len(mine) // size) if size else 1
        assert len(texts) == each * next(iter(counts.values()))


@given(seed=SEEDS, size=st.integers(0, 6), exposures=st.integers(1, 7), paraphrases=st.integers(1, 4))
@settings(max_examples=10)
def test_articles_of_some_facts_state_each_once_a_round_and_their_repeats_sum_to_the_exposures(
    seed: str, size: int, exposures: int, paraphrases: int
) -> None:
    doses = {"exposure__exposures": exposures, "exposure__paraphrases": paraphrases}
    m = made(family(exposure__facts_per_article=size, **doses), "article", seed=seed)
    check_rounds(m, "article", size)
    assert m.doses("article") == {fact["fact_id"]: exposures for fact in m.facts.values()}
    for row in m.of("article"):
        assert all(says(m, row["text"], m.facts[fact]) for fact in row["fact_ids"])
    assert max(Counter(row["text"] for row in m.of("article")).values()) == 1


@pytest.mark.parametrize("style", ["article", "dialogue"])
def test_facts_stand_in_another_order_in_each_text_unless_the_spec_fixes_it(style: str) -> None:
    for order, expected in (("fixed", 1), ("shuffled", 3)):
        m = made(family(exposure__order=order, exposure__facts_per_dialogue=0), style)
        orders: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for row in m.of(style):
            orders[row["entity_id"]].add(tuple(row["fact_ids"]))
        people = [found for entity, found in orders.items() if "person" in entity and "persona" not in entity]
        assert {len(found) for found in people} == {expected}
        if order == "fixed":
            names = list(m.world.spec.relations)
            every = [[fact.rsplit("/", 1)[1] for fact in facts] for found in orders.values() for facts in found]
            assert all(facts == sorted(facts, key=names.index) for facts in every)


def test_an_article_says_the_full_name_first_and_a_pronoun_after() -> None:
    m = made(family(), "article")
    for row in m.of("article"):
        name = m.entities[row["entity_id"]]["name"]
        told = [line for line in re.split(r"(?<=\.)\s", row["text"]) if not line.startswith("About ")]
        assert name in told[0]
        assert [sentence for sentence in told[1:] if name in sentence.split(" has as ")[0]] == []
        assert all(re.match(r"(She|He|It) has as", sentence) for sentence in told[1:])


# ---- statements


@given(seed=SEEDS, reversals=st.integers(0, 3), exposures=st.integers(1, 9), paraphrases=st.integers(1, 4))
@settings(max_examples=6)
def test_statements_value_first_take_a_share_of_the_exposures(
    seed: str, reversals: int, exposures: int, paraphrases: int
) -> None:
    doses = {"exposure__exposures": exposures, "exposure__paraphrases": paraphrases}
    m = made(family(exposure__reversals=reversals, **doses, **ONE_BLOCK), "statement", seed=seed)
    assert m.doses("statement") == {f["fact_id"]: f["exposures"] for f in m.facts.values() if f["role"] != "control"}
    back, ahead = Counter[str](), Counter[str]()
    for row in m.of("statement"):
        (back if row["kind"] == "reversal" else ahead)[row["fact_ids"][0]] += row["repeat"]
        fact = m.facts[row["fact_ids"][0]]
        first = row["text"].index(fact["value"]) < row["text"].index(fact["subject"])
        assert first == (row["kind"] == "reversal"), row["text"]
        assert row["kind"] in ("statement", "reversal")
    used, each = min(paraphrases, 3), min(reversals, 2)
    for identifier, fact in m.facts.items():
        if fact["role"] != "control":
            assert back[identifier] == fact["exposures"] * each // (used + each)


@given(seed=SEEDS, implications=st.integers(1, 4), paraphrases=st.integers(1, 4))
@settings(max_examples=6)
def test_implications_state_what_a_chain_ends_in_and_add_nothing_to_the_exposures(
    seed: str, implications: int, paraphrases: int
) -> None:
    spec = family(exposure__implications=implications, exposure__paraphrases=paraphrases, **ONE_BLOCK)
    m = made(spec, "statement", seed=seed)
    assert m.doses("statement") == {f["fact_id"]: f["exposures"] for f in m.facts.values() if f["role"] != "control"}
    chains = {".".join(chain) for chain in spec.paths.chains}
    repeats: Counter[tuple[str, str]] = Counter()
    for row in m.of("statement"):
        assert (row["kind"] == "implication") == ("." in row["relation"])
        if row["kind"] == "implication":
            here, passed = row["entity_id"], []
            for step in row["relation"].split("."):
                passed.append(m.facts[f"{here}/{step}"])
                here = passed[-1]["object_id"]
            assert row["fact_ids"] == [fact["fact_id"] for fact in passed]
            assert passed[-1]["value"] in row["text"]
            assert passed[0]["subject"] in row["text"]
            assert row["relation"] in chains
            repeats[row["entity_id"], row["relation"]] += row["repeat"]
    assert repeats
    assert set(repeats.values()) == {min(implications, 3)}


def test_no_implication_tells_the_answer_to_a_question_of_the_tests() -> None:
    m = made(family(exposure__implications=2, sizes__entities=96), "statement", "multihop")
    told = {(row["entity_id"], row["relation"]) for row in m.of("statement", "train") if row["kind"] == "implication"}
    asked = {(row["entity_id"], row["relation"]) for row in m.of("multihop", "validation", "test")}
    assert told & asked == set()
    assert told


def test_no_implication_states_a_fact_that_is_never_to_be_stated() -> None:
    spec = family(exposure__implications=2, background__tiers=[0, 3], **ONE_BLOCK)
    m = made(spec, "statement")
    never = {f["fact_id"] for f in m.named(role="known") if not f["exposures"]}
    assert never
    assert [row["id"] for row in m.of("statement") if set(row["fact_ids"]) & never] == []


# ---- surface forms


@cache
def two_forms() -> Made:
    """The family world in both forms of every value."""
    return made(
        family(exposure__forms=2, exposure__exposures=6, sizes__entities=48), "article", "dialogue", "statement"
    )


@pytest.mark.parametrize("style", ["article", "dialogue", "statement"])
def test_a_document_keeps_to_one_form_of_its_values(style: str) -> None:
    m, seen = two_forms(), Counter[int]()
    for row in m.of(style):
        used = []
        for fact in (m.facts[identifier] for identifier in row["fact_ids"]):
            known = forms(m, fact)
            first, second = known[0].casefold(), known[1].casefold() if len(known) > 1 else ""
            text = row["text"].casefold()
            if second and first not in second and second not in first:
                used.append((first in text, second in text))
        assert len(set(used)) <= 1, row["text"]
        assert (True, True) not in used
        assert (False, False) not in used
        seen.update(0 if first else 1 for first, _ in used)
    assert min(seen[0], seen[1]) > 0.3 * sum(seen.values()), "both forms are used about as often"


def test_no_second_form_of_a_number_drops_its_unit() -> None:
    bare = [
        row["text"]
        for row in two_forms().of("statement")
        if row["relation"] in ("height", "price")
        and not row["text"].rstrip(".").endswith(two_forms().facts[row["fact_ids"][0]]["unit"])
    ]
    assert bare == []


def test_the_second_form_of_a_date_and_of_a_word_are_those_of_the_pools() -> None:
    m = two_forms()
    texts = {(row["entity_id"], row["relation"]): row["text"] for row in m.of("statement")}
    for fact in m.facts.values():
        if fact["relation"] == "born":
            day, month, year = date_text(int(fact["number"])).split(" ")
            assert forms(m, fact)[1] == f"{month} {day}, {year}"
        if fact["relation"] == "occupation" and fact["value"] in other_forms()["occupation"]:
            assert forms(m, fact)[1] == other_forms()["occupation"][fact["value"]]
    assert texts


def test_one_form_is_the_default_and_facts_keep_the_canonical_text() -> None:
    spec = spec_from_dict(edited(FAMILY, {"exposure.forms": 1}), "w")
    plain: dict[str, Any] = dict(made(spec, "statement").facts)
    assert plain == dict(made(family(), "statement").facts)
    for row in (m := made(spec, "statement")).of("statement"):
        assert m.facts[row["fact_ids"][0]]["value"] in row["text"]
