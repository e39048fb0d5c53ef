"""Claims over seeds: where an interval must lie for each verdict, what shuts a gate, and what cannot change a verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.studies.contrasts import t_interval
from kbench.studies.study import Claim, Effect, Study, Term
from kbench.studies.study_claims import Judged, estimate_of, judge
from kbench.studies.study_levels import Level, Levels
from tests.studied import hand_study

Values = Sequence[float]
Found = Mapping[tuple[str, str], Values]
NEAR: Values = (0.50, 0.52, 0.48, 0.51)
"""Four seeds whose interval is 0.475 to 0.530."""
LOW: Values = (0.01, 0.02, 0.00, 0.01)
GATES = {
    "mean": {"title": "recall", "cell": "centre", "reading": "recall", "least": 0.8},
    "each": {"title": "recall", "cell": "centre", "reading": "recall", "least": 0.8, "each": True},
    "minus": {"title": "recall less badges", "cell": "centre", "reading": "recall", "minus": "badge", "least": 0.5},
    "each_minus": {
        "title": "less",
        "cell": "centre",
        "reading": "recall",
        "minus": "badge",
        "least": 0.5,
        "each": True,
    },
    "away": {"title": "elsewhere", "cell": "style=article", "reading": "kept", "least": 0.1},
}


def levels_of(found: Found, seeds: Sequence[int] = range(9)) -> Levels:
    """Levels by cell and reading, a value a seed."""
    return Levels(
        tuple(
            Level(cell, reading, seed, value, 10, 5, None, None, 0.1)
            for (cell, reading), values in found.items()
            for seed, value in zip(seeds, values, strict=False)
        )
    )


def judged(found: Found, *effects: dict[str, Any], gates: tuple[str, ...] = ()) -> Judged:
    """A claim on the centre's emblems, unless its effects say otherwise."""
    told = [Effect.model_validate({"of": [(1, "centre", "emblem")], **effect}) for effect in effects or ({},)]
    claim = Claim(name="c", says="s", source="t", paper="p", effects=tuple(told), gates=gates)
    return judge(hand_study(gates=GATES, claims=[]), claim, levels_of(found))


EMBLEM = ("centre", "emblem")
BADGE = ("centre", "badge")
RULE = [
    ("all above", {"least": 0.4}, "holds", "+0.50 (+0.48 to +0.53) lies above 0.4"),
    ("across", {"least": 0.5}, "inconclusive", "+0.50 (+0.48 to +0.53) reaches across 0.5"),
    ("none above", {"least": 0.6}, "fails", "+0.50 (+0.48 to +0.53) does not reach above 0.6"),
    ("far below", {"least": 0.9}, "fails", "does not reach above 0.9"),
    ("inside", {"direction": "within", "bound": 0.6}, "holds", "lies within ±0.6"),
    ("over an end", {"direction": "within", "bound": 0.5}, "inconclusive", "is not surely within ±0.5"),
    ("outside", {"direction": "within", "bound": 0.4}, "fails", "lies outside ±0.4"),
    ("below the lower bound", {"direction": "within", "bound": 0.4, "of": [(-1, *EMBLEM)]}, "fails", "-0.50 (-0.53 to -0.48) lies outside ±0.4"),
    ("inside another effect", {"direction": "within", "bound_of": [(1, "centre", "recall")]}, "holds", "lies within ±0.90"),
    ("about as another effect", {"direction": "within", "bound_of": [(1, "centre", "cloze")]}, "inconclusive", "is not surely within ±0.51"),
    ("beyond another effect", {"direction": "within", "bound_of": [(0.25, "centre", "recall")]}, "fails", "lies outside ±0.23"),
    ("a title", {"least": 0.4, "title": "one way"}, "holds", "one way: +0.50"),
    ("a difference", {"of": [(1, *EMBLEM), (-1, *BADGE)], "least": 0.4}, "holds", "+0.49"),
    ("a cell of its full name", {"of": [(1, "style=qa", "emblem")], "least": 0.4}, "holds", "lies above 0.4"),
]  # fmt: skip


@pytest.mark.parametrize(("effect", "verdict", "reason"), [case[1:] for case in RULE], ids=[case[0] for case in RULE])
def test_a_verdict_is_where_the_interval_lies(effect: dict[str, Any], verdict: str, reason: str) -> None:
    found = {EMBLEM: NEAR, BADGE: LOW, ("centre", "recall"): (0.9, 0.91, 0.89, 0.9), ("centre", "cloze"): (0.49, 0.55, 0.47, 0.52)}  # fmt: skip
    came = judged(found, effect)
    assert (came.verdict, reason in came.reason) == (verdict, True), came.reason
    assert came.each == (verdict,)


