"""What a training recipe may say: the type and bounds of each field, and which fields go together."""

from collections.abc import Hashable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from kbench.errors import SpecError
from kbench.schema import QUESTION_STYLES, STYLES, Probe

if TYPE_CHECKING:
    from kbench.benchmarks.recipe import TrainRecipe

BOUNDS: Mapping[str, tuple[int, int]] = {
    "epochs": (1, 10_000),
    "tokens": (1, 10**12),
    "paraphrases": (1, 1_000),
    "exposures": (1, 100_000),
    "permutations": (0, 64),
    "lora_rank": (1, 65_536),
    "lora_alpha": (1, 65_536),
    "batch": (1, 65_536),
    "context": (8, 1_048_576),
    "processes": (1, 65_536),
    "watch": (0, 1_000_000),
    "patience": (1, 10_000),
    "seed": (0, 2**32 - 1),
}
"""The least and the greatest value of each whole number."""

_LISTS = (
    "styles",
    "tones",
    "only",
    "lora_targets",
    "watch_styles",
    "watch_probes",
    "relations",
    "facts",
    "facts_among",
)

SHARES = ("replay", "known_at_end", "lora_dropout", "celebrities")
"""Fields from 0 up to, but not, 1."""


def check_recipe(recipe: "TrainRecipe") -> None:
    """Raise SpecError of one line, which names field and value, where a recipe cannot be."""
    for name, adapter in _adapters(cast(Hashable, type(recipe))).items():
        _check_type(name, getattr(recipe, name), adapter)
    for name, (least, most) in BOUNDS.items():
        value = getattr(recipe, name)
        if value is not None and not least <= value <= most:
            raise SpecError(f"{name} must lie in {least} to {most:,} (got {value})")
    for name in SHARES:
        if not 0 <= getattr(recipe, name) < 1:
            raise SpecError(f"{name} must be at least 0 and less than 1 (got {getattr(recipe, name)})")
    if not 0 < recipe.volume <= 1:
        raise SpecError(f"volume must be more than 0 and at most 1 (got {recipe.volume})")
    if not 0 < recipe.learning_rate < 1:
        raise SpecError(f"learning_rate must be more than 0 and less than 1 (got {recipe.learning_rate})")
    for name in ("warmup", "floor", "weight_decay"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise SpecError(f"{name} must lie in 0 to 1 (got {getattr(recipe, name)})")
    _check_lists(recipe)
    for wrong, message in _conflicts(recipe):
        if wrong:
            raise SpecError(message)


@cache
def _adapters(recipe: Hashable) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(recipe).items()}


def _check_type(name: str, value: Any, adapter: TypeAdapter[Any]) -> None:
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        expected = first["msg"].replace("Input should be", "must be").replace("tuple", "list")
        place = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
        raise SpecError(f"{name}{place} {expected} (got {first['input']!r})") from None


def _check_lists(recipe: "TrainRecipe") -> None:
    if not recipe.styles:
        raise SpecError(f"styles must name at least one style (got none): have {', '.join(STYLES)}")
    for style in recipe.styles:
        if style not in STYLES:
            raise SpecError(f"unknown style {style!r}: have {', '.join(STYLES)}")
    for style in recipe.watch_styles:
        if style not in QUESTION_STYLES:
            known = ", ".join(style for style in STYLES if style in QUESTION_STYLES)
            raise SpecError(f"watch_styles: {style!r} is no style of questions: have {known}")
    for probe in recipe.watch_probes:
        if probe not in get_args(Probe):
            raise SpecError(f"watch_probes: unknown probe {probe!r}: have {', '.join(filter(None, get_args(Probe)))}")
    for value in recipe.facts_mix:
        if not 0 <= value <= 1:
            raise SpecError(f"facts_mix must be of shares from 0 to 1 (got {value})")
    for value in recipe.keep:
        if not 0 < value < 1:
            raise SpecError(f"keep must be of shares of the steps, more than 0 and less than 1 (got {value})")
    for name in (*_LISTS, "keep"):
        values = getattr(recipe, name)
        twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
        if twice is not None:
            raise SpecError(f"{name} must name each once (got {twice!r} twice)")


