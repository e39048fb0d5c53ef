"""`kbench leaderboard submit`: an entry of a result folder."""

import enum
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.board_hub import Dataset, ToHub, check_hub, send_to_hub
from kbench.cli.console import need_training

if TYPE_CHECKING:
    from kbench.leaderboard.entry import Entry


class TrackChoice(enum.StrEnum):
    """What --track takes."""

    methods = "methods"
    models = "models"


def submit(
    result: Annotated[Path, typer.Argument(help="The folder of a result that `kbench eval` wrote.")],
    entry_id: Annotated[str, typer.Option("--id", help="What the entry is called: small letters, digits, hyphens.")],
    title: Annotated[str, typer.Option(help="One line that says what was done.")],
    authors: Annotated[str, typer.Option(help="Who did it.")] = "",
    description: Annotated[str, typer.Option(help="More about it, as plain text.")] = "",
    url: Annotated[str, typer.Option(help="Where more is to be read: http or https.")] = "",
    track: Annotated[TrackChoice, typer.Option(help="methods: a recipe on the fixed base; models: any.")] = (
        TrackChoice.methods
    ),
    run: Annotated[
        Path | None, typer.Option(help="The folder of the run, or of the model. [default: what the result names]")
    ] = None,
    plain: Annotated[
        Path | None, typer.Option(help="Of a result with an open book: the plain result of the same model.")
    ] = None,
    release: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The release. [default: found by its digest, here or made anew]"),
    ] = None,
    hardware: Annotated[str, typer.Option(help="What it was trained on. [default: this processor]")] = "",
    out: Annotated[Path | None, typer.Option(help="The folder for the entry. [default: ID-entry]")] = None,
    to_hub: ToHub = None,
    dataset: Dataset = None,
) -> None:
    """Make an entry of a result, after checking it.

    Checked are the release, the digests of model and base, that every question was asked as it stands, that verdicts
    and scores follow from the replies, that an adapter was applied, and the recipe. What does not hold is refused with
    its reason. Written are ID.json and ID.parquet. With --to-hub the scores are proposed to a model of the Hub, as a
    pull request; the token comes from HF_TOKEN or from `hf auth login`.

    Example: kbench leaderboard submit my-result --id mine --title "Questions"
    """
    check_hub(to_hub, dataset)
    _check_quickly(entry_id, result)
    need_training(one_thread=True)
    from kbench.leaderboard.fixed import fixed_release, release_scored
    from kbench.leaderboard.rules import rules_of
    from kbench.leaderboard.submission import Told, submission_of

    rules = rules_of(track.value)
    name = release_scored(result, rules)
    opened = fixed_release(name, rules, release)
    told = Told(entry_id, title, datetime.now(UTC).date(), authors, description, url, hardware)
    found = submission_of(result, told, opened, name, rules, run, plain)
    folder = out or Path(f"{found.entry.id}-entry")
    there = (folder / f"{found.entry.id}.json").is_file()
    path = found.write(folder)
    for line in _told(found.entry):
        typer.echo(line)
    typer.echo(f"{'replaced' if there else 'wrote'} {path} and {path.with_suffix('.parquet').name} beside it")
    typer.echo(f"enter it: in a clone of kbench, kbench leaderboard add {path}, then a pull request with both files")
    if to_hub and dataset:
        send_to_hub(found.entry, path.with_suffix(".parquet"), to_hub, dataset)


def _check_quickly(entry_id: str, result: Path) -> None:
    """Raise OutputError where an id or a folder is wrong, before anything heavy is imported to say so."""
    from kbench.errors import OutputError
    from kbench.leaderboard.entry import ID

    if not re.fullmatch(ID, entry_id):
        raise OutputError(f"--id {entry_id[:60]!r}: expected small letters, digits and single hyphens, such as mine-2")
    if not (result / "results.json").is_file():
        raise OutputError(f"no finished result at {result}: `kbench eval` writes results.json there, last of all")


def _told(entry: "Entry") -> list[str]:
    """What decides where an entry stands."""
    from kbench.leaderboard.standing import retains
    from kbench.leaderboard.tracks import LEAST_RETENTION, token_class

    scores, kept = entry.scores, entry.scores.retention
    lines = [f"{entry.id}: {scores.headline:.3f} ({scores.low:.3f} to {scores.high:.3f}), corrected for control"]
    if entry.cost.tokens:
        times, passes = token_class(entry.cost.tokens, entry.article_pass), entry.cost.tokens / entry.article_pass
        where = f"class {times}×" if times and entry.track == "methods" else "tokens"
        lines.append(f"{where}: {entry.cost.tokens:,} tokens, {passes:.2f} passes over the articles")
    if kept:
        short = "" if retains(scores) else ": too little for a rank"
        lines.append(f"keeps {kept.kept:.1%} of what the base knew ({LEAST_RETENTION:.0%} is needed){short}")
    return lines