UNTESTABLE = [
    ("nothing was run", {}, {}, (), "not run in this budget: centre: emblem"),
    ("one side was not run", {EMBLEM: NEAR}, {"of": [(1, *EMBLEM), (-1, "style=article", "emblem")]}, (), "not run in this budget: style=article: emblem"),
    ("its bound was not run", {EMBLEM: NEAR}, {"direction": "within", "bound_of": [(1, *BADGE)]}, (), "not run in this budget: centre: badge"),
    ("two seeds", {EMBLEM: NEAR[:2]}, {}, (), "2 seeds have all of it and pass the gates: 3 are needed"),
    ("seeds of one side alone", {EMBLEM: NEAR, BADGE: NEAR[:2]}, {"of": [(1, *EMBLEM), (-1, *BADGE)]}, (), "2 seeds have all of it"),
    ("its bound has two seeds", {EMBLEM: NEAR, BADGE: NEAR[:2]}, {"direction": "within", "bound_of": [(1, *BADGE)]}, (), "what it is held against has too few seeds"),
    ("a gate's mean is low", {EMBLEM: NEAR, ("centre", "recall"): (0.9, 0.6, 0.6)}, {}, ("mean",), "gate mean: recall must be 0.80 or more (got 0.70)"),
    ("a gate was not run", {EMBLEM: NEAR}, {}, ("away",), "gate away: not run in this budget: style=article: kept"),
    ("a gate is passed by two seeds", {EMBLEM: NEAR, ("centre", "recall"): (0.9, 0.9, 0.7, 0.7)}, {}, ("each",), "gate each: recall must be 0.80 or more in 3 seeds (seed 0: 0.90, seed 1: 0.90, seed 2: 0.70, seed 3: 0.70)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "effect", "gates", "reason"), [case[1:] for case in UNTESTABLE], ids=[case[0] for case in UNTESTABLE]
)
def test_what_cannot_be_tested_says_why(
    found: Found, effect: dict[str, Any], gates: tuple[str, ...], reason: str
) -> None:
    came = judged(found, effect, gates=gates)
    assert came.verdict == "not_testable"
    assert reason in came.reason


def test_a_seed_that_one_gate_leaves_out_is_not_asked_by_another() -> None:
    recalled = (0.9, 0.9, 0.9, 0.1)
    found = {EMBLEM: NEAR, ("centre", "recall"): recalled}
    assert "gate mean: recall must be 0.80 or more (got 0.70)" in judged(found, gates=("mean",)).reason
    came = judged(found, {"least": 0.4}, gates=("mean", "each"))
    assert (came.verdict, came.estimates[0].seeds) == ("holds", (0, 1, 2))


MINUS = [
    ("the difference is enough", (0.9, 0.8, 0.9, 0.9), (0.3, 0.3, 0.3, 0.3), ("minus",), "holds", ""),
    ("it is not", (0.9, 0.8, 0.9, 0.9), (0.6, 0.6, 0.6, 0.6), ("minus",), "not_testable", "recall less badges must be 0.50 or more (got 0.28)"),
    ("a seed without the other is not looked at", (0.9, 0.9, 0.9, 0.0), (0.3, 0.3, 0.3), ("minus",), "holds", ""),
    ("a seed below is left out", (0.9, 0.9, 0.9, 0.9), (0.3, 0.3, 0.3, 0.6), ("each_minus",), "holds", ""),
    ("the other was not run", (0.9, 0.9, 0.9, 0.9), (), ("minus",), "not_testable", "not run in this budget: centre: badge"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("recall", "badge", "gates", "verdict", "reason"), [case[1:] for case in MINUS], ids=[case[0] for case in MINUS]
)
def test_a_gate_may_ask_by_how_much_one_reading_is_above_another(
    recall: Values, badge: Values, gates: tuple[str, ...], verdict: str, reason: str
) -> None:
    found = {EMBLEM: NEAR, ("centre", "recall"): recall, **({BADGE: badge} if badge else {})}
    came = judged(found, {"least": 0.4}, gates=gates)
    assert (came.verdict, reason in came.reason) == (verdict, True), came.reason
    if gates == ("each_minus",):
        assert came.estimates[0].seeds == (0, 1, 2)


def test_a_claim_of_the_lab_alone_is_not_judged_and_says_why() -> None:
    claim = Claim(name="c", says="s", source="t", paper="p", lab="its tokens", effects=(Effect(of=((1, *EMBLEM),)),))
    came = judge(hand_study(claims=[]), claim, levels_of({EMBLEM: NEAR}))
    assert (came.verdict, came.reason) == ("not_testable", "read of the lab's models alone: its tokens")


def test_what_failed_is_told_from_what_the_budget_does_not_run() -> None:
    levels = Levels(levels_of({EMBLEM: NEAR}).every, frozenset({("style=article", "emblem"), ("tones", "")}))
    wanted = [EMBLEM, ("style=article", "emblem"), ("tones", "ngrams"), ("style=article", "badge")]
    assert levels.missing(wanted) == (
        "not run in this budget: style=article: badge; "
        "planned, but nothing came of it: style=article: emblem, tones: ngrams"
    )
    assert not levels.missing([EMBLEM])


def test_a_gate_of_each_seed_leaves_out_the_seeds_below_it() -> None:
    found = {EMBLEM: (*NEAR, 0.0), ("centre", "recall"): (0.9, 0.9, 0.9, 0.9, 0.1)}
    assert judged(found, {"least": 0.4}).verdict == "inconclusive"
    came = judged(found, {"least": 0.4}, gates=("each",))
    assert came.verdict == "holds"
    assert came.estimates[0].seeds == (0, 1, 2, 3)
    assert came.estimates[0].rows == 40
    assert [(cell, reading) for cell, reading, _ in came.levels] == [EMBLEM]
    assert came.levels[0][2] == pytest.approx(0.5025)


ABOVE, ACROSS, BELOW = {"least": 0.4}, {"least": 0.5}, {"least": 0.6}
MISSING = {"of": [(1, "centre", "chain")]}
SEVERAL = [
    ((ABOVE, ABOVE), "holds"),
    ((ABOVE, ACROSS), "inconclusive"),
    ((ACROSS, BELOW, ABOVE), "fails"),
    ((BELOW, MISSING), "not_testable"),
]


@pytest.mark.parametrize(("effects", "verdict"), SEVERAL)
def test_a_claim_of_several_effects_is_as_good_as_its_worst(effects: tuple[dict[str, Any], ...], verdict: str) -> None:
    assert judged({EMBLEM: NEAR}, *effects).verdict == verdict


def test_the_effect_that_decides_is_told_first_and_the_first_one_is_reported() -> None:
    came = judged({EMBLEM: NEAR, BADGE: LOW}, {**ABOVE, "title": "one"}, {"title": "two", "of": [(-1, *BADGE)]})
    assert came.reason.startswith("two: -0.01")
    assert came.to_dict()["effect"] == pytest.approx(0.5025)
    assert came.each == ("holds", "inconclusive")


def test_equal_values_of_all_seeds_are_an_interval_of_no_width() -> None:
    assert judged({EMBLEM: (0.5, 0.5, 0.5)}, {"least": 0.49}).verdict == "holds"
    assert judged({EMBLEM: (0.5, 0.5, 0.5)}, {"least": 0.5}).verdict == "fails"


shares = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
columns = st.lists(shares, min_size=3, max_size=8)


def lie(found: Found, of: Sequence[Term], least: float) -> str:
    """Where the interval lies, told by hand."""
    low, high = t_interval([sum(w * found[c, r][seed] for w, c, r in of) for seed in range(len(found[EMBLEM]))])
    return "holds" if low > least else "fails" if high <= least else "inconclusive"


@given(st.lists(st.tuples(shares, shares), min_size=3, max_size=8), st.integers(-900, 900))
def test_the_verdict_on_a_difference_is_that_of_the_interval_of_its_differences(
    pairs: list[tuple[float, float]], thousandths: int
) -> None:
    least = thousandths / 1000 + 0.0005
    of: list[Term] = [(1, *EMBLEM), (-1, *BADGE)]
    found = {EMBLEM: [left for left, _ in pairs], BADGE: [right for _, right in pairs]}
    assert judged(found, {"of": of, "least": least}).verdict == lie(found, of, least)


@given(columns, st.integers(-50, 50), st.integers(0, 999))
def test_a_verdict_does_not_turn_when_every_level_and_the_least_rise_alike(
    values: list[float], hundredths: int, place: int
) -> None:
    least, rise = place / 1000 + 0.00037, hundredths / 100
    risen = [value + rise for value in values]
    before, after = judged({EMBLEM: values}, {"least": least}), judged({EMBLEM: risen}, {"least": least + rise})
    assert before.verdict == after.verdict


@given(columns, st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_of_levels_does_not_matter(values: list[float], draw: Any) -> None:
    levels = levels_of({EMBLEM: values, BADGE: list(reversed(values))})
    mixed = list(levels.every)
    draw.shuffle(mixed)
    of: list[Term] = [(1, *EMBLEM), (-0.5, *BADGE)]
    study: Study = hand_study()
    assert estimate_of(study, of, Levels(tuple(mixed))) == estimate_of(study, of, levels)


@given(columns, st.integers(1, 999))
def test_within_is_the_same_for_an_effect_and_its_opposite(values: list[float], thousandths: int) -> None:
    bound = thousandths / 1000 + 0.0005
    there = judged({EMBLEM: values}, {"direction": "within", "bound": bound})
    back = judged({EMBLEM: values}, {"direction": "within", "bound": bound, "of": [(-1, *EMBLEM)]})
    assert there.verdict == back.verdict
