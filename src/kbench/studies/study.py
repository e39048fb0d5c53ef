"""A study as data: the factors of its training cells, what is read off them, and the claims that are judged."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

BASE = "base"
"""The cell that is not trained."""

Ask = str
Direction = Literal["above", "within"]
PartKind = Literal["tones", "capacity", "theory", "subject", "biography", "graph", "similarity", "law"]
Term = tuple[float, str, str]
"""A weight, a cell, and a reading of it."""


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Factor(_Value):
    """A factor of the training: its levels, each with the recipe fields that it sets, and the level of the centre."""

    title: str
    centre: str
    levels: dict[str, dict[str, Any]] = Field(min_length=2)

    @model_validator(mode="after")
    def _has_its_centre(self) -> "Factor":
        if self.centre not in self.levels:
            raise ValueError(f"the centre {self.centre!r} is none of its levels: have {', '.join(self.levels)}")
        return self


class Within(_Value):
    """A factor inside a cell: each level is a reading of the same model's answers."""

    title: str
    centre: str
    levels: dict[str, str] = Field(min_length=2)

    @model_validator(mode="after")
    def _has_its_centre(self) -> "Within":
        if self.centre not in self.levels:
            raise ValueError(f"the centre {self.centre!r} is none of its levels: have {', '.join(self.levels)}")
        return self


class Variant(_Value):
    """Another world or base than the study's: a recipe of its own beside the study file, or fields of the lab's."""

    title: str
    world: str = ""
    lab: dict[str, Any] = {}

    @model_validator(mode="after")
    def _varies(self) -> "Variant":
        if not self.world and not self.lab:
            raise ValueError("a variant has another world, or other fields of the lab: give one of them")
        return self


class Arm(_Value):
    """A cell beside the design: levels of factors, and recipe fields over them; `asks` beside the first.

    Of a `variant` it has that world or base; `untrained` it is that base itself.
    """

    title: str
    levels: dict[str, str] = {}
    train: dict[str, Any] = {}
    asks: tuple[Ask, ...] = ()
    variant: str = ""
    untrained: bool = False


class Part(_Value):
    """An experiment of a shape of its own: `options` are what its code takes.

    `cells` are those whose trained models it is about, at the `checkpoints` that their runs kept (`""`: the last).
    """

    title: str
    kind: PartKind
    cells: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ("",)
    options: dict[str, Any] = {}


class Asked(_Value):
    """A way of asking, by the options of `kbench eval`; of some styles and probes alone where they are named."""

    prompt: str = "plain"
    shots: int = 0
    splits: tuple[str, ...] = ("test", "control")
    styles: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    shots_from: Literal["same", "other"] = "same"
    max_tokens: int = 8
    max_tokens_lab: int | None = None
    """The longest reply of the lab's models, whose values are short, where another's may be longer."""
    limit: int | None = None
    prompt_lab: str = ""
    """The prompt in place of `prompt` for the lab's models, which follow no instruction."""
    checkpoint: str = ""
    """Which model of a run is asked: the last, or one that it kept (`at-10`, `early-stop`)."""


class Reading(_Value):
    """Which answers are read: those that fit every key that is set. The reading is the share of right ones.

    `bridge`: multi-step questions whose last fact was used (`seen`) or never used (`unseen`) by multi-step questions of
    the same kind in training. `taught`, `celebrity`: subjects that the cell's recipe teaches, or says in all phrasings.
    """

    title: str
    ask: Ask = "plain"
    styles: tuple[str, ...]
    probes: tuple[str, ...]
    relations: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("new",)
    types: tuple[str, ...] = ()
    bridge: Literal["", "seen", "unseen"] = ""
    taught: bool | None = True
    celebrity: bool | None = None
    own_form: bool = False
    """Whether only the answer's own surface form is right, as the finetuning gives it and exemplars show it."""
    less: Literal["", "control", "base"] = ""
    """What is taken off it: the same of never-trained twins, or what the base answers."""


class Gate(_Value):
    """What must hold before a claim is read: a level of at least so much.

    With `each`, a seed that is below it is left out; else the mean over the seeds that are left counts.
    """

    title: str
    cell: str
    reading: str
    least: float
    each: bool = False
    minus: str = ""
    """Another reading of the cell, which is taken off."""
    lab: bool = False
    """Whether it is asked of the lab's bases alone: what another model was pretrained on is not this world's."""


