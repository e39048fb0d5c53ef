"""`kbench generate`: write a release."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kbench.cli.console import progress_bar
from kbench.cli.dry_run import show_plan

if TYPE_CHECKING:
    from kbench.generator.recipe import Recipe
    from kbench.generator.spec import WorldSpec

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


Styles = Annotated[list[StyleName], typer.Option("--style", help="A form of writing; may be given more than once.")]
Entities = Annotated[
    int | None, typer.Option(help="New subject entities, rounded up to whole blocks. [default: the spec's]")
]
Seed = Annotated[str, typer.Option(help="The seed of the world, any text.")]
Spec = Annotated[str, typer.Option(help="A world: default, known, lab, starter, or a TOML file.")]
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
        str | None, typer.Option(help="A named release (kbench-tiny, kbench-small, kbench-base) or a recipe file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write. [default: kbench-WORLD-SEED, or the recipe's name]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; the bytes do not depend on it.")] = 1,
    resume: Annotated[
        ResumeMode, typer.Option(help="What to do with an unfinished release in --out.")
    ] = ResumeMode.if_possible,
    check: Annotated[
        bool, typer.Option("--check", help="Render a sample of the rows with plain Jinja too, and compare.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
) -> None:
    """Invent a world, or take your own facts, and write a release: Parquet splits, a card, a manifest.

    Your own facts: kbench generate --facts facts.csv --style all

    A published release: kbench generate --recipe kbench-small

    Example: kbench generate --style article --entities 500 --seed 7 --out my-world
    """
    from kbench.errors import ReleaseError
    from kbench.generator import release as releases
    from kbench.generator.named import load_recipe, published
    from kbench.generator.ownfacts.world import checked_world
    from kbench.generator.recipe import Recipe
    from kbench.generator.shards import check_pack, styles_for
    from kbench.lean import keep_memory

    if recipe is not None:
        _refuse_beside_recipe(context)
        made = load_recipe(recipe)
        target = out or Path(made.spec.name)
    else:
        world_spec = spec_of(spec, entities, facts)
        seed, is_private = _seed(seed, private, seed_file)
        pack = None if templates is None else str(templates)
        made = Recipe(world_spec, seed, styles_for([s.value for s in style], world_spec), pack, is_private)
        target = out or Path(f"kbench-{world_spec.name}-{'private' if is_private else _safe(seed)}")
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
    if not written:
        typer.echo(f"{target} is this release already (world {found.world}): nothing to do")
        return
    rows = sum(split["rows"] for split in found.manifest["splits"].values())
    typer.echo(f"world {found.world}, {rows:,} rows in {target}")
    counts = found.manifest["entities"]
    typer.echo("entities: " + ", ".join(f"{n:,} {role}" for role, n in counts.items() if n))
    for key, split in found.manifest["splits"].items():
        typer.echo(f"  {key:<22}{split['rows']:>10,} rows")
    known = published(recipe) if recipe else None
    if known and known.digest == found.digest:
        typer.echo(f"digest {found.digest[:16]}, as published")
    elif known:
        wrote = known.manifest["recipe"]["generator"]
        raise ReleaseError(
            f"{target} has the digest {found.digest[:16]}, published was {known.digest[:16]} by kbench {wrote}: "
            f"its rows are not those of {recipe}"
        )


def _refuse_beside_recipe(context: typer.Context) -> None:
    """Raise SpecError where something is given that a recipe fixes."""
    from kbench.errors import SpecError

    for name in ("style", "entities", "seed", "spec", "facts", "templates", "private", "seed_file"):
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise SpecError(f"--recipe fixes what is written: leave --{name.replace('_', '-')} away")


def spec_of(spec: str, entities: int | None, facts: Path | None) -> "WorldSpec":
    """The spec of a world, or of a user's own facts. Raises SpecError where both are asked for."""
    from kbench.errors import SpecError
    from kbench.generator.ownfacts.book import load_facts
    from kbench.generator.ownfacts.spec import spec_of_facts
    from kbench.generator.spec import load_spec

    if facts is None:
        world_spec = load_spec(spec)
        return world_spec if entities is None else world_spec.with_sizes(entities=entities)
    if spec != _DEFAULT_SPEC or entities is not None:
        raise SpecError(f"--facts brings its own subjects: leave {'--spec' if entities is None else '--entities'} away")
    return spec_of_facts(load_facts(facts))


def warn_of(recipe: "Recipe") -> None:
    """Tell on stderr what the author of a file of facts should know of the release."""
    from kbench.generator.ownfacts.pack import warnings_of
    from kbench.generator.ownfacts.spec import FactSpec

    if isinstance(recipe.spec, FactSpec):
        for line in warnings_of(recipe.spec, recipe.pack()):
            typer.echo(f"kbench: warning: {line}", err=True)


def _seed(seed: str, private: bool, seed_file: Path | None) -> tuple[str, bool]:
    """The seed, and whether it is a secret. Raises SpecError where a secret is given as an argument."""
    from kbench.errors import SpecError
    from kbench.generator.seeds import private_seed

    if not private and seed_file is None:
        return seed, False
    if seed != _DEFAULT_SEED:
        raise SpecError("--seed is no secret: give a private world's seed by --seed-file or KBENCH_SEED alone")
    return private_seed(seed_file), True


def _safe(seed: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in seed)[:32]
