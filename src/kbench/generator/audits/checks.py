"""What an audit says: checks, each a sentence of the design that was counted on a release."""

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "failed", "skipped", "note"]

_SHOWN = 3
_LONGEST = 240


@dataclass(frozen=True)
class Check:
    """A sentence that should be true of a release, how often it was looked at, and how often it was not true."""

    name: str
    sentence: str
    counted: int
    failures: int
    examples: tuple[str, ...]
    status: Status
    reason: str = ""
    """Why the check was skipped, or what a note means."""


@dataclass
class Tally:
    """A check while it counts."""

    name: str
    sentence: str
    counted: int = 0
    failures: int = 0
    examples: list[str] = field(default_factory=list)

    def wrong(self, example: str) -> None:
        """Count one failure; the first few are kept as examples."""
        self.failures += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(example if len(example) <= _LONGEST else f"{example[:_LONGEST]}…")

    def expect(self, true: bool, example: str) -> None:
        """Count one thing looked at, and a failure where it is not true."""
        self.counted += 1
        if not true:
            self.wrong(example)

    def check(self) -> Check:
        """The check once all is counted; one that had nothing to look at is skipped rather than passed."""
        if not self.counted:
            return self.skipped("the release has nothing of the kind")
        status: Status = "failed" if self.failures else "ok"
        return Check(self.name, self.sentence, self.counted, self.failures, tuple(self.examples), status)

    def note(self, reason: str) -> Check:
        """What was counted as something to know rather than something to mend."""
        return Check(self.name, self.sentence, self.counted, self.failures, tuple(self.examples), "note", reason)

    def skipped(self, reason: str) -> Check:
        """The check as one that cannot be made of this release, and why."""
        return Check(self.name, self.sentence, 0, 0, (), "skipped", reason)
