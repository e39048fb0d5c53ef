"""A world spec: the TOML file that says what a world holds, checked when it is read."""

import datetime
import tomllib
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kbench.errors import SpecError
from kbench.generator.names import NameForm, load_forms
from kbench.generator.pools import load_pool
from kbench.ids import digest_of, json_digest
from kbench.schema import ROLES, Kind, Role, ValueType

PretrainStyle = Literal["article", "statement", "qa", "numeric", "multihop"]
MOST_ENTITIES = 10**9
MOST_NUMBER = 2**31
MOST_DRAWN = 2**32


Whole = Annotated[int, Field(strict=True)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""The name of a type or relation: it stands in ids, where `/` and `.` have a meaning, and in file names."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sizes(_Part):
    """How many entities of each role; every number is rounded up to whole blocks."""

    entities: Whole = Field(1000, ge=1, le=MOST_ENTITIES)
    control: float = Field(0.25, ge=0, le=4)
    background: Whole = Field(0, ge=0, le=MOST_ENTITIES)
    known: Whole = Field(0, ge=0, le=MOST_ENTITIES)


class Exposure(_Part):
    """How often a new fact is written and asked."""

    paraphrases: Whole = Field(8, ge=1, le=64)
    exposures: Whole = Field(8, ge=1, le=100_000)
    validation: Whole = Field(1, ge=0, le=64)
    test: Whole = Field(2, ge=1, le=64)


class Background(_Part):
    """How the known world is written in the pretrain split."""

    questions: float = Field(0.5, ge=0, le=1)
    exposures: Whole = Field(16, ge=1, le=100_000)
    popularity: Literal["zipf", "flat"] = "zipf"
    styles: tuple[PretrainStyle, ...] = ("article", "statement", "qa", "numeric", "multihop")


class EntityType(_Part):
    """A type of entity: its name form, what a sentence calls it, and how many stand in a block."""

    names: str
    pronouns: Literal["it", "he_or_she"] = "it"
    block: Whole = Field(ge=1, le=1024)


class Relation(_Part):
    """A relation: whose it is and where its values come from."""

    subject: str
    value_type: ValueType
    pools: tuple[str, ...] = ()
    size: Whole | None = Field(None, ge=2)
    least: Whole = 0
    most: Whole = 0
    step: Whole = Field(1, ge=1)
    unit: str = ""
    first: datetime.date | None = None
    last: datetime.date | None = None
    object: str = ""
    heads: Literal["equal", "zipf"] = "equal"
    draw: Literal["balanced", "uniform"] | None = None

    @model_validator(mode="after")
    def _values_exist(self) -> "Relation":
        if self.value_type in ("categorical", "tone"):
            available = self._pool_size()
            if self.choices > MOST_DRAWN:
                raise ValueError(f"{self.choices:,} values are more than can be drawn: at most {MOST_DRAWN:,}")
            if (self.size or available) > available:
                raise ValueError(f"size {self.size} is more than the {available} values of {' × '.join(self.pools)}")
        elif self.pools:
            raise ValueError(f"pools are for categorical and tone relations, and this one is {self.value_type}")
        elif self.value_type == "numeric" and self.most <= self.least:
            raise ValueError(f"least {self.least} must lie below most {self.most}")
        elif self.value_type == "numeric" and max(abs(self.least), abs(self.most)) >= MOST_NUMBER:
            raise ValueError(f"numbers must lie within {MOST_NUMBER:,}: got {self.least} to {self.most}")
        elif self.value_type == "date" and (not self.first or not self.last or self.last <= self.first):
            raise ValueError(f"first {self.first} must lie before last {self.last}")
        if self.object and self.value_type != "entity":
            raise ValueError(f"object is for entity relations, and this one is {self.value_type}")
        return self

    def _pool_size(self) -> int:
        if not self.pools:
            raise ValueError("a categorical or tone relation needs pools")
        size = 1
        for pool in self.pools:
            try:
                size *= len(load_pool(pool))
            except SpecError as error:
                raise ValueError(str(error)) from None
        return size

    @property
    def is_balanced(self) -> bool:
        """Whether every run of k subjects holds each of the k values once (the default for pools)."""
        return (self.draw or ("balanced" if self.pools else "uniform")) == "balanced"

    @cached_property
    def choices(self) -> int:
        """How many values the relation can take; 0 where they are entities of the block."""
        if self.pools:
            return self.size or self._pool_size()
        if self.value_type == "date" and self.first and self.last:
            return (self.last - self.first).days + 1
        return (self.most - self.least) // self.step + 1 if self.value_type == "numeric" else 0


class Paths(_Part):
    """Multi-hop questions: chains of relations, each starting where the one before it ends."""

    chains: tuple[tuple[str, ...], ...] = ()


class WorldSpec(_Part):
    """Everything that, with a seed, fixes a world and the rows written of it."""

    name: str
    description: str = ""
    articles: tuple[Kind, ...] = ("encyclopedia",)
    sizes: Sizes = Sizes()
    exposure: Exposure = Exposure()
    background: Background = Background()
    types: dict[Word, EntityType] = Field(min_length=1)
    relations: dict[Word, Relation] = Field(min_length=1)
    paths: Paths = Paths()

    @model_validator(mode="after")
    def _names_resolve(self) -> "WorldSpec":
        forms = load_forms()
        for name, kind in self.types.items():
            if kind.names not in forms:
                raise ValueError(f"types.{name}.names: unknown name form {kind.names!r}: have {', '.join(forms)}")
        self._check_forms(forms)
        for name, relation in self.relations.items():
            ends = [relation.subject] + ([relation.object] if relation.value_type == "entity" else [])
            for end in ends:
                if end not in self.types:
                    raise ValueError(f"relations.{name}: unknown type {end!r}: have {', '.join(self.types)}")
            if relation.object == relation.subject and self.types[relation.subject].block < 2:
                raise ValueError(f"relations.{name}: a block has one {relation.subject}, who would be the own object")
        for chain in self.paths.chains:
            self._check_chain(chain)
        return self

    def _check_forms(self, forms: dict[str, NameForm]) -> None:
        taken: dict[tuple[tuple[str, ...], ...], str] = {}
        for name, kind in self.types.items():
            first = forms[kind.names].first_word
            if first in taken:
                raise ValueError(
                    f"types.{name}.names: a name of the form {kind.names!r} could be alike or contain one of "
                    f"types.{taken[first]}: give one of them another form of {', '.join(forms)}"
                )
            taken[first] = name

    def _check_chain(self, chain: tuple[str, ...]) -> None:
        if not 2 <= len(chain) <= 4:
            raise ValueError(f"paths.chains: {'.'.join(chain)!r} must have 2 to 4 relations")
        here = ""
        for name in chain:
            if name not in self.relations:
                raise ValueError(f"paths.chains: unknown relation {name!r}: have {', '.join(self.relations)}")
            if here and self.relations[name].subject != here:
                raise ValueError(f"paths.chains: {name!r} is no relation of a {here}, in {'.'.join(chain)!r}")
            here = self.relations[name].object
            if not here and name != chain[-1]:
                raise ValueError(f"paths.chains: {name!r} leads to no entity, in {'.'.join(chain)!r}")

    @cached_property
    def block_size(self) -> int:
        """Entities in a block, all types together."""
        return sum(kind.block for kind in self.types.values())

    def blocks(self, role: Role) -> int:
        """How many blocks have a role."""
        wanted = {
            "new": Fraction(self.sizes.entities),
            "control": self.sizes.entities * Fraction(str(self.sizes.control)),
            "background": Fraction(self.sizes.background),
            "known": Fraction(self.sizes.known),
        }[role]
        return -(-wanted // self.block_size)

    def relations_of(self, kind: str) -> dict[str, Relation]:
        """The relations whose subject is a type."""
        return {name: relation for name, relation in self.relations.items() if relation.subject == kind}

    def start_of(self, path: str) -> str:
        """The type of the subject of a relation or a path joined by full stops."""
        return self.relations[path.split(".")[0]].subject

    def with_sizes(self, **sizes: int) -> "WorldSpec":
        """The same spec with other sizes. Raises SpecError where a size is absurd."""
        return spec_from_dict({**self.to_dict(), "sizes": {**self.sizes.model_dump(), **sizes}}, "--entities")

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def world_digest(self) -> str:
        """The digest of what fixes the world itself: types, relations and pools, but no sizes or exposures."""
        pools = sorted({pool for relation in self.relations.values() for pool in relation.pools})
        values = [json_digest(load_pool(pool)) for pool in pools]
        forms = [json_digest(load_forms()[kind.names].digits) for kind in self.types.values()]
        # Without defaults, so that a key which a later version adds leaves the worlds of this one as they are.
        parts = self.model_dump(mode="json", include={"types", "relations"}, exclude_defaults=True)
        return digest_of(json_digest(parts), *forms, *values)


def spec_from_dict(raw: dict[str, Any], where: str) -> WorldSpec:
    """A checked spec from plain values. Raises SpecError of one line that names the key and the known ones."""
    try:
        return WorldSpec.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SpecError(f"unknown key {place!r} in {where}: have {', '.join(_known_keys(first['loc']))}") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict) or first["type"] == "missing" else f" (got {first['input']!r})"
        raise SpecError(f"{where}: {place + ': ' if place else ''}{message}{given}") from None


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
