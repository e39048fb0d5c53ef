"""How soon `kbench generate` of the defaults begins to write, and which imports take the time before.

From the start of the process until a first table's file is open in the output folder, seen by looking without pause.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from tests.bench import command
from tests.bench.report import show, spread

_SHOWN = 15


def main() -> None:
    """Print seconds to the first file, to its first bytes and to the end, and the imports that take longest."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- start", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    # The first run compiles Python's files, where they were never imported.
    runs = [_run() for _ in range(asked.repeats + 1)][1:]
    shown = Table("until", title="kbench generate, defaults")
    shown.add_column("wall s: median (quartiles)", justify="right")
    moments = ("the plan is written", "the first table is open", "its first bytes are there", "the end")
    for place, moment in enumerate(moments):
        shown.add_row(moment, spread([run[place] for run in runs], 3))
    show(shown)
    show(_imports())


def _run() -> tuple[float, float, float, float]:
    """Seconds to the plan, the first table's file, its first bytes and the end."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "release"
        began = time.perf_counter()
        process = command.start(out)
        plan = opened = filled = 0.0
        while process.poll() is None and not filled:
            now = time.perf_counter() - began
            plan = plan or (now if (out / ".kbench_plan.json").exists() else 0.0)
            sizes = list(_table_sizes(out))
            opened = opened or (now if sizes else 0.0)
            filled = now if any(sizes) else 0.0
        process.wait()
        return plan, opened, filled, time.perf_counter() - began


def _table_sizes(out: Path) -> Iterator[int]:
    for path in (*out.glob("*/*.parquet"), *out.glob("*/.*.part")):
        try:
            yield path.stat().st_size
        except FileNotFoundError:  # renamed between the two looks
            continue


def _imports() -> Table:
    """The imports that take longest, each with all it brings, as Python times them (which itself slows them)."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-X", "importtime", "-m", "kbench.cli", "generate", "--out", folder]
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    found = []
    for line in done.stderr.splitlines():
        itself, brought, name = line.removeprefix("import time:").split("|", 2)
        if itself.strip().isdigit():
            found.append((int(brought) / 1000, int(itself) / 1000, name.strip()))
    shown = Table("import", title=f"imports, ms: {sum(own for _, own, _ in found):.0f} in all, {len(found)} modules")
    shown.add_column("with all it brings", justify="right")
    shown.add_column("itself", justify="right")
    for whole, own, name in sorted(found, reverse=True)[:_SHOWN]:
        shown.add_row(name, f"{whole:.1f}", f"{own:.1f}")
    return shown


if __name__ == "__main__":
    main()