class Effect(_Value):
    """A sum of levels with weights, computed in each seed, and where its interval must lie.

    `above`: all of it above `least`. `within`: all of it between minus `bound` and `bound`; with `bound_of`, between
    minus and plus another sum.
    """

    title: str = ""
    of: tuple[Term, ...] = Field(min_length=1)
    direction: Direction = "above"
    least: float = 0.0
    bound: float = 0.0
    bound_of: tuple[Term, ...] = ()

    @model_validator(mode="after")
    def _has_its_bounds(self) -> "Effect":
        if self.direction == "within" and not self.bound_of and self.bound <= 0:
            raise ValueError(f"an effect within bounds needs a bound above 0, or bound_of (got {self.bound:g})")
        return self


class Claim(_Value):
    """A sentence that a run can bear out or not. All of its `effects` must hold; the first is the one reported."""

    name: str
    says: str
    source: str
    paper: str
    """The source's own number or direction, in words."""
    effects: tuple[Effect, ...] = Field(min_length=1)
    gates: tuple[str, ...] = ()
    lab: str = ""
    """Why it can be read of the lab's models alone, where it can."""


class Curve(_Value):
    """A reading over the levels of a factor, whose names are numbers, in some cells of another one."""

    title: str
    factor: str
    readings: tuple[str, ...]
    levels: dict[str, str] = {}


class Gap(_Value):
    """Two cells side by side: the first of the readings is the one that the others are held against."""

    title: str
    better: str
    worse: str
    base: str = BASE
    readings: tuple[str, ...] = Field(min_length=1)


class Budget(_Value):
    """What is run: factors one at a time, pairs of them, or all with one another, each on the first so many seeds."""

    says: str
    seeds: int = Field(ge=1, le=8)
    one: dict[str, int] = {}
    levels: dict[str, tuple[str, ...]] = {}
    """Of a factor only these levels."""
    fewer: dict[str, int] = {}
    """Of a cell only so many seeds."""
    pairs: tuple[tuple[str, str], ...] = ()
    pair_levels: dict[str, tuple[str, ...]] = {}
    """Of a factor only these levels in pairs."""
    crossed: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    """What every cell is asked beside the first."""
    arms: dict[str, int] = {}
    parts: dict[str, int] = {}
    options: dict[str, dict[str, Any]] = {}
    """Of a part, options that are otherwise here."""
    world: str = ""
    """The recipe of the releases, where it is another than the study's."""
    lab: dict[str, Any] = {}
    """Fields of the lab's recipe that are otherwise here."""
    train_lab: dict[str, Any] = {}
    """Fields of every recipe of the lab's models that are otherwise here."""


class Study(_Value):
    """What a study file says."""

    name: str
    title: str
    source: str
    world: str
    """The recipe of the release, beside the study file; its seed is the cell's."""
    lab: dict[str, Any] = {}
    """The lab's recipe, where it is otherwise."""
    train: dict[str, Any] = {}
    """What every cell's recipe has."""
    train_lab: dict[str, Any] = {}
    """The same, of the lab's models alone: rates and sizes that fit them."""
    factors: dict[str, Factor]
    within: dict[str, Within] = {}
    variants: dict[str, Variant] = {}
    arms: dict[str, Arm] = {}
    parts: dict[str, Part] = {}
    asks: dict[str, Asked]
    readings: dict[str, Reading]
    shown: tuple[str, ...] = ()
    """The readings of the heat map and of the effects."""
    gates: dict[str, Gate] = {}
    claims: tuple[Claim, ...]
    curves: dict[str, Curve] = {}
    gaps: dict[str, Gap] = {}
    budgets: dict[str, Budget]

    def cell(self, levels: dict[str, str]) -> str:
        """The name of a cell: its levels but for those of the centre; `centre` where there is no other."""
        off = {name: levels.get(name, factor.centre) for name, factor in self.factors.items()}
        told = [f"{name}={level}" for name, level in off.items() if level != self.factors[name].centre]
        return "+".join(told) or "centre"

    @property
    def centre(self) -> dict[str, str]:
        """The level of each factor in the middle of the design."""
        return {name: factor.centre for name, factor in self.factors.items()}

    def named(self, text: str) -> str:
        """The name of the cell that a claim means: `style=article` is `centre` where that is the centre's style."""
        if text in (BASE, "centre", *self.arms, *self.parts):
            return text
        return self.cell(dict(part.partition("=")[::2] for part in text.split("+")))
