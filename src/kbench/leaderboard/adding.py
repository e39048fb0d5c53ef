"""Taking an entry into the folder of entries: checked against its release, and always as self-reported."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from pathlib import Path
from typing import Any

from kbench.errors import OutputError
from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.entry import Entry, Scores
from kbench.leaderboard.folder import read_entries, read_entry, samples_path, write_entry
from kbench.leaderboard.letters import named
from kbench.leaderboard.questions import check_answers, judged_items, prompting_of, questions_of
from kbench.leaderboard.rules import Rules, check_claim
from kbench.leaderboard.samples import read_bytes, rows_of, write_samples
from kbench.leaderboard.scored import is_same
from kbench.store import Release


@dataclass(frozen=True)
class Added:
    """An entry and where it lies now; whether it is new there, and what became of a re-run that its file held.

    It is `dropped` where the file comes from elsewhere, and stays `unchecked` where the file is the folder's own.
    """

    entry: Entry
    path: Path
    is_new: bool
    dropped: bool
    unchecked: bool = False


def add_entry(path: Path, entries: Path, rules: Rules, release: Release) -> Added:
    """Check the entry of a file, with the samples beside it, and write both into the folder of entries.

    Raises OutputError or SpecError of one line where it is not sound, is dated later than tomorrow, or where another
    entry has its id or its model.
    """
    brought = read_entry(path)
    entry = brought.model_copy(update={"reproduced": None})
    latest = Date.today() + timedelta(days=1)
    if entry.submitted > latest:
        raise OutputError(
            f"{named(path)} was submitted on {entry.submitted}, in the future: expected {latest} at the latest"
        )
    content = check_entry(entry, path.parent, rules, release)
    held = read_entries(entries) if entries.is_dir() else []
    same = next((other for other in held if other.id == entry.id), None)
    there = entries / f"{entry.id}.json"
    has_rerun = brought.reproduced is not None
    if same is not None and same.claim == entry.claim:
        own = path.samefile(there)
        return Added(same, there, is_new=False, dropped=has_rerun and not own, unchecked=has_rerun and own)
    if same is not None:
        raise OutputError(f"{named(there)} is another entry of that id: submit yours with another --id")
    twin = next((other for other in held if is_one_model(other, entry)), None)
    if twin is not None:
        raise OutputError(
            f"{named(path)} is the model of the entry {twin.id} again, digest for digest: nothing new to enter"
        )
    entries.mkdir(parents=True, exist_ok=True)
    write_samples(samples_path(entries, entry), content)
    return Added(entry, write_entry(entries, entry), is_new=True, dropped=has_rerun)


def check_entry(entry: Entry, folder: Path, rules: Rules, release: Release) -> bytes:
    """The file of samples of an entry in a folder, where all that the entry claims follows from it.

    Raises OutputError or SpecError of one line where something does not.
    """
    where = samples_path(folder, entry)
    check_claim(entry, rules, f"{entry.id}")
    if release.digest != entry.release.digest or release.world != entry.release.world:
        raise OutputError(
            f"{entry.id} is of the world {entry.release.world} ({entry.release.digest}), "
            f"and {release.path} is {release.world} ({release.digest}): give the release of the entry"
        )
    content = read_bytes(where, entry.samples.sha256)
    prompting = prompting_of(entry.asked)
    questions = questions_of(release, judged_items(release, prompting), prompts=prompting is not None)
    if entry.samples.rows != len(questions):
        raise OutputError(
            f"{entry.id} says that it has {entry.samples.rows:,} samples, and its release asks {len(questions):,}: "
            "score the whole release"
        )
    rows = rows_of(content, len(questions), named(where))
    check_answers(rows, questions, named(where))
    # What the base knew is the submitter's word until a re-run: no sample here is the base's.
    base_known = entry.scores.retention.base if entry.scores.retention else None
    if base_known is None and any((row["style"], row["probe"]) == ("qa", "known") for row in rows):
        raise OutputError(f"{entry.id} does not say what its base knew of the background: submit the result again")
    check_scores(entry.scores, scores_of(rows, base_known), entry.id)
    return content


def check_scores(claimed: Scores, found: Scores, where: str) -> None:
    """Raise OutputError, which names the first, where a claimed figure is not what the samples give."""
    for name, said, given in _pairs(claimed.model_dump(), found.model_dump(), "scores"):
        if not is_same(said, given):
            raise OutputError(f"{where}: {name} is {said}, its samples give {given}: submit the result again")


def is_one_model(one: Entry, other: Entry) -> bool:
    """Whether two entries are of one model, asked alike on one release."""
    return (
        not one.is_reference
        and (one.track, one.release, one.asked) == (other.track, other.release, other.asked)
        and one.model.digests == other.model.digests
    )


def _pairs(said: Any, given: Any, name: str) -> list[tuple[str, Any, Any]]:
    if isinstance(said, Mapping) and isinstance(given, Mapping) and said.keys() == given.keys():
        return [pair for key in said for pair in _pairs(said[key], given[key], f"{name}.{key}")]
    return [(name, said, given)]
