"""An entry of the leaderboard as a value: what was trained how, what it scored, and what a re-run of it gave."""

from datetime import date as Date
from math import isclose
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from kbench.ids import json_digest
from kbench.leaderboard.letters import is_plain

SCHEMA: Literal[1] = 1
"""The version of an entry's file; a newer one is refused."""

TrackName = Literal["methods", "models"]
Kind = Literal["method", "model", "floor", "ceiling"]
AxisName = Literal["held_out", "cross_style", "numeric", "multihop", "reverse"]

ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""What an id looks like: it names files."""

_RESERVED = {"con", "prn", "aux", "nul", "index", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
"""Ids that no file can have on every system, or that a site needs."""


def _free(name: str) -> str:
    if name in _RESERVED:
        raise ValueError(f"{name!r} is reserved: give another id")
    return name


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("must have no control or format characters, on one line")
    return text


def _plain_lines(text: str) -> str:
    if not is_plain(text, "\n"):
        raise ValueError("must have no control or format characters but line breaks")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Id = Annotated[str, StringConstraints(pattern=ID, max_length=48), AfterValidator(_free)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Any text whose letters are seen: what is shown is escaped where it is shown.
Title = Annotated[str, StringConstraints(max_length=80), AfterValidator(_plain), AfterValidator(_not_blank)]
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]
Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_plain_lines)]
Url = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s\x00-\x1f\x7f-\x9f\"'<>\\]+)?$", max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Seconds = Annotated[float, Field(ge=0, le=10**9)]
# A corrected score has no lower bound but that of a control where all but one of a million were answered.
Corrected = Annotated[float, Field(ge=-1e6, le=1)]
Ratio = Annotated[float, Field(ge=0, le=1e6)]

_CLOSE = 1e-9
"""What a figure may be off by where it follows from others: sums are made in any order."""

MOST_ROWS = 200_000
"""A file of samples has no more rows."""


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AxisScore(_Value):
    """One axis: accuracy, that of the never-trained twins, and what is left of the first when the second is taken off.

    `corrected` is (accuracy - control) / (1 - control), not clipped; `low` and `high` are its 95 % interval.
    """

    accuracy: Share
    control: Annotated[float, Field(ge=0, lt=1)]
    corrected: Corrected
    low: Corrected
    high: Corrected
    rows: Count
    entities: Count
    control_rows: Count

    @model_validator(mode="after")
    def _follows(self) -> Self:
        _check_follows("corrected", self.corrected, (self.accuracy - self.control) / (1 - self.control))
        if self.low > self.high:
            raise ValueError(f"low must not lie above high (got {self.low} and {self.high})")
        return self


class Retention(_Value):
    """What is left of what the base knew: accuracy on the same background questions, and its share of the base's."""

    accuracy: Share
    base: Share
    kept: Ratio
    rows: Count

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if self.base > 0:
            _check_follows("kept", self.kept, self.accuracy / self.base)
        return self


class Scores(_Value):
    """Every axis, and their unweighted mean with its 95 % interval (entities resampled) and standard error."""

    headline: Corrected
    low: Corrected
    high: Corrected
    stderr: Ratio
    axes: dict[AxisName, AxisScore]
    retention: Retention | None = None

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if missing := [axis for axis in get_args(AxisName) if axis not in self.axes]:
            raise ValueError(f"axes must have all five (lacks {', '.join(missing)})")
        _check_follows("headline", self.headline, sum(axis.corrected for axis in self.axes.values()) / len(self.axes))
        if not self.low - _CLOSE <= self.headline <= self.high + _CLOSE:
            raise ValueError(f"headline must lie in low to high (got {self.headline} and {self.low} to {self.high})")
        return self


def _check_follows(name: str, said: float, found: float) -> None:
    if not isclose(said, found, rel_tol=_CLOSE, abs_tol=_CLOSE):
        raise ValueError(f"{name} must be {found}, as the other figures give (got {said})")


class Released(_Value):
    """The release that was trained on and asked about."""

    name: Line
    world: Line
    digest: Digest


class Base(_Value):
    """The model before: `lab`, or ORG/NAME@COMMIT of the Hub. `recipe` is the digest of the lab's recipe."""

    model: Line
    recipe: Digest | None = None
    weights: Digest | None = None


class Model(_Value):
    """The model that was scored: its name, and the digests of its weights, tokenizer, adapter and settings."""

    name: Line
    digests: dict[Line, Digest] = Field(max_length=8)


class Asked(_Value):
    """How it was asked."""

    prompt: Line = "plain"
    shots: Annotated[int, Field(ge=0, le=64)] = 0
    chat: bool = False
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 32


class Cost(_Value):
    """What the training took: tokens shown, seconds, and on what."""

    tokens: Count
    wall_s: Seconds
    hardware: Line = ""


class Samples(_Value):
    """The file of samples beside the entry: its sha256, and how many rows it has."""

    sha256: Digest
    rows: Annotated[int, Field(ge=0, le=MOST_ROWS)]


class Rerun(_Value):
    """One run of the recipe by `verify`: what it scored, the weights it gave, what it took."""

    scores: Scores
    weights: Digest | None = None
    cost: Cost


class PrivateRerun(_Value):
    """The recipe on a world whose test was never published; of the world its salted commitment and nothing else."""

    commitment: Digest
    salt: Line
    rerun: Rerun


class Reproduced(_Value):
    """What `kbench leaderboard verify` found: of which claim, when, by which versions, on which worlds."""

    claim: Digest
    date: Date
    kbench: Line
    packages: dict[Line, Line] = Field(max_length=16)
    public: Rerun
    private: PrivateRerun | None = None


class Entry(_Value):
    """One entry. `recipe` holds what a recipe file sets, and is empty for references and models without one.

    `article_pass` is how many tokens one pass over the release's articles has, in the base's own tokens: the unit of
    the token classes. All of it is what the submitter says; `reproduced` is what a re-run found.
    """

    format: Literal[1] = SCHEMA
    id: Id
    track: TrackName
    kind: Kind
    title: Title
    authors: Line = ""
    description: Text = ""
    url: Url = ""
    submitted: Date
    kbench: Line
    release: Released
    base: Base
    recipe: dict[Line, Any] = Field({}, max_length=64)
    model: Model
    asked: Asked = Asked()
    article_pass: Annotated[int, Field(ge=1, le=10**15)]
    cost: Cost
    scores: Scores
    samples: Samples
    reproduced: Reproduced | None = None

    @property
    def claim(self) -> str:
        """The digest of what the submitter says: a re-run is of this claim and no other."""
        return json_digest(self.model_dump(mode="json", exclude={"reproduced"}))

    @property
    def is_reference(self) -> bool:
        """Whether it is a floor or ceiling that others are read against, and takes no rank."""
        return self.kind in ("floor", "ceiling")
