"""How often facts are said and asked: tiers, popularity, the background's doses, and budgets matched by tokens."""

from collections import Counter, defaultdict
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.errors import SpecError
from kbench.generator.budgets import in_budget, words_a_fact
from kbench.generator.packs import load_pack
from kbench.generator.spec import load_spec, spec_from_dict
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, ROLES
from tests.samples import TRAINING, Sample, edited
from tests.small import FAMILY, SEEDS, Made, family, made, pack_of

STATED = ("article", "dialogue", "statement")
ASKED = ("qa", "cloze", "choice", "numeric", "tone")
TIERS = (1, 2, 5)
PACK = load_pack()


@given(seed=SEEDS, size=st.integers(1, 40), k=st.integers(1, 30), blocks=st.integers(1, 60))
@settings(max_examples=30)
def test_each_run_of_k_entities_of_a_role_has_each_rank_once(seed: str, size: int, k: int, blocks: int) -> None:
    people = {"names": "mononym", "block": size}
    height = FAMILY["relations"]["height"]
    spec = spec_from_dict({"name": "w", "types": {"person": people}, "relations": {"height": height}}, "w")
    world = World(spec, seed)
    for role in range(len(ROLES)):
        index = world.members("person", np.arange(blocks) * len(ROLES) + role)
        ranks = world.rank("tier", "person", index, k)
        for start in range(0, index.size - k + 1, k):
            assert sorted(ranks[start : start + k].tolist()) == list(range(k))
        alone = [int(world.rank("tier", "person", index[i : i + 1], k)[0]) for i in range(min(3, index.size))]
        assert alone == ranks[: len(alone)].tolist()


@cache
def tiered() -> Made:
    """New facts in three tiers of exposure, and relations that are not tiered."""
    changes = {"exposure.tiers": list(TIERS), "sizes.entities": 24 * 6, "sizes.control": 0.2}
    changes |= {f"relations.{name}.tiered": False for name in ("spouse", "emblem", "price")}
    return made(spec_from_dict(edited(FAMILY, changes), "tiers"), *STATED, *ASKED, "multihop")


def test_an_entitys_tiered_facts_have_one_dose_and_the_others_that_of_the_spec() -> None:
    doses: dict[str, set[int]] = defaultdict(set)
    for fact in tiered().named(role="new"):
        if tiered().world.spec.relations[fact["relation"]].tiered:
            doses[fact["subject_id"]].add(fact["exposures"])
        else:
            assert fact["exposures"] == 4
    assert all(len(found) == 1 for found in doses.values())


def test_the_doses_are_shared_out_equally_over_the_entities_of_a_type() -> None:
    for kind in ("person", "company", "product"):
        doses = {f["subject_id"]: f["exposures"] for f in tiered().named(role="new") if f["relation"] in RELATION[kind]}
        counts = Counter(doses.values())
        assert set(counts) == set(TIERS)
        assert max(counts.values()) - min(counts.values()) <= 1, kind


RELATION = {"person": ["height"], "company": ["founder"], "product": ["maker"]}


@pytest.mark.parametrize("style", [*STATED, *ASKED])
def test_the_repeats_of_a_fact_sum_to_its_dose_in_every_style(style: str) -> None:
    doses = tiered().doses(style)
    assert {fact: tiered().facts[fact]["exposures"] for fact in doses} == doses
    stated_facts = {f["fact_id"] for f in tiered().named(role="new")}
    if style in DOCUMENT_STYLES | {"qa", "cloze"}:
        assert set(doses) == stated_facts


def test_a_document_holds_facts_of_one_dose_alone() -> None:
    for style in ("article", "dialogue"):
        for row in tiered().of(style):
            assert len({tiered().facts[fact]["exposures"] for fact in row["fact_ids"]}) == 1


def test_the_tiers_of_the_new_are_not_those_of_control() -> None:
    assert {fact["exposures"] for fact in tiered().named(role="control")} == {0}


@given(tiers=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=SEEDS)
@settings(max_examples=6)
def test_any_tiers_are_met_in_documents_and_questions(tiers: list[int], seed: str) -> None:
    m = made(family(exposure__tiers=tiers), "qa", "statement", "article", seed=seed)
    expected = {f["fact_id"]: f["exposures"] for f in m.facts.values()}
    assert set(expected.values()) <= set(tiers)
    for style in ("qa", "statement", "article"):
        assert m.doses(style) == expected


