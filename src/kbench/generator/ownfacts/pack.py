"""Which phrasings a user's facts are written in: those that the pack has for a relation, or its generic frames."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, get_args

from kbench.generator.lint import GENERIC
from kbench.generator.ownfacts.spec import FactSpec
from kbench.generator.ownfacts.values import texts_of
from kbench.generator.packs import Pack, Phrasing, PhrasingRole
from kbench.generator.relations import Relation
from kbench.generator.spec import WorldSpec, load_spec
from kbench.generator.wording import words_of

_FOLDERS = ("qa", "choice", "statement", "cloze", "numeric", "reverse")
_ENOUGH: Mapping[PhrasingRole, int] = {"train": 4, "validation": 1, "test": 2}
"""So many phrasings of a file must be left, once those that name another unit are out."""
_UNIT_WORDS = {"cm": ("cm", "centimetre", "centimetres"), "percent": ("percent", "per", "percentage")}
_MARKS = (".", "!", "?")
_SHOWN = 3


@dataclass(frozen=True)
class OwnPhrasing(Phrasing):
    """A phrasing of a user's facts, whose names and values may end in a full stop of their own."""

    @property
    def mends(self) -> tuple[str, ...]:
        """The variables after which a second full stop is left out."""
        return ("value", "name")

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for one row, without a second full stop after `Acme Inc.`"""
        text = super().render(values)
        for said in map(values.get, self.mends):
            if isinstance(said, str) and said.endswith(_MARKS):
                text = text.replace(f"{said}.", said)
        return text


def fit_pack(pack: Pack, spec: WorldSpec, *, own: bool) -> Pack:
    """The pack with a file for each relation and type of a user's facts; for any other spec the pack as it is.

    Of the built-in pack (`own` is False) a relation serves only where it is likely what is meant, and without the
    phrasings that name another unit.
    """
    if not isinstance(spec, FactSpec):
        return pack
    known = {} if own else _meant(spec)
    fitted = dict(pack.phrasings)
    for name, relation in spec.relations.items():
        kinds = spec.kinds[name]
        for folder in _FOLDERS:
            group: tuple[Phrasing, ...] = ()
            if own or name in known:
                group = pack.phrasings.get((folder, name), ())
                full = kinds | {""} if folder == "numeric" else None
                group = _left(group, full, None if own else known[name].unit, relation.unit)
            if not _is_enough(folder, group, own=own):
                group = _left(pack.phrasings.get((folder, GENERIC), ()), kinds if folder == "numeric" else None)
            fitted[folder, name] = tuple(_owned(phrasing) for phrasing in group)
    types = _default().types
    for kind in spec.types:
        for folder in ("article", "dialogue"):
            fits = own or (kind in types and not types[kind].single)
            group = pack.phrasings.get((folder, kind), ()) if fits else ()
            fitted[folder, kind] = tuple(_owned(p) for p in group or pack.phrasings.get((folder, "subject"), ()))
    return replace(pack, phrasings=fitted)


def warnings_of(spec: FactSpec, pack: Pack) -> list[str]:
    """What the author of a file of facts should know of the release, a line each; `pack` is the fitted one."""
    found = list(spec.book.oddities)
    own = {name: pack.phrasings["qa", name][0].relation != GENERIC for name in spec.relations}
    generic = [name for name, is_own in own.items() if not is_own]
    if generic:
        label = spec.book.relations[generic[0]].label
        rest = [name for name, is_own in own.items() if is_own]
        found.append(
            f"in generic frames, `What is the {label} of …?`, for want of better ones: {', '.join(generic)}"
            + (f"; in phrasings of the pack: {', '.join(rest)}" if rest else "")
            + f" (a pack with qa/{generic[0]}.j2 and its like, given with --templates, would read better)"
        )
    alike = [name for name in spec.relations if spec.variety(name) == 1]
    if alike:
        found.append(f"no control and no choice rows for {', '.join(alike)}: all values are the same")
    given_away = list(_given_away(spec, pack))
    if given_away:
        more = f" and {len(given_away) - _SHOWN:,} more" if len(given_away) > _SHOWN else ""
        found.append(
            f"a question gives the answer away, which a model then need not have learnt: "
            f"{'; '.join(given_away[:_SHOWN])}{more}"
        )
    return found


@cache
def _default() -> WorldSpec:
    return load_spec("default")


def _meant(spec: FactSpec) -> dict[str, Relation]:
    """The relations of the default world that relations of the facts are likely to be.

    They are of the same kind of value, and most of their subjects are of the type: as the file says, or as the other
    relations of the subject suggest.
    """
    theirs, book = _default().relations, spec.book
    suggested: dict[str, Counter[str]] = defaultdict(Counter)
    for name, subject in book.facts:
        if name in theirs:
            suggested[subject][theirs[name].subject] += 1
    fitting: Counter[str] = Counter()
    for name, subject in book.facts:
        if name in theirs:
            kind, likely = theirs[name].subject, suggested[subject]
            given = book.types[subject]
            fits = kind == given if given in _default().types else likely[kind] == max(likely.values())
            fitting[name] += 1 if fits else -1
    return {
        name: theirs[name]
        for name, relation in spec.relations.items()
        if fitting[name] > 0 and _kind_of(theirs[name]) == relation.value_type
    }


def _kind_of(relation: Relation) -> str:
    return "categorical" if relation.value_type == "entity" else relation.value_type


def _left(
    group: tuple[Phrasing, ...], kinds: frozenset[str] | None, theirs: str | None = None, ours: str = ""
) -> tuple[Phrasing, ...]:
    """The phrasings of the given kinds that do not name a unit which is not ours."""
    left = tuple(p for p in group if kinds is None or p.kind in kinds)
    if not theirs or theirs == ours:
        return left
    words = {*theirs.split(), *(word.removesuffix("s") for word in theirs.split()), *_UNIT_WORDS.get(theirs, ())}
    return tuple(p for p in left if not words & set(words_of(p.source)))


def _is_enough(folder: str, group: tuple[Phrasing, ...], *, own: bool) -> bool:
    roles = get_args(PhrasingRole)[: 1 if folder == "statement" else None]
    return all(
        sum(p.role == role and p.kind != "reversal" for p in group) >= (1 if own else _ENOUGH[role]) for role in roles
    )


def _owned(phrasing: Phrasing) -> OwnPhrasing:
    return OwnPhrasing(**{f.name: getattr(phrasing, f.name) for f in fields(Phrasing)})


def _given_away(spec: FactSpec, pack: Pack) -> Iterator[str]:
    """Where a value stands in its subject's name or in the words of a question."""
    for name, relation in spec.book.relations.items():
        frames = " ".join(re.sub(r"{[{%].*?[%}]}", " · ", p.source) for p in pack.phrasings["qa", name])
        asked = _joined(f"{relation.label} {frames}")
        for fact in spec.book.of(name):
            if fact is None:
                continue
            subject = _joined(fact.subject)
            for text in texts_of(relation, fact):
                words = _joined(text)
                if words.strip() and (words in subject or words in asked):
                    where = f"in {fact.subject!r}" if words in subject else f"in the question for the {relation.label}"
                    yield f"{fact.place}, {text!r} {where}"
                    break


def _joined(text: str) -> str:
    return f" {' '.join(words_of(text))} "
