"""What the YAML files for lm-eval call by `!function`; its code goes out with them."""

from collections.abc import Callable
from typing import Any

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.prompts import prediction_of


def process_results(row: dict[str, Any], results: list[str]) -> dict[str, float]:
    """The exact match of what was generated, as kbench scores it."""
    return {"exact_match": float(exact_match(prediction_of(row, results[0]), row["answers"]))}


def _asking(probe: str) -> Callable[[Any], Any]:
    def rows_of_a_probe(rows: Any) -> Any:
        return rows.select([place for place, found in enumerate(rows["probe"]) if found == probe])

    return rows_of_a_probe


recall = _asking("recall")
paraphrase = _asking("paraphrase")
cross_style = _asking("cross_style")
reverse = _asking("reverse")
multihop = _asking("multihop")
compare = _asking("compare")
aggregate = _asking("aggregate")
choice = _asking("choice")
known = _asking("known")
control = _asking("control")
