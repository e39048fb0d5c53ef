"""The two tracks: what is fixed in each, what a recipe may say, and the classes of tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from kbench.benchmarks.defaults import open_values
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.recipe_file import recipe_of
from kbench.errors import SpecError
from kbench.leaderboard.entry import Kind, TrackName
from kbench.leaderboard.letters import is_plain

LAB = "lab"
"""The base that is built from scratch for the release, by the lab's recipe."""

_NAME = r"(?!\S*(?:--|\.\.|\.git@))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
PINNED = re.compile(rf"{_NAME}/{_NAME}@[0-9a-f]{{40}}")
"""A model of the Hub at a commit, by the Hub's rules of names: no `..` or `--`, no dot or hyphen at an end."""

CLASSES: tuple[int, ...] = (1, 4, 16)
"""Methods are ranked among those that trained on at most so many times the tokens of one pass over the articles."""

LEAST_RETENTION = 0.9
"""An entry that keeps a smaller share of what the base knew is marked, and takes no rank."""


@dataclass(frozen=True)
class Track:
    """A track: the releases on the shelf that are entered, and what its entries are."""

    name: TrackName
    title: str
    releases: tuple[str, ...]
    kind: Kind


TRACKS: Mapping[TrackName, Track] = {
    "methods": Track("methods", "Methods: one base, one release, any recipe", ("kbench-methods",), "method"),
    "models": Track(
        "models",
        "Models: any base, re-run on a world that was never published",
        ("kbench-methods", "kbench-tiny", "kbench-small", "kbench-base"),
        "model",
    ),
}

BOUNDS: Mapping[str, tuple[float, float]] = {
    "epochs": (1, 256),
    "tokens": (1, 10**10),
    "paraphrases": (1, 64),
    "exposures": (1, 1024),
    "permutations": (0, 16),
    "replay": (0, 0.9),
    "known_at_end": (0, 0.9),
    "lora_rank": (1, 256),
    "lora_alpha": (1, 1024),
    "batch": (1, 256),
    "learning_rate": (1e-7, 0.1),
}
"""Fields whose bounds are narrower here than in a recipe file: a re-run must end."""

KEYS: tuple[str, ...] = (
    *("styles", "epochs", "tokens", "volume", "paraphrases", "exposures", "celebrities", "order", "permutations"),
    *("reversals", "implications", "relations", "replay", "known_at_end", "method", "lora_rank", "lora_alpha"),
    *("lora_dropout", "learning_rate", "optimizer", "weight_decay", "warmup", "floor", "batch", "packing", "loss"),
)
"""What the recipe of an entry may set: no path, no code, no other base, no seed to shop for."""


def entry_recipe(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What an entry's recipe sets, checked. Raises SpecError of one line where a key is none, or a value cannot be."""
    for key, value in values.items():
        if key not in KEYS:
            raise SpecError(f"{where}: {key[:60]!r} is no key of a leaderboard recipe: have {', '.join(KEYS)}")
        if not _is_told(value):
            raise SpecError(f"{where}: the value of {key} is null, endless or has unseen letters: leave it out")
        if not _is_short(value):
            raise SpecError(
                f"{where}: the value of {key} is too long: expected a number, at most 60 letters, or 64 of these"
            )
    recipe_of({"styles": ["qa"], **values}, where)  # of the right types, and together
    for key, (least, most) in BOUNDS.items():
        value = values.get(key)
        if value is not None and not least <= value <= most:
            raise SpecError(f"{where}: {key} must lie in {least:g} to {most:g} for the leaderboard (got {value})")
    return dict(values)


def _is_told(value: Any) -> bool:
    """Whether a recipe's file can say a value, on one line that is read as it is written."""
    if isinstance(value, list):
        return all(not isinstance(part, list) and _is_told(part) for part in value)
    if isinstance(value, float):
        return isfinite(value)
    return value is not None and (not isinstance(value, str) or is_plain(value))


def _is_short(value: Any) -> bool:
    """Whether an error can show a value: nothing nested, no long text, no number of a thousand digits."""
    if isinstance(value, list):
        return len(value) <= 64 and all(not isinstance(part, list) and _is_short(part) for part in value)
    if isinstance(value, int):
        return abs(value) < 10**16
    return len(value) <= 60 if isinstance(value, str) else isinstance(value, float)


def stated(recipe: TrainRecipe, lab: bool) -> dict[str, Any]:
    """What a recipe file has to set to give this recipe: its styles, and what is not as `kbench train` fills it in.

    Raises SpecError where the recipe sets something that the leaderboard leaves to nobody: a seed, a path, a chat.
    """
    told = recipe.to_dict()
    usual = TrainRecipe().to_dict() | dict(open_values(lab, recipe.method))
    free = {*KEYS, "context"} if lab else set(KEYS)  # rows are as long as the lab's base wants them
    for key, value in told.items():
        if key not in free and value != usual[key]:
            raise SpecError(
                f"the run was trained with {key} = {value}, which an entry's recipe cannot say: leave it out"
            )
    return {key: told[key] for key in KEYS if key == "styles" or told[key] != usual[key]}


def token_class(tokens: int, article_pass: int) -> int | None:
    """The least class that so many tokens fit in; None where they are more than the largest allows."""
    return next((times for times in CLASSES if tokens <= times * article_pass), None)
