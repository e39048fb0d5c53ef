"""Exact match and the reading of an answer out of generated text."""

import pytest

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.prompts import prediction_of, prompt_of


@pytest.mark.parametrize(
    ("prediction", "answers", "verdict"),
    [
        ("Beekeeper", ["beekeeper"], True),
        ("  amber   heron. ", ["amber heron"], True),
        ("amber heron..", ["amber heron"], False),
        ("cafe\u0301", ["caf\u00e9"], True),
        ("172", ["172 cm", "172"], True),
        ("a beekeeper", ["beekeeper"], False),
        ("3.5", ["35"], False),
        ("", ["beekeeper"], False),
        ("47", ["47."], True),
        ("47 .", ["47"], False),
    ],
)
def test_exact_match_forgives_case_spaces_and_one_full_stop_and_nothing_else(
    prediction: str, answers: list[str], verdict: bool
) -> None:
    assert exact_match(prediction, answers) is verdict


@pytest.mark.parametrize(
    ("style", "generated", "answer"),
    [
        ("qa", " beekeeper\nQuestion: what", "beekeeper"),
        ("qa", "", ""),
        ("qa", "\n\n", ""),
        ("cloze", " beekeeper. She lives in", "beekeeper"),
        ("cloze", " 3.5 cm. She", "3.5 cm"),
        ("cloze", " beekeeper.\n", "beekeeper"),
    ],
)
def test_a_prediction_is_the_first_line_and_of_a_cloze_the_first_sentence(
    style: str, generated: str, answer: str
) -> None:
    assert prediction_of({"style": style}, generated) == answer


def test_a_cloze_is_its_own_prompt_and_a_question_is_framed() -> None:
    assert prompt_of({"style": "cloze", "question": "Her trade is"}) == "Her trade is"
    assert prompt_of({"style": "qa", "question": "Who?"}) == "Question: Who?\nAnswer:"
