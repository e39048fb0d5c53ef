"""`kbench study`: a paper's experiment, planned, run and judged."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kbench.cli.console import need_training, progress_bar, say_aside


class ByName(StrEnum):
    """What arms are chosen by."""

    exposures = "exposures"
    knownness = "knownness"
    popularity = "popularity"


class BudgetName(StrEnum):
    """How much of a study is run."""

    minute = "minute"
    coffee = "coffee"
    lunch = "lunch"
    full = "full"


def study(
    name: Annotated[str, typer.Argument(help="style-to-facts, known-facts, factuality-gap, or your own TOML file.")],
    budget: Annotated[
        BudgetName,
        typer.Option(
            help="minute: one contrast, 3 seeds; coffee: one factor at a time, 6 seeds, 6 to 10 minutes on 2 cores; "
            "lunch: two-way interactions too, 30 minutes; full: the factorial, for a GPU."
        ),
    ] = BudgetName.coffee,
    out: Annotated[Path | None, typer.Option(help="The folder for everything. [default: kbench-study-NAME]")] = None,
    model: Annotated[
        str, typer.Option(help="lab (a small base built for each world), a folder, or a Hub id ORG/NAME.")
    ] = "lab",
    seeds: Annotated[
        str | None,
        typer.Option(
            help="One world each, such as 0-5; recipes were chosen on 100-107, 0-7 are for judging. "
            "[default: the budget's first of 0-7]"
        ),
    ] = None,
    beside: Annotated[
        Path | None, typer.Option(help="The folder of another run of the study, whose verdicts are shown beside.")
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(help="A folder, a name or a Hub id in place of the study's worlds, as of `kbench import`."),
    ] = None,
    by: Annotated[
        ByName | None, typer.Option(help="What the facts of an arm are chosen by. [default: as the study says]")
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(help="A folder or Hub id whose embeddings say how alike questions are. [default: the base's]"),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="NAME=MODEL: the model that stands for a variant of the base, as instruct.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread. [default: one a GPU, else one a CPU]")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the cells and what they cost, and do nothing.")
    ] = False,
) -> None:
    """Run a paper's experiment, and say which of its claims hold.

    Cells of training factors, each on several seeds, every seed a world of its own. Claims are judged by t intervals
    over seeds: holds, fails, inconclusive, or not testable with what was run. Leaves claims.json, cells.parquet and
    report.html. It may be stopped at any moment; a larger budget reuses what a smaller one did in the same folder.

    Example: kbench study style-to-facts --budget coffee --out style-to-facts
    """
    need_training(one_thread=True)
    from kbench.cli.study_tables import print_design, print_study_failures, print_verdicts
    from kbench.hub.find import find_release
    from kbench.hub.models import fetch_model
    from kbench.store import Release
    from kbench.studies.demo import seeds_of
    from kbench.studies.study_design import design
    from kbench.studies.study_file import load_study
    from kbench.studies.study_plan import plan_study
    from kbench.studies.study_report import read_earlier, write_study
    from kbench.studies.study_run import run_study

    if model != "lab":
        _check_model(model)
    loaded = load_study(name)
    earlier = read_earlier(beside, loaded.name) if beside else None

    def find(named: str) -> Release:
        with progress_bar("pulling", "bytes") as advance:
            return find_release(named, advance, say_aside)

    models = _models(variant or [])
    its = find(release) if release else None
    planned = design(
        loaded,
        budget.value,
        model,
        seeds_of(seeds) if seeds else None,
        release=release or "",
        styles=its.configs() if its else (),
        pretrained=its is None or any("pretrain" in its.splits(config) for config in its.configs()),
        embedder=embedder or "",
        models=models,
        by=by.value if by else "",
    )
    target = out or Path(f"kbench-study-{loaded.name}")

    plan, _ = plan_study(planned, target, find, lambda given: fetch_model(given, download=False))
    print_design(planned, plan, jobs)
    if dry_run:
        return
    for each in [*([] if planned.is_lab else [model]), *models.values()]:
        fetch_model(each)  # without it there is nothing to do
    with progress_bar(f"{loaded.name}, {budget.value}") as advance:
        account = run_study(planned, target, find, fetch_model, jobs, advance)
    files = write_study(account, target, earlier)
    print_verdicts(account)
    typer.echo(f"every claim: {files['claims']}; every cell: {files['cells']}; the page: {files['page']}")
    if account.outcome.failures:
        print_study_failures(account)
        raise typer.Exit(1)


def _models(given: list[str]) -> dict[str, str]:
    """The model of each variant. Raises SpecError where one is not told as NAME=MODEL, or has no weights."""
    from kbench.errors import SpecError

    found = {}
    for each in given:
        name, equals, model = each.partition("=")
        if not (name and equals and model):
            raise SpecError(f"--variant must be NAME=MODEL, such as instruct=ORG/NAME (got {each!r})")
        _check_model(model)
        found[name] = model
    return found


def _check_model(model: str) -> None:
    """Raise SpecError or ModelError where a model cannot be trained, before a world is written for it."""
    from kbench.benchmarks.engine import has_weights
    from kbench.benchmarks.models.loading import adapter_config
    from kbench.errors import ModelError, SpecError
    from kbench.hub.client import is_repo_id

    if not has_weights(model):
        raise SpecError(f"a study trains its model, and {model!r} has no weights: give lab, a folder or ORG/NAME")
    is_there = Path(model).exists()
    if (is_there or not is_repo_id(model.partition("@")[0])) and adapter_config(model) is not None:
        raise ModelError(f"{model} is an adapter: expected a whole model to train: merge it into its base first")