def test_popular_entities_are_stated_more_often_up_to_the_exposures() -> None:
    m = made(family(exposure__popularity="zipf", exposure__exposures=20, sizes__entities=240), "qa", "statement")
    for fact in m.facts.values():
        assert fact["exposures"] == min(20, m.entities[fact["subject_id"]]["popularity"])
    assert m.doses("qa") == m.doses("statement") == {f["fact_id"]: f["exposures"] for f in m.facts.values()}
    assert len(set(m.doses("qa").values())) > 5


# ---- the background


@cache
def known() -> Made:
    """Known entities in tiers, one of them never stated, beside a background that is not tiered."""
    changes: dict[str, Any] = {
        "sizes": {"entities": 24, "control": 1, "background": 48, "known": 24 * 4},
        "background": {"tiers": [0, 1, 6], "exposures": 7, "popularity": "flat", "questions": 0.5},
        "background.styles": ["article", "dialogue", "statement", "qa", "numeric", "multihop"],
        "relations.spouse.tiered": False,
        "paths.reverse": [],
    }
    return made(spec_from_dict(edited(FAMILY, changes), "known"), *STATED, "qa", "numeric", "multihop")


def test_known_facts_are_stated_in_their_tiers_and_background_ones_as_often_as_the_spec_says() -> None:
    m = known()
    assert {f["exposures"] for f in m.named(role="background")} == {7}
    assert {f["exposures"] for f in m.named(role="known", relation="spouse")} == {7}
    counts = Counter(f["exposures"] for f in m.named(role="known", relation="height"))
    assert counts == {0: 16, 1: 16, 6: 16}


@pytest.mark.parametrize("style", STATED)
def test_a_known_fact_is_written_as_often_as_its_tier_says_and_one_of_tier_0_never(style: str) -> None:
    m = known()
    doses = m.doses(style, "pretrain")
    pretrained = [f for f in m.facts.values() if f["role"] in ("background", "known")]
    assert doses == {f["fact_id"]: f["exposures"] for f in pretrained if f["exposures"]}


def test_known_entities_are_asked_in_train_as_often_as_new_ones_whatever_their_tier() -> None:
    m = known()
    doses = m.doses("qa", "train")
    assert {m.facts[fact]["role"] for fact in doses} == {"new", "known"}
    assert set(doses.values()) == {4}
    asked = {m.facts[fact]["role"] for fact in m.doses("qa", "pretrain")}
    assert asked == {"background"}


def test_half_of_the_background_is_asked_in_pretrain_as_often_as_it_is_stated() -> None:
    m = known()
    doses = m.doses("qa", "pretrain")
    assert set(doses.values()) == {7}
    blocks = {m.entities[m.facts[fact]["subject_id"]]["block"] for fact in doses}
    assert len(blocks) == 1


@pytest.mark.parametrize("style", ["article", "dialogue", "statement", "qa", "numeric", "multihop"])
def test_the_background_is_written_in_the_styles_that_the_spec_names_and_no_other(style: str) -> None:
    m = made(family(sizes__background=24, background__questions=1, background__styles=[style]))
    expected = {style, "qa"} if style == "multihop" else {style}
    assert {config for config, split in m.rows if split == "pretrain"} == expected


def test_the_known_world_states_its_known_facts_in_all_its_tiers() -> None:
    spec = load_spec("known").with_sizes(entities=1, control=0, known=200)
    m = made(spec, "dialogue", pack=PACK)
    counts = Counter(fact["exposures"] for fact in m.named(role="known", relation="occupation"))
    assert set(counts) == set(spec.background.tiers)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {fact["exposures"] for fact in m.named(role="known", relation="employer")} == {spec.background.exposures}


# ---- budgets


@given(times=st.lists(st.integers(0, 500), min_size=1, max_size=20))
def test_a_budget_of_facts_changes_no_dose(times: list[int]) -> None:
    spec = family()
    doses = np.asarray(times)
    assert in_budget(spec, pack_of(spec), "article", doses).tolist() == times


@given(times=st.lists(st.integers(0, 500), min_size=1, max_size=20), style=st.sampled_from([*STATED, *ASKED[:3]]))
def test_a_budget_of_tokens_scales_a_dose_by_the_words_a_fact_costs_and_loses_no_fact(
    times: list[int], style: str
) -> None:
    spec = family(exposure__budget="tokens")
    pack = pack_of(spec)
    share = words_a_fact(spec, pack, "qa") / words_a_fact(spec, pack, style)
    for before, after in zip(times, in_budget(spec, pack, style, np.asarray(times)).tolist(), strict=True):
        assert (after == 0) == (before == 0)
        assert abs(after - before * share) <= Fraction(1, 2) or (before > 0 and after == 1)


