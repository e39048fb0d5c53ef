"""A release as training may see it: the splits `train`, `pretrain` and `validation`, and no other."""

from dataclasses import dataclass
from typing import Any

from kbench.errors import ReleaseError
from kbench.store import Release

OPEN = ("pretrain", "train", "validation")
"""What may teach a model, or choose between two of its states."""


@dataclass(frozen=True)
class TaughtRelease(Release):
    """A release whose `test` and `control` cannot be read: no model is chosen on the rows that it is scored on."""

    def files(self, config: str, split: str) -> list[dict[str, Any]]:
        """What the manifest says of each file of a split. Raises ReleaseError where training must not see it."""
        if split not in OPEN:
            raise ReleaseError(f"training reads {', '.join(OPEN)} and nothing else (asked for {config}/{split})")
        return super().files(config, split)


def taught(release: Release) -> TaughtRelease:
    """The same release, closed to its held-out splits."""
    return TaughtRelease(release.path, release.manifest)
