"""What generation costs in CPU time beside the cost of writing its tables alone: `nox -s bench`.

E is `kbench.store.write_table` of the same ready tables, the floor that no generator can pass. Each stage is timed on its
own in one process; quote the ratios, which hold on a noisy machine, not the seconds.
"""

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kbench.generator.packs import load_pack
from kbench.generator.shards import plan_units, styles_for, unit_table
from kbench.generator.spec import load_spec
from kbench.generator.world import build_world
from kbench.store import content_digest, write_table


def main() -> None:
    """Generate, digest and write the default world, and print CPU seconds, rows per second and multiples of E."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=1000)
    asked = parser.parse_args()
    spec = load_spec("default").with_sizes(entities=asked.entities)
    world, pack = build_world(spec, "bench"), load_pack()
    rows: dict[str, int] = {}
    spent: dict[str, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for unit in plan_units(world, pack, styles_for(["all"], spec)):
            start = time.process_time()
            table = unit_table(world, pack, unit)
            made = time.process_time()
            content_digest(table)
            digested = time.process_time()
            write_table(Path(folder) / unit.path, table)
            written = time.process_time()
            rows[unit.config] = rows.get(unit.config, 0) + table.num_rows
            before = spent.get(unit.config, (0.0, 0.0, 0.0))
            costs = (made - start, digested - made, written - digested)
            spent[unit.config] = (before[0] + costs[0], before[1] + costs[1], before[2] + costs[2])
    shown = Table("config", "rows", "rows / CPU s", "render s", "digest s", "write s (E)", "all / E")
    for config, (render, digest, write) in spent.items():
        whole = render + digest + write
        shown.add_row(
            config,
            f"{rows[config]:,}",
            f"{rows[config] / whole:,.0f}",
            f"{render:.2f}",
            f"{digest:.2f}",
            f"{write:.2f}",
            f"{whole / write:.1f}",
        )
    Console().print(shown)


if __name__ == "__main__":
    main()
