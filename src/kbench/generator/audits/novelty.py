"""Checks of novelty: invented names that are those of real people or places, by the lists that Faker has."""

import importlib
import pkgutil
import unicodedata
from dataclasses import dataclass
from types import ModuleType

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Entity, Reading

_CITIES = ("cities", "city_names", "real_city_names", "municipalities", "towns", "places", "communes")
_PEOPLE = ("person", "mononym", "natural")
"""The name forms whose names are a first and a last name, or one word."""

_OWN = "the names are {}"


@dataclass(frozen=True)
class RealNames:
    """First names, last names and cities of every locale of Faker that writes them in Latin letters, folded."""

    first: frozenset[str]
    last: frozenset[str]
    cities: frozenset[str]


def real_names() -> RealNames:
    """The lists of the installed Faker, read from its modules in about half a second."""
    from faker.providers import address, person

    first, last, cities = set[str](), set[str](), set[str]()
    for provider in _providers(person):
        for key in dir(provider):
            if "names" in key and ("first_" in key or "last_" in key):
                (first if "first_" in key else last).update(_words(provider, key))
    for provider in _providers(address):
        for key in _CITIES:
            cities.update(_words(provider, key))
    return RealNames(frozenset(first), frozenset(last), frozenset(cities))


def _providers(package: ModuleType) -> list[type]:
    found = [m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg]
    return [importlib.import_module(f"{package.__name__}.{name}").Provider for name in found]


def _words(provider: type, key: str) -> set[str]:
    values = getattr(provider, key, ())
    names = values if isinstance(values, tuple | list | dict | set | frozenset) else ()
    return {folded(name) for name in names if isinstance(name, str) and _is_latin(name)}


def folded(name: str) -> str:
    """A name without case and accents."""
    apart = unicodedata.normalize("NFD", name.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _is_latin(name: str) -> bool:
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in name if letter.isalpha())


def names_novel(reading: Reading, real: RealNames) -> Check:
    """No full name that was invented is that of a real person."""
    tally = Tally("names_novel", "No invented full name is a real one: first and last name, or one word, of Faker's.")
    if reading.spec is None:
        return tally.skipped(_OWN.format(reading.whose))
    for entity in reading.entity_rows:
        if _form_of(reading, entity) != "natural":
            tally.expect(not _is_real(reading, entity, real), f"{entity.name!r} ({entity.entity_id})")
    return tally.check()


def names_natural(reading: Reading, real: RealNames) -> Check:
    """How many of the names that were meant to be natural are those of real people."""
    tally = Tally("names_natural", "Natural names that are a first and a last name of Faker's.")
    if reading.spec is None:
        return tally.skipped(_OWN.format(reading.whose))
    for entity in reading.entity_rows:
        if _form_of(reading, entity) == "natural":
            tally.expect(not _is_real(reading, entity, real), f"{entity.name!r} ({entity.entity_id})")
    if not tally.counted:
        return tally.skipped("every name of the world is invented")
    return tally.note("the spec asks for natural names: models may know people of these names")


def _form_of(reading: Reading, entity: Entity) -> str:
    kind = reading.spec.types.get(entity.type) if reading.spec else None
    return kind.names if kind else ""


def _is_real(reading: Reading, entity: Entity, real: RealNames) -> bool:
    words, form = folded(entity.name).split(), _form_of(reading, entity)
    if len(words) == 1:
        return words[0] in real.first or words[0] in real.last
    return form in _PEOPLE and len(words) == 2 and words[0] in real.first and words[1] in real.last


def first_words_real(reading: Reading, real: RealNames) -> Check:
    """How many names of places, companies, products and events open with a real city or last name."""
    tally = Tally("first_words_real", "Names of several words, not people's, whose first is a real city or last name.")
    if reading.spec is None:
        return tally.skipped(_OWN.format(reading.whose))
    for entity in reading.entity_rows:
        words = folded(entity.name).split()
        if len(words) > 1 and _form_of(reading, entity) not in _PEOPLE:
            tally.expect(
                words[0] not in real.cities and words[0] not in real.last, f"{entity.name!r} ({entity.entity_id})"
            )
    return tally.note("invented words meet real ones now and then") if tally.counted else tally.check()
