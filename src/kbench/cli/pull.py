"""`kbench pull`: take a release from the Hub."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import progress_bar


def pull(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME", help="A dataset on the Hub that is a release.")],
    revision: Annotated[str | None, typer.Option(help="A tag, branch or commit. [default: the newest]")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write. [default: NAME]")] = None,
) -> None:
    """Take a release from the Hub, and check it.

    Only what its manifest names is downloaded, and each file is checked against it.

    Example: kbench pull my-org/my-world --revision v1.0.0
    """
    from kbench.hub.client import check_repo_id
    from kbench.hub.pull import pull_release

    check_repo_id(name)
    target = out or Path(name.split("/")[1])
    with progress_bar("pulling", "bytes") as advance:
        release, pulled_now = pull_release(name, revision, target, advance)
    if not pulled_now:
        typer.echo(f"{target} is this release already (world {release.world}): nothing to do")
        return
    rows = sum(split["rows"] for split in release.manifest["splits"].values())
    typer.echo(f"{target}: world {release.world}, {rows:,} rows, digest {release.digest[:16]}")
    typer.echo(f"to derive every row anew: kbench verify {target}")
