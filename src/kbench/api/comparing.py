"""Two results compared from Python."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from kbench.api.recipes import PathLike
from kbench.benchmarks.compare import EXACT, Comparison, compare_results

if TYPE_CHECKING:
    from kbench.benchmarks.scoring import Result


def compare(a: Union[PathLike, "Result"], b: Union[PathLike, "Result"], *, measure: str = EXACT) -> Comparison:
    """Compare two results of one release on the rows that both were scored on: `kbench compare` in Python.

    Args:
        a: a result, or its folder.
        b: another of the same release; differences are b less a.
        measure: "exact_match", or another that samples.parquet has ("token_f1", "answer_rank").

    Returns:
        The comparison: `lines` has both scores, the difference, its interval and p for each style and probe, and
        `scores()` has them as rows; `notes` says what makes the two less alike than they should be.

    Raises:
        OutputError: a folder holds no finished result, the two are of different releases, or no row can be paired.
        SpecError: there is no such measure.

    >>> release = kbench.generate("my-world", spec="lab", seed=7)
    >>> guesses, truth = (kbench.evaluate(release, model, f"{model}-result") for model in ("majority", "oracle"))
    >>> kbench.compare(guesses, truth)
    exact_match of majority-result and oracle-result, paired by row
      qa        recall      0.07 and 1.00: +0.93 (+0.88 to +0.96), p ≤0.0001, 1,296 rows
      qa        paraphrase  0.07 and 1.00: +0.93 (+0.88 to +0.96), p ≤0.0001, 324 rows
      qa        known       0.04 and 1.00: +0.96 (+0.93 to +0.99), p ≤0.0001, 324 rows
      qa        control     0.02 and 1.00: +0.98 (+0.94 to +1.00), p ≤0.0001, 162 rows
    """
    return compare_results(_folder(a), _folder(b), measure)


def _folder(result: Union[PathLike, "Result"]) -> Path:
    return Path(result) if isinstance(result, str | Path) else result.path
