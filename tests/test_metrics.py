"""What is measured beside exact match: verdicts of single predictions, likelihoods, groups of rows, intervals."""

import json
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbench.benchmarks.days import read_day
from kbench.benchmarks.definitions import BESIDE, CHAIN, GROUP, LIKELIHOOD, MEASURES, PER_SAMPLE, TEXT, definitions
from kbench.benchmarks.likelihood import RANKED, likelihoods, requests_of
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.measures import asks_day, asks_number, members_of, text_measures
from kbench.benchmarks.metrics import Accuracy, Sample, accuracies
from kbench.benchmarks.models.baselines import Baseline, Majority, Oracle, Uniform
from kbench.benchmarks.models.protocol import Weight
from kbench.benchmarks.quantities import read_number
from kbench.benchmarks.resampling import holm, intervals, sign_flip
from kbench.benchmarks.scoring import score
from kbench.benchmarks.spelled import spelled_number
from kbench.benchmarks.tasks import Guessing, Item, guessing, load_items
from kbench.generator.surface import date_of, date_text, number_words
from kbench.schema import QUESTION_STYLES, SAMPLE_SCHEMA
from tests import samples

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases" / "verdicts.json").read_text("utf-8"))
ROW: dict[str, Any] = {
    "id": "w/person-1/emblem/qa/x01",
    "style": "qa",
    "probe": "paraphrase",
    "relation": "emblem",
    "value_type": "categorical",
    "number": None,
    "unit": "",
    "fact_ids": ["w/person-1/emblem"],
    "entity_id": "w/person-1",
    "template_id": "qa/emblem/x01",
    "hops": 1,
    "hop_ids": [],
}
Answering = Callable[[Guessing], Baseline]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['metric']}: {case['reason']}")
def test_a_verdict_is_what_its_reason_says(case: dict[str, Any]) -> None:
    row = {**ROW, **case["row"]}
    found: dict[str, Any] = {"exact_match": float(exact_match(case["prediction"], row["answers"]))}
    found |= text_measures(row, case["prediction"])
    assert found[case["metric"]] == (None if case["expected"] is None else pytest.approx(case["expected"]))
    assert case["source"]


def test_every_measure_of_a_prediction_has_cases() -> None:
    assert {case["metric"] for case in CASES} == {"exact_match", *TEXT}


@settings(max_examples=25)  # inflect takes its time to spell one
@given(st.integers(-(10**14), 10**14))
def test_a_number_is_read_as_it_is_written_and_spelled(number: int) -> None:
    assert read_number(f"{number:,}") == read_number(str(number)) == number
    assert spelled_number(number_words(number)) == number


@given(st.integers(-300_000, 700_000))
def test_a_day_is_read_in_each_form_that_a_world_writes(day: int) -> None:
    date = date_of(day)
    for text in (date_text(day), f"{date:%B} {date.day}, {date.year:04}", date.isoformat()):
        assert read_day(text) == (day if date.year >= 1000 or text == date.isoformat() else read_day(text))


@given(st.text(max_size=60))
def test_any_text_can_be_measured(text: str) -> None:
    for row in ({"answers": ["45 cm"], "value_type": "numeric", "number": 45.0, "unit": "cm"}, {"answers": [text]}):
        measured = text_measures({**ROW, **row}, text)
        assert all(value is None or 0 <= value <= 1 for value in measured.values())


def test_an_exact_match_is_right_in_every_measure(default_sample: samples.Sample) -> None:
    for row in default_sample.of(QUESTION_STYLES - {"tone"}, "test", "control"):
        for answer in row["answers"]:
            measured = text_measures(row, f" {answer.upper()}.")
            assert {value for value in measured.values() if value is not None} == {1.0}, (row, answer)


def test_every_answer_of_a_release_is_read_as_its_number_day_or_list(sample: samples.Sample) -> None:
    counted = 0
    for row in sample.of(QUESTION_STYLES - {"choice", "tone"}):
        # A row that asks for a rounded number takes the exact one too.
        for answer in [row["answer"]] if row["style"] == "numeric" else row["answers"]:
            if asks_number(row):
                assert read_number(answer, row["unit"]) == row["number"], row
            if asks_day(row):
                assert read_day(answer) == row["number"], row
            if row["relation"].startswith("list."):
                assert len(members_of(row)) == len(row["fact_ids"]), row
                assert text_measures(row, answer)["set_f1"] == 1, row
            counted += 1
    assert counted


