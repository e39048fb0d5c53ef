"""A process of `Client` that has one command more: what `--to-hub` and `--dataset` do, of an entry made already."""

import runpy
from pathlib import Path

from kbench.cli.app import app
from kbench.cli.board_hub import Dataset, ToHub, check_hub, send_to_hub
from kbench.leaderboard.folder import read_entry


@app.command()
def send(entry: Path, to_hub: ToHub = None, dataset: Dataset = None) -> None:
    """Send the results of ENTRY, with its samples beside it."""
    check_hub(to_hub, dataset)
    if to_hub and dataset:
        send_to_hub(read_entry(entry), entry.with_suffix(".parquet"), to_hub, dataset)


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).with_name("worker.py")), run_name="__main__")
