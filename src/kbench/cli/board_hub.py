"""`kbench leaderboard submit --to-hub`: an entry's results on the Hub, as a pull request on a model there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kbench.leaderboard.entry import Entry

ToHub = Annotated[
    str | None,
    typer.Option(metavar="ORG/NAME", help="A model of the Hub to propose the results to, as a pull request."),
]
Dataset = Annotated[
    str | None,
    typer.Option(metavar="ORG/NAME[@REVISION]", help="The release on the Hub, for --to-hub."),
]


def check_hub(model: str | None, dataset: str | None) -> None:
    """Raise HubError where the two options cannot be meant, before any work is done."""
    if model is None and dataset is None:
        return
    from kbench.errors import HubError
    from kbench.hub.client import check_repo_id, need_token

    if model is None:
        raise HubError(f"--dataset {dataset} says where the release is: give --to-hub too, a model on the Hub")
    if dataset is None:
        raise HubError(f"--to-hub {model} needs --dataset ORG/NAME, the release on the Hub that the scores are of")
    check_repo_id(model, "model")
    check_repo_id(dataset.partition("@")[0])
    need_token()


def send_to_hub(entry: "Entry", samples: Path, model: str, dataset: str) -> None:
    """Propose the results of an entry to a model of the Hub, and say what came of it.

    Raises HubError and ReleaseError as `send_results`, and OutputError where the samples are not the entry's.
    """
    from kbench.leaderboard.hub_results import send_results
    from kbench.leaderboard.samples import read_bytes, rows_of

    rows = rows_of(read_bytes(samples, entry.samples.sha256), entry.samples.rows, str(samples))
    sent = send_results(entry, rows, model, dataset)
    if sent.taken:
        typer.echo(f"{model} has {sent.path} already: nothing to do ({sent.url})")
    elif not sent.opened:
        typer.echo(f"{sent.url} proposes {sent.path} already: nothing to do until it is taken")
    else:
        typer.echo(f"{sent.url}: proposes {sent.path}, the scores of {', '.join(sent.tasks)}")