def _answered(release: Any, answering: Answering) -> tuple[list[Sample], Guessing]:
    known = guessing(release)
    model, found = answering(known), []
    for item in load_items(release, ("train", "test", "control")):
        said = model.reply(item)
        right = exact_match(said, item.row["answers"])
        found.append(Sample(item, said, right, float(right), "scored"))
    return found, known


def _oracle(known: Guessing) -> Baseline:
    return Oracle()


def _scores(release: Any, answering: Answering) -> list[Accuracy]:
    found, known = _answered(release, answering)
    return accuracies(found, known, None)


def test_the_oracle_is_perfect_in_every_measure_that_applies(default_sample: samples.Sample) -> None:
    seen = set[str]()
    for each in _scores(default_sample.release, _oracle):
        for name in each.measures.keys() & {*TEXT, "given_hops"}:
            assert each.measures[name].value == 1, (each.style, each.probe, name)
            seen.add(name)
        for name in ("modal_rate", "answer_entropy"):
            if name in each.measures:
                expected = each.measures[f"{name}_expected"].value
                assert each.measures[name].value == pytest.approx(expected), (each.style, each.probe)
        if "swapped" in each.measures:
            assert each.measures["swapped"].value == 0, (each.style, each.probe)
    assert seen == {*TEXT, "given_hops"}


def test_a_model_that_ignores_the_subject_is_told_by_every_subject_measure(lab: samples.Sample) -> None:
    scores = _scores(lab.release, Majority)
    asked = [each for each in scores if each.style in ("qa", "cloze")]
    assert asked
    for each in asked:
        assert each.measures["modal_rate"].value == 1
        assert each.measures["answer_entropy"].value == 0 < each.measures["answer_entropy_expected"].value
        assert each.measures["modal_rate_expected"].value == pytest.approx(each.majority)
        swapped = each.measures["swapped"]
        assert swapped.value == pytest.approx(each.accuracy, abs=1.5 * (1 - swapped.n / each.rows) + 1e-9)


def test_a_guess_is_at_chance_whichever_subject_it_was_for(lab: samples.Sample) -> None:
    recall = next(e for e in _scores(lab.release, Uniform) if (e.style, e.probe) == ("qa", "recall"))
    swapped, contained = recall.measures["swapped"], recall.measures["contains_match"]
    assert swapped.low - 0.01 <= recall.chance <= swapped.high + 0.01
    assert contained.value >= recall.accuracy
    assert recall.measures["modal_rate"].value < 0.2
    assert recall.measures["number_match"].value > 2 * recall.chance  # a near number is easier to guess


def _sample(place: int, right: bool, **row: Any) -> Sample:
    ids = {"id": f"q{place}", "entity_id": f"e{place}", "fact_ids": [f"f{place}"]}
    full = {**ROW, "answer": "amber", "answers": ["amber"], **ids, **row}
    return Sample(Item(full, "test", "?"), "amber" if right else "blue", right, float(right), "scored")


def test_hops_count_only_where_all_of_them_were_right() -> None:
    hops = [_sample(0, True), _sample(1, False), _sample(2, True)]
    asked = [
        _sample(3, True, hops=2, hop_ids=["q0", "q2"], probe="multihop"),
        _sample(4, False, hops=2, hop_ids=["q0", "q2"], probe="multihop"),
        _sample(5, True, hops=2, hop_ids=["q0", "q1"], probe="multihop"),
        _sample(6, True, hops=2, hop_ids=["q0", "gone"], probe="multihop"),
    ]
    found = accuracies([*hops, *asked], Guessing({}, {}, {}), None)
    given_hops = {each.probe: each.measures.get("given_hops") for each in found}
    assert given_hops["paraphrase"] is None
    assert given_hops["multihop"] is not None
    assert (given_hops["multihop"].value, given_hops["multihop"].n) == (0.5, 2)


