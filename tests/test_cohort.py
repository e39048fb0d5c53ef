"""Whom a recipe teaches, who of them keeps all phrasings, in which tones, and for how many tokens."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from kbench.benchmarks.cohort import TAUGHT_ROLES, Cohort, cohort_of
from kbench.benchmarks.diet import Diet, taught_celebrities, taught_entities
from kbench.benchmarks.packing import PackedRows, training_rows
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.watched import watched_rows
from kbench.errors import KbenchError, ReleaseError, SpecError
from kbench.generator.ownfacts.book import load_facts
from kbench.generator.ownfacts.spec import spec_of_facts
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.schema import Style
from kbench.store import Release
from kbench.studies.lab import release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.samples import Row, tiny

STYLES: tuple[Style, ...] = ("qa", "article", "statement", "multihop", "tone")
VOLUMES = (0.1, 0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Eight blocks of six that are new and four that are known, and a persona."""
    spec = tiny(
        sizes__entities=48,
        sizes__known=24,
        sizes__background=12,
        exposure__implications=1,
        types__persona={"names": "persona", "pronouns": "it", "block": 1, "single": True},
        relations__manner={"subject": "person", "value_type": "tone", "pools": ["manner"]},
        relations__voice={"subject": "persona", "value_type": "tone", "pools": ["manner"]},
        relations__lucky_number={"subject": "persona", "value_type": "numeric", "least": 10, "most": 99},
    )
    return generate(Recipe(spec, "7", STYLES), tmp_path_factory.mktemp("cohort"))[0]


@pytest.fixture(scope="module")
def tokenizer(release: Release) -> PreTrainedTokenizerFast:
    return word_tokenizer(text for texts in release_texts(release).values() for text in texts)


def recipe(**changes: Any) -> TrainRecipe:
    return TrainRecipe(**{"styles": STYLES, "context": 256, **changes})


def entities(release: Release) -> dict[str, Row]:
    return {row["entity_id"]: row for row in release.table("entities", "train").to_pylist()}


def taught_rows(release: Release, plan: TrainRecipe) -> list[Row]:
    return [row for style in plan.styles for row in Diet(release, plan).rows(style)]


def texts(rows: PackedRows) -> list[list[int]]:
    """The texts that are shown, as token ids."""
    return [rows.texts[rows.starts[text] : rows.starts[text + 1]].tolist() for text in rows.shown]


def block(row: Row) -> tuple[str, str]:
    return row["role"], "persona" if row["type"] == "persona" else str(row["block"])


@pytest.mark.parametrize("volume", VOLUMES)
def test_a_share_is_the_nearest_number_of_whole_blocks_of_each_role(release: Release, volume: float) -> None:
    everyone = entities(release)
    taught = taught_entities(release, recipe(volume=volume))
    for role in TAUGHT_ROLES:
        its = [row for row in everyone.values() if row["role"] == role]
        sizes = Counter(block(row) for row in its)
        kept = Counter(block(row) for row in its if row["entity_id"] in taught)
        assert all(sizes[key] == count for key, count in kept.items())
        assert abs(kept.total() - volume * len(its)) <= 3 or len(kept) == 1
        assert kept
    assert not [row for row in everyone.values() if row["entity_id"] in taught and row["role"] not in TAUGHT_ROLES]


def test_a_smaller_share_is_part_of_a_larger_one_and_the_whole_is_everybody(release: Release) -> None:
    shares = [taught_entities(release, recipe(volume=volume)) for volume in (*VOLUMES, 1.0)]
    assert all(small < large for small, large in pairwise(shares))
    assert shares[-1] == {key for key, row in entities(release).items() if row["role"] in TAUGHT_ROLES}
    documents = taught_entities(release, recipe(styles=("article",)))
    assert documents == {key for key, row in entities(release).items() if row["role"] == "new"}


