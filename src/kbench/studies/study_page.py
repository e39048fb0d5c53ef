"""The page of a study: one self-contained HTML file, its verdicts first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench import __version__
from kbench.studies.figure_claims import VERDICTS, ends_of
from kbench.studies.grid_orders import Kind
from kbench.studies.grid_outcome import lost_cells, own_failures, packages, spent
from kbench.studies.palette import page_colours
from kbench.studies.study import Effect, Gate
from kbench.studies.study_claims import Estimate, Judged, Passage, gate_values, passage
from kbench.studies.study_design import CONFIRMATION, Design
from kbench.studies.study_figures import Figure
from kbench.studies.study_gaps import gap_rows
from kbench.studies.study_means import means_of, places, title_of
from kbench.studies.study_run import Account

_WORK: dict[Kind, str] = {
    "release": "write a release",
    "base": "build a base",
    "know": "label facts",
    "train": "train",
    "score": "score",
    "part": "do a part",
}


@dataclass(frozen=True)
class Earlier:
    """The verdicts of another run of a study, by the claim's name, as its claims.json has them."""

    kind: str
    seeds: tuple[int, ...]
    claims: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ruled:
    """A claim as the page shows it: its sign, the levels that were compared, and what its interval must do."""

    judged: Judged
    sign: str
    levels: tuple[tuple[str, str, str, float], ...]
    """The weight, cell and reading of each, in words, and its mean."""
    rules: tuple[str, ...]
    """Of each effect."""


@dataclass(frozen=True)
class Gated:
    """A gate as the page shows it."""

    name: str
    gate: Gate
    cell: str
    values: dict[int, float]
    passage: Passage
    claims: tuple[str, ...]
    of_all: bool
    """Every claim needs it."""


def study_page(
    account: Account, figures: Sequence[Figure], rows: Sequence[Mapping[str, Any]], kind: str, earlier: Earlier | None
) -> str:
    """The page's text."""
    design, outcome = account.design, account.outcome
    jinja = Environment(loader=PackageLoader("kbench", "templates"), undefined=StrictUndefined, autoescape=True)
    work = [(title, spent(outcome, each, "wall_s"), spent(outcome, each, "cpu_s")) for each, title in _WORK.items()]
    return jinja.get_template("study.html.j2").render(
        version=__version__,
        command=command_of(design),
        design=design,
        study=design.study,
        kind=kind,
        earlier=earlier,
        light=page_colours(dark=False),
        dark=page_colours(dark=True),
        ruled=[ruled(account, judged) for judged in account.judged],
        signs={verdict: sign for verdict, (_, _, sign) in VERDICTS.items()},
        gates=[_gated(account, name) for name in design.study.gates],
        figures=figures,
        means=means_of(design, account.levels),
        gaps=[(gap.title, gap_rows(design, account.levels, gap)) for gap in design.study.gaps.values()],
        left_out=not_run(design),
        releases=_releases(rows),
        failed=[(failure, len(lost_cells(failure, outcome))) for failure in own_failures(outcome)],
        cells=len(outcome.plan.cells),
        lost=outcome.failed_cells(),
        costs=[(title, len(walls), sum(walls), sum(cpus)) for title, walls, cpus in work if walls],
        cpu=sum(sum(cpus) for _, _, cpus in work),
        packages=packages(),
    )


def command_of(design: Design) -> str:
    """The command that runs the same again; its `--out` apart."""
    words = ["kbench study", design.study.name, "--budget", design.name]
    words += [] if design.is_lab else ["--model", design.model]
    words += ["--release", design.release] if design.release else []
    words += ["--by", design.by] if design.by else []
    words += [f"--variant {name}={model}" for name, model in design.models.items()]
    seeds = design.seeds
    if seeds != CONFIRMATION[: design.budget.seeds]:
        in_a_row = seeds == tuple(range(seeds[0], seeds[-1] + 1))
        words += ["--seeds", f"{seeds[0]}-{seeds[-1]}" if in_a_row else ",".join(map(str, seeds))]
    return " ".join(words)


def ruled(account: Account, judged: Judged) -> Ruled:
    """A claim as it is shown."""
    study, placed = account.design.study, places(account.design)
    levels = tuple(
        (_weighted(term[0]), str(placed[cell]), title_of(study, reading), mean)
        for term, (cell, reading, mean) in zip(judged.claim.effects[0].of, judged.levels, strict=False)
    )
    tested = zip_longest(judged.claim.effects, judged.estimates[: len(judged.claim.effects)])
    rules = tuple(_rule(account, effect, estimate) for effect, estimate in tested)
    return Ruled(judged, VERDICTS[judged.verdict][2], levels, rules)


def not_run(design: Design) -> list[str]:
    """What of the study this budget leaves out, or runs on fewer seeds."""
    study, found = design.study, []
    for name, factor in study.factors.items():
        alone = {level: study.cell(study.centre | {name: level}) for level in factor.levels}
        if missing := [level for level, cell in alone.items() if cell not in design.cells]:
            found.append(f"{factor.title}: {', '.join(missing)}")
    placed = places(design)
    found += [f"the arm: {arm.title}" for name, arm in study.arms.items() if name not in design.cells]
    found += [f"the part: {part.title}" for name, part in study.parts.items() if name not in design.parts]
    if not design.budget.crossed and not design.budget.pairs:
        found.append("two factors of the training off the centre at once")
    fewer: dict[int, list[str]] = {}
    counts = {**{name: cell.seeds for name, cell in design.cells.items()}, **design.parts}
    for name, seeds in counts.items():
        if len(seeds) < len(design.seeds):
            fewer.setdefault(len(seeds), []).append(str(placed[name]))
    return found + [f"on {count} seeds alone: {'; '.join(names)}" for count, names in sorted(fewer.items())]


def _weighted(weight: float) -> str:
    sign = "+" if weight > 0 else "−"
    return sign if abs(weight) == 1 else f"{sign} {abs(weight):g} ×"


def _rule(account: Account, effect: Effect, estimate: Estimate | None) -> str:
    if effect.direction == "above":
        return f"above {effect.least:g}"
    if not effect.bound_of:
        return f"within ±{effect.bound:g}"
    ends = ends_of(account.design.study, account.levels, effect, estimate) if estimate else ()
    return f"within ±{ends[1]:.2f}, a measured bound" if ends else "within a measured bound"


def _gated(account: Account, name: str) -> Gated:
    design, levels = account.design, account.levels
    study, gate = design.study, design.study.gates[name]
    cell = study.named(gate.cell)
    place = places(design).get(cell)
    claims = tuple(claim.name for claim in study.claims if name in claim.gates)
    shown = str(place) if place else cell
    values = dict(sorted(gate_values(cell, gate, levels).items()))
    return Gated(name, gate, shown, values, passage(study, gate, levels), claims, len(claims) == len(study.claims))


def _releases(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """The seed, world and digest of each release that was read."""
    found = {(row["seed"], row["world"], row["release_digest"]) for row in rows if row.get("release_digest")}
    return sorted(found)