@pytest.mark.parametrize(("probe", "name"), [("recall", "gain"), ("control", "leak"), ("known", "retention")])
def test_the_difference_to_the_base_has_its_name_and_leaves_out_what_the_base_was_not_scored_on(
    probe: str, name: str
) -> None:
    tuned = [_sample(place, place % 4 > 0, probe=probe) for place in range(40)]
    base: dict[str, bool | None] = {f"q{place}": place % 2 == 0 for place in range(38)} | {"q38": None}
    [found] = accuracies(tuned, Guessing({}, {}, {}), base)
    assert found.versus_base is not None
    assert (found.versus_base.name, found.versus_base.rows, found.versus_base.entities) == (name, 38, 38)
    right = np.mean([place % 4 > 0 for place in range(38)])
    assert found.base == 0.5
    assert found.versus_base.value == pytest.approx(right - 0.5)
    assert found.versus_base.low < found.versus_base.value < found.versus_base.high


def test_unscored_rows_and_errors_are_in_no_mean() -> None:
    lost = [Sample(_sample(9, True).item, "", None, None, status) for status in ("unscored", "error")]
    assert all(value is None for each in lost for value in each.measures.values())
    [found] = accuracies([_sample(1, True), *lost], Guessing({}, {}, {}), None)
    assert (found.rows, found.unscored, found.errors, found.measures["token_f1"].n) == (1, 1, 1, 1)


def _weights(asked: list[tuple[Item, str]], known: Guessing) -> list[Weight]:
    """What a model that knows the answer finds: shorter texts likelier, the answer above all."""
    return [
        Weight(-1.0 if exact_match(text, item.row["answers"]) else -10.0 - len(text), len(text)) for item, text in asked
    ]


def test_likelihoods_follow_from_the_weights_of_the_requests_in_order(default_sample: samples.Sample) -> None:
    release, known = default_sample.release, guessing(default_sample.release)
    items = load_items(release, ("test",))
    asked = requests_of(items, known)
    assert asked == requests_of(items, known)
    found = likelihoods(items, known, _weights(asked, known))
    ranked = 0
    for item, measured in zip(items, found, strict=True):
        assert list(measured) == list(LIKELIHOOD)
        if item.row["style"] == "choice":
            assert (measured["acc"], measured["acc_norm"], measured["answer_rank"]) == (1, 1, None)
        elif len(item.row["fact_ids"]) > 1:
            assert set(measured.values()) == {None}
        else:
            assert measured["answer_logprob"] == -1
            assert measured["answer_logprob_per_token"] == pytest.approx(-1 / len(f" {item.row['answer']}"))
            ranked += measured["answer_rank"] == 1
            assert measured["answer_rank"] in (1, None)
    assert ranked > 100
    for item in (item for item in items if item.row["style"] in ("qa", "cloze")):
        [first, *others] = [text for each, text in asked if each is item]
        assert first == f" {item.row['answer']}"
        assert len({*others}) == len(others) < RANKED
        assert not any(exact_match(other, item.row["answers"]) for other in others)
        break


@pytest.mark.parametrize(
    ("logprobs", "acc", "acc_norm"),
    [
        ([-4.0, -3.0], 0, 1),
        ([-3.0, -3.0], 1, 1),
        ([-1.0, -3.0], 1, 1),
        ([-9.0, -3.0], 0, 0),
        ([-3.5, -0.5], 0, 0),
        ([-8.0, -4.0], 0, 1),
    ],
)
def test_options_are_judged_as_lm_eval_judges_them(logprobs: list[float], acc: int, acc_norm: int) -> None:
    item = Item({**ROW, "style": "choice", "choices": ["bluebird", "lynx"], "label": 0}, "test", "?")
    weights = [Weight(logprob, 1) for logprob in logprobs]
    [found] = likelihoods([item], Guessing({}, {}, {}), weights)
    lengths = np.asarray([8.0, 4.0])
    assert acc == (np.argmax(logprobs) == 0)
    assert acc_norm == (np.argmax(np.asarray(logprobs) / lengths) == 0)
    assert (found["acc"], found["acc_norm"]) == (acc, acc_norm)


def test_ties_count_against_the_answer_and_a_missing_weight_leaves_the_item_out() -> None:
    item = Item({**ROW, "answer": "b", "answers": ["b"]}, "test", "?")
    known = Guessing({"emblem": ["a", "b", "c"]}, {}, {})
    assert len(requests_of([item], known)) == 3
    [found] = likelihoods([item], known, [Weight(-2.0, 2), Weight(-2.0, 1), Weight(-5.0, 1)])
    assert (found["answer_rank"], found["answer_margin"], found["answer_logprob_per_token"]) == (2, 0, -1)
    [lost] = likelihoods([item], known, [Weight(-2.0, 2), None, Weight(-5.0, 1)])
    assert set(lost.values()) == {None}


