"""The linear law of known and unknown facts (Gekhman et al. 2024): accuracy by how much of either was fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kbench.errors import SpecError

LEAST = 4
"""Three points lie on the law exactly, whatever they are."""

_ALIKE = 1e-6
"""Below this ratio of the smallest to the largest singular value, two columns are one up to rounding."""


@dataclass(frozen=True)
class Point:
    """A finetuned model: its accuracy on a test, and the facts it has fitted, known and unknown, by all |D| of them."""

    seed: int
    known: float
    unknown: float
    accuracy: float


@dataclass(frozen=True)
class LinearLaw:
    """accuracy = `base` + `known` * N_known / |D| + `unknown` * N_unknown / |D|, as shares of one.

    `r_squared` is the share of the variance that it explains, None where all accuracies are the same. `points` is how
    many it was fitted to (None: not told).
    """

    base: float
    known: float
    unknown: float
    r_squared: float | None
    points: int | None


PAPER: Mapping[str, LinearLaw] = {
    "in_distribution": LinearLaw(0.369, 0.073, -0.083, 0.86, None),
    "out_of_distribution": LinearLaw(0.362, 0.032, -0.030, 0.95, None),
}
"""What Gekhman et al. (arXiv:2405.05904) found of PaLM 2 on EntityQuestions: on the relations that it was finetuned on,
and on seven others. Their points are checkpoints of mixtures with more and fewer unknown facts."""


def fit_laws(points: Sequence[Point]) -> dict[int, LinearLaw]:
    """The law of each seed, by least squares. Raises SpecError as `fit_law` does."""
    seeds = dict.fromkeys(point.seed for point in points)
    return {seed: fit_law([point for point in points if point.seed == seed]) for seed in seeds}


def fit_law(points: Sequence[Point]) -> LinearLaw:
    """The law that lies nearest to some points by least squares.

    Raises SpecError where there are fewer than four, where one has a value that is no share, or where what was fitted
    of known and of unknown facts does not vary apart: then no two coefficients can be told.
    """
    where = f"linear law, seed {', '.join(dict.fromkeys(str(point.seed) for point in points)) or 'none'}"
    for point in points:
        for name in ("known", "unknown", "accuracy"):
            if not 0 <= getattr(point, name) <= 1:
                raise SpecError(f"{where}: {name} must be a share from 0 to 1 (got {getattr(point, name)!r})")
    if len(points) < LEAST:
        raise SpecError(f"{where}: a fit needs at least {LEAST} points (got {len(points)}): add checkpoints or arms")
    fitted = np.array([[1.0, point.known, point.unknown] for point in points])
    accuracy = np.array([point.accuracy for point in points])
    found, _, rank, _ = np.linalg.lstsq(fitted, accuracy, rcond=_ALIKE)
    if rank < fitted.shape[1]:
        raise SpecError(
            f"{where}: known and unknown facts were fitted in step in all {len(points)} points, or one of them always "
            "alike, and the two cannot be told apart: add arms with other shares of unknown facts"
        )
    spread = float(((accuracy - accuracy.mean()) ** 2).sum())
    left = float(((accuracy - fitted @ found) ** 2).sum())
    varies = accuracy.max() > accuracy.min()
    base, known, unknown = map(float, found)
    return LinearLaw(base, known, unknown, 1 - left / spread if varies else None, len(points))
