"""The part `law` of a study: epochs until half is fitted, and the law of histories made by hand."""

from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.results import RUN
from kbench.errors import SpecError
from kbench.store import write_json
from kbench.studies.grid_orders import Measure
from kbench.studies.law_part import HALF, learned, measure

Epoch = dict[str, Any]


def history(train: list[float], validation: list[float] | None = None) -> list[Epoch]:
    """Epochs with these shares of right answers."""
    held = validation or [0.5] * len(train)
    return [
        {"epoch": place, "train": taught, "validation": other}
        for place, (taught, other) in enumerate(zip(train, held, strict=True), 1)
    ]


REACHED = [
    ("between two epochs", [0.2, 0.4, 0.8], 2.25),
    ("at an epoch", [0.1, 0.5, 0.9], 2.0),
    ("before the first has ended", [1.0, 1.0], 0.5),
    ("the first time", [0.1, 0.6, 0.3, 0.9], 1.8),
    ("never: longer than there was", [0.1, 0.2, 0.4], 3.0),
    ("at the last", [0.0, 0.0, 0.5], 3.0),
]


@pytest.mark.parametrize(("train", "epochs"), [case[1:] for case in REACHED], ids=[case[0] for case in REACHED])
def test_half_is_learned_between_two_epochs_by_a_straight_line(train: list[float], epochs: float) -> None:
    assert learned(history(train), HALF, 0.0) == pytest.approx(epochs)


@pytest.mark.parametrize(("before", "epochs"), [(0.2, 0.5), (0.5, 0.0), (0.7, 0.0)])
def test_what_the_base_answers_is_where_the_line_begins(before: float, epochs: float) -> None:
    assert learned(history([0.8, 1.0]), HALF, before) == pytest.approx(epochs)


def order(folder: Path, runs: dict[str, list[Epoch]], **options: Any) -> Measure:
    """A measure of runs that left these histories."""
    for name, seen in runs.items():
        write_json(folder / name / RUN, {"history": seen})
    places = {name: folder / name for name in runs}
    return Measure("law", None, None, places, options, 101, folder / "out")


def law(known: float, unknown: float) -> float:
    return 0.4 + 0.3 * known - 0.2 * unknown


FITTED = [0.1, 0.4, 0.7, 1.0]
KNOWN = history(FITTED, [law(share, 0) for share in FITTED])
UNKNOWN = history(FITTED, [law(0, share) for share in FITTED])
HALVES = history(FITTED, [0.0, 0.0, 0.0, law(0.5, 0.5)])


def test_the_law_that_histories_lie_on_is_found(tmp_path: Path) -> None:
    """Of a mixture its last epoch alone counts: before that it is not known which facts were fitted."""
    found = measure(
        order(
            tmp_path,
            {"centre": KNOWN, "arm=unknown": UNKNOWN, "arm=half": HALVES, "told": history([0.9], [0.0])},
            known={"centre": 1.0, "arm=unknown": 0.0, "arm=half": 0.5},
        ),
        lambda *_: None,
    )
    assert found["known"]["value"] == pytest.approx(0.3)
    assert found["unknown"]["value"] == pytest.approx(-0.2)
    assert found["r_squared"]["value"] == pytest.approx(1.0)
    assert found["known"]["rows"] == 9  # four epochs of either arm, and one of the mixture
    assert found["half:centre"]["value"] == pytest.approx(2 + 1 / 3)
    assert found["half:told"]["value"] == pytest.approx(0.5 / 0.9)
    assert (tmp_path / "out" / "law.json").is_file()


def test_without_shares_only_the_epochs_are_read(tmp_path: Path) -> None:
    found = measure(order(tmp_path, {"centre": KNOWN, "arm=unknown": UNKNOWN}), lambda *_: None)
    cells = ("centre", "arm=unknown")
    assert set(found) == {f"{reading}:{cell}" for reading in ("before", "half", "most") for cell in cells}


@pytest.mark.parametrize(
    ("runs", "options", "expected_error"),
    [
        ({"centre": []}, {}, "the cell 'centre' watched no questions: give its recipe watch, above 0"),
        ({"centre": KNOWN}, {"shares": {}}, "part law: options: unknown key 'shares': have known"),
        ({"centre": KNOWN[:2]}, {"known": {"centre": 1.0}}, "a fit needs at least 4 points (got 2)"),
        ({"centre": KNOWN}, {"known": {"centre": 1.0}}, "and the two cannot be told apart: add arms with other shares"),
    ],
)
def test_what_no_law_can_be_read_of_is_told_in_one_line(
    tmp_path: Path, runs: dict[str, list[Epoch]], options: dict[str, Any], expected_error: str
) -> None:
    with pytest.raises(SpecError) as told:
        measure(order(tmp_path, runs, **options), lambda *_: None)
    assert expected_error in str(told.value)
    assert "\n" not in str(told.value)
