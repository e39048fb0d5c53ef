"""`kbench export`: a release written for another tool."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import progress_bar, say_aside
from kbench.cli.generate import StyleName

if TYPE_CHECKING:
    from kbench.exports.folder import Export


class TargetName(enum.StrEnum):
    """What --to takes."""

    lm_eval = "lm-eval"
    inspect = "inspect"
    trl = "trl"
    openai = "openai"


def export(
    release: Annotated[str, typer.Argument(help="A folder, a name such as kbench-tiny, or ORG/NAME[@REVISION].")],
    to: Annotated[TargetName, typer.Option("--to", help="The tool to write for.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    style: Annotated[
        list[StyleName] | None,
        typer.Option(
            "--style",
            metavar="STYLE",
            help="What to write; may be given more than once. [default: all that the tool can use]",
        ),
    ] = None,
    repo_id: Annotated[
        str | None, typer.Option(help="ORG/NAME: lm-eval and inspect are to read the rows from the Hub.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="A revision of --repo-id.")] = None,
) -> None:
    """Write a release for lm-eval, inspect, TRL or finetuning APIs.

    lm-eval and inspect get tasks that score as `kbench eval` does; TRL and hosted finetuning get the training rows.

    Example: kbench export kbench-tiny --to lm-eval --out tasks
    """
    from kbench.exports.export import export_release
    from kbench.hub.find import find_folder, find_release

    if repo_id is not None:
        from kbench.hub.client import check_repo_id

        check_repo_id(repo_id)
    wanted = [s.value for s in style or []]
    with progress_bar("pulling", "bytes") as advance:
        opened = find_release(release, advance, say_aside)
    with progress_bar("exporting", "rows") as advance:
        found = export_release(
            opened,
            to.value,
            out,
            styles=() if "all" in wanted else tuple(wanted),
            # A release of the Hub lies in the cache under its commit.
            name=release.partition("@")[0].rpartition("/")[2] if find_folder(release) is None else None,
            repo_id=repo_id,
            revision=revision,
            progress=advance,
        )
    if not found.written_now:
        typer.echo(f"{out} is this export already: nothing to do")
        return
    typer.echo(f"{to.value} of world {found.about['release']['world']} in {out}")
    for line in _told(found, to):
        typer.echo(line)


def _told(found: "Export", to: TargetName) -> list[str]:
    """What was written, and the command that uses it."""
    report = found.about["report"]
    lines = [f"  {name:<44}{rows:>10,} rows" for name, rows in report.get("tasks", {}).items()]
    for name, split in report.get("splits", {}).items():
        counts = ", ".join(f"{n:,} {key}" for key, n in split.items())
        lines.append(f"  {name:<30}{counts}")
    if to is TargetName.openai:
        lines.append("tokens at 4 characters each")
    if to is TargetName.lm_eval:
        which = f"--include_path {found.path} --tasks {next(iter(report['groups']))}"
        lines.append(f"run: lm_eval --model hf --model_args pretrained=MODEL {which}")
    if to is TargetName.inspect:
        lines.append(f"run in {found.path}: inspect eval {report['file']} --model hf/local -M model_path=MODEL")
    if to is TargetName.trl:
        lines.append(f'read: datasets.load_dataset("{found.path}", "{next(iter(report["splits"])).split("/")[0]}")')
    return lines
