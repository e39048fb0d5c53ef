"""Exact match, as the data contract defines it, and nothing else."""

import unicodedata
from collections.abc import Iterable


def normalise(text: str) -> str:
    """NFC, strip, casefold, collapse spaces, drop one final full stop."""
    return " ".join(unicodedata.normalize("NFC", text).strip().casefold().split()).removesuffix(".")


def exact_match(prediction: str, answers: Iterable[str]) -> bool:
    """Whether the prediction is one of the answers, after `normalise`."""
    given = normalise(prediction)
    return any(given == normalise(answer) for answer in answers)
