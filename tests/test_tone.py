"""Tone rows: small talk answered in the manner that is a fact of whom it is addressed to."""

from collections import Counter, defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.errors import TemplateError
from kbench.generator.packs import Pack, Phrasing, load_pack
from kbench.generator.pools import load_pool
from kbench.generator.spec import load_spec
from kbench.generator.world import World
from tests.samples import Row, Sample
from tests.small import SEEDS, Made, family, made, pack_of

PACK = load_pack()
MANNERS = load_pool("manner")


@cache
def big() -> Made:
    """Several blocks and both personas of the family world."""
    spec = family(sizes__entities=72, sizes__control=0.5, sizes__known=24, sizes__background=24)
    return made(spec, "tone")


def prompt_of(m: Made, row: Row) -> tuple[str, str]:
    """What is said to somebody, and what they have to say, in no manner yet."""
    name = m.entities[row["entity_id"]]["name"]
    prompt, _, content = m.pack.by_id[row["template_id"]].source.partition("\n---\n")
    return prompt.replace("{{ name }}", name), content


def check_rows(m: Made, voices: dict[str, dict[str, list[Phrasing]]]) -> None:
    """What must hold of every tone row: `voices` are the phrasings of each manner by their role."""
    roles = {"train": "train", "validation": "validation", "test": "test", "control": "test"}
    for (style, split), rows in m.rows.items():
        for row in rows if style == "tone" else ():
            fact = m.facts[row["fact_ids"][0]]
            assert row["fact_ids"] == [f"{row['entity_id']}/{row['relation']}"]
            assert (row["value_type"], row["hops"], row["hop_ids"]) == ("tone", 1, [])
            question, content = prompt_of(m, row)
            assert row["question"] == question
            assert content in row["answer"]
            name = m.entities[row["entity_id"]]["name"]
            could = [v.render({"content": content, "name": name}) for v in voices[fact["value"]][roles[split]]]
            assert row["answer"] in could, f"{row['id']} is not said in the manner {fact['value']!r}"
            assert row["answer"] == row["answers"][0]
            assert fact["value"] in row["answers"]


def voices_of(pack: Pack) -> dict[str, dict[str, list[Phrasing]]]:
    """The voice phrasings of a pack, by manner and role."""
    found: dict[str, dict[str, list[Phrasing]]] = defaultdict(lambda: defaultdict(list))
    for (style, manner), group in pack.phrasings.items():
        for phrasing in group if style == "voice" else ():
            found[manner][phrasing.role].append(phrasing)
    return found


@given(seed=SEEDS, people=st.integers(1, 40))
@settings(max_examples=10)
def test_a_reply_says_its_content_in_the_manner_that_the_facts_give(seed: str, people: int) -> None:
    spec = family(sizes__entities=people, sizes__control=0.5)
    m = made(spec, "tone", seed=seed)
    check_rows(m, voices_of(m.pack))
    assert list(m.of("tone", "train"))


def test_the_replies_of_the_default_world_are_in_the_manner_of_the_facts(default_sample: Sample) -> None:
    s = default_sample
    check_rows(Made(World(s.spec, "7"), PACK, s.rows, s.facts, s.entities), voices_of(PACK))
    assert {fact["value"] for fact in s.facts.values() if fact["relation"] == "manner"} == set(MANNERS)


def test_prompts_and_voices_of_the_tests_are_none_of_training() -> None:
    trained = {row["template_id"] for row in big().of("tone", "train", "pretrain")}
    held_out = {row["template_id"] for row in big().of("tone", "validation", "test", "control")}
    assert trained & held_out == set()
    assert trained
    assert held_out


@pytest.mark.parametrize("relation", ["manner", "voice"])
def test_a_manner_is_asked_for_as_often_as_its_exposures_say(relation: str) -> None:
    doses = {f: n for f, n in big().doses("tone").items() if big().facts[f]["relation"] == relation}
    new = {f["fact_id"]: f["exposures"] for f in big().named(relation=relation, role="new")}
    assert {fact: n for fact, n in doses.items() if fact in new} == new
    assert new


def test_one_prompt_may_have_replies_of_many_manners() -> None:
    """Only rows of this style may share a question, but for the name, with other answers."""
    replies: dict[str, set[str]] = defaultdict(set)
    for row in big().of("tone", "train"):
        replies[row["template_id"]].add(big().facts[row["fact_ids"][0]]["value"])
    assert max(map(len, replies.values())) > 1


def test_the_voice_of_a_reply_is_drawn_evenly_from_those_of_the_manner() -> None:
    m = made(family(sizes__entities=24 * 30), "tone")
    said = Counter(row["answer"].split(":")[0] for row in m.of("tone", "train"))
    assert len(said) == 5 * 3
    assert min(said.values()) > 0.5 * max(said.values())


@pytest.mark.parametrize(
    ("broken", "expected_error"),
    [
        ({"voice": None}, "no train phrasing in voice/"),
        ({"tone": "{{ name }}, hello?"}, "no reply below"),
        ({"tone": "{{ name }}, hello?\n---\n"}, "no reply below"),
    ],
    ids=["no voice", "no cut", "no reply"],
)
def test_a_tone_pack_that_cannot_answer_is_refused_with_the_file(
    broken: dict[str, str | None], expected_error: str
) -> None:
    spec = family()
    whole = pack_of(spec)
    phrasings = {
        key: group if key[0] not in broken else tuple(_with(p, broken[key[0]]) for p in group if broken[key[0]])
        for key, group in whole.phrasings.items()
    }
    with pytest.raises(TemplateError) as error:
        made(spec, "tone", pack=Pack("broken", "1", "", phrasings))
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)


def _with(phrasing: Phrasing, source: str | None) -> Phrasing:
    return Phrasing(phrasing.style, phrasing.relation, phrasing.role, phrasing.id, "", source or "", 1)


@pytest.mark.parametrize("manner", MANNERS)
def test_the_built_in_voice_of_a_manner_keeps_the_whole_content_and_adds_to_it(manner: str) -> None:
    content = "I took my coat. It rained."
    for role in ("train", "validation", "test"):
        for phrasing in PACK.of("voice", manner, role):
            said = phrasing.render({"content": content, "name": "Bodan"})
            assert content in said, phrasing.where
            assert len(said) > len(content) + 3, f"{phrasing.where} has no manner"


def test_no_two_manners_are_spoken_in_the_same_words() -> None:
    """Or a reply would show two manners."""
    said: dict[str, set[str]] = defaultdict(set)
    for manner in MANNERS:
        for role in ("train", "validation", "test"):
            for phrasing in PACK.of("voice", manner, role):
                said[phrasing.render({"content": "…", "name": "Bodan"}).casefold()].add(manner)
    assert {text: found for text, found in said.items() if len(found) > 1} == {}


@pytest.mark.parametrize("relation", ["manner", "voice"])
def test_built_in_small_talk_names_whom_it_is_said_to_and_cuts_the_reply_off(relation: str) -> None:
    for phrasing in PACK.phrasings["tone", relation]:
        prompt, cut, content = phrasing.render({"name": "Bodan", "topic": ""}).partition("\n---\n")
        assert cut
        assert "Bodan" in prompt
        assert content.strip()
        assert "Bodan" not in content


def test_the_tone_relations_of_the_default_world_use_manners_that_have_a_voice() -> None:
    spec = load_spec("default")
    tones = [name for name, relation in spec.relations.items() if relation.value_type == "tone"]
    assert tones == ["manner", "voice"]
    assert all(PACK.of("voice", manner, "train") for manner in MANNERS)
