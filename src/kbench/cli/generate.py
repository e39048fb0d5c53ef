"""`kbench generate`: write a release."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import progress_bar
from kbench.cli.dry_run import show_plan

if TYPE_CHECKING:
    from kbench.generator.recipe import Recipe

_DEFAULT_SEED = "0"
_DEFAULT_SPEC = "default"


class StyleName(enum.StrEnum):
    """What --style takes."""

    qa = "qa"
    dialogue = "dialogue"
    article = "article"
    statement = "statement"
    cloze = "cloze"
    numeric = "numeric"
    multihop = "multihop"
    reverse = "reverse"
    choice = "choice"
    tone = "tone"
    all = "all"


class ResumeMode(enum.StrEnum):
    """What --resume takes."""

    if_possible = "if_possible"
    always = "always"
    never = "never"


Styles = Annotated[
    list[StyleName],
    typer.Option(
        "--style", metavar="STYLE", help=f"A form of writing ({', '.join(StyleName)}); may be given more than once."
    ),
]
Entities = Annotated[
    int | None,
    typer.Option(help="Entities with facts to learn, rounded up to whole blocks. [default: the spec's]"),
]
Seed = Annotated[str, typer.Option(help="The seed of the world, any text.")]
Spec = Annotated[
    str, typer.Option(help="A world: default, known, known-facts, lab, starter, style-to-facts, or a TOML file.")
]
Private = Annotated[
    bool, typer.Option("--private", help="A world whose seed is a secret: from --seed-file or KBENCH_SEED.")
]
SeedFile = Annotated[Path | None, typer.Option(help="The file with the seed of a private world.")]
Facts = Annotated[
    Path | None,
    typer.Option(help="Your own facts: CSV, JSONL or Parquet with the columns subject, relation, value."),
]
Templates = Annotated[Path | None, typer.Option(help="A template pack. [default: the built-in pack]")]


def generate(
    context: typer.Context,
    style: Styles = [StyleName.qa],  # noqa: B006
    entities: Entities = None,
    seed: Seed = _DEFAULT_SEED,
    spec: Spec = _DEFAULT_SPEC,
    facts: Facts = None,
    templates: Templates = None,
    private: Private = False,
    seed_file: SeedFile = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A named release (kbench-tiny, kbench-methods, kbench-small, kbench-base) or a recipe file."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write. [default: kbench-WORLD-SEED, or the recipe's name]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; the bytes do not depend on it.")] = 1,
    resume: Annotated[
        ResumeMode,
        typer.Option(help="always demands an unfinished release in --out, never an empty folder, if_possible neither."),
    ] = ResumeMode.if_possible,
    check: Annotated[
        bool, typer.Option("--check", help="Render a sample of the rows with plain Jinja too, and compare.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
) -> None:
    """Write a release: an invented world, or your own facts.

    It is a folder of Parquet splits, a card and a manifest. What was interrupted is finished by the same command.

    Your own facts: kbench generate --facts facts.csv --style all

    A published release: kbench generate --recipe kbench-small

    Example: kbench generate --style article --entities 500 --out my-world
    """
    from kbench.api.recipes import recipe_of
    from kbench.api.releases import is_as_published
    from kbench.generator import release as releases
    from kbench.generator.named import load_recipe
    from kbench.generator.ownfacts.world import checked_world
    from kbench.generator.shards import check_pack
    from kbench.lean import keep_memory

    if recipe is not None:
        _refuse_beside_recipe(context)
        made = load_recipe(recipe)
        target = out or Path(_safe(made.spec.name))
    else:
        made = recipe_of(
            [s.value for s in style],
            spec=spec,
            seed=seed,
            entities=entities,
            facts=facts,
            templates=templates,
            private=private,
            seed_file=seed_file,
        )
        target = out or Path(f"kbench-{_safe(made.spec.name)}-{'private' if made.private else _safe(seed)}")
    warn_of(made)
    if dry_run:
        loaded = made.pack()
        check_pack(made.spec, loaded, made.styles)
        show_plan(checked_world(made.spec, made.seed), loaded, made.styles, target, workers)
        return
    keep_memory()
    with progress_bar("writing", "files") as advance:

        def step(done: int, total: int, rows: int) -> None:
            advance(done, total)

        found, written = releases.generate(
            made, target, workers=workers, resume=resume.value, check=check, progress=step
        )
    as_published = recipe is not None and is_as_published(found, recipe)
    if not written:
        told = ", as published" if as_published else ""
        typer.echo(f"{target} is this release already (world {found.world}{told}): nothing to do")
        return
    rows = sum(split["rows"] for split in found.manifest["splits"].values())
    typer.echo(f"world {found.world}, {rows:,} rows in {target}")
    counts = found.manifest["entities"]
    typer.echo("entities: " + ", ".join(f"{n:,} {role}" for role, n in counts.items() if n))
    for key, split in found.manifest["splits"].items():
        typer.echo(f"  {key:<22}{split['rows']:>10,} rows")
    if as_published:
        typer.echo(f"digest {found.digest[:16]}, as published")


def _refuse_beside_recipe(context: typer.Context) -> None:
    """Raise SpecError where something is given that a recipe fixes."""
    from kbench.api.recipes import refuse_beside_recipe

    sources = {name: context.get_parameter_source(name) for name in context.params}
    refuse_beside_recipe(name for name, source in sources.items() if source is not None and source.name != "DEFAULT")


def warn_of(recipe: "Recipe") -> None:
    """Tell on stderr what the author of a file of facts should know of the release."""
    from kbench.api.recipes import warnings_for

    for line in warnings_for(recipe):
        typer.echo(f"kbench: warning: {line}", err=True)


def _safe(text: str) -> str:
    """A text as a part of a folder's name."""
    return "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in text)[:64]