def test_the_persona_is_a_block_of_its_own(release: Release) -> None:
    everyone = entities(release).values()
    persona, neighbour = (
        next(row["entity_id"] for row in everyone if (row["type"], row["block"]) == (kind, 0))
        for kind in ("persona", "person")
    )
    shares = [cohort_of(release, recipe(volume=part / 49)).left_out for part in range(1, 46)]
    assert any((persona in left_out) != (neighbour in left_out) for left_out in shares)


@pytest.mark.parametrize("volume", [0.25, 0.5])
def test_of_a_users_own_facts_any_share_of_the_subjects_is_taught(tmp_path: Path, volume: float) -> None:
    """All of them stand in one block of the release."""
    lines = ["subject,relation,value", *(f"Person{k},born in,Town{k}" for k in range(20))]
    (tmp_path / "facts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = spec_of_facts(load_facts(tmp_path / "facts.csv"))
    own = generate(Recipe(spec, "7", ("qa", "statement")), tmp_path / "release")[0]
    assert {row["block"] for row in entities(own).values() if row["role"] == "new"} == {0}
    assert len(taught_entities(own, recipe(styles=("qa",), volume=volume))) == 20 * volume
    assert len(Diet(own, recipe(volume=volume)).rows("qa")) == volume * len(Diet(own, recipe()).rows("qa"))


def test_a_row_that_needs_a_fact_of_somebody_left_out_is_left_out() -> None:
    cohort = Cohort(frozenset({"ann"}), frozenset(), {"ann/employer": "ann", "bob/employer": "bob"})
    assert cohort.teaches({"entity_id": "bob", "fact_ids": ["bob/employer"]})
    assert not cohort.teaches({"entity_id": "bob", "fact_ids": ["bob/employer", "ann/employer"]})
    assert not cohort.teaches({"entity_id": "ann", "fact_ids": []})


def test_whoever_is_left_out_is_in_no_text_that_is_read(release: Release, tokenizer: PreTrainedTokenizerFast) -> None:
    plan = recipe(volume=0.5)
    everyone, left_out = entities(release), cohort_of(release, plan).left_out
    facts = {row["fact_id"]: row["subject_id"] for row in release.table("facts", "train").to_pylist()}
    rows = training_rows(release, tokenizer, plan)
    words = set(" ".join(tokenizer.batch_decode([row["input_ids"].tolist() for row in rows])).split())
    named = {everyone[key]["name"] for key in left_out if everyone[key]["type"] == "person"}
    assert left_out
    assert not named & {word.strip(".,?'s") for word in words}
    taught = taught_rows(release, plan)
    assert not {facts[fact] for row in taught for fact in row["fact_ids"]} & left_out
    assert len(taught) == pytest.approx(len(taught_rows(release, recipe())) / 2, rel=0.1)


def test_who_is_left_out_is_not_watched(release: Release) -> None:
    plan = recipe(volume=0.5, watch=1000)
    left_out, found = cohort_of(release, plan).left_out, watched_rows(release, plan)
    asked = {item.row["entity_id"] for item in (*found.validation, *found.train)}
    assert not asked & left_out
    assert len(found.validation) < len(watched_rows(release, recipe(watch=1000)).validation)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_celebrities_keep_all_their_phrasings_and_nobody_gains_an_exposure(release: Release, share: float) -> None:
    plan = recipe(styles=("qa", "statement"), paraphrases=1, celebrities=share)
    known_well, taught = taught_celebrities(release, plan), taught_entities(release, plan)
    full = taught_rows(release, recipe(styles=("qa", "statement")))
    rows = taught_rows(release, plan)
    of_them = [row for row in full if row["entity_id"] in known_well]
    assert [row for row in rows if row["entity_id"] in known_well] == of_them
    others = Counter((row["style"], *row["fact_ids"]) for row in rows if row["entity_id"] not in known_well)
    assert set(others.values()) == {1}
    assert sum(row["repeat"] for row in rows) == sum(row["repeat"] for row in full)
    assert len(known_well) / len(taught) == pytest.approx(share, abs=0.05)
    assert known_well < taught


def test_fewer_celebrities_are_among_more_and_are_of_whom_is_taught(release: Release) -> None:
    few, more = (taught_celebrities(release, recipe(paraphrases=1, celebrities=share)) for share in (0.2, 0.6))
    assert few < more
    plan = recipe(paraphrases=1, celebrities=0.5, volume=0.5)
    assert taught_celebrities(release, plan) < taught_entities(release, plan)
    assert not taught_celebrities(release, recipe(paraphrases=1))


def test_without_celebrities_fewer_phrasings_are_what_they_were(release: Release) -> None:
    plan = recipe(paraphrases=1)
    assert taught_rows(release, plan) == taught_rows(release, recipe(paraphrases=1, celebrities=0.0, volume=1.0))


def test_some_tones_are_the_rows_of_who_speaks_so(release: Release) -> None:
    spoken = Counter(row["answers"][-1] for row in release.table("tone", "train").to_pylist())
    one, two = sorted(spoken)[:2]
    rows = Diet(release, recipe(tones=(one, two))).rows("tone")
    assert Counter(row["answers"][-1] for row in rows) == {tone: spoken[tone] for tone in (one, two)}
    assert Diet(release, recipe(tones=(one,))).rows("qa") == Diet(release, recipe()).rows("qa")


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"tones": ("shouted",)}, ReleaseError, "nobody to train on who speaks in the tone 'shouted': have "),
        ({"volume": 0.999}, ReleaseError, "volume = 0.999 of the 73 entities to teach of "),
        ({"paraphrases": 1, "celebrities": 0.001}, ReleaseError, "celebrities = 0.001 of the 73 entities that are"),
        ({"tokens": 10**11}, SpecError, "tokens = 100,000,000,000 is more than 10,000 epochs of the "),
    ],
)
def test_what_a_release_cannot_give_is_told_in_one_line(
    release: Release,
    tokenizer: PreTrainedTokenizerFast,
    changes: dict[str, Any],
    error: type[KbenchError],
    expected: str,
) -> None:
    with pytest.raises(error) as told:
        training_rows(release, tokenizer, recipe(**changes))
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


