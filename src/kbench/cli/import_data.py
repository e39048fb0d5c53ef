"""`kbench import`: write a published dataset of real facts as a release."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import progress_bar


class KindName(enum.StrEnum):
    """What KIND takes."""

    popqa = "popqa"
    entity_questions = "entity-questions"
    mmlu = "mmlu"
    wikibio = "wikibio"


class ApartName(enum.StrEnum):
    """What --apart takes."""

    subjects = "subjects"
    names = "names"
    answers = "answers"


def import_data(
    kind: Annotated[KindName, typer.Argument(help="Which dataset it is.", show_default=False)],
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Its file, folder or zip archive, or ORG/NAME[@REVISION]."),
    ],
    out: Annotated[Path | None, typer.Option(help="The folder to write. [default: kbench-KIND]")] = None,
    files: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Which files are read, such as 'all/test-*'. [default: all]")
    ] = None,
    test_share: Annotated[float, typer.Option(help="The share of the subjects that is held out.")] = 0.5,
    validation_share: Annotated[float, typer.Option(help="The share of those that is for validation.")] = 0.1,
    apart: Annotated[
        ApartName,
        typer.Option(help="Not on both sides: subjects; names, as an answer either; answers, nor any answer."),
    ] = ApartName.names,
    least: Annotated[
        int, typer.Option(min=1, help="Subjects that a relation must have in train, and in test, to be kept.")
    ] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions of each relation.")] = None,
    seed: Annotated[str, typer.Option(help="The seed of the division, any text.")] = "0",
) -> None:
    """Write a published dataset of real facts as a release.

    Subjects are divided: those of train have the role known, those of validation and test are only asked about. What is
    left out is counted. Everything else that kbench does takes the folder as it takes an invented world.

    Example: kbench import popqa akariasai/PopQA --out popqa
    """
    from kbench.api.importing import import_from, left_out_line
    from kbench.cli.console import say_aside
    from kbench.generator.realdata.divide import Division

    target = out or Path(f"kbench-{kind.value}")
    way = Division(seed, test_share, validation_share, apart.value, least, limit)
    with progress_bar("importing", "") as advance:
        done = import_from(kind.value, source, target, way, files=files, progress=advance)
    release = done.release
    if not done.written:
        typer.echo(f"{target} is this release already (world {release.world}): nothing to do")
        return
    rows = sum(split["rows"] for split in release.manifest["splits"].values())
    typer.echo(f"world {release.world}, {rows:,} rows in {target}")
    counts = release.manifest["entities"]
    typer.echo("entities: " + ", ".join(f"{n:,} {role}" for role, n in counts.items() if n))
    for key, split in release.manifest["splits"].items():
        typer.echo(f"  {key:<22}{split['rows']:>10,} rows")
    for why, many in done.left_out.items():
        typer.echo(f"left out: {many:,} {why}")
    if done.too_few:
        say_aside(left_out_line(done))