def _conflicts(recipe: "TrainRecipe") -> Iterator[tuple[bool, str]]:
    """Each thing that a recipe may not be, and the line that says so."""
    styles = ", ".join(recipe.styles)
    for name in ("reversals", "implications"):
        demanded = getattr(recipe, name) is True and "statement" not in recipe.styles
        yield demanded, f"{name} = true needs the style statement, which holds them (styles: {styles})"
    yield (
        recipe.tokens is not None and recipe.epochs != 1,
        f"tokens = {recipe.tokens} and epochs = {recipe.epochs} both say how long the training is: give one of them",
    )
    yield (
        recipe.celebrities > 0 and recipe.paraphrases is None,
        f"celebrities = {recipe.celebrities} needs paraphrases, what all others have (got none)",
    )
    yield (
        bool(recipe.tones) and "tone" not in recipe.styles,
        f"tones = {list(recipe.tones)} needs the style tone, whose manners they are (styles: {styles})",
    )
    yield (
        recipe.permutations > 0 and "article" not in recipe.styles,
        f"permutations = {recipe.permutations} needs the style article, whose texts have several sentences "
        f"(styles: {styles})",
    )
    yield (
        recipe.order == "sequence" and len(recipe.styles) < 2,
        f"order = 'sequence' needs two styles or more, read one after the other (styles: {styles})",
    )
    yield (
        bool(recipe.replay_text) and not recipe.replay,
        f"replay_text = {recipe.replay_text!r} needs replay, its share of the tokens, above 0 (got {recipe.replay})",
    )
    for name, given in (
        ("only", list(recipe.only) if recipe.only else None),
        ("idk", "true" if recipe.idk else None),
        ("facts_by", repr(recipe.facts_by) if recipe.facts_by == "knownness" else None),
        ("curriculum", repr(recipe.curriculum) if recipe.curriculum != "none" else None),
    ):
        yield (
            given is not None and not recipe.knownness,
            f"{name} = {given} needs knownness, the folder of labels that `kbench know` writes (got none)",
        )
    yield from _choices(recipe)
    used = recipe.only or recipe.idk or recipe.curriculum != "none" or recipe.known_at_end
    used = used or recipe.facts_by == "knownness"
    yield (
        bool(recipe.knownness) and not used,
        f"knownness = {recipe.knownness!r} is used by none of facts_by, only, idk, curriculum, known_at_end: "
        "give one of them",
    )
    questions = set(recipe.styles) & QUESTION_STYLES
    yield recipe.idk and not questions, f"idk = true needs a style of questions (styles: {styles})"
    yield (
        recipe.chat and not questions | set(recipe.styles) & {"dialogue"},
        f"chat = true needs a style of questions or dialogues (styles: {styles})",
    )
    replayed = recipe.replay and not recipe.replay_text
    yield (
        recipe.chains and "multihop" not in recipe.styles and not replayed,
        f"chains = true needs the style multihop, or replay from pretrain (styles: {styles}; replay: {recipe.replay})",
    )
    for name, other in (("chat", recipe.chat), ("idk", recipe.idk)):
        yield recipe.chains and other, f"chains = true has no form with {name} = true: leave one of them out"
    yield (
        bool(recipe.watch_styles) and not recipe.watch,
        f"watch_styles = {list(recipe.watch_styles)} needs watch, the questions asked each epoch, above 0 (got 0)",
    )
    for name in ("early_stop", "patience", "watch_probes"):
        value = getattr(recipe, name)
        told = list(value) if isinstance(value, tuple) else str(value).lower()
        yield (
            bool(value) and not recipe.watch,
            f"{name} = {told} needs watch, the questions asked each epoch, above 0 (got 0)",
        )
    yield (
        recipe.batch % recipe.processes > 0,
        f"batch must be a multiple of processes: all share its rows (got {recipe.batch} and {recipe.processes})",
    )


def _choices(recipe: "TrainRecipe") -> Iterator[tuple[bool, str]]:
    """What goes together where facts are chosen."""
    for name in ("facts_among", "facts_mix", "facts_balanced", "facts_by"):
        given = getattr(recipe, name)
        told = list(given) if isinstance(given, tuple) else "true" if given is True else repr(given)
        yield bool(given) and not recipe.facts, f"{name} = {told} needs facts, what is taken (got none)"
    yield (
        bool(recipe.facts) and not recipe.facts_by,
        f"facts = {list(recipe.facts)} needs facts_by, what they are chosen by: exposures, knownness or popularity",
    )
    yield (
        bool(recipe.facts_mix) and len(recipe.facts_mix) != len(recipe.facts),
        f"facts_mix must have a share for each of facts = {list(recipe.facts)} (got {list(recipe.facts_mix)})",
    )
    among = recipe.facts_among
    ends = ("top", "bottom", "random", "whole")
    whole = {"random", "whole"} & set(recipe.facts)
    yield len(recipe.facts) > 1 and bool(whole), f"facts = {list(recipe.facts)}: random and whole stand alone"
    yield (
        bool(recipe.facts_mix) and bool(whole),
        f"facts_mix has no use with facts = {list(recipe.facts)}: leave it out",
    )
    strange = [name for name in recipe.facts if among and name not in (*among, *ends)]
    yield bool(strange), f"facts: {strange[:1]} is not among facts_among = {list(among)}"
