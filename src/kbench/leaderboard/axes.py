"""The axes of the leaderboard: samples become corrected accuracies, and these a headline with its interval."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from kbench.benchmarks.resampling import interval_of, resampled_means
from kbench.errors import OutputError
from kbench.leaderboard.entry import AxisName, AxisScore, Retention, Scores
from kbench.schema import REASONING

AXES: tuple[AxisName, ...] = get_args(AxisName)

TITLES: Mapping[AxisName, str] = {
    "held_out": "held-out phrasing",
    "cross_style": "both styles",
    "numeric": "numbers",
    "multihop": "multi-hop",
    "reverse": "reverse",
}
MEANINGS: Mapping[AxisName, str] = {
    "held_out": "questions about the new facts, in phrasings that no training text has",
    "cross_style": "facts answered both as a question and as a sentence to complete: of a question and a cloze of "
    "the same fact, in held-out phrasings, both right",
    "numeric": "questions about numbers",
    "multihop": "questions that need two facts, about people who are in no multi-hop training question",
    "reverse": "questions from the value back to the subject, about subjects that are in no reverse training question",
}

_ASKED: Mapping[AxisName, tuple[str, str]] = {
    "held_out": ("qa", "paraphrase"),
    "numeric": ("numeric", "paraphrase"),
    "multihop": ("multihop", "multihop"),
    "reverse": ("reverse", "reverse"),
}
_WAYS = (("qa", "paraphrase"), ("cloze", "cross_style"))
"""The two ways in which `cross_style` asks each fact."""

_CONTROLS = 20250308
"""The stream that control entities are drawn from: another than that of the entities which are taught."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Verdict:
    """How far one question, or one fact in both styles, was answered: 0 to 1, of which entity."""

    entity: str
    right: float


def axes_of(row: Row) -> tuple[AxisName, ...]:
    """The axes that a sample counts in; of `control` those whose twin it is."""
    found: list[AxisName] = [axis for axis, (style, probe) in _ASKED.items() if _is_asked(row, style, probe)]
    if any(_is_asked(row, style, probe) for style, probe in _WAYS) and len(row["fact_ids"]) == 1:
        found.append("cross_style")
    return tuple(found)


def scores_of(rows: Sequence[Row], base_known: float | None) -> Scores:
    """The scores of all samples of one result: rows with style, probe, entity_id, relation, fact_ids and correct.

    `base_known` is the base's accuracy on the background questions (`qa known`), where the release has a background. A
    sample without a verdict counts as wrong. Raises OutputError where an axis has no question or no control, or
    where every control question was answered.
    """
    axes: dict[AxisName, AxisScore] = {}
    taught = {axis: _verdicts(rows, axis, control=False) for axis in AXES}
    twins = {axis: _verdicts(rows, axis, control=True) for axis in AXES}
    for axis in AXES:
        if not taught[axis] or not twins[axis]:
            missing = "questions" if not taught[axis] else "control questions"
            raise OutputError(f"the result has no {missing} for the axis {axis}: score the whole release")
        if _mean(twins[axis]) == 1:
            raise OutputError(f"every control question of the axis {axis} was answered: knowing cannot be told from it")
    corrected = _corrected(_resampled(taught), _resampled(twins, _CONTROLS))
    for place, axis in enumerate(AXES):
        accuracy, control = _mean(taught[axis]), _mean(twins[axis])
        interval = interval_of(corrected[:, place])
        axes[axis] = AxisScore(
            accuracy=accuracy,
            control=control,
            corrected=(accuracy - control) / (1 - control),
            low=interval.low,
            high=interval.high,
            rows=len(taught[axis]),
            entities=len({verdict.entity for verdict in taught[axis]}),
            control_rows=len(twins[axis]),
        )
    whole = interval_of(corrected.mean(axis=1))
    return Scores(
        headline=float(np.mean([score.corrected for score in axes.values()])),
        low=whole.low,
        high=whole.high,
        stderr=whole.stderr,
        axes=axes,
        retention=_retention(rows, base_known),
    )


def _is_asked(row: Row, style: str, probe: str) -> bool:
    if row["style"] != style:
        return False
    if row["probe"] != "control":
        return bool(row["probe"] == probe)
    # A twin asks for the same kind of thing: of one fact, of a chain, not of a comparison or a count.
    return row["relation"].split(".")[0] not in REASONING


def _verdicts(rows: Iterable[Row], axis: AxisName, *, control: bool) -> list[_Verdict]:
    mine = [row for row in rows if (row["probe"] == "control") == control and axis in axes_of(row)]
    if axis != "cross_style":
        return [_Verdict(row["entity_id"], float(bool(row["correct"]))) for row in mine]
    ways: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in mine:
        ways[row["entity_id"], row["fact_ids"][0]][row["style"]].append(float(bool(row["correct"])))
    # Of all pairs of a question and a cloze of a fact, the share of which both are right.
    return [
        _Verdict(entity, float(np.mean(asked["qa"]) * np.mean(asked["cloze"])))
        for (entity, _), asked in ways.items()
        if len(asked) == len(_WAYS)
    ]


def _mean(verdicts: list[_Verdict]) -> float:
    return float(np.mean([verdict.right for verdict in verdicts]))


def _resampled(verdicts: Mapping[AxisName, list[_Verdict]], *stream: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The mean of each axis in each resample; an entity is drawn for all axes at once."""
    clusters = [verdict.entity for axis in AXES for verdict in verdicts[axis]]
    values = np.full((len(clusters), len(AXES)), np.nan)
    at = 0
    for place, axis in enumerate(AXES):
        values[at : at + len(verdicts[axis]), place] = [verdict.right for verdict in verdicts[axis]]
        at += len(verdicts[axis])
    return resampled_means(clusters, values, *stream)


def _corrected(
    accuracy: np.ndarray[Any, np.dtype[np.float64]], control: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (accuracy - control) / (1 - control)
    return np.where(np.isfinite(found), found, np.nan)


def _retention(rows: Iterable[Row], base_known: float | None) -> Retention | None:
    known = [float(bool(row["correct"])) for row in rows if row["style"] == "qa" and row["probe"] == "known"]
    if not known or base_known is None:
        return None
    accuracy = float(np.mean(known))
    kept = accuracy / base_known if base_known else 1.0  # who knew nothing has nothing to lose
    return Retention(accuracy=accuracy, base=base_known, kept=kept, rows=len(known))
