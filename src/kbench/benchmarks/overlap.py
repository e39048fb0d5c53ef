"""How much of an answer a reply has: token F1, set F1, and whether the answer stands in it."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from kbench.benchmarks.match import normalise

_ARTICLES = frozenset({"a", "an", "the"})
_MARKS = re.compile(
    # A point, comma or minus of a number is no punctuation: without it 3.5 would be 35, and -5 would be 5.
    rf"(?<=\d)[,](?=\d{{3}}(?!\d))|(?!(?<=\d)\.(?=\d))(?!(?<![\w])-(?=\d))[{re.escape(string.punctuation)}]"
)
_BETWEEN = re.compile(r"[,;\n]+")
_AND = re.compile(r"(?:^|\s+)(?:and|&)\s+", re.IGNORECASE)
_QUANTITY = re.compile(r"\d")


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """The F1 of the words of the prediction and of an answer, the best over the answers.

    Words are SQuAD's (Rajpurkar et al. 2016): lower case, without punctuation and articles; but a number keeps its
    point and its minus, and an article stays where it is all there is (an option's letter `A`).
    """
    given = _tokens(prediction)
    return max((_f1(given, _tokens(answer)) for answer in answers), default=0.0)


@lru_cache(maxsize=65_536)
def _tokens(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFC", text).replace("−", "-").casefold()
    words = _MARKS.sub("", plain).split()
    return tuple(word for word in words if word not in _ARTICLES) or tuple(words)


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if given == wanted and given:
        return 1.0
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0


def set_f1(prediction: str, members: Sequence[str]) -> float:
    """The F1 of the set of things that a reply lists, in any order, and the members asked for.

    A reply is cut at commas, semicolons and `and`; things are told apart as exact match does.
    """
    wanted = {normalise(member) for member in members}
    given = set[str]()
    for piece in _BETWEEN.split(prediction):
        whole = normalise(piece)
        parts = [whole] if whole in wanted else [normalise(part) for part in _AND.split(piece)]
        given |= {part for part in parts if part}
    shared = len(given & wanted)
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0


def contains(prediction: str, answers: Iterable[str]) -> bool:
    """Whether an answer stands in the prediction as whole words, both normalised as for exact match.

    A number must stand alone: 161 does not stand in `1,161`, `161.5` or `-161`.
    """
    text = normalise(prediction)
    return any(_stands(normalise(answer), text) for answer in answers)


def _stands(answer: str, text: str) -> bool:
    if not answer or answer not in text:
        return False
    before = r"(?<![-−\d])(?<!\d[.,])" if _QUANTITY.match(answer[0]) else ""
    after = r"(?![.,]?\d)" if _QUANTITY.match(answer[-1]) else ""
    return re.search(rf"(?<!\w){before}{re.escape(answer)}(?!\w){after}", text) is not None