def test_a_sign_flip_of_few_entities_counts_every_flip() -> None:
    clusters, differences = ["a", "a", "b", "c", "d"], np.asarray([1.0, 1.0, 1.0, -1.0, 0.0])
    sums = [2.0, 1.0, -1.0, 0.0]
    flips = [
        abs(sum(sign * each for sign, each in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=4)
    ]
    test = sign_flip(clusters, differences)
    assert test.exact
    assert test.p == sum(flip >= 2 for flip in flips) / 16
    assert sign_flip(clusters, 0 * differences).p == 1


def test_a_sign_flip_of_many_entities_has_a_floor_and_agrees_with_the_normal_law() -> None:
    stream = np.random.default_rng(5)
    clusters = [str(place) for place in range(400)]
    assert sign_flip(clusters, np.ones(400)).p == sign_flip(clusters, np.ones(400)).floor == 1 / 10_001
    differences = stream.choice([-1.0, 0.0, 1.0], size=400, p=[0.25, 0.45, 0.3])
    z = (abs(differences.sum()) - 1) / math.sqrt((differences**2).sum())  # sums of signs lie two apart
    assert sign_flip(clusters, differences).p == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.02)


def test_the_unit_of_a_sign_flip_is_the_entity() -> None:
    rows = np.ones(30)
    assert sign_flip(["one"] * 30, rows).p == 1
    assert sign_flip([str(place) for place in range(30)], rows).p < 0.001


def test_a_measure_that_applies_to_few_rows_has_its_own_interval() -> None:
    clusters = [str(place // 3) for place in range(300)]
    values = np.stack([np.arange(300) % 2, np.where(np.arange(300) < 60, 1.0, np.nan), np.full(300, np.nan)], axis=1)
    whole, few, none = intervals(clusters, values)
    alone = intervals(clusters, values[:, :1])[0]
    assert (whole.low, whole.high) == (alone.low, alone.high)
    assert (few.low, few.high, few.stderr) == (1, 1, 0)
    assert math.isnan(none.low)


@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
    ],
)
def test_holm_adjusts_for_the_number_of_tests(ps: list[float], adjusted: list[float]) -> None:
    assert holm(ps) == pytest.approx(adjusted)


def test_a_result_defines_and_keeps_every_measure(lab_release: Any, tmp_path: Path) -> None:
    about = score(lab_release, "majority", tmp_path).about
    kbench = about["kbench"]
    assert kbench["definitions"] == definitions()
    assert kbench["status"] == {"scored": kbench["samples"], "unscored": 0, "error": 0}
    assert (kbench["n_errors"], kbench["n_unscored"]) == (0, 0)
    scores = {f"kbench_{lab_release.world}_{s['style']}_{s['probe']}": s for s in kbench["scores"]}
    for task, result in about["results"].items():
        measures = scores[task]["measures"]
        assert result["token_f1,none"] == measures["token_f1"]["value"]
        assert result["token_f1_stderr,none"] == measures["token_f1"]["stderr"]
        assert about["higher_is_better"][task]["token_f1"] is True
        assert "modal_rate" not in about["higher_is_better"][task]
    table = pq.read_table(tmp_path / "samples.parquet")
    assert set(PER_SAMPLE) <= set(SAMPLE_SCHEMA.names)
    [first] = [score for score in kbench["scores"] if (score["style"], score["probe"]) == ("qa", "recall")]
    kept = [row["token_f1"] for row in table.to_pylist() if (row["style"], row["probe"]) == ("qa", "recall")]
    assert first["measures"]["token_f1"]["value"] == pytest.approx(np.mean(kept))


def test_the_page_of_the_metrics_has_every_definition_word_for_word() -> None:
    page = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert set(definitions()) == {*BESIDE, *MEASURES}
    assert {*MEASURES} == {*TEXT, *LIKELIHOOD, *CHAIN, *GROUP}
    for name, line in definitions().items():
        assert f"| `{name}` | {line} |" in page, name
