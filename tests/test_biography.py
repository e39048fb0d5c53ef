"""Biographies: claims found in any text about a subject, each judged by the facts of its release."""

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from kbench.benchmarks.biographies import Subject, held_out, opening_of, write_biographies
from kbench.benchmarks.biography import FactChecker, fact_checker
from kbench.benchmarks.models.baselines import Oracle
from kbench.benchmarks.models.protocol import Decoding, Reply
from kbench.benchmarks.said_values import finder_of, phrase_of, tokens_of
from kbench.benchmarks.tasks import Item
from kbench.errors import ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.shelf import shelved
from kbench.store import Release, open_release
from tests.samples import SPECS, Row

ARTICLES = 200


@dataclass(frozen=True)
class World:
    """A release, its checker, its facts by id, and articles drawn from it."""

    release: Release
    checker: FactChecker
    facts: dict[str, Row]
    articles: list[Row]

    def of(self, subject: str) -> dict[str, Row]:
        return {fact["relation"]: fact for fact in self.facts.values() if fact["subject_id"] == subject}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    tiny = shelved("kbench-tiny")
    assert tiny
    styles = ("qa", "article", "statement")
    made = {
        name: generate(Recipe(SPECS[name]().with_exposure(implications=2), "5", styles), tmp_path_factory.mktemp(name))[
            0
        ]
        for name in ("known", "default")
    }
    found = {}
    for name, release in {"kbench-tiny": open_release(tiny), **made}.items():
        facts = {row["fact_id"]: row for row in release.table("facts", "train").to_pylist()}
        rows = [row for split in ("pretrain", "train") for row in release.table("article", split).to_pylist()]
        personas = [row for row in rows if "/persona-" in row["id"]]
        articles = [*personas, *Random(0).sample(rows, len(rows))][:ARTICLES]
        found[name] = World(release, fact_checker(release), facts, articles)
    return found


@pytest.fixture(scope="module")
def tiny(worlds: dict[str, World]) -> World:
    return worlds["kbench-tiny"]


@pytest.mark.parametrize("name", ["kbench-tiny", "known", "default"])
def test_every_fact_that_a_rendered_article_states_is_a_right_claim_and_there_is_no_other(
    worlds: dict[str, World], name: str
) -> None:
    world = worlds[name]
    assert len(world.articles) == ARTICLES
    for row in world.articles:
        checked = world.checker.check(row["text"], row["entity_id"])
        assert (checked.precision, checked.ambiguous) == (1.0, 0), row["text"]
        stated = {(world.facts[fact]["relation"],) for fact in row["fact_ids"]}
        assert {claim.relations for claim in checked.claims} == stated, row["text"]


@pytest.mark.parametrize("name", ["kbench-tiny", "known", "default"])
def test_a_value_exchanged_for_another_of_its_relation_is_found_in_every_article(
    worlds: dict[str, World], name: str
) -> None:
    world, rng = worlds[name], Random(1)
    pools, forms = written(world)
    for row in world.articles:
        fact = world.facts[rng.choice(row["fact_ids"])]
        place = next(
            match
            for form in sorted(forms[fact["fact_id"]], key=lambda form: (-len(form), form))
            if (match := re.search(rf"(?<!\w){re.escape(form)}(?!\w)", row["text"]))
        )
        others = sorted(pools[fact["relation"]] - {fact["value"]})
        if not others:  # a relation of which the whole release has one value
            continue
        other = rng.choice(others)
        corrupted = row["text"].replace(place[0], other)
        checked = world.checker.check(corrupted, row["entity_id"])
        wrong = [claim.relations for claim in checked.claims if not claim.right]
        assert wrong == [(fact["relation"],)], f"{place[0]} became {other}: {corrupted}"


