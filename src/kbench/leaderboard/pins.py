"""What an entry must say to be run again at all: the release, the base and the way of asking of its track, a recipe."""

from kbench.benchmarks.models.protocol import MOST_TOKENS
from kbench.errors import OutputError
from kbench.ids import json_digest
from kbench.leaderboard.entry import Asked, Entry
from kbench.leaderboard.tracks import LAB, PINNED, TRACKS, entry_recipe
from kbench.leaderboard.worlds import World


def check_pins(entry: Entry, world: World) -> None:
    """Raise OutputError, or SpecError of the recipe, where an entry is none that can be run again on its release."""
    check_runnable(entry)
    said, release = entry.release, world.release
    if (said.world, said.digest) != (release.world, release.digest):
        raise OutputError(
            f"the entry {entry.id} was scored on world {said.world}, digest {said.digest[:16]}: {said.name} is world "
            f"{release.world}, digest {release.digest[:16]}: score the published release and submit it again"
        )
    pinned = json_digest(world.lab(entry.kind).to_dict())
    if entry.base.model == LAB and entry.base.recipe != pinned:
        raise OutputError(
            f"the entry {entry.id} stands on a lab base of the recipe {str(entry.base.recipe)[:16]}, pinned is "
            f"{pinned[:16]}: train from `--model lab` of this kbench and submit it again"
        )


def check_runnable(entry: Entry) -> None:
    """Raise OutputError, or SpecError of the recipe, where what an entry says can be run again on no world."""
    track = TRACKS[entry.track]
    if entry.release.name not in track.releases:
        raise OutputError(
            f"the entry {entry.id} is of the release {entry.release.name!r}: "
            f"the track {track.name} has {', '.join(track.releases)}"
        )
    if entry.kind != track.kind and not entry.is_reference:
        raise OutputError(f"the entry {entry.id} is a {entry.kind}: the track {track.name} takes a {track.kind}")
    if entry.is_reference and (entry.recipe or entry.base.model != LAB):
        raise OutputError(f"the {entry.kind} {entry.id} is to be the lab's base as it is, without a recipe")
    if not entry.is_reference and not entry.recipe:
        raise OutputError(f"the entry {entry.id} has no recipe to run again: it stays self-reported")
    if entry.base.model != LAB and not PINNED.fullmatch(entry.base.model):
        raise OutputError(
            f"the entry {entry.id} stands on {entry.base.model!r}: expected {LAB}, or ORG/NAME@COMMIT of the Hub"
        )
    entry_recipe(entry.recipe, f"the recipe of the entry {entry.id}")
    _check_asked(entry)


def _check_asked(entry: Entry) -> None:
    """Raise OutputError where questions were put otherwise than an entry of its kind may put them."""
    free = {"chat": entry.asked.chat, "max_tokens": entry.asked.max_tokens} if entry.base.model != LAB else {}
    wanted = Asked(prompt="open-book" if entry.kind == "ceiling" else "plain", max_tokens=MOST_TOKENS)
    for name, value in (wanted.model_dump() | free).items():
        if (got := getattr(entry.asked, name)) != value:
            raise OutputError(f"the entry {entry.id} was asked with {name} = {got}: a {entry.kind} is with {value}")
