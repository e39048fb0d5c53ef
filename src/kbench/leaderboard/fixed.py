"""The fixed releases that entries are judged on: found, or made anew from the shelf."""

from pathlib import Path

from kbench.benchmarks.results import RESULTS, read_result
from kbench.disk import cache_folder
from kbench.errors import OutputError, ReleaseError
from kbench.leaderboard.rules import Rules
from kbench.store import MANIFEST, Release, open_release

MADE = ("kbench-methods", "kbench-tiny")
"""Releases so small that they are made where they are not given."""


def fixed_release(name: str, rules: Rules, given: Path | None = None) -> Release:
    """A release of a track: the folder given, one of its name here, or made from the shelf's recipe into the cache.

    Raises ReleaseError where it is not the one that was published, or where it is too large to be made by the way.
    """
    if name not in rules.digests:
        have = ", ".join(rules.digests)
        raise ReleaseError(f"the track {rules.track.name} is not judged on {name!r}: have {have}")
    here = given or Path(name)
    found = open_release(here) if given or (here / MANIFEST).is_file() else _made(name, rules.digests[name])
    if found.digest != rules.digests[name]:
        raise ReleaseError(
            f"{found.path} is not {name}: its digest is {found.digest}, published was {rules.digests[name]}: "
            f"make it with `kbench generate --recipe {name} --out DIR` and give --release DIR"
        )
    return found


def _made(name: str, digest: str) -> Release:
    from kbench.generator.named import load_recipe
    from kbench.generator.release import generate

    if name not in MADE:
        raise ReleaseError(
            f"{name} is not in this folder: make it with `kbench generate --recipe {name} --out {name}`, "
            "or give --release DIR"
        )
    return generate(load_recipe(name), cache_folder() / "releases" / f"{name}-{digest[:16]}")[0]


def release_scored(result: Path, rules: Rules) -> str:
    """The name of the track's release that a result is of. Raises OutputError where it is of another."""
    about = read_result(result)
    if about is None:
        raise OutputError(f"no finished result at {result}: `kbench eval` writes {RESULTS} there, last of all")
    release = about["kbench"].get("release")
    digest = release.get("digest") if isinstance(release, dict) else None
    found = next((name for name, published in rules.digests.items() if published == digest), None)
    if found is None:
        have = ", ".join(f"{name} ({published[:16]})" for name, published in rules.digests.items())
        raise OutputError(
            f"{result} is of a release that the track {rules.track.name} is not judged on "
            f"({str(digest)[:16]}): have {have}"
        )
    return found
