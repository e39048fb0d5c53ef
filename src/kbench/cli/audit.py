"""`kbench audit`: check a release against the sentences of the design."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import progress_bar

if TYPE_CHECKING:
    from kbench.generator.audit import Audit


def audit(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.")],
    against: Annotated[
        Path | None, typer.Option(help="Another release: the names and texts that both have are counted.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="A file to write everything to.")] = None,
) -> None:
    """Check a release for leaks, duplicates and false answers.

    Uniqueness, leakage, near-duplicates, names, roles and splits are counted; exit 1 where a check fails.

    Example: kbench audit my-world --json audit.json
    """
    from kbench.generator.audit import audit_release
    from kbench.hub.find import find_folder
    from kbench.store import open_release, write_json

    release = open_release(find_folder(str(folder)) or folder)
    other = None if against is None else open_release(find_folder(str(against)) or against)
    with progress_bar("auditing", "steps") as advance:
        found = audit_release(release, other, advance)
    _show_checks(found)
    _show_levels(found)
    if json is not None:
        write_json(json, found.to_dict())
    counts = {status: sum(c.status == status for c in found.checks) for status in ("ok", "failed", "note", "skipped")}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    typer.echo(f"{found.verdict}: {folder} (world {found.world}): {told}")
    if found.verdict == "failed":
        raise typer.Exit(1)


def _show_checks(found: "Audit") -> None:
    for check in found.checks:
        share = f"{check.failures:,} of {check.counted:,}" if check.failures else f"{check.counted:,}"
        typer.echo(f"{check.status:<8}{check.name:<26}{share:>18}  {check.sentence}")
        for line in (check.reason, *check.examples[: 1 if check.status != "skipped" else 0]):
            if line:
                typer.echo(f"{'':<54}{' '.join(line.split())}")


def _show_levels(found: "Audit") -> None:
    width = max((len(level.relation) for level in found.levels), default=0)
    typer.echo(
        f"\n{'relation':<{width}}  {'type':<12}{'facts':>8}{'values':>8}{'chance':>8}{'rows':>8}{'majority':>10}"
    )
    for level in found.levels:
        majority = "" if level.majority is None else f"{level.majority:.1%}"
        typer.echo(
            f"{level.relation:<{width}}  {level.value_type:<12}{level.facts:>8,}{level.values:>8,}{level.chance:>8.1%}"
            f"{level.rows:>8,}{majority:>10}"
        )
    typer.echo()
