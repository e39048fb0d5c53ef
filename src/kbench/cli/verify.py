"""`kbench verify`: derive a release anew from its manifest, and say where it is not what it should be."""

from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import progress_bar


def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.")],
    seed_file: Annotated[Path | None, typer.Option(help="The file with the seed of a private world.")] = None,
    facts: Annotated[Path | None, typer.Option(help="The file of facts that the release was made of.")] = None,
    templates: Annotated[
        Path | None, typer.Option(help="The template pack it was made with. [default: the built-in pack]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes to derive the rows with.")] = 1,
    json: Annotated[Path | None, typer.Option("--json", help="A file to write everything to.")] = None,
) -> None:
    """Derive a release anew, and say where it differs.

    Every row, file and manifest key is compared; exit 1 where one is not what it should be. What could not be checked
    (a private seed or facts not given, another version of kbench) is said, and is no failure.

    Example: kbench verify my-world --workers 2
    """
    from kbench.generator.manifests import Given
    from kbench.generator.verify import verify_release
    from kbench.hub.find import find_folder
    from kbench.lean import keep_memory
    from kbench.store import write_json

    folder = find_folder(str(folder)) or folder
    keep_memory()
    with progress_bar("verifying", "files") as advance:
        found = verify_release(folder, Given(seed_file, templates, facts), workers=workers, progress=advance)
    width = max((len(finding.where) for finding in found.findings), default=0)
    for finding in found.findings:
        typer.echo(f"{finding.status:<8}{finding.where:<{width}}  {' '.join(finding.said.split())}")
    if json is not None:
        write_json(json, found.to_dict())
    counts = {status: sum(f.status == status for f in found.findings) for status in ("failed", "skipped", "note")}
    told = [f"{count} {status}" for status, count in counts.items() if count]
    how = "derived anew" if found.derived else "by their digests only, not derived anew"
    parts = [*told, f"{found.files:,} files", f"{found.rows:,} rows {how}", f"digest {found.digest[:16]}"]
    typer.echo(f"{found.verdict}: {folder} (world {found.world}): {', '.join(parts)}")
    if found.verdict == "failed":
        raise typer.Exit(1)
