"""Gaps with both levels: what made one smaller."""

import pytest

from kbench.studies.study import Gap
from kbench.studies.study_design import design
from kbench.studies.study_gaps import gap_rows, why_closed
from tests.studied import hand_levels, hand_study


@pytest.mark.parametrize(
    ("closed", "better", "worse", "why"),
    [
        (0.0, -0.1, -0.1, "it is no smaller"),
        (-0.1, 0.1, 0.0, "it is no smaller"),
        (0.1, -0.2, -0.1, "both are lower, the better one by more"),
        (0.1, -0.1, 0.0, "only because the better one is lower"),
        (0.1, 0.0, 0.1, "because the worse one is higher"),
        (0.1, 0.1, 0.2, "both are higher, the worse one by more"),
        (0.2, -0.05, 0.15, "75% of it because the worse one is higher, the rest because the better one is lower"),
    ],
)
def test_a_smaller_gap_is_said_to_come_from_the_level_that_changed(
    closed: float, better: float, worse: float, why: str
) -> None:
    assert why_closed(closed, better, worse) == why


def test_a_gap_is_the_difference_of_its_two_levels_and_is_held_against_the_first_reading() -> None:
    study = hand_study()
    gap = Gap(title="g", better="centre", worse="style=article", readings=("emblem", "cloze", "kept"))
    rows = gap_rows(design(study, next(iter(study.budgets))), hand_levels(), gap)
    assert [row.closed is None for row in rows] == [True, False, False]
    for row in rows:
        assert row.gap.mean == pytest.approx(row.better - row.worse)
        assert row.base is not None
    for row in rows[1:]:
        assert row.closed is not None
        assert row.closed.mean == pytest.approx(rows[0].gap.mean - row.gap.mean)
