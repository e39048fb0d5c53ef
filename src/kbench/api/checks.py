"""A release checked from Python: derived anew, and audited."""

from collections.abc import Callable
from pathlib import Path

from kbench.api.recipes import PathLike
from kbench.api.releases import folder_of, load_release
from kbench.generator.audit import Audit, audit_release
from kbench.generator.findings import Verification
from kbench.generator.manifests import Given
from kbench.generator.verify import verify_release
from kbench.store import Release

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


def verify(
    release: PathLike | Release,
    *,
    seed_file: PathLike | None = None,
    facts: PathLike | None = None,
    templates: PathLike | None = None,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Derive a release anew from its manifest, and say where it is not what it should be: `kbench verify` in Python.

    Args:
        release: a release, its folder, or the name of one that comes with kbench.
        seed_file: the file with the seed of a private world.
        facts: the file of facts that the release was made of.
        templates: the template pack it was made with; the built-in one if None.
        workers: processes to derive the rows with.
        progress: called with the files done and how many there are.

    Returns:
        What was found: `verdict` is "ok", "in part" (something could not be checked) or "failed"; `findings` has a
        status, a place and a sentence for each.

    Raises:
        ReleaseError: there is no manifest to verify by, or it is of a newer format.
        SpecError, TemplateError: a seed, facts or templates that were given cannot be read.

    >>> release = kbench.generate("my-world", spec="lab", seed=7)
    >>> kbench.verify(release).verdict
    'ok'
    >>> _ = (release.path / "eval.yaml").write_text("")
    >>> for finding in kbench.verify("my-world").findings:
    ...     print(finding.status, finding.where)
    failed eval.yaml
    """
    given = Given(*(None if file is None else Path(file) for file in (seed_file, templates, facts)))
    return verify_release(folder_of(release), given, workers=workers, progress=progress)


def audit(
    release: PathLike | Release,
    against: PathLike | Release | None = None,
    *,
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Check a release against each sentence of the data contract: `kbench audit` in Python.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        against: another release, whose names and texts must not be this one's.
        progress: called with the steps done and how many there are.

    Returns:
        What was found: `verdict` is "ok" or "failed"; `checks` says of each what it counted and how many failed;
        `levels` has chance and majority of each relation.

    Raises:
        ReleaseError: there is no release, or a file of it is missing or altered.

    >>> found = kbench.audit(kbench.generate("my-world", spec="lab", seed=7))
    >>> found.verdict, found.checks[0].sentence, found.checks[0].counted
    ('ok', 'Every id stands once in the release.', 4440)
    """
    return audit_release(load_release(release), None if against is None else load_release(against), progress)