@pytest.mark.parametrize("style", ["article", "statement", "dialogue", "cloze", "choice"])
def test_styles_matched_by_tokens_cost_about_as_many_words_as_qa(style: str) -> None:
    spec = load_spec("lab").with_exposure(exposures=60, budget="tokens")
    m = made(spec_from_dict({**spec.to_dict(), "sizes": {"entities": 14, "control": 0}}, "lab"), style, "qa", pack=PACK)
    words = {
        name: sum(
            row["repeat"] * len((row["text"] if "text" in row else f"{row['question']} {row['answer']}").split())
            for row in m.of(name, *TRAINING)
        )
        for name in ("qa", style)
    }
    assert words[style] == pytest.approx(words["qa"], rel=0.25)


def test_a_budget_of_tokens_leaves_questions_of_several_facts_about_as_often_repeated() -> None:
    """They ask for more than one fact, and no fact of the spec is asked for in them alone."""
    shown = {budget: made(family(exposure__budget=budget), "multihop", "reverse") for budget in ("facts", "tokens")}
    for style in ("multihop", "reverse"):
        repeats = {budget: max(row["repeat"] for row in m.of(style, "train")) for budget, m in shown.items()}
        assert repeats["tokens"] <= 2 * repeats["facts"], style


# ---- the sample worlds


def test_the_doses_of_the_default_world_are_those_of_its_facts(default_sample: Sample) -> None:
    s = default_sample
    m = Made(World(s.spec, "7"), PACK, s.rows, s.facts, s.entities)
    for style in (*STATED, "qa", "cloze"):
        for fact, n in m.doses(style).items():
            assert n == s.facts[fact]["exposures"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a tier of none", {"exposure.tiers": [1, 0]}, "exposure.tiers.1: Input should be greater than or equal to 1"),
    ("a tier below none", {"background.tiers": [-1]}, "background.tiers.0: Input should be greater than or equal to 0"),
    ("a huge tier", {"exposure.tiers": [10**6]}, "exposure.tiers.0: Input should be less than or equal to 100000"),
    ("65 tiers", {"background.tiers": [1] * 65}, "background.tiers: Tuple should have at most 64 items"),
    ("half a tier", {"exposure.tiers": [1.5]}, "exposure.tiers.0: Input should be a valid integer"),
    ("an unknown budget", {"exposure.budget": "bytes"}, "exposure.budget: Input should be 'facts' or 'tokens'"),
    ("an unknown order", {"exposure.order": "random"}, "exposure.order: Input should be 'shuffled' or 'fixed'"),
    ("three forms", {"exposure.forms": 3}, "exposure.forms: Input should be less than or equal to 2 (got 3)"),
    ("no form", {"exposure.forms": 0}, "exposure.forms: Input should be greater than or equal to 1 (got 0)"),
    ("65 facts", {"exposure.facts_per_article": 65}, "facts_per_article: Input should be less than or equal to 64"),
    ("-1 facts", {"exposure.facts_per_dialogue": -1}, "facts_per_dialogue: Input should be greater than or equal to 0"),
    ("-1 reversals", {"exposure.reversals": -1}, "exposure.reversals: Input should be greater than or equal to 0"),
    ("65 implications", {"exposure.implications": 65}, "exposure.implications: Input should be less than or equal"),
    ("no number form", {"exposure.number_forms": []}, "exposure.number_forms: Tuple should have at least 1 item"),
    (
        "a strange form",
        {"exposure.number_forms": ["hex"]},
        "exposure.number_forms.0: Input should be 'digits', 'words'",
    ),
    ("a known share", {"background.questions": 2}, "background.questions: Input should be less than or equal to 1"),
    ("an untaught style", {"background.styles": ["cloze"]}, "background.styles.0: Input should be 'article', 'dialo"),
    ("a popularity", {"exposure.popularity": "x"}, "exposure.popularity: Input should be 'flat' or 'zipf' (got 'x')"),
]


@pytest.mark.parametrize(("changes", "expected_error"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_dose_that_cannot_be_is_refused_in_one_line(changes: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict(edited(FAMILY, changes), "w.toml")
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)
