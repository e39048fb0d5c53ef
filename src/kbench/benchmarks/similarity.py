"""How alike questions are to those that were trained on: cosines of their vectors, by a model or by their words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kbench.errors import MissingExtra

Vectors = np.ndarray
"""A vector a text: (texts, width)."""

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Alike:
    """Of each question its cosine to the mean of the trained ones, and to the nearest of them."""

    centroid: tuple[float, ...]
    nearest: tuple[float, ...]


def similarity(trained: Sequence[str], rungs: Mapping[str, Sequence[str]], embed: Embed) -> dict[str, Alike]:
    """How alike the questions of each rung are to the trained ones, where `embed` makes vectors of texts.

    All texts go to `embed` at once, so that it may count over them. A text whose vector is zero is like nothing (0).
    """
    texts = [*trained, *(text for rung in rungs.values() for text in rung)]
    vectors = _unit(np.asarray(embed(texts), np.float64))
    known = vectors[: len(trained)]
    centre = _unit(known.mean(0, keepdims=True))[0]
    found: dict[str, Alike] = {}
    place = len(trained)
    for name, rung in rungs.items():
        own = vectors[place : place + len(rung)]
        place += len(rung)
        nearest = (own @ known.T).max(1) if len(rung) else np.zeros(0)
        found[name] = Alike(tuple((own @ centre).tolist()), tuple(nearest.tolist()))
    return found


def tfidf(texts: Sequence[str]) -> Vectors:
    """The words of each text weighted by how few of all texts have them (TF-IDF). Raises MissingExtra."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise MissingExtra("train", "scikit-learn") from None
    # A number or a name of one letter is a word here too.
    weighted = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, dtype=np.float64)
    found: Vectors = weighted.fit_transform(list(texts)).toarray()
    return found


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled
