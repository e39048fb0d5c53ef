"""Relations of a world spec: whose they are, where their values come from, and what those must agree with."""

import datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kbench.errors import SpecError
from kbench.generator.pools import load_pool
from kbench.schema import ValueType

MOST_NUMBER = 2**31
MOST_DRAWN = 2**32

Whole = Annotated[int, Field(strict=True)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""The name of a type or relation: it stands in ids, where `/` and `.` have a meaning, and in file names."""


class Part(BaseModel):
    """A table of the spec: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Relation(Part):
    """A relation: whose it is and where its values come from."""

    subject: str = Field(description="The type whose entities have this relation.")
    value_type: ValueType
    pools: tuple[str, ...] = Field(
        (), description="For categorical and tone values: pools of words; one value takes a word of each."
    )
    size: Whole | None = Field(None, ge=2, description="How many of the pools' values are used. Default: all.")
    least: Whole = Field(0, description="The least number; with `after`, the least days or units after it.")
    most: Whole = Field(0, description="The greatest number; with `after`, the most days or units after it.")
    step: Whole = Field(1, ge=1, description="Numbers are `least` plus a multiple of this.")
    unit: str = Field("", description="What the number counts: it follows the number in text.")
    first: datetime.date | None = Field(None, description="The earliest date.")
    last: datetime.date | None = Field(None, description="The latest date.")
    gap: Whole = Field(0, ge=0, le=40_000, description="Days by which the younger generation's dates are later.")
    object: str = Field("", description="For entity values: their type.")
    heads: Literal["equal", "zipf"] = Field("equal", description="How many subjects share an object.")
    link: Literal["any", "partner", "mother", "father"] = Field(
        "any", description="For people with `elders`: a tie of the family."
    )
    among: str = Field("", description="The object is one of those whose value of that relation is this subject.")
    apart_from: str = Field(
        "", description="The object is another one than at the end of this path; of families, of the same generation."
    )
    same_as: str = Field("", description="The value is the one at the end of this path, such as `venue.mayor`.")
    after: tuple[str, ...] = Field((), description="The value lies after those at the end of these paths.")
    reach: Whole = Field(
        0, ge=0, le=4096, description="Objects stand in this many background blocks; 0: in the subject's own block."
    )
    draw: Literal["balanced", "uniform"] | None = Field(
        None, description="Balanced: each run of k subjects takes each of k values once. Default for pools."
    )
    tiered: bool = Field(True, description="Whether tiers of exposure apply to this relation.")
    topics: Whole | None = Field(
        None, ge=1, le=80, description="Makes a family of that many relations, one for each topic."
    )
    topic_pool: str = Field("", description="Where a family's topics come from: `things`, `matters` or `favourite`.")
    family: str = Field("", description="Set by kbench on the relations of a family.")
    topic: str = Field("", description="Set by kbench on the relations of a family.")

    @model_validator(mode="after")
    def _values_exist(self) -> "Relation":
        self._check_keys()
        if self.same_as:
            return self
        if self.value_type in ("categorical", "tone"):
            self._check_pools()
        elif self.value_type != "entity" and (self.after or self.value_type == "numeric"):
            if self.most <= self.least:
                raise ValueError(f"least {self.least} must lie below most {self.most}")
            if max(abs(self.least), abs(self.most)) >= MOST_NUMBER:
                raise ValueError(f"numbers must lie within {MOST_NUMBER:,}: got {self.least} to {self.most}")
        elif self.value_type == "date" and (not self.first or not self.last or self.last <= self.first):
            raise ValueError(f"first {self.first} must lie before last {self.last}")
        return self

    def _check_keys(self) -> None:
        kinds: dict[str, tuple[bool, tuple[str, ...]]] = {
            "pools": (bool(self.pools), ("categorical", "tone")),
            "object": (bool(self.object), ("entity",)),
            "link": (self.link != "any", ("entity",)),
            "among": (bool(self.among), ("entity",)),
            "apart_from": (bool(self.apart_from), ("entity",)),
            "reach": (bool(self.reach), ("entity",)),
            "after": (bool(self.after), ("numeric", "date")),
            "gap": (bool(self.gap), ("date",)),
        }
        for key, (given, kind) in kinds.items():
            if given and self.value_type not in kind:
                verb = "is" if key not in ("pools",) else "are"
                raise ValueError(f"{key} {verb} for {' and '.join(kind)} relations, and this one is {self.value_type}")
        ways = [key for key in ("among", "apart_from", "same_as", "after", "reach") if getattr(self, key)]
        if self.link != "any":
            ways.append("link")
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude one another")
        if self.after and (self.first or self.last or self.gap):
            raise ValueError("after takes least and most, not first, last or gap")

    def _check_pools(self) -> None:
        if self.value_type == "tone" and len(self.pools) > 1:
            raise ValueError(f"a tone relation takes one pool, and this one has {len(self.pools)}")
        available = self._pool_size()
        if self.choices > MOST_DRAWN:
            raise ValueError(f"{self.choices:,} values are more than can be drawn: at most {MOST_DRAWN:,}")
        if (self.size or available) > available:
            raise ValueError(f"size {self.size} is more than the {available} values of {' × '.join(self.pools)}")

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
    def depends_on(self) -> tuple[str, ...]:
        """The paths that the values of this relation are derived from."""
        return tuple(path for path in (self.among, self.apart_from, self.same_as, *self.after) if path)

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
        counts = self.value_type in ("numeric", "date") and self.most > self.least
        return (self.most - self.least) // self.step + 1 if counts else 0
