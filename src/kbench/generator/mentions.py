"""How a text refers to its subject: the full name, or a pronoun once the name has been said."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.generator.columns import Texts, few, joined, take, texts
from kbench.generator.hashing import Ints
from kbench.generator.world import World

Columns = Mapping[str, Texts]
"""Template variables as columns: one text for each row."""

MENTIONS = ("name", "They", "they", "Their", "their", "them")
"""The variables that name the subject; upper-case ones begin a sentence."""

_PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "it": ("it", "its", "it")}
_ENDINGS = texts(["'s", "'"])


def full_mentions(world: World, kind: str, names: Texts) -> Columns:
    """The full mention of each entity of a type: its name, with its article where the type has one; `name` is bare.

    Names of things that end in a plural noun (Tarvel Partners) take the bare apostrophe.
    """
    entity = world.spec.types[kind]
    article = f"{entity.article} " if entity.article else ""
    said = joined(article, names) if article else names
    opening = joined(article.capitalize(), names) if article else _opening(names)
    plural = pc.match_substring_regex(names, " .*s$") if entity.pronouns == "it" else pa.repeat(False, len(names))
    ending = take(_ENDINGS, plural.cast(pa.int64()).to_numpy())
    possessive = joined(said, ending)
    return {
        "name": names,
        "They": opening,
        "they": said,
        "Their": possessive if opening is said else joined(opening, ending),
        "their": possessive,
        "them": said,
    }


def later_mentions(world: World, kind: str, index: Ints, names: Texts) -> Columns:
    """What each entity is called once its name has been said: a pronoun, or for some types the name again."""
    pronouns = world.spec.types[kind].pronouns
    if pronouns == "name":
        return full_mentions(world, kind, names)
    words = ["it"] if pronouns == "it" else ["he", "she"]
    chosen = np.zeros_like(index) if pronouns == "it" else world.is_female(kind, index).astype(np.int64)
    they, their, them = ([_PRONOUNS[word][k] for word in words] for k in range(3))
    forms = {
        "They": [_opened(word) for word in they],
        "they": they,
        "Their": [_opened(word) for word in their],
        "their": their,
        "them": them,
    }
    return {"name": names, **{variable: few(said, chosen) for variable, said in forms.items()}}


def _opening(said: Texts) -> Texts:
    """Texts as they open a sentence; what has its capital elsewhere, as eBay has, keeps its small letter."""
    if pc.all(pc.utf8_is_upper(pc.utf8_slice_codeunits(said, 0, 1))).as_py() in (True, None):
        return said
    return texts([_opened(text) for text in said.to_pylist()])


def _opened(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text[0].upper() + text[1:] if first.islower() else text
