"""A world spec: the TOML file that says what a world holds, checked when it is read."""

import tomllib
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from kbench.errors import SpecError
from kbench.generator.coherence import check_background, check_chain, check_paths, check_relations, check_types
from kbench.generator.dosage import Background, Exposure, Sizes
from kbench.generator.names import form_of
from kbench.generator.pools import load_pool, load_topics, topics_of
from kbench.generator.relations import Part, Relation, Whole, Word
from kbench.ids import digest_of, json_digest
from kbench.schema import ROLES, Kind, Role


class EntityType(Part):
    """A type of entity: its name form, what a sentence calls it, and how many stand in a block."""

    names: str = Field(description="A name form, or `natural` (real first and last names, see `locale`) or `opaque`.")
    locale: str = Field("", description="For natural names: a locale of Faker, such as en_GB. Default en_US.")
    pronouns: Literal["it", "he_or_she", "name"] = Field("it", description="`name`: the full name every time.")
    article: Literal["", "the"] = Field("", description="What stands before the name in a sentence.")
    block: Whole = Field(ge=1, le=1024, description="How many stand in each block.")
    elders: Whole = Field(0, ge=0, le=1024, description="How many of a block are the parents of the others.")
    single: bool = Field(False, description="One for the world, and one control: the persona.")


class Paths(Part):
    """Reasoning questions: what is asked beyond a fact itself."""

    chains: tuple[tuple[str, ...], ...] = Field((), description="Relations, each starting where the one before ends.")
    compares: tuple[str, ...] = Field((), description="Number or date relations: which of two has more.")
    differences: tuple[str, ...] = Field((), description="Number relations: by how much two differ.")
    counts: tuple[str, ...] = Field((), description="Entity relations: how many subjects an object has.")
    lists: tuple[str, ...] = Field((), description="Entity relations: which subjects an object has, all of them.")
    extremes: tuple[tuple[str, str], ...] = Field(
        (), description="An entity relation and a number relation: which of an object's subjects has most."
    )
    intersections: tuple[tuple[str, str], ...] = Field(
        (), description="Two entity relations of one type: who has both of two objects."
    )
    reverse: tuple[str, ...] = Field((), description="Entity relations asked from the object to the subject.")
    most_listed: Whole = Field(16, ge=2, le=16, description="The largest set that is listed.")
    most_counted: Whole = Field(64, ge=2, le=64, description="The largest set that is counted.")