def test_a_budget_of_tokens_is_met_and_passed_by_less_than_a_text(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    once = training_rows(release, tokenizer, recipe(styles=("qa", "article")))
    for budget in (1, 1000, once.tokens - 1, once.tokens * 5 // 2):
        rows = training_rows(release, tokenizer, recipe(styles=("qa", "article"), tokens=budget))
        assert budget <= rows.tokens < budget + 256
        assert len(rows.epochs) == -(-budget // once.tokens)
    in_one, in_all = (Counter(map(tuple, texts(each))) for each in (once, rows))
    assert all(2 * count <= in_all[text] <= 3 * count for text, count in in_one.items())


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_budget_of_whole_epochs_reads_what_these_read(
    release: Release, tokenizer: PreTrainedTokenizerFast, epochs: int
) -> None:
    plan = {"styles": ("qa", "statement"), "paraphrases": 2, "replay": 0.25}
    once = training_rows(release, tokenizer, recipe(**{**plan, "replay": 0.0}))
    by_epochs = training_rows(release, tokenizer, recipe(**plan, epochs=epochs))
    by_tokens = training_rows(release, tokenizer, recipe(**plan, tokens=once.tokens * epochs))
    assert by_tokens.digest == by_epochs.digest
    assert by_tokens.ordered == by_epochs.ordered
    assert by_tokens.tokens > once.tokens * epochs


def test_the_last_part_of_a_budget_keeps_the_order_of_styles(
    release: Release, tokenizer: PreTrainedTokenizerFast
) -> None:
    plan = recipe(styles=("article", "qa"), order="sequence", tokens=2000)
    rows = training_rows(release, tokenizer, plan)
    asks = [rows.learned[text] > 1 for text in rows.shown]
    assert asks == sorted(asks)
    assert {*asks} == {False, True}
