"""A submission: the entry and the samples that a result folder and its run make, checked before anybody sees them."""

import platform
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from kbench.benchmarks.models.adapter_files import adapter_digest
from kbench.benchmarks.results import RESULTS, RUN
from kbench.disk import told_in_one_line
from kbench.errors import OutputError
from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.entry import Entry, Kind
from kbench.leaderboard.folder import entry_from, samples_path, write_entry
from kbench.leaderboard.passes import article_pass
from kbench.leaderboard.rules import Rules, check_claim
from kbench.leaderboard.samples import MOST_BYTES, samples_bytes, sha256_of, write_samples
from kbench.leaderboard.scored import Scored, judged_rows, read_scored
from kbench.leaderboard.trained import Trained, check_scored, find_model, read_trained
from kbench.store import Release


@dataclass(frozen=True)
class Told:
    """What only the submitter can say. Without `hardware` it is this machine's."""

    id: str
    title: str
    submitted: Date
    authors: str = ""
    description: str = ""
    url: str = ""
    hardware: str = ""


@dataclass(frozen=True)
class Submission:
    """An entry and the file of its samples."""

    entry: Entry
    samples: bytes

    def write(self, out: Path) -> Path:
        """Write both into a folder: the samples first, so that an entry never stands without. Raises OutputError."""
        with told_in_one_line(out):
            out.mkdir(parents=True, exist_ok=True)
        write_samples(samples_path(out, self.entry), self.samples)
        return write_entry(out, self.entry)


def submission_of(
    result: Path, told: Told, release: Release, name: str, rules: Rules, run: Path | None = None
) -> Submission:
    """The entry of a result on the release of a track that is called `name`.

    `run` is the folder of the run, or of a model that has none; by default the one that the result names.

    Raises:
        OutputError: the result is not whole, or is not what its samples, its model or the rules of the track want.
        SpecError: the recipe of the run sets what no entry can say.
    """
    scored = read_scored(result, release)
    folder = find_model(scored.model, run)
    trained = read_trained(folder, scored.model, release)
    if rules.track.name == "methods" and not trained.recipe and not trained.untrained:
        raise OutputError(f"{folder} has no {RUN}, and an entry of the track methods is a recipe: give --run DIR")
    check_scored(trained, scored.digests, result / RESULTS)
    _check_adapter(scored, trained, result)
    kind: Kind = rules.track.kind
    if trained.untrained:
        kind = "ceiling" if scored.asked.prompt == "open-book" else "floor"
    base_known = _base_known(scored, trained, result)
    rows = judged_rows(scored, release)
    content = samples_bytes(rows)
    if len(content) > MOST_BYTES:
        raise OutputError(f"the samples of {result} are too many: {len(content):,} bytes, expected {MOST_BYTES:,}")
    entry = entry_from(
        {
            "id": told.id,
            "track": rules.track.name,
            "kind": kind,
            "title": told.title,
            "authors": told.authors,
            "description": told.description,
            "url": told.url,
            "submitted": told.submitted.isoformat(),
            "kbench": scored.kbench["version"],
            "release": {"name": name, "world": release.world, "digest": release.digest},
            "base": trained.base.model_dump(),
            "recipe": dict(trained.recipe),
            "model": {"name": _model_name(scored.model, folder), "digests": scored.digests},
            "asked": scored.asked.model_dump(),
            "article_pass": article_pass(release, folder),
            "cost": {
                "tokens": trained.tokens,
                "wall_s": trained.wall_s,
                "hardware": told.hardware or (hardware(trained.threads) if trained.threads else ""),
            },
            "scores": scores_of(rows, base_known).model_dump(),
            "samples": {"sha256": sha256_of(content), "rows": len(rows)},
        },
        f"the entry of {result}",
    )
    check_claim(entry, rules, str(result))
    return Submission(entry, content)


def hardware(threads: int) -> str:
    """What this machine's processor is called, and how many threads a training had of it."""
    model = ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:  # no Linux
        model = platform.processor()
    return f"{threads} thread{'s' * (threads != 1)} of {model or platform.machine() or 'a processor'}"


def _model_name(name: str, folder: Path) -> str:
    """What the model is called: a path says too much of the submitter's machine."""
    return folder.resolve().name if Path(name).is_dir() or folder.resolve().name == Path(name).name else name


def _base_known(scored: Scored, trained: Trained, result: Path) -> float | None:
    """What the base scored on the background; a base that was not trained is its own."""
    if trained.untrained:
        return scored.own_known
    base = scored.kbench.get("base")
    if (scored.base_known is None or not base) and scored.own_known is not None:
        raise OutputError(
            f"{result} was scored without its base, which says how much of what was known is kept: "
            "score it without --no-base, or name the base with --base"
        )
    if base and trained.base.weights and base.get("weights") not in (None, trained.base.weights):
        raise OutputError(
            f"{result} stands beside another base ({base['weights']}) than the model was trained from "
            f"({trained.base.weights}): score it without --base"
        )
    return scored.base_known


def _check_adapter(scored: Scored, trained: Trained, result: Path) -> None:
    """Raise OutputError where an adapter was scored and nothing proves that it was applied."""
    if "adapter" not in scored.digests:
        return
    truth = scored.kbench.get("adapter_truth") or {}
    if not truth:
        raise OutputError(f"{result} has no proof that its adapter was applied: score it again with this kbench")
    if truth.get("weights_and_config") != adapter_digest(trained.folder):
        raise OutputError(f"{result} proves another adapter than the one in {trained.folder}: score it again")
    if truth.get("applied") is not True:
        raise OutputError(f"the adapter of {result} changes nothing, so the score is its base's: train it longer")
