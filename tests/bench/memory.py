"""Peak memory and speed of `kbench generate` by the size of the release.

The memory is that of the largest process of the command: with one worker the one that writes, with more the parent or a
worker. 10M questions take `--entities 95300`; they take some 200 MB on disk.
"""

import argparse
import tempfile
from pathlib import Path

from rich.table import Table

from tests.bench.command import run
from tests.bench.report import show

_LARGE = 95_300
"""New entities of the default world that have 10M questions."""


def main() -> None:
    """Print peak memory, seconds and bytes, a line for each size and number of workers."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- memory", description=__doc__)
    parser.add_argument("--entities", type=int, nargs="+", default=[2_400, 9_600], help="of the default world")
    parser.add_argument("--full", action="store_true", help=f"also {_LARGE:,} entities, 10M questions")
    parser.add_argument("--style", default="qa")
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, help="where to write; default: the system's temporary folder")
    asked = parser.parse_args()
    shown = Table("rows", title=f"kbench generate --style {asked.style}")
    for column in ("workers", "largest process, MB", "wall s", "CPU s", "rows / CPU s", "files", "MB on disk"):
        shown.add_column(column, justify="right")
    for entities in (*asked.entities, *([_LARGE] if asked.full else ())):
        for workers in asked.workers:
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                done = run(Path(folder) / "release", entities, workers, asked.style)
            shown.add_row(
                f"{done.rows:,}",
                str(workers),
                f"{done.peak:.0f}",
                f"{done.wall:.1f}",
                f"{done.cpu:.1f}",
                f"{done.rows / done.cpu:,.0f}",
                str(len(done.files)),
                f"{done.size / 1e6:.1f}",
            )
    show(shown)


if __name__ == "__main__":
    main()
