"""Checks of names: unique, none contained in another, and none shared with another release."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Entity, Reading
from kbench.generator.audits.search import holds, plain


def _named(reading: Reading) -> list[Entity]:
    """The entities whose names must differ: the control twins of a user's own subjects bear the names of those."""
    return [e for e in reading.entity_rows if not (reading.of_user_facts and e.role == "control")]


def names_unique(reading: Reading) -> Check:
    """No two entities share a name."""
    tally = Tally("names_unique", "No two entities of the release have one name.")
    names = Counter(entity.name.casefold() for entity in _named(reading))
    tally.counted = names.total()
    for name, count in names.items():
        if count > 1:
            tally.wrong(f"{count} entities are called {name!r}")
    return tally.check()


def names_apart(reading: Reading) -> Check:
    """No name stands in another, at word bounds or within a word; in a user's own facts that is only noted."""
    tally = Tally("names_apart", "No name of the release is contained in another, within a word or at its bounds.")
    if reading.of_dataset:
        return tally.skipped("the names are a published dataset's: real names stand in one another")
    names = {entity.name.casefold(): entity.name for entity in _named(reading)}
    tally.counted = len(names)
    for inner, outer in _contained(names):
        bounds = "whole words of" if holds(plain(outer), plain(inner)) else "letters of"
        tally.wrong(f"{names[inner]!r} is {bounds} {names[outer]!r}")
    if reading.of_user_facts and tally.failures:
        return tally.note("the names are a user's own: an answer that stands in another's name may be told from it")
    return tally.check()


def _contained(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a name and one that holds it: of each name the pieces as long as some name, looked up."""
    by_length: dict[int, set[str]] = defaultdict(set)
    for name in names:
        if name:
            by_length[len(name)].add(name)
    lengths = sorted(by_length)
    for outer in names:
        for length in lengths:
            if length >= len(outer):
                break
            known = by_length[length]
            pieces = {outer[start : start + length] for start in range(len(outer) - length + 1)}
            yield from ((inner, outer) for inner in sorted(pieces & known))


def names_apart_from(reading: Reading, other: Reading) -> Check:
    """No name of this release is one of another release's."""
    tally = Tally("names_against", "No name of the release is one of the other release's.")
    theirs = {entity.name.casefold(): entity.entity_id for entity in other.entity_rows}
    natural: set[str] = set()
    for entity in reading.entity_rows:
        same = theirs.get(entity.name.casefold(), "")
        tally.expect(not same, f"{entity.name!r} is {entity.entity_id} and {same}")
        if same and reading.spec and reading.spec.types[entity.type].names == "natural":
            natural.add(entity.entity_id)
    if natural and len(natural) == tally.failures:
        return tally.note("all of them are natural names, which worlds share")
    return _against(tally, reading, other)


def texts_apart_from(reading: Reading, other: Reading) -> Check:
    """No text of this release is one of another release's."""
    tally = Tally("texts_against", "No text or question of the release is one of the other release's.")
    column = {True: "text", False: "question"}
    theirs = {text for part in other.parts for text in part.texts(column[part.is_document])}
    for part in reading.parts:
        for row, text in zip(part.texts("id"), part.texts(column[part.is_document]), strict=True):
            tally.expect(text not in theirs, f"{row}: {text}")
    return _against(tally, reading, other)


def _against(tally: Tally, reading: Reading, other: Reading) -> Check:
    if tally.failures and reading.release.world == other.release.world:
        return tally.note(f"both releases are of the world {other.release.world}, and share what both have of it")
    return tally.check()
