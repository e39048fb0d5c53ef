"""`kbench run`: a resumable grid of trainings and scorings."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import need_training, progress_bar, say_aside


def run(
    grid: Annotated[Path, typer.Argument(help="The grid, a TOML file.")],
    out: Annotated[Path | None, typer.Option(help="The folder for everything. [default: kbench-grid-NAME]")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread. [default: one a GPU, else one a CPU]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do, and do nothing.")] = False,
) -> None:
    """Train and score every cell of a grid, and sum it up.

    A cell is release x model x recipe x seed x prompt. What is done is reused, by content, so a grid may be stopped at
    any moment, and changed. What fails stops nothing else: it is told at the end (exit status 1), and tried again by
    the next run.

    Example: kbench run grid.toml --out my-grid
    """
    need_training(one_thread=True)
    from kbench.hub.find import find_release
    from kbench.hub.models import fetch_model
    from kbench.store import Release
    from kbench.studies.grid_file import load_grid
    from kbench.studies.grid_plan import plan_grid
    from kbench.studies.grid_run import run_grid

    loaded = load_grid(grid)
    target = out or Path(f"kbench-grid-{loaded.name}")

    def find(name: str) -> Release:
        with progress_bar("pulling", "bytes") as advance:
            return find_release(name, advance, say_aside)

    if dry_run:
        from kbench.cli.run_tables import print_plan

        print_plan(plan_grid(loaded, target, find, lambda name: fetch_model(name, download=False)), target, jobs)
        return
    with progress_bar("grid") as advance:
        outcome = run_grid(loaded, target, find, fetch_model, jobs, advance)
    from kbench.cli.run_tables import print_contrasts, print_failures, print_levels
    from kbench.studies.grid_report import write_account

    account = write_account(loaded, outcome, target)
    if not outcome.done and not outcome.failures:
        typer.echo(f"{target} is this grid already: nothing to do")
    print_levels(account)
    print_contrasts(account)
    typer.echo(f"every cell and probe: {account.files['cells']}; the page: {account.files['page']}")
    if outcome.failures:
        print_failures(outcome)
        raise typer.Exit(1)
