"""What an exported task asks: the groups of questions that kbench scores, and where a tool reads them."""

import glob
from collections import Counter
from dataclasses import dataclass
from typing import Any, get_args

from kbench.benchmarks.asking import ASKED
from kbench.benchmarks.tasks import UNMATCHED
from kbench.errors import ReleaseError, SpecError
from kbench.schema import QUESTION_STYLES, Probe
from kbench.store import Release

PROBES = frozenset(get_args(Probe)) - {""}
"""The probes that a question may have: they become parts of code and of file names."""


@dataclass(frozen=True)
class Asked:
    """The questions of one style, split and probe: what one score is about."""

    style: str
    split: str
    probe: str
    rows: int

    @property
    def part(self) -> str:
        """What a mean may be taken over: `test`, `known`, `recall` or `control`."""
        return self.probe if self.probe in ("known", "recall", "control") else "test"

    @property
    def key(self) -> str:
        """`<style>_<probe>`."""
        return f"{self.style}_{self.probe}"


@dataclass(frozen=True)
class Source:
    """Where the tasks read their rows: the folder of a release, or a dataset repository of the Hub."""

    name: str
    repo_id: str | None = None
    revision: str | None = None

    def task(self, group: Asked) -> str:
        """What the task of some questions is called. Raises SpecError where that is no name in Python."""
        task = f"{self.name}_{group.key}"
        if not (task.isascii() and task.isidentifier()):
            raise SpecError(f"{task!r} cannot be the name of a task: expected letters, digits and '_'")
        return task

    def arguments(self, release: Release, style: str, split: str) -> dict[str, Any]:
        """What `datasets.load_dataset` is to be called with to get the split of a style as the split of that name."""
        if self.repo_id is not None:
            return {"path": self.repo_id, "name": style, **({"revision": self.revision} if self.revision else {})}
        # datasets takes each of them for a pattern.
        held = [glob.escape(str(release.path.resolve() / file["path"])) for file in release.files(style, split)]
        return {"path": "parquet", "data_files": {split: held}}


def questions_of(release: Release, styles: tuple[str, ...]) -> list[Asked]:
    """Every group that kbench scores, of some styles or of all.

    Raises ReleaseError where there is none, and where a row has a probe that kbench does not know.
    """
    found = list[Asked]()
    have = [config for config in release.configs() if config in QUESTION_STYLES - UNMATCHED]
    for style in styles:
        if style not in QUESTION_STYLES - UNMATCHED:
            why = "its answers have many wordings" if style in UNMATCHED else "its rows ask nothing"
            raise ReleaseError(f"style {style!r} cannot be scored by exact match ({why}): leave it out")
        if style not in have:
            raise ReleaseError(f"the release {release.path} has no style {style!r} to ask: have {', '.join(have)}")
    for style in (style for style in have if style in (styles or have)):
        for split in (s for s in ASKED if s in release.splits(style)):
            counts = Counter[str]()
            for file in release.files(style, split):
                counts.update(_probes(release, file))
            found += [Asked(style, split, probe, rows) for probe, rows in counts.items()]
    if not found:
        raise ReleaseError(f"the release {release.path} has no questions: generate it with --style qa or --style all")
    return found


def _probes(release: Release, file: dict[str, Any]) -> list[str]:
    """The probe of each row: one that kbench knows, whoever made the release."""
    table = release.read(file)
    probes = [str(probe) for probe in table.column("probe").to_pylist()] if "probe" in table.schema.names else [""]
    unknown = sorted(set(probes) - PROBES)
    if unknown:
        raise ReleaseError(
            f"{release.path / file['path']} has a row of the probe {unknown[0][:40]!r}, which kbench does not know "
            f"({', '.join(sorted(PROBES))}): take a release that `kbench verify` finds sound"
        )
    return probes
