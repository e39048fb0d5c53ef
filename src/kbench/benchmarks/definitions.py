"""Every measure of a result, each defined in one line."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """What a measure is, in one line; whether more of it is better (None: neither); and who else has it."""

    line: str
    higher_is_better: bool | None = True
    source: str = ""


TOLERANCE = 0.05
"""How far off a number may be, as a share of the right one."""

TEXT: Mapping[str, Definition] = {
    "token_f1": Definition(
        "F1 of the words of prediction and answer, best over the answers; words as SQuAD's, numbers kept whole",
        source="Rajpurkar et al. 2016",
    ),
    "set_f1": Definition(
        "F1 of the things listed and the things asked for, in any order; only where the answer is a list",
        source="Gong et al. 2025 (PhantomWiki)",
    ),
    "number_match": Definition(
        f"the prediction says one number, in the row's unit or converted to it, at most {TOLERANCE:.0%} off; only of "
        "numbers without options"
    ),
    "date_match": Definition(
        "the prediction says one day, in any unambiguous form, and it is the right one; only where a day is asked for"
    ),
    "contains_match": Definition(
        "an answer stands in the prediction as whole words", source="Mallen et al. 2023 (PopQA)"
    ),
}
"""What is measured of a row and the prediction alone."""

LIKELIHOOD: Mapping[str, Definition] = {
    "acc": Definition(
        "the right option has the highest log-probability of all; only with options", source="lm-evaluation-harness"
    ),
    "acc_norm": Definition(
        "the right option has the highest log-probability per character; only with options",
        source="lm-evaluation-harness; Brown et al. 2020",
    ),
    "answer_logprob": Definition(
        "log-probability of the answer after the prompt, in nats; only of questions of one fact, without options",
        source="Maini et al. 2024 (TOFU) per token",
    ),
    "answer_logprob_per_token": Definition(
        "answer_logprob by the number of the answer's tokens", source="Maini et al. 2024 (TOFU)"
    ),
    "answer_rank": Definition(
        "place of the answer by log-probability among at most 20 values of its relation (1: the likeliest; ties count "
        "against it)",
        False,
    ),
    "answer_margin": Definition("answer_logprob less that of the likeliest of the other values, in nats"),
}
"""What is measured by the likelihood of answers and options."""

GROUP: Mapping[str, Definition] = {
    "given_hops": Definition(
        "exact match of the rows of several hops whose hops were all asked and answered right",
        source="Yang et al. 2024; Zhong et al. 2023 (MQuAKE)",
    ),
    "modal_rate": Definition(
        "share of predictions that are the relation's commonest answer in training; beside modal_rate_expected", None
    ),
    "modal_rate_expected": Definition("modal_rate if every prediction were right", None),
    "answer_entropy": Definition(
        "entropy of the predictions of a relation, in bits, mean over relations weighted by rows; beside "
        "answer_entropy_expected",
        None,
    ),
    "answer_entropy_expected": Definition("answer_entropy if every prediction were right", None),
    "swapped": Definition(
        "exact match of the prediction for another subject of the same phrasing, whose answers all differ: 0 where the "
        "subject decides, the accuracy itself where it is ignored",
        None,
    ),
}
"""What is measured of a row by the other rows of its style and probe."""

BESIDE: Mapping[str, Definition] = {
    "exact_match": Definition(
        "share of predictions that are an answer after NFC, strip, casefold, one space for many, and no final full stop"
    ),
    "control": Definition("exact match in the same style on twins that were never trained on", None),
    "base": Definition("exact match of the untuned model on the same rows", None),
    "chance": Definition("exact match of a uniform guess among the values that the answer could be", None),
    "majority": Definition("exact match of the relation's commonest answer in training", None),
    "gain": Definition("exact match less the base's on the same rows; paired"),
    "leak": Definition("gain on rows of never-trained twins: what training gave away without teaching", None),
    "retention": Definition("gain on rows about the known world: below 0 is what the model forgot"),
    "p": Definition(
        "two-sided sign-flip test over entities: all flips where there are few entities, else 10,000 of a fixed stream",
        None,
    ),
    "interval": Definition("95 % percentile interval of 2,000 resamples of entities, of a fixed stream", None),
}
"""Exact match, and what stands beside it."""

CHAIN: Mapping[str, Definition] = {
    "chain": Definition(
        "share of the values between question and answer that the chain of thought names; only with --prompt cot or "
        "chain, of rows of several facts"
    ),
}
"""What is measured of a chain of thought: an answer may be right and its chain wrong."""

PER_SAMPLE: tuple[str, ...] = (*TEXT, *LIKELIHOOD, *CHAIN)
"""The measures that each sample keeps, null where they do not apply."""

MEASURES: Mapping[str, Definition] = {**TEXT, **LIKELIHOOD, **CHAIN, **GROUP}
"""Every measure that a score may have beside exact match."""


def definitions() -> dict[str, str]:
    """Each measure in one line, as a result keeps them."""
    return {name: definition.line for name, definition in {**BESIDE, **MEASURES}.items()}
