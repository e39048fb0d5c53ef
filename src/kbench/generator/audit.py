"""The audit of a release: every sentence of the design that its rows can break, each counted, without a model."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kbench.generator.audits.checks import Check
from kbench.generator.audits.choices import choices_sound, labels_balanced, options_alike
from kbench.generator.audits.leaks import (
    answers_not_in_questions,
    control_untrained,
    held_out_unlike,
    held_out_unseen,
    pretrain_without_new,
    questions_unambiguous,
)
from kbench.generator.audits.levels import Level, levels
from kbench.generator.audits.names import names_apart, names_apart_from, names_unique, texts_apart_from
from kbench.generator.audits.novelty import first_words_real, names_natural, names_novel, real_names
from kbench.generator.audits.phrasings import phrasings_unlike, phrasings_used, relations_covered, templates_apart
from kbench.generator.audits.reading import Reading, read_release
from kbench.generator.audits.reasoning import reasoning_true
from kbench.generator.audits.rows import ids_unique, references_known, roles_in_splits, roles_of_blocks, texts_distinct
from kbench.generator.audits.teaching import (
    asked_is_taught,
    exposures_add_up,
    hops_exist,
    reasoning_apart,
    reasoning_unstated,
)
from kbench.generator.audits.truth import answers_true, documents_true, hops_counted
from kbench.store import Release

CHECKS: tuple[Callable[[Reading], Check], ...] = (
    ids_unique,
    texts_distinct,
    references_known,
    roles_in_splits,
    roles_of_blocks,
    templates_apart,
    phrasings_unlike,
    relations_covered,
    phrasings_used,
    control_untrained,
    pretrain_without_new,
    held_out_unseen,
    held_out_unlike,
    asked_is_taught,
    hops_exist,
    hops_counted,
    reasoning_apart,
    reasoning_unstated,
    exposures_add_up,
    answers_not_in_questions,
    questions_unambiguous,
    documents_true,
    answers_true,
    reasoning_true,
    choices_sound,
    labels_balanced,
    options_alike,
    names_unique,
    names_apart,
)
"""The checks of one release, in the order they are told."""


@dataclass(frozen=True)
class Audit:
    """What an audit found: which release, each check, and the levels that its scores are read against."""

    digest: str
    world: str
    checks: tuple[Check, ...]
    levels: tuple[Level, ...]

    @property
    def verdict(self) -> Literal["ok", "failed"]:
        """Whether every check that could be made holds."""
        return "failed" if any(check.status == "failed" for check in self.checks) else "ok"

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain JSON values."""
        return {
            "release": self.digest,
            "world": self.world,
            "verdict": self.verdict,
            "checks": [asdict(check) for check in self.checks],
            "levels": [asdict(level) for level in self.levels],
        }


def audit_release(
    release: Release, against: Release | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Audit:
    """Audit a release, and where another is given, what the two share.

    Args:
        release: what to audit.
        against: another release, whose names and texts must not be this one's.
        progress: called with the splits read and checks made, and how many there are of both.

    Raises:
        ReleaseError: a file is missing or is not what its manifest says.
        SpecError: a manifest's spec is not one of this version.
    """
    # Two for novelty, two against another release.
    total = sum(len(r.manifest["splits"]) for r in (release, against) if r) + len(CHECKS) + (4 if against else 2)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    reading = read_release(release, step)
    checks = []
    for check in CHECKS:
        checks.append(check(reading))
        step()
    real = real_names()
    checks += [check(reading, real) for check in (names_novel, names_natural, first_words_real)]
    if against:
        other = read_release(against, step)
        checks += [names_apart_from(reading, other), texts_apart_from(reading, other)]
    progress(total, total)
    return Audit(release.digest, release.world, tuple(checks), levels(reading))
