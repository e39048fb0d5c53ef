"""The linear law of known and unknown facts: what is fitted, how well, and where no fit can be."""

import math

import pytest

from kbench.errors import SpecError
from kbench.studies.linear_law import PAPER, LinearLaw, Point, fit_law, fit_laws

FITTED = [(0.0, 0.0), (0.9, 0.0), (0.5, 0.1), (0.5, 0.5), (0.1, 0.9), (1.0, 0.0)]


def on(law: LinearLaw, seed: int = 0) -> list[Point]:
    """Points that lie on a law."""
    return [Point(seed, kn, unk, law.base + law.known * kn + law.unknown * unk) for kn, unk in FITTED]


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_law_is_found_in_points_that_lie_on_it(name: str) -> None:
    found = fit_law(on(PAPER[name]))
    assert (found.base, found.known, found.unknown) == pytest.approx(
        (PAPER[name].base, PAPER[name].known, PAPER[name].unknown)
    )
    assert found.r_squared == pytest.approx(1.0)
    assert found.points == 6


def test_a_fit_by_hand() -> None:
    """Two by two: the coefficients are the mean differences, and the interaction of .04 is what is left."""
    values = {(0.0, 0.0): 0.40, (1.0, 0.0): 0.50, (0.0, 1.0): 0.30, (1.0, 1.0): 0.44}
    found = fit_law([Point(0, kn, unk, accuracy) for (kn, unk), accuracy in values.items()])
    assert (found.base, found.known, found.unknown) == pytest.approx((0.39, 0.12, -0.08))
    assert found.r_squared == pytest.approx(1 - 4 * 0.01**2 / sum((v - 0.41) ** 2 for v in values.values()))


def test_each_seed_has_a_law_of_its_own() -> None:
    one, other = LinearLaw(0.4, 0.1, -0.2, None, None), LinearLaw(0.3, 0.0, 0.1, None, None)
    found = fit_laws([point for pair in zip(on(one, 3), on(other, 5), strict=True) for point in pair])
    assert list(found) == [3, 5]
    assert (found[3].unknown, found[5].unknown) == pytest.approx((-0.2, 0.1))


def test_accuracies_that_are_all_the_same_have_nothing_to_be_explained() -> None:
    found = fit_law(on(LinearLaw(0.1, 0.0, 0.0, None, None)))
    assert (found.base, found.known, found.unknown) == pytest.approx((0.1, 0.0, 0.0))
    assert found.r_squared is None


def test_the_papers_figures_are_shares_of_one() -> None:
    assert PAPER["in_distribution"] == LinearLaw(0.369, 0.073, -0.083, 0.86, None)
    assert PAPER["out_of_distribution"] == LinearLaw(0.362, 0.032, -0.030, 0.95, None)


@pytest.mark.parametrize(
    ("points", "expected_error"),
    [
        ([], r"linear law, seed none: a fit needs at least 4 points \(got 0\): add checkpoints or arms"),
        ([Point(3, kn, unk, 0.4) for kn, unk in FITTED[:3]], r"linear law, seed 3: a fit needs at least 4 points \(got 3\)"),
        ([Point(3, kn, 1 - kn, kn) for kn in (0.0, 0.2, 0.5, 0.7, 1.0)], r"linear law, seed 3: known and unknown facts were fitted in step in all 5 points"),
        ([Point(3, kn, 0.0, kn) for kn in (0.0, 0.2, 0.5, 0.7)], r"or one of them always alike, and the two cannot be told apart: add arms"),
        ([Point(3, 0.5, 0.2, 41.0)], r"linear law, seed 3: accuracy must be a share from 0 to 1 \(got 41\.0\)"),
        ([Point(3, 0.5, math.nan, 0.4)], r"linear law, seed 3: unknown must be a share from 0 to 1 \(got nan\)"),
    ],
)  # fmt: skip
def test_points_without_a_law_are_told_in_one_line(points: list[Point], expected_error: str) -> None:
    with pytest.raises(SpecError, match=expected_error):
        fit_law(points)
