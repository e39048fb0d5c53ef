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
        "They": subject[0].upper() + subject[1:],
        "they": subject,
        "Their": possessive[0].upper() + possessive[1:],
        "their": possessive,
        "them": object_form,
    }


def full_mention(name: str, article: str) -> dict[str, str]:
    """The full name, with its article where the type has one; `name` is the bare name."""
    said = f"{article} {name}" if article else name
    return {"name": name, **mention(said, f"{said}'s", said)}


def full_mentions(world: World, kind: str, names: Sequence[str]) -> list[dict[str, str]]:
    """The full mention of each entity of a type."""
    return [full_mention(name, world.spec.types[kind].article) for name in names]


def later_mentions(world: World, kind: str, index: Ints, names: Sequence[str]) -> list[dict[str, str]]:
    """What each entity is called once its name has been said: a pronoun, or for some types the name again."""
    pronouns = world.spec.types[kind].pronouns
    if pronouns == "name":
        return full_mentions(world, kind, names)
    if pronouns == "it":
        return [{"name": name, **mention(*_PRONOUNS["it"])} for name in names]
    chosen = ["she" if female else "he" for female in world.is_female(kind, index)]
    return [{"name": name, **mention(*_PRONOUNS[word])} for name, word in zip(names, chosen, strict=True)]
