"""`kbench leaderboard verify`: run entries again."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.board_add import EntriesFolder
from kbench.cli.console import need_training, progress_bar
from kbench.errors import Interrupted, KbenchError, SpecError

if TYPE_CHECKING:
    from kbench.leaderboard.entry import Entry
    from kbench.leaderboard.verify import Verified
    from kbench.leaderboard.worlds import World


def verify(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID|FILE]...", help="Entries to run again.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every entry that can be run again.")] = False,
    entries: EntriesFolder = None,
    seed_file: Annotated[
        Path | None, typer.Option(help="The file with the seed of a private world. [default: KBENCH_SEED, if set]")
    ] = None,
    release: Annotated[
        Path | None, typer.Option(help="A folder with the published release. [default: generated]")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of all that is made on the way.")] = Path("kbench-verify"),
) -> None:
    """Run an entry again, and write into it what was found.

    Its recipe is trained and scored anew on the published release and, with a seed, on a private world, whose rows
    stay in --out. The process that trains is given a copy without test and control. What is not as claimed is said
    (exit status 1) and the entry is left as it was. An interrupted verification goes on.

    Example: kbench leaderboard verify mine --seed-file secret.txt --out work
    """
    paths = _paths(ids or [], everything, entries)
    found = {path: _read(path) for path in paths}
    _need(list(found.values()))
    from kbench.generator.seeds import VARIABLE, private_seed
    from kbench.leaderboard.begun import begin_work
    from kbench.leaderboard.training import trainer
    from kbench.leaderboard.verify import check_runnable, keep
    from kbench.leaderboard.verify import verify as verify_entry
    from kbench.leaderboard.worlds import private_world, public_world

    seed = private_seed(seed_file) if seed_file or os.environ.get(VARIABLE, "").strip() else None
    if release and len({entry.release.name for entry in found.values()}) > 1:
        raise SpecError(f"--release {release} is one release, and the entries are of several: verify them one by one")
    begin_work(out)

    @cache
    def worlds(name: str) -> "tuple[World, World | None]":
        public = public_world(name, out / "public" / name, release)
        return public, private_world(name, out / "private" / name, seed) if seed else None

    failed = False
    with trainer() as pool:
        for path, entry in found.items():
            try:
                check_runnable(entry, private=seed is not None)
                public, private = worlds(entry.release.name)
                with progress_bar(entry.id) as advance:
                    total = 2 if private else 1
                    done = verify_entry(entry, public, private, pool, lambda share: advance(share, total))  # noqa: B023
                _print(done)
                if done.against:
                    failed = True
                else:
                    keep(done, path)
                    typer.echo(f"wrote {path}")
            except Interrupted:
                raise
            except KbenchError as error:
                if len(found) == 1:
                    raise
                failed = True
                typer.echo(f"kbench: {error}", err=True)
    if failed:
        raise typer.Exit(1)


def _paths(ids: list[str], everything: bool, given: Path | None) -> list[Path]:
    if everything == bool(ids):
        raise SpecError("name the entries to verify, or give --all")
    from kbench.leaderboard.folder import ENTRIES, read_entries

    entries = given or ENTRIES
    if everything:
        return [entries / f"{entry.id}.json" for entry in read_entries(entries)]
    return [Path(name) if name.endswith(".json") else entries / f"{name}.json" for name in dict.fromkeys(ids)]


def _read(path: Path) -> "Entry":
    from kbench.leaderboard.folder import read_entry

    entry = read_entry(path)
    if path.stem != entry.id:
        raise SpecError(f"{path} holds the entry {entry.id!r}: rename the file to {entry.id}.json")
    return entry


def _need(entries: "list[Entry]") -> None:
    from kbench.leaderboard.tracks import LAB

    need_training(one_thread=any(entry.base.model == LAB for entry in entries))


def _print(done: "Verified") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from kbench.leaderboard.axes import AXES, TITLES

    claimed, public = done.entry.scores, done.public.rerun.scores
    private = done.private.rerun.scores if done.private else None
    table = Table(title=done.entry.id, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in ("axis", "claimed", "public", "private"):
        table.add_column(column, justify="left" if column == "axis" else "right", no_wrap=True)
    every = (claimed, public, private)
    table.add_row("headline", *("–" if s is None else f"{s.headline:.3f}" for s in every))
    table.add_row("  95 %", *("–" if s is None else f"{s.low:.3f}–{s.high:.3f}" for s in every))
    for axis in AXES:
        table.add_row(TITLES[axis], *("–" if s is None else f"{s.axes[axis].corrected:.3f}" for s in every))
    kept = [None if s is None or s.retention is None else s.retention.kept for s in every]
    table.add_row("kept of the base", *("–" if share is None else f"{share:.3f}" for share in kept))
    Console().print(table)
    typer.echo(done.told)
