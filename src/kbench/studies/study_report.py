"""What a study leaves behind: claims.json, cells.parquet, its figures, report.html, and study.json last."""

import json
import platform
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.errors import SpecError
from kbench.ids import file_sha256
from kbench.store import write_json, write_table, write_text
from kbench.studies.grid_outcome import failures_told, packages, tasks_by_kind
from kbench.studies.palette import alone
from kbench.studies.study import Term
from kbench.studies.study_cells import cell_rows, cells_table
from kbench.studies.study_claims import Estimate, Judged, estimate_of, passage
from kbench.studies.study_design import CONFIRMATION, EXPLORATION
from kbench.studies.study_figures import figures_of
from kbench.studies.study_page import Earlier, study_page
from kbench.studies.study_run import ABOUT, Account

CLAIMS = "claims.json"
CELLS = "cells.parquet"
PAGE = "report.html"
FIGURES = "figures"


def write_study(account: Account, out: Path, earlier: Earlier | None = None) -> dict[str, Path]:
    """Write what a study leaves behind, and return its files: `claims`, `cells`, `page`, `about`, and `figures/NAME`.

    Pictures that an earlier run of the same folder left, and this one has not, are removed.

    Args:
        earlier: the verdicts of another run of the study, which stand beside these.

    Raises:
        OutputError: a file cannot be written.
    """
    study, rows, figures = account.design.study, cell_rows(account, out), figures_of(account)
    files = {"claims": out / CLAIMS, "cells": out / CELLS}
    write_json(out / CLAIMS, [judged.to_dict() for judged in account.judged])
    write_table(out / CELLS, cells_table(study, rows))
    for figure in figures:
        files[f"{FIGURES}/{figure.name}"] = path = out / FIGURES / f"{figure.name}.svg"
        write_text(path, alone(figure.svg))
    files["page"] = out / PAGE
    write_text(out / PAGE, study_page(account, figures, rows, seeds_kind(account.design.seeds), earlier))
    digests = {path.relative_to(out).as_posix(): file_sha256(path) for path in files.values()}
    for name in _pictures(out) - digests.keys():
        (out / name).unlink(missing_ok=True)
    write_json(out / ABOUT, {**study_about(account, out), "files": digests})
    return {**files, "about": out / ABOUT}


def _pictures(out: Path) -> set[str]:
    """The pictures that the study in a folder said it had left."""
    try:
        named = json.loads((out / ABOUT).read_text(encoding="utf-8")).get("files", {})
    except (OSError, ValueError, AttributeError):
        return set()
    return {name for name in named if re.fullmatch(rf"{FIGURES}/[\w-]+\.svg", name)}


def seeds_kind(seeds: Sequence[int]) -> str:
    """Whether seeds are those that recipes are chosen on (`exploration`), or judged on (`confirmation`), or others."""
    if set(seeds) <= set(CONFIRMATION):
        return "confirmation"
    return "exploration" if set(seeds) <= set(EXPLORATION) else "other"


def read_earlier(folder: Path, name: str) -> Earlier:
    """The verdicts of a finished run of the study of a name. Raises SpecError where a folder holds none."""
    try:
        claims = json.loads((folder / CLAIMS).read_text(encoding="utf-8"))
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        found = Earlier(about["seeds_kind"], tuple(about["seeds"]), {each["claim"]: each for each in claims})
        other = about["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = type(error).__name__
        raise SpecError(
            f"expected {CLAIMS} and {ABOUT} of a finished study in {folder} (got {told}): finish it, or name another"
        ) from None
    if other != name:
        raise SpecError(f"{folder} holds the study {other!r}, which has other claims: name a run of {name!r} instead")
    return found


def study_about(account: Account, out: Path) -> dict[str, Any]:
    """What was asked for and what came of it, as study.json says it; its files apart."""
    design, outcome = account.design, account.outcome
    study = design.study
    return {
        "name": study.name,
        "status": "incomplete" if outcome.failures else "whole",
        "kbench": __version__,
        "python": platform.python_version(),
        "packages": packages(),
        "source": study.source,
        "budget": design.name,
        "model": design.model,
        "release": design.release,
        "facts_by": design.by,
        "variants": dict(design.models),
        "seeds": list(design.seeds),
        "seeds_kind": seeds_kind(design.seeds),
        "cells": [
            {"cell": cell.name, "levels": cell.levels, "recipe": cell.values, "seeds": cell.seeds, "asks": cell.asks}
            for cell in design.cells.values()
        ],
        "parts": {
            f"{name}.seed{seed}": {key: value for key, value in told.items() if key != "readings"}
            for (name, seed), told in account.parts.items()
        },
        "gates": [_gate(account, name) for name in study.gates],
        "claims": [_claim(account, judged) for judged in account.judged],
        "effects": [
            {
                **{key: getattr(effect, key) for key in ("kind", "factor", "left", "right", "reading")},
                **_told(effect.estimate),
            }
            for effect in account.effects
        ],
        "tasks": tasks_by_kind(outcome),
        "failures": failures_told(outcome, out),
    }


def _gate(account: Account, name: str) -> dict[str, Any]:
    study, gate = account.design.study, account.design.study.gates[name]
    column = account.levels.of(study.named(gate.cell), gate.reading)
    passed = passage(study, gate, account.levels)
    return {
        "gate": name,
        **gate.model_dump(),
        "cell": study.named(gate.cell),
        "values": {str(seed): column[seed].value for seed in sorted(column)},
        "passes": not passed.reason,
        "reason": passed.reason,
    }


def _claim(account: Account, judged: Judged) -> dict[str, Any]:
    claim = judged.claim
    return {
        **judged.to_dict(),
        "says": claim.says,
        "paper": claim.paper,
        "gates": list(claim.gates),
        "effects": [
            {
                "title": effect.title,
                "direction": effect.direction,
                "least": effect.least,
                "bound": effect.bound,
                "estimate": _told(estimate) if estimate else None,
                "levels": list(_terms(account, effect.of, estimate)),
                "bound_levels": list(_terms(account, effect.bound_of, estimate)),
            }
            for effect, estimate in _paired(judged)
        ],
    }


def _paired(judged: Judged) -> Iterator[tuple[Any, Estimate | None]]:
    """Each effect of a claim with its estimate, of which a claim that was not tested has none."""
    for number, effect in enumerate(judged.claim.effects):
        yield effect, judged.estimates[number] if number < len(judged.estimates) else None


def _terms(account: Account, terms: Sequence[Term], estimate: Estimate | None) -> Iterator[dict[str, Any]]:
    """The level of each term, over the seeds that its claim was judged on, or over all where it was not."""
    study = account.design.study
    for weight, cell, reading in terms:
        only = set(estimate.seeds) if estimate else None
        level = estimate_of(study, [(1, cell, reading)], account.levels, only)
        told = _told(level) if level.values else None
        yield {"weight": weight, "cell": study.named(cell), "reading": reading, "level": told}


def _told(estimate: Estimate) -> dict[str, Any]:
    return {
        "mean": estimate.mean,
        "interval": None if estimate.low is None else [estimate.low, estimate.high],
        "n": estimate.rows,
        "values": {str(seed): value for seed, value in estimate.values.items()},
    }
