"""`kbench leaderboard submit`: an entry of a result folder."""

import enum
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.board_hub import Dataset, ToHub, check_hub, send_to_hub
from kbench.cli.console import need_training


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

    Example: kbench leaderboard submit run-qa-result --id qa-only --title "Questions only"
    """
    check_hub(to_hub, dataset)
    need_training(one_thread=True)
    from kbench.leaderboard.fixed import fixed_release, release_scored
    from kbench.leaderboard.rules import rules_of
    from kbench.leaderboard.submission import Told, submission_of

    rules = rules_of(track.value)
    name = release_scored(result, rules)
    opened = fixed_release(name, rules, release)
    told = Told(entry_id, title, datetime.now(UTC).date(), authors, description, url, hardware)
    found = submission_of(result, told, opened, name, rules, run)
    folder = out or Path(f"{found.entry.id}-entry")
    path = found.write(folder)
    scores = found.entry.scores
    typer.echo(
        f"{found.entry.id}: {scores.headline:.3f} ({scores.low:.3f} to {scores.high:.3f}), corrected for control"
    )
    typer.echo(f"wrote {path} and {path.with_suffix('.parquet').name} beside it")
    typer.echo(f"enter it: kbench leaderboard add {path}")
    if to_hub and dataset:
        send_to_hub(found.entry, path.with_suffix(".parquet"), to_hub, dataset)
