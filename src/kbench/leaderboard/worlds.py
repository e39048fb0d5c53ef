"""The worlds that entries are re-run on: the published release, and a private twin of it that nobody has seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from kbench.errors import OutputError, ReleaseError
from kbench.generator.named import load_recipe, published
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.seeds import commitment
from kbench.generator.unfinished import described_in
from kbench.ids import digest_of, json_digest
from kbench.leaderboard.bases import lab_recipe
from kbench.leaderboard.closed import closed_copy
from kbench.leaderboard.entry import Kind, TrackName
from kbench.leaderboard.rules import Rules
from kbench.leaderboard.tracks import TRACKS
from kbench.store import Release, open_release
from kbench.studies.lab import LabRecipe, default_cache

Tell = Callable[[str], None]
"""Called with what is done next, in a word or two."""


@dataclass(frozen=True)
class World:
    """A named release or its private twin, its copy without held-out questions, and the folders of what is made of it.

    `bases` is where the lab's bases are kept; `lab` says which base a kind of entry stands on.
    """

    name: str
    release: Release
    closed: Release
    folder: Path
    bases: Path
    lab: Callable[[Kind], LabRecipe] = lab_recipe

    def rules(self, track: TrackName) -> Rules:
        """The rules of a track, as of this release and these bases."""
        bases = {kind: json_digest(self.lab(kind).to_dict()) for kind in get_args(Kind)}
        return Rules(TRACKS[track], {self.name: self.release.digest}, bases)

    @property
    def commitment(self) -> tuple[str, str] | None:
        """Of a private world the commitment to its seed, and the salt of it; None of a published one."""
        seed = self.release.manifest["recipe"]["seed"]
        return (seed["commitment"], seed["salt"]) if isinstance(seed, dict) else None


def public_world(name: str, folder: Path, at: Path | None = None) -> World:
    """The release that was published under a name, generated in `folder`, or found at `at`.

    Raises ReleaseError where it is not what was published.
    """
    release = open_release(at) if at else generate(load_recipe(name), folder / "release")[0]
    known = published(name)
    if known and known.digest != release.digest:
        raise ReleaseError(
            f"{release.path} has the digest {release.digest[:16]}, {name} was published with {known.digest[:16]}: "
            f"give --release a folder that holds it, or take the kbench that made it ({_made_by(known)})"
        )
    return world_of(name, release, folder, default_cache())


def private_world(name: str, folder: Path, seed: str) -> World:
    """The world of a named release made again from a private seed, with all that comes of it kept in `folder`."""
    return twin_of(name, load_recipe(name), folder, seed)


def twin_of(name: str, recipe: Recipe, folder: Path, seed: str) -> World:
    """The private world of a recipe and another seed. Raises OutputError where `folder` holds that of another seed.

    One seed gives one commitment, in whatever folder: of two re-runs it can be told whether they are of one world.
    """
    salt, out = digest_of("kbench leaderboard salt", seed, name)[:32], folder / "release"
    begun = (described_in(out) or {}).get("seed")
    if begun and begun != commitment(seed, salt):
        raise OutputError(f"{out} holds a private world of another seed, or of another salt: give another --out")
    release, _ = generate(replace(recipe, seed=seed, private=True, salt=salt), out)
    # Its bases know its words, so they lie with it and not in the cache.
    return world_of(name, release, folder, folder / "bases")


def world_of(
    name: str, release: Release, folder: Path, bases: Path, lab: Callable[[Kind], LabRecipe] = lab_recipe
) -> World:
    """A release as a world to re-run entries on."""
    return World(name, release, closed_copy(release, folder / "closed"), folder, bases, lab)


def _made_by(release: Release) -> str:
    return str(release.manifest["recipe"]["generator"])
