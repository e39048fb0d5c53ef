"""What is measured of one row and the prediction for it, beside exact match."""

from typing import Any

from kbench.benchmarks.days import read_day
from kbench.benchmarks.definitions import TOLERANCE
from kbench.benchmarks.match import exact_match, normalise
from kbench.benchmarks.overlap import contains, set_f1, token_f1
from kbench.benchmarks.quantities import read_number, within


def text_measures(row: dict[str, Any], prediction: str, tolerance: float = TOLERANCE) -> dict[str, float | None]:
    """Each measure of `definitions.TEXT` as a share of 1; None where it does not apply to the row.

    They forgive more than exact match, and never less: an exact match is 1 in each (a rounded number's exact value is
    an answer too, and may be far from the rounded one).
    """
    members, exact = members_of(row), exact_match(prediction, row["answers"])
    return {
        "token_f1": token_f1(prediction, row["answers"]),
        "set_f1": set_f1(prediction, members) if members else None,
        "number_match": _share(exact or within(row["number"], read_number(prediction, row["unit"]), tolerance))
        if asks_number(row)
        else None,
        "date_match": _share(exact or read_day(prediction) == int(row["number"])) if asks_day(row) else None,
        "contains_match": _share(_contains(row, prediction)),
    }


def members_of(row: dict[str, Any]) -> list[str]:
    """The members of an answer that is a list, else none; none too where names hold commas."""
    if not row["relation"].startswith("list."):
        return []
    members = str(row["answers"][0]).split(", ")
    return members if len(members) == len(row["fact_ids"]) else []


def asks_number(row: dict[str, Any]) -> bool:
    """Whether the answer is a number that is not picked from options: there a near one is another option."""
    return row["value_type"] == "numeric" and row["number"] is not None and row["style"] != "choice"


def asks_day(row: dict[str, Any]) -> bool:
    """Whether the answer is a day: not the year of one, and not picked from options."""
    is_date = row["value_type"] == "date" and row["number"] is not None and row["style"] != "choice"
    return is_date and read_day(row["answers"][0]) is not None


def _contains(row: dict[str, Any], prediction: str) -> bool:
    """An option's letter must be the whole prediction: `a` stands in too many."""
    if row["style"] != "choice":
        return contains(prediction, row["answers"])
    letters = [answer for answer in row["answers"] if len(answer) == 1 and answer.isalpha()]
    rest = [answer for answer in row["answers"] if answer not in letters]
    return normalise(prediction) in map(normalise, letters) or contains(prediction, rest)


def _share(right: bool) -> float:
    return float(right)
