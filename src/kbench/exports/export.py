"""A release written for the tools that users already run: one call, one folder, whole or not there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from kbench import __version__
from kbench.errors import ReleaseError, SpecError
from kbench.exports.asked import Source, questions_of
from kbench.exports.folder import Export, write_export
from kbench.exports.inspect_ai import write_inspect
from kbench.exports.lm_eval import write_lm_eval
from kbench.exports.openai import write_openai
from kbench.exports.trl import write_trl
from kbench.store import Release

Target = Literal["lm-eval", "inspect", "trl", "openai"]
TARGETS: tuple[Target, ...] = get_args(Target)


def export_release(
    release: Release,
    target: Target,
    out: Path,
    *,
    styles: tuple[str, ...] = (),
    name: str | None = None,
    repo_id: str | None = None,
    revision: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Export:
    """Write a release for a tool: `styles` alone, or all that the tool can use; a finished export is left alone.

    `lm-eval` and `inspect` get tasks that read the release's own folder, or the Hub's ORG/NAME where `repo_id` is
    given (as it is: whoever takes it from a user checks it), and are called after `name`, or else after what they
    read. `trl` and `openai` get the training rows.

    Raises:
        OutputError: `out` holds something else.
        ReleaseError: the release has no such style, a row that the tool would refuse, or is not one of kbench's.
        SpecError: `repo_id` or `revision` is given where it says nothing.
    """
    asks = target in ("lm-eval", "inspect")
    _check_written(release)
    source = _source(release, target, name, repo_id, revision)
    held = {f["config"] for f in release.manifest["files"]} - {"facts", "entities"}
    options: dict[str, Any] = {"styles": sorted(set(styles)) or sorted(held)}
    if asks:
        options |= {"name": source.name, "data": repo_id or str(release.path.resolve()), "revision": revision}
    plan = {
        "format": 1,
        "version": __version__,
        "target": target,
        "release": {"world": release.world, "digest": release.digest, "canary": release.manifest.get("canary")},
        "options": options,
    }

    def write(folder: Path) -> dict[str, Any]:
        if not asks:
            return (write_trl if target == "trl" else write_openai)(release, styles, folder, progress)
        asked = questions_of(release, styles)
        return (write_lm_eval if target == "lm-eval" else write_inspect)(release, asked, source, folder)

    return write_export(out, plan, write)


def _source(release: Release, target: Target, name: str | None, repo_id: str | None, revision: str | None) -> Source:
    if (repo_id is not None or revision is not None) and target not in ("lm-eval", "inspect"):
        raise SpecError(f"--repo-id and --revision go with --to lm-eval and inspect: {target} gets the rows themselves")
    if revision is not None and not (revision.strip() and revision.isprintable()):
        raise SpecError(f"--revision must name a branch, a tag or a commit (got {revision!r}): leave it out for main")
    if revision is not None and repo_id is None:
        raise SpecError(f"--revision {revision} needs --repo-id ORG/NAME: a folder has no revisions")
    path = release.path.resolve()
    if repo_id is None and target in ("lm-eval", "inspect") and not _readable(str(path)):
        raise ReleaseError(
            f"datasets cannot read a release in {str(path)!r}: expected a path in UTF-8 and without '::': move it"
        )
    named = repo_id.rpartition("/")[2] if repo_id else name or path.name
    called = re.sub(r"[^0-9a-z]+", "_", named.lower()).strip("_") or release.world
    return Source(called if called.startswith("kbench") else f"kbench_{called}", repo_id, revision)


def _readable(path: str) -> bool:
    """Whether `datasets` opens the path, for which `::` stands between two addresses, and files can hold it as text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return "::" not in path


def _check_written(release: Release) -> None:
    """Raise ReleaseError unless what goes into code and cards is as kbench writes it: the manifest may be anybody's."""
    expected = {"world": r"[0-9a-f]{8}", "canary": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
    for key, form in expected.items():
        value = release.manifest.get(key)
        if not (isinstance(value, str) and re.fullmatch(form, value)) and not (key == "canary" and value is None):
            raise ReleaseError(
                f"the manifest of {release.path} has the {key} {str(value)[:40]!r}, which is none of kbench: "
                "take a release that `kbench verify` finds sound"
            )
