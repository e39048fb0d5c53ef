"""The rules of a track: what its entries stand on, how they are asked, what a recipe may cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from kbench.benchmarks.recipe_file import recipe_of
from kbench.errors import OutputError
from kbench.leaderboard.entry import Entry, Kind, TrackName
from kbench.leaderboard.tracks import CLASSES, LAB, PINNED, TRACKS, Track, entry_recipe, token_class

PROMPTS: Mapping[Kind, tuple[str, ...]] = {
    "method": ("plain",),
    "model": ("plain", "cot", "chain"),
    "floor": ("plain",),
    "ceiling": ("open-book",),
}
"""How an entry of a kind may be asked: who reads the facts in the prompt is the ceiling."""

MOST_TOKENS = 32
"""The longest reply of the lab's models, as `kbench eval` has it where nothing is said."""

DIGESTS = ("weights", "tokenizer", "adapter", "settings")
"""What pins a model."""

ARTICLE_PASSES: Mapping[str, int] = {"4fd4e6d989d08e4593a317ad3907e53cdee9375ba7e530a5e84d10cbba29bd25": 33_880}
"""The tokens of one pass over the articles in those of the lab's base, by the published digest of a release."""


@dataclass(frozen=True)
class Rules:
    """A track, the published digest of each of its releases, and the recipe's digest of each of the lab's bases."""

    track: Track
    digests: Mapping[str, str]
    bases: Mapping[Kind, str]


def rules_of(name: TrackName) -> Rules:
    """The rules of a track, as this kbench has them."""
    from kbench.generator.named import published
    from kbench.leaderboard.bases import lab_digest

    track = TRACKS[name]
    found = {release: published(release) for release in track.releases}
    digests = {release: there.digest for release, there in found.items() if there}
    kinds: tuple[Kind, ...] = ("method", "model", "floor", "ceiling")
    return Rules(track, digests, {kind: lab_digest(kind) for kind in kinds})


def check_claim(entry: Entry, rules: Rules, where: str) -> None:
    """Raise OutputError or SpecError of one line where an entry is not as the rules of its track want it."""
    if entry.track != rules.track.name:
        raise OutputError(f"{where} is of the track {entry.track}, not of {rules.track.name}")
    if entry.kind != rules.track.kind and not (entry.track == "methods" and entry.is_reference):
        raise OutputError(f"{where}: an entry of the track {entry.track} is no {entry.kind}")
    _check_release(entry, rules, where)
    _check_base(entry, rules, where)
    _check_asked(entry, where)
    entry_recipe(entry.recipe, f"{where}: recipe")
    if strange := next((name for name in entry.model.digests if name not in DIGESTS), None):
        raise OutputError(f"{where}: {strange[:60]!r} is no digest of a model: have {', '.join(DIGESTS)}")
    if entry.is_reference:
        if entry.recipe or entry.cost.tokens:
            raise OutputError(f"{where}: a {entry.kind} is not trained, expected no recipe and no tokens")
        return
    if entry.track == "methods":
        _check_cost(entry, where)
    if not entry.model.digests:
        raise OutputError(f"{where}: nothing pins the model {entry.model.name}: expected the digest of its weights")
    if entry.recipe:
        method = recipe_of(entry.recipe, where).method
        if (method == "lora") != ("adapter" in entry.model.digests):
            what = "no adapter" if method == "lora" else "an adapter"
            raise OutputError(f"{where}: the recipe says method = {method!r}, and the model scored has {what}")


def _check_release(entry: Entry, rules: Rules, where: str) -> None:
    name = entry.release.name
    if name not in rules.digests:
        have = ", ".join(rules.digests)
        raise OutputError(f"{where}: the track {rules.track.name} is not judged on {name!r}: have {have}")
    if entry.release.digest != rules.digests[name]:
        raise OutputError(
            f"{where} is of another release than {name}: expected the digest {rules.digests[name]}, "
            f"got {entry.release.digest}: make it with `kbench generate --recipe {name} --out {name}`"
        )


def _check_base(entry: Entry, rules: Rules, where: str) -> None:
    base = entry.base
    if base.model == LAB:
        if base.recipe != rules.bases[entry.kind]:
            raise OutputError(
                f"{where} stands on another base of the lab than the leaderboard's: expected the recipe's digest "
                f"{rules.bases[entry.kind]}, got {base.recipe}: train with `--model lab`"
            )
        once = ARTICLE_PASSES.get(entry.release.digest)
        if once is not None and entry.article_pass != once:
            raise OutputError(
                f"{where}: one pass over the articles of {entry.release.name} has {once:,} tokens "
                f"(got article_pass = {entry.article_pass:,})"
            )
    elif entry.is_reference:
        raise OutputError(f"{where}: the {entry.kind} is a base of the lab, not {base.model}")
    elif (entry.track == "methods" or entry.recipe) and not PINNED.fullmatch(base.model):
        raise OutputError(
            f"{where}: the base {base.model!r} is not pinned: expected lab, or ORG/NAME@COMMIT with the whole commit"
        )


def _check_asked(entry: Entry, where: str) -> None:
    asked, allowed = entry.asked, PROMPTS[entry.kind]
    if asked.prompt not in allowed:
        raise OutputError(
            f"{where} was asked with the prompt {asked.prompt}: expected {' or '.join(allowed)} of a {entry.kind}"
        )
    if entry.track == "methods" and (asked.shots or asked.chat):
        how = f"{asked.shots} exemplars" if asked.shots else "a chat template"
        raise OutputError(f"{where} was asked with {how}: the track methods is asked plainly")
    if entry.base.model == LAB and asked.max_tokens != MOST_TOKENS:
        raise OutputError(f"{where} was asked for {asked.max_tokens} tokens: score it without --max-tokens")


def _check_cost(entry: Entry, where: str) -> None:
    if not entry.recipe:
        raise OutputError(f"{where} has no recipe: an entry of the track methods is one")
    tokens, once = entry.cost.tokens, entry.article_pass
    if token_class(tokens, once) is None:
        raise OutputError(
            f"{where} was trained on {tokens:,} tokens, more than {CLASSES[-1]} times the {once:,} "
            "of one pass over the articles: train on fewer"
        )
