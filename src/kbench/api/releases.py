"""Releases from Python: made, and found by name."""

import warnings
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from kbench.api.recipes import (
    DEFAULT_SEED,
    DEFAULT_SPEC,
    PathLike,
    Spec,
    Styles,
    recipe_of,
    refuse_beside_recipe,
    warnings_for,
)
from kbench.errors import ReleaseError
from kbench.generator import release as releases
from kbench.generator.named import load_recipe, published
from kbench.generator.recipe import Recipe
from kbench.generator.unfinished import Resume
from kbench.hub.find import find_folder, find_release
from kbench.store import Release

Progress = Callable[[int, int, int], None]
"""Called with the files done, the files in all, and the rows of the file just done."""


def generate(
    out: PathLike,
    style: Styles = "qa",
    *,
    entities: int | None = None,
    seed: str | int = DEFAULT_SEED,
    spec: Spec = DEFAULT_SPEC,
    facts: PathLike | None = None,
    templates: PathLike | None = None,
    private: bool = False,
    seed_file: PathLike | None = None,
    recipe: PathLike | None = None,
    workers: int = 1,
    resume: Resume = "if_possible",
    check: bool = False,
    progress: Progress = lambda done, total, rows: None,
) -> Release:
    """Write a release, or finish one that was interrupted; a finished one is left alone: `kbench generate` in Python.

    The same arguments give the same bytes, here and on the command line.

    Args:
        out: the folder to write; it must be empty, or hold this same release, whole or unfinished.
        style: `"qa"`, another style, several, or `"all"`.
        entities: new subject entities, rounded up to whole blocks; the spec's own number if None.
        seed: the seed of the world, any text; 7 is the text "7".
        spec: a built-in world by name (default, known, known-facts, lab, starter, style-to-facts), a TOML file, or the
            same tables as a dict.
        facts: your own facts instead of a world: CSV, JSONL or Parquet with the columns subject, relation, value.
        templates: the folder of a template pack; the built-in one if None.
        private: whether the seed is a secret, read from `seed_file` or the environment variable `KBENCH_SEED`.
        seed_file: the file with the seed of a private world, which is never printed.
        recipe: a named release (kbench-tiny, kbench-methods, ...) or a recipe file; in place of `style`,
            `entities`, `seed`, `spec`, `facts`, `templates`, `private` and `seed_file`.
        workers: processes; the bytes do not depend on it. With more than one, a script needs the usual
            `if __name__ == "__main__":`, since each worker process imports it.
        resume: `"always"` demands an unfinished or finished release in `out`, `"never"` an empty folder,
            `"if_possible"` neither.
        check: render a sample of the rows with plain Jinja too, and compare.
        progress: called after each file with files done, files in all, and the rows of that file.

    Raises:
        SpecError, TemplateError: what is asked for cannot be.
        OutputError: `out` holds something else, or cannot be written.
        ReleaseError: what came of a named recipe is not what was published under that name.

    What the author of a file of facts should know comes as warnings (UserWarning).

    >>> release = kbench.generate("my-world", style=["qa", "article"], spec="lab", seed=7)
    >>> release
    release my-world: world b7adeec1, digest ec849956ee61bc73
      qa        pretrain 1,296, train 1,296, validation 324, test 648, control 162
      article   pretrain 672, train 336
      facts     train 567
      entities  train 147
    >>> release.rows("qa", "test")[0]["answer"]
    'surgeon'
    """
    said: dict[str, Any] = {
        "style": style,
        "entities": entities,
        "seed": seed,
        "spec": spec,
        "facts": facts,
        "templates": templates,
        "private": private,
        "seed_file": seed_file,
    }
    if recipe is not None:
        refuse_beside_recipe(name for name, value in said.items() if value != _DEFAULTS[name])
        release = write(load_recipe(str(recipe)), out, workers=workers, resume=resume, check=check, progress=progress)
        is_as_published(release, str(recipe))
        return release
    return write(recipe_of(**said), out, workers=workers, resume=resume, check=check, progress=progress)


_DEFAULTS = {name: parameter.default for name, parameter in signature(generate).parameters.items()}


def is_as_published(release: Release, name: str) -> bool:
    """Whether a release is what was published under a name; False where nothing was.

    Raises ReleaseError where something else was published.
    """
    known = published(name)
    if known and known.digest != release.digest:
        wrote = known.manifest["recipe"]["generator"]
        raise ReleaseError(
            f"{release.path} has the digest {release.digest[:16]}, published was {known.digest[:16]} by kbench "
            f"{wrote}: its rows are not those of {name}"
        )
    return known is not None


def write(recipe: Recipe, out: PathLike, *, workers: int, resume: Resume, check: bool, progress: Progress) -> Release:
    """Write the release of a recipe, and warn of what its author should know."""
    for line in warnings_for(recipe):
        warnings.warn(line, stacklevel=3)
    release, _ = releases.generate(recipe, Path(out), workers=workers, resume=resume, check=check, progress=progress)
    return release


def load_release(name: PathLike | Release) -> Release:
    """A release by its folder, by the name of one that comes with kbench, or by ORG/NAME[@REVISION] on the Hub.

    What comes from the Hub is checked against its manifest and kept in the cache; an open release stays as it is.

    Raises:
        ReleaseError: there is none, it is not whole, or a file is gone.
        HubError: the Hub does not answer or refuses, or a file there is not what its manifest says.

    >>> kbench.load_release("kbench-tiny").counts()["facts"]
    {'train': 1008}

    >>> _ = kbench.generate("my-world", spec="lab", seed=7)
    >>> kbench.load_release("my-world").counts()["qa"]
    {'pretrain': 1296, 'train': 1296, 'validation': 324, 'test': 648, 'control': 162}
    """
    return name if isinstance(name, Release) else find_release(str(name))


def folder_of(name: PathLike | Release) -> Path:
    """Where a release lies, or should: nothing says yet that it is whole, or there at all."""
    if isinstance(name, Release):
        return name.path
    return find_folder(str(name)) or Path(name)
