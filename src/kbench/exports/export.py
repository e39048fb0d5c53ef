"""A release written for the tools that users already run: one call, one folder, whole or not there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from kbench import __version__
from kbench.errors import SpecError
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
    given, and are called after `name`, or else after what they read. `trl` and `openai` get the training rows.

    Raises:
        OutputError: `out` holds something else.
        ReleaseError: the release has no such style, or a row that the tool would refuse.
        SpecError: `repo_id` or `revision` cannot be.
    """
    asks = target in ("lm-eval", "inspect")
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
    if (repo_id or revision) and target not in ("lm-eval", "inspect"):
        raise SpecError(f"--repo-id and --revision go with --to lm-eval and inspect: {target} gets the rows themselves")
    if revision and not repo_id:
        raise SpecError(f"--revision {revision} needs --repo-id ORG/NAME: a folder has no revisions")
    if repo_id is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
        raise SpecError(f"--repo-id must be ORG/NAME (got {repo_id!r})")
    named = repo_id.split("/")[1] if repo_id else name or release.path.resolve().name
    called = re.sub(r"[^0-9a-z]+", "_", named.lower()).strip("_") or release.world
    return Source(called if called.startswith("kbench") else f"kbench_{called}", repo_id, revision)
