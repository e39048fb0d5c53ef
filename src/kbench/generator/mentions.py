"""How a text refers to its subject: the full name, or a pronoun once the name has been said."""

from collections.abc import Mapping, Sequence

from kbench.generator.hashing import Ints
from kbench.generator.world import World

Columns = Mapping[str, Sequence[str]]
"""Template variables as columns: one text for each row."""

_PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "it": ("it", "its", "it")}


def mention(subject: str, possessive: str, object_form: str) -> dict[str, str]:
    """The forms in which a sentence may name its subject, upper-case ones for its beginning."""
    return {
        "They": _opening(subject),
        "they": subject,
        "Their": _opening(possessive),
        "their": possessive,
        "them": object_form,
    }


def _opening(text: str) -> str:
    """A text as it opens a sentence; what has its capital elsewhere, as eBay has, keeps its small letter."""
    first = text.split(" ", 1)[0]
    return text[0].upper() + text[1:] if first.islower() else text


def full_mention(name: str, article: str, *, plural: bool = False) -> dict[str, str]:
    """The full name, with its article where the type has one; `name` is the bare name.

    `plural` names that end in a plural noun (Tarvel Partners) take the bare apostrophe.
    """
    said = f"{article} {name}" if article else name
    return {"name": name, **mention(said, f"{said}'" if plural else f"{said}'s", said)}


def full_mentions(world: World, kind: str, names: Sequence[str]) -> list[dict[str, str]]:
    """The full mention of each entity of a type."""
    entity = world.spec.types[kind]
    things = entity.pronouns == "it"
    return [full_mention(n, entity.article, plural=things and " " in n and n.endswith("s")) for n in names]


def later_mentions(world: World, kind: str, index: Ints, names: Sequence[str]) -> list[dict[str, str]]:
    """What each entity is called once its name has been said: a pronoun, or for some types the name again."""
    pronouns = world.spec.types[kind].pronouns
    if pronouns == "name":
        return full_mentions(world, kind, names)
    if pronouns == "it":
        return [{"name": name, **mention(*_PRONOUNS["it"])} for name in names]
    chosen = ["she" if female else "he" for female in world.is_female(kind, index)]
    return [{"name": name, **mention(*_PRONOUNS[word])} for name, word in zip(names, chosen, strict=True)]
