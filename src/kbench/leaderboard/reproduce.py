"""How anybody runs an entry again: its recipe as a file, and the commands."""

import json
import shlex

from kbench.leaderboard.entry import Entry
from kbench.leaderboard.tracks import LAB


def recipe_toml(entry: Entry) -> str:
    """The recipe as the TOML file that `kbench train --recipe` takes; JSON's values are TOML's too."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in entry.recipe.items())


def commands(entry: Entry) -> list[str]:
    """The commands that train and score it from nothing; of a reference, or an entry without a recipe, none."""
    if not entry.recipe:
        return []
    release, run, result = entry.release.name, f"{entry.id}-run", f"{entry.id}-result"
    train = ["kbench", "train", "--release", release, "--model", entry.base.model, "--recipe", f"{entry.id}.toml"]
    asked = [] if entry.asked.prompt == "plain" else ["--prompt", entry.asked.prompt]
    asked += ["--shots", str(entry.asked.shots)] if entry.asked.shots else []
    asked += ["--chat"] if entry.asked.chat else []
    asked += [] if entry.base.model == LAB else ["--max-tokens", str(entry.asked.max_tokens)]
    track = [] if entry.track == "methods" else ["--track", entry.track]
    return [
        shlex.join(["kbench", "generate", "--recipe", release, "--out", release]),
        shlex.join([*train, "--out", run]),
        shlex.join(["kbench", "eval", "--release", release, "--model", run, *asked, "--out", result]),
        shlex.join(["kbench", "leaderboard", "submit", result, *track, "--id", entry.id, "--title", entry.title]),
    ]
