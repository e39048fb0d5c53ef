"""`kbench push`: put a release on the Hub."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import progress_bar


def push(
    folder: Annotated[Path, typer.Argument(help="A release.")],
    repo_id: Annotated[str, typer.Option(help="The dataset, ORG/NAME; it is made if there is none.")],
    tag: Annotated[
        str | None, typer.Option(help="A name for what is pushed, such as v1.0.0; it is never moved.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new dataset a private one.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another release there.")] = False,
    seed_file: Annotated[Path | None, typer.Option(help="The file with the seed of a private world.")] = None,
    facts: Annotated[Path | None, typer.Option(help="The file of facts that the release was made of.")] = None,
    templates: Annotated[
        Path | None, typer.Option(help="The template pack it was made with. [default: the built-in pack]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes to verify with.")] = 1,
) -> None:
    """Put a release on the Hub, in one commit.

    It is verified first, and what is there already is not sent again. The token
    comes from HF_TOKEN or from `hf auth login`.

    Example: kbench push my-world --repo-id my-org/my-world --tag v1.0.0
    """
    from kbench.errors import ReleaseError
    from kbench.generator.manifests import Given
    from kbench.generator.verify import verify_release
    from kbench.hub.find import find_folder
    from kbench.hub.push import carry_out, plan_push
    from kbench.lean import keep_memory
    from kbench.store import open_release

    release = open_release(find_folder(str(folder)) or folder)
    plan = plan_push(release, repo_id, private=private, tag=tag, replace=replace)
    if plan.is_done:
        named = f" ({tag})" if tag else ""
        typer.echo(f"{repo_id} holds this release already{named}, commit {str(plan.head)[:12]}: nothing to do")
        return
    keep_memory()
    with progress_bar("verifying", "files") as advance:
        found = verify_release(release.path, Given(seed_file, templates, facts), workers=workers, progress=advance)
    wrong = [finding for finding in found.findings if finding.status == "failed"]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        first = f"{wrong[0].where}: {' '.join(wrong[0].said.split())}{more}"
        raise ReleaseError(f"{folder} is not sound, so nothing was pushed: {first}: see `kbench verify {folder}`")
    for finding in found.findings:
        if finding.status == "skipped":
            typer.echo(f"verified in part: {finding.where}: {' '.join(finding.said.split())}")
    with progress_bar("pushing", "bytes") as advance:
        pushed = carry_out(plan, advance)
    what = f"{pushed.sent} files in one commit" if pushed.sent else "nothing to send"
    named = f", tag {tag}" if pushed.tagged else ""
    typer.echo(f"{pushed.url}: {what} ({pushed.commit[:12]}{named}), digest {release.digest[:16]}")
    typer.echo(
        f"read it: datasets.load_dataset({repo_id!r}, {release.configs()[0]!r}, revision={tag or pushed.commit!r})"
    )