def written(world: World) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The values of each relation, and of each fact every way to write its value, as the test has them."""
    pools, forms, answers = defaultdict[str, set[str]](set), dict[str, set[str]](), defaultdict[str, set[str]](set)
    for split in world.release.splits("qa"):
        for row in world.release.table("qa", split).to_pylist():
            answers[f"{row['relation']} {world.facts[row['fact_ids'][0]]['value']}"] |= set(row["answers"])
    for fact in world.facts.values():
        pools[fact["relation"]].add(fact["value"])
        found = {fact["value"], *answers[f"{fact['relation']} {fact['value']}"]}
        if fact["value_type"] == "date":
            day = datetime.date(1970, 1, 1) + datetime.timedelta(days=int(fact["number"]))
            found |= {f"{day:%B} {day.day}, {day.year}", day.isoformat()}
        if fact["value_type"] == "numeric":
            found |= {f"{text} {fact['unit']}".strip() for text in (f"{int(fact['number'])}", f"{fact['number']:,.0f}")}
        forms[fact["fact_id"]] = found
    return pools, forms


CASES = [
    # text of A; the relations that are claimed, each with whether it is so
    ("A works for the company {employer}.", [("employer", True)]),
    ("A works for the company {employer}. She works for the company {employer}.", [("employer", True)]),
    ("A is {height} tall. Her badge number is {badge}.", [("height", True), ("badge", True)]),
    ("A is 999 cm tall.", [("height", False)]),
    ("A was born on 3 May 1968.", [("born", False)]),
    ("A was born on May 3, 1968 or 1968-05-03.", [("born", False)]),
    ("B works for the company {other}. She is {height} tall.", []),
    ("B works for the company {other}. A is {height} tall. She carries badge number {badge}.", [("height", True), ("badge", True)]),
    ("A works for the company {other}. It is raining.", [("employer", False)]),
    ("- Employer: {employer}", [("employer", True)]),
    ("The weather is {manner}.", []),
    ("", []),
    ("A has nothing to say.", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "claims"), CASES)
def test_what_a_text_claims_of_a_subject(tiny: World, text: str, claims: list[tuple[str, bool]]) -> None:
    people = [row for row in tiny.release.table("entities", "train").to_pylist() if row["type"] == "person"]
    subject = people[0]
    mine = {name: fact["value"] for name, fact in tiny.of(subject["entity_id"]).items()}
    other = next(p for p in people if tiny.of(p["entity_id"])["employer"]["value"] != mine["employer"])
    told = text.format(**mine, other=tiny.of(other["entity_id"])["employer"]["value"])
    told = re.sub(r"\bA\b", subject["name"], re.sub(r"\bB\b", other["name"], told))
    checked = tiny.checker.check(told, subject["entity_id"])
    assert [(*claim.relations, claim.right) for claim in checked.claims] == claims
    right = sum(right for _, right in claims)
    assert checked.precision == (right / len(claims) if claims else None)
    assert checked.recall == right / len(mine)


def test_a_value_that_several_relations_take_alike_is_said_to_be_ambiguous(worlds: dict[str, World]) -> None:
    world = worlds["default"]
    child = next(fact["subject_id"] for fact in world.facts.values() if fact["relation"] == "father")
    facts = world.of(child)
    (claim,) = world.checker.check(f"{world.checker.pools.names[child]}, {facts['father']['value']}.", child).claims
    assert claim.right
    assert {"father", "spouse"} <= set(claim.relations)


def test_somebody_said_to_be_married_to_herself_is_a_wrong_claim(worlds: dict[str, World]) -> None:
    world = worlds["known"]
    (subject,) = held_out(world.release, 1)
    name = subject.name
    told = world.checker.check(f"{name} is at home. The person she married is {name}.", subject.entity_id)
    assert [(claim.relations, claim.right) for claim in told.claims] == [(("spouse",), False)]
    assert not world.checker.check(f"{name} is at home. She is {name}.", subject.entity_id).claims


def test_what_is_said_of_somebody_the_subject_is_tied_to_is_no_claim_of_the_subject(worlds: dict[str, World]) -> None:
    world = worlds["known"]
    rows = [row for row in world.release.table("statement", "train").to_pylist() if row["kind"] == "implication"]
    assert {row["relation"] for row in rows} >= {"spouse.occupation"}
    assert not [row["text"] for row in rows if world.checker.check(row["text"], row["entity_id"]).claims]


def test_the_longest_value_counts_and_a_full_stop_in_it_ends_no_sentence() -> None:
    finder = finder_of([phrase_of("York"), phrase_of("New York"), phrase_of("St. Ives")], ["million crowns", "crowns"])
    text = "Ann left New York. She lives in St. Ives on 12,500.5 million crowns. Bye"
    sentences = finder.sentences(text, tokens_of(text))
    said = [[(one.phrase or (one.number, one.unit)) for one in sentence.said] for sentence in sentences]
    assert said == [[("new", "york")], [("st", ".", "ives"), (12500.5, "million crowns")], []]


def test_an_entity_that_is_not_in_the_release_is_an_error_of_one_line(tiny: World) -> None:
    with pytest.raises(ReleaseError, match=r"no entity 'nobody' in the release: take an entity_id of its table"):
        tiny.checker.check("Nobody is here.", "nobody")


@dataclass(frozen=True)
class Writer(Oracle):
    """Says the same to every prompt, and spends so many tokens on it."""

    text: str = ""
    tokens: int = 5

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        for place in reversed(range(len(items))):
            yield place, Reply((self.text,), 3, min(self.tokens, decoding.max_tokens))


def test_a_biography_is_checked_with_the_beginning_that_the_model_was_given(tiny: World) -> None:
    (subject,) = held_out(tiny.release, 1)
    facts = tiny.of(subject.entity_id)
    writer = Writer(text=f"works for the company {facts['employer']['value']}.")
    (begun,) = write_biographies(writer, tiny.checker, [subject])
    assert begun.text == f"{subject.name} {writer.text}"
    assert [(claim.relations, claim.right) for claim in begun.checked.claims] == [(("employer",), True)]
    (told,) = write_biographies(Writer(text="Nothing."), tiny.checker, [subject], "instruction")
    assert (told.prompt, told.text) == (f"Write a short biography of {subject.name}.\n\n", "Nothing.")
    (chat,) = write_biographies(Writer(text="Nothing."), tiny.checker, [subject], "chat")
    assert chat.prompt == f"Write a short biography of {subject.name}."


def test_a_sentence_that_ran_out_of_tokens_claims_nothing(tiny: World) -> None:
    (subject,) = held_out(tiny.release, 1)
    height = tiny.of(subject.entity_id)["height"]["value"]
    writer = Writer(text=f"She is {height} tall. Her badge number is 1", tokens=99)
    (cut,) = write_biographies(writer, tiny.checker, [subject], "instruction", max_tokens=9)
    assert cut.text == f"She is {height} tall."
    (whole,) = write_biographies(writer, tiny.checker, [subject], "instruction", max_tokens=100)
    assert whole.text == writer.text


def test_subjects_are_held_out_people_and_the_same_each_time(tiny: World) -> None:
    chosen = held_out(tiny.release, 10)
    assert chosen == held_out(tiny.release, 20)[:10]
    pretrained = set(tiny.release.table("qa", "pretrain").column("entity_id").to_pylist())
    assert not pretrained & {subject.entity_id for subject in chosen}


def test_an_opening_is_a_title_of_the_releases_articles(tiny: World) -> None:
    opening = opening_of(tiny.release)
    assert opening.replace("{name}", "")
    assert "\n" not in opening
    titles = {row["text"].partition("\n")[0] for row in tiny.release.table("article", "pretrain").to_pylist()}
    assert any(opening.replace("{name}", subject.name) in titles for subject in held_out(tiny.release))


@pytest.mark.parametrize(
    ("options", "expected_error"),
    [
        ({"way": "sing"}, "no way 'sing' to ask for a biography: have opening, instruction, chat"),
        ({"opening": "Once"}, "an opening must hold {name}, where the subject's name goes (got 'Once')"),
        ({"max_tokens": 0}, "tokens must be at least 1 (got 0)"),
    ],
)
def test_a_way_of_asking_that_cannot_be_is_told(tiny: World, options: dict[str, object], expected_error: str) -> None:
    with pytest.raises(SpecError) as told:
        write_biographies(Writer(), tiny.checker, [Subject("a", "A")], **options)  # type: ignore[arg-type]
    assert str(told.value) == expected_error


def test_a_type_that_nobody_is_of_is_told_with_those_that_there_are(tiny: World, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"asks in test about no background entity of the type 'dragon'.* person"):
        held_out(tiny.release, kind="dragon")
    with pytest.raises(SpecError, match=r"subjects must be at least 1 \(got 0\)"):
        held_out(tiny.release, 0)