class WorldSpec(Part):
    """Everything that, with a seed, fixes a world and the rows written of it."""

    name: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^/\\{}<>\x00-\x1f\x7f]+$",
        description="What the world is called: no slash, bracket or line break.",
    )
    description: str = ""
    articles: tuple[Kind, ...] = Field(("encyclopedia",), min_length=1)
    sizes: Sizes = Sizes()
    exposure: Exposure = Exposure()
    background: Background = Background()
    types: dict[Word, EntityType] = Field(min_length=1)
    relations: dict[Word, Relation] = Field(min_length=1)
    paths: Paths = Paths()

    @model_validator(mode="after")
    def _parts_agree(self) -> "WorldSpec":
        check_types(self)
        check_relations(self)
        for chain in self.paths.chains:
            check_chain(self, chain)
        check_paths(self)
        check_background(self)
        return self

    @cached_property
    def block_size(self) -> int:
        """Entities in a block, all types together but those that stand once in the world."""
        return sum(kind.block for kind in self.types.values() if not kind.single)

    def blocks(self, role: Role) -> int:
        """How many blocks have a role."""
        wanted = {
            "new": Fraction(self.sizes.entities),
            "control": self.sizes.entities * Fraction(str(self.sizes.control)),
            "background": Fraction(self.sizes.background),
            "known": Fraction(self.sizes.known),
        }[role]
        return -(-wanted // max(1, self.block_size))

    def relations_of(self, kind: str) -> dict[str, Relation]:
        """The relations whose subject is a type."""
        return {name: relation for name, relation in self.relations.items() if relation.subject == kind}

    def template_of(self, name: str) -> str:
        """The name of the template files of a relation or path: that of its family, where it has one."""
        relation = self.relations.get(name)
        return relation.family or name if relation else name

    def start_of(self, path: str) -> str:
        """The type of the subject of a relation, or of a path joined by full stops."""
        return self.relations[path.split(".")[0]].subject

    def end_of(self, path: str) -> Relation:
        """The last relation of a path."""
        return self.relations[path.split(".")[-1]]

    def with_sizes(self, **sizes: int) -> "WorldSpec":
        """The same spec with other sizes. Raises SpecError where a size is absurd."""
        return spec_from_dict({**self.to_dict(), "sizes": {**self.sizes.model_dump(), **sizes}}, "--entities")

    def with_exposure(self, **exposure: Any) -> "WorldSpec":
        """The same spec with other exposures. Raises SpecError where one cannot be."""
        return spec_from_dict({**self.to_dict(), "exposure": {**self.exposure.model_dump(), **exposure}}, "[exposure]")

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def world_digest(self) -> str:
        """The digest of what fixes the world itself: types, relations and pools, but no sizes or exposures."""
        pools = sorted({pool for relation in self.relations.values() for pool in relation.pools})
        values = [json_digest(load_pool(pool)) for pool in pools]
        forms = [form_of(name, kind.names, kind.locale).digest for name, kind in self.types.items()]
        # Without defaults, so that a key which a later version adds leaves the worlds of this one as they are.
        parts = self.model_dump(mode="json", include={"types", "relations"}, exclude_defaults=True)
        return digest_of(json_digest(parts), *forms, *values)


def spec_from_dict(raw: dict[str, Any], where: str) -> WorldSpec:
    """A checked spec from plain values; a relation with `topics` becomes one a topic, `<family>_<topic>`.

    Raises SpecError of one line that names the key and the known ones.
    """
    relations = raw.get("relations")
    if isinstance(relations, dict):
        raw = {**raw, "relations": _unfolded(relations, where)}
    try:
        return WorldSpec.model_validate(raw)
    except ValidationError as error:
        raise _said(error, where, ()) from None


def _unfolded(relations: dict[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, relation in relations.items():
        members = _members(name, relation, where) if _is_family(relation) else {name: relation}
        for member in members:
            if member in found or (member != name and member in relations):
                raise SpecError(f"{where}: relations.{name}: a topic of it makes {member!r}, which is there already")
        found |= members
    return found


def _is_family(relation: Any) -> bool:
    return isinstance(relation, dict) and (relation.get("topics") is not None or bool(relation.get("topic_pool")))


def _members(family: str, relation: dict[str, Any], where: str) -> dict[str, Any]:
    pool = relation.get("topic_pool", "")
    if not isinstance(pool, str):
        raise SpecError(f"{where}: relations.{family}.topic_pool: Input should be a valid string (got {pool!r})")
    try:
        topics = topics_of(pool)
    except SpecError as error:
        raise SpecError(f"{where}: relations.{family}.topic_pool: {error}") from None
    has_pools = isinstance(load_topics()[pool], dict)
    try:
        Relation.model_validate({**relation, **({"pools": [f"{pool}.{topics[0]}"]} if has_pools else {})})
    except ValidationError as error:
        raise _said(error, where, ("relations", family)) from None
    wanted = relation.get("topics", len(topics))
    if wanted > len(topics):
        raise SpecError(f"{where}: relations.{family}.topics: {wanted} is more than the {len(topics)} of {pool!r}")
    rest = {key: value for key, value in relation.items() if key not in ("topics", "topic_pool")}
    found = {}
    for topic in topics[:wanted]:
        pools = {"pools": [f"{pool}.{topic}"]} if has_pools else {}
        name = f"{family}_{topic.replace(' ', '_').replace('-', '_')}"
        found[name] = {**rest, **pools, "family": family, "topic": topic}
    return found


def _said(error: ValidationError, where: str, above: tuple[str, ...]) -> SpecError:
    first = error.errors(include_url=False)[0]
    loc = (*above, *first["loc"])
    place = ".".join(str(part) for part in loc)
    if first["type"] == "extra_forbidden":
        return SpecError(f"unknown key {place!r} in {where}: have {', '.join(_known_keys(loc))}")
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict) or first["type"] == "missing" else f" (got {first['input']!r})"
    return SpecError(f"{where}: {place + ': ' if place else ''}{message}{given}")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "sizes": Sizes,
        "exposure": Exposure,
        "background": Background,
        "types": EntityType,
        "relations": Relation,
        "paths": Paths,
    }
    table = tables.get(str(loc[0]), WorldSpec) if len(loc) > 1 else WorldSpec
    return list(table.model_fields)


def builtin_specs() -> list[str]:
    """The names of the built-in worlds."""
    folder = files("kbench.generator").joinpath("worlds")
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def load_spec(name: str | Path) -> WorldSpec:
    """A built-in world by name, or a user's TOML file by path."""
    if str(name) in builtin_specs():
        content = files("kbench.generator").joinpath(f"worlds/{name}.toml").read_bytes()
    else:
        path = Path(name)
        if not path.is_file():
            raise SpecError(f"no world spec {str(name)!r}: give a TOML file or one of {', '.join(builtin_specs())}")
        content = path.read_bytes()
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{name}: not valid TOML: {error}") from None
    return spec_from_dict(raw, str(name))


def role_of(block: int) -> Role:
    """The one role of a block, fixed by its number."""
    return ROLES[block % len(ROLES)]
