"""Published datasets of real facts from Python: found on disk or on the Hub, and written as a release."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from kbench.api.recipes import PathLike
from kbench.errors import HubError
from kbench.generator.realdata.divide import Apart, Division
from kbench.generator.realdata.files import MOST_BYTES, chosen, is_data
from kbench.generator.realdata.kinds import KindName
from kbench.generator.realdata.release import Imported, import_dataset, patterns_of
from kbench.hub.client import is_repo_id
from kbench.store import Release

Progress = Callable[[int, int], None]


def import_data(
    kind: KindName,
    source: PathLike,
    out: PathLike,
    *,
    files: str | None = None,
    test_share: float = 0.5,
    validation_share: float = 0.1,
    apart: Apart = "names",
    least: int = 10,
    limit: int | None = None,
    seed: str | int = "0",
    progress: Progress = lambda done, total: None,
) -> Release:
    """Write a published dataset of real facts as a release: `kbench import` in Python.

    Subjects are divided by a digest of their names. Those of `train` have the role `known`; those of `validation` and
    `test`, `background`: no training row names them. One that is there already is left alone.

    Args:
        kind: `"popqa"`, `"entity-questions"`, `"mmlu"` or `"wikibio"`.
        source: a file, a folder, a zip archive, or ORG/NAME[@REVISION] of a dataset on the Hub.
        out: the folder to write; it must be empty, or hold this same release.
        files: which files are read, as a shell picks them; all that the dataset is known to have if None.
        test_share: the share of the subjects that is held out.
        validation_share: the share of those that is for `validation`.
        apart: what may not stand on both sides: `"subjects"`; `"names"`: nor a subject as an answer of the other side;
            `"answers"`: nor any answer of a relation.
        least: the subjects that a relation must have in `train`, and in `test`, to be kept.
        limit: at most so many questions of each relation.
        seed: of the division, any text.
        progress: called with the bytes done of a download, then with the files written, and how many there are.

    Raises:
        SpecError: a file or an item cannot be read, or too little is left.
        HubError: the Hub does not answer or refuses.
        OutputError: `out` holds something else, or cannot be written.

    Relations that are left out come as a warning (UserWarning); `release.manifest["recipe"]["imported"]` counts all
    that was left out.

    >>> lines = ["subj,prop,obj,s_pop,question,possible_answers"]
    >>> for n in range(40):
    ...     lines.append(f'Town {n},country,Land {n % 3},{n},What country is Town {n} in?,"[""Land {n % 3}""]"')
    >>> _ = Path("towns.csv").write_text("\\n".join(lines))
    >>> release = kbench.import_data("popqa", "towns.csv", "towns")
    >>> release
    release towns: world 8574e8d7, digest 204220d4aa9b1eb0
      qa        train 22, validation 3, test 15
      facts     train 40
      entities  train 40
    >>> release.rows("qa", "train")[0]["answers"]
    ['Land 1']
    """
    way = Division(str(seed), test_share, validation_share, apart, least, limit)
    done = import_from(kind, str(source), Path(out), way, files=files, progress=progress)
    if done.too_few:
        warnings.warn(left_out_line(done), stacklevel=2)
    return done.release


def import_from(
    kind: KindName, source: str, out: Path, way: Division, *, files: str | None, progress: Progress
) -> Imported:
    """The same, with what was left out; a folder or a file goes before a name of the Hub."""
    patterns = patterns_of(kind, files)
    repo_id, _, revision = source.partition("@")
    if Path(source).exists() or is_data(source) or not is_repo_id(repo_id):
        return import_dataset(kind, Path(source), out, way, files=files, progress=progress)
    from kbench.hub.datasets import fetch_dataset

    def choose(paths: Sequence[str]) -> list[str]:
        return chosen([path for path in paths if is_data(path)], patterns)

    try:
        folder, commit = fetch_dataset(repo_id, revision or None, choose, MOST_BYTES, progress)
    except HubError as error:
        raise type(error)(f"there is no folder {repo_id}; as a dataset of the Hub: {error}") from None
    return import_dataset(kind, folder, out, way, files=files, name=f"{repo_id}@{commit}", progress=progress)


def left_out_line(done: Imported) -> str:
    """Which relations were left out, and why."""
    names = ", ".join(f"{name} ({many})" for name, many in list(done.too_few.items())[:5])
    more = f" and {len(done.too_few) - 5:,} more" if len(done.too_few) > 5 else ""
    return f"left out for too few subjects in train or in test: {names}{more}; --least keeps smaller relations"
