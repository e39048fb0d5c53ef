"""Wall time of `kbench generate` with one, two and three workers, and whether they write the same bytes.

Whole commands, start-up and worker processes included, in turn: 1, 2, 3, 1, 2, 3, … Two workers need two idle cores.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from rich.table import Table

from tests.bench.command import Finished, run
from tests.bench.report import show, spread


def main() -> None:
    """Print seconds by number of workers, and how many times faster than one worker each is."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- workers", description=__doc__)
    parser.add_argument("--entities", type=int, default=9_600, help="of the default world; 105 questions each, or more")
    parser.add_argument("--style", default="qa")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    runs: dict[int, list[Finished]] = {workers: [] for workers in asked.workers}
    for _ in range(asked.repeats):
        for workers, done in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                done.append(run(Path(folder) / "release", asked.entities, workers, asked.style))
    first = runs[asked.workers[0]]
    shown = Table("workers", title=f"{first[0].rows:,} rows of {asked.style}")
    for column in ("wall s", "rows / wall s", "CPU s", "times the first", "largest process, MB"):
        shown.add_column(column, justify="right")
    for workers, done in runs.items():
        wall = median(d.wall for d in done)
        shown.add_row(
            str(workers),
            spread([d.wall for d in done], 2),
            f"{done[0].rows / wall:,.0f}",
            spread([d.cpu for d in done], 2),
            f"{median(d.wall for d in first) / wall:.2f}",
            f"{max(d.peak for d in done):.0f}",
        )
    same = all(d.files == first[0].files for done in runs.values() for d in done)
    show(
        shown,
        "median (quartiles)",
        f"the same bytes: {'yes' if same else 'NO'}",
        f"{os.cpu_count()} cores, load {load:.1f} before",
    )


if __name__ == "__main__":
    main()
