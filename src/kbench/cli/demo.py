"""`kbench demo`: the main job in minutes on a laptop's CPU."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import need_training, progress_bar


def demo(
    out: Annotated[Path, typer.Option(help="The folder for everything that is made.")] = Path("kbench-demo"),
    seeds: Annotated[
        str, typer.Option(help="One world each; recipes were chosen on 100-107, 0-7 are for judging.")
    ] = "0-7",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread. [default: the CPUs there are]")
    ] = None,
) -> None:
    """Teach a small model invented facts and show what it learned.

    It finetunes on the same facts in three forms, scores each beside its controls, and leaves report.html: about five
    minutes on two cores. A second run reuses what is done.

    Example: kbench demo --out kbench-demo
    """
    need_training(one_thread=True)
    from kbench.studies.demo import run_demo, seeds_of
    from kbench.studies.summary import print_summary

    chosen = seeds_of(seeds)
    shares = dict.fromkeys(chosen, 0.0)
    with progress_bar(f"{len(chosen)} worlds") as advance:

        def step(seed: int, share: float) -> None:
            shares[seed] = max(shares[seed], share)
            advance(sum(shares.values()), len(shares))

        done = run_demo(out, chosen, workers or _cores(), step)
    print_summary(done)


def _cores() -> int:
    """The CPUs that this process may use; of those there are, where the system cannot say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
