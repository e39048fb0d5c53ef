"""A training recipe: every choice that a finetune was made with, as one value that the run keeps."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from kbench.benchmarks.recipe_rules import check_recipe

Method = Literal["full", "lora"]
Loss = Literal["answer", "all"]
Optimizer = Literal["adamw", "muon"]
Order = Literal["mixed", "sequence"]
Curriculum = Literal["none", "known-first", "unknown-first"]
FactsBy = Literal["", "exposures", "knownness", "popularity"]
Label = Literal["HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown"]

LABELS: tuple[Label, ...] = get_args(Label)
"""SliCK's categories of how well a model knew a fact before, best first (Gekhman et al. 2024, 2405.05904)."""


@dataclass(frozen=True)
class TrainRecipe:
    """How a model is finetuned, each field by its own name in a recipe file.

    What is read: `styles` of the release, of each fact at most `paraphrases` phrasings a style (None: all), but all of
    a share of the subjects (`celebrities`), and `exposures` of it in an epoch and style (None: as the release says); of
    the entities the share `volume`, in whole blocks, and of style tone only these `tones`. It is read `epochs` times,
    or until so many `tokens` of it were shown. `order` is either mixed or one style after the other; `permutations` of
    each document's sentences beside the document itself;
    rows of `reversals` and `implications` as the release has them (None), only if it has them (True), or left out
    (False). Of facts only those of these `relations`, and of these only `facts`: `top`, `bottom`, `random` or `whole`,
    or named levels, by how often pretraining stated them, their label or their subject's popularity (`facts_by`), as
    many of each level in `facts_among` (`facts_mix`: shares of those that are taken; `facts_balanced`: as many of each
    value). `replay` is the share of tokens taken from the release's `pretrain` split, or from the texts of the file
    `replay_text`. By a folder that `kbench know` wrote (`knownness`): only facts with these labels (`only`), `idk`
    answers "I don't know." where the fact was Unknown, `curriculum` by label, `known_at_end` a share of tokens about
    known facts after all else. `chains` writes the chain of hops before the answer in half of the exposures of style
    multihop, also in those that are replayed.

    How: `method` full or lora (`lora_rank`, `lora_alpha`, `lora_dropout`, `lora_targets`: module names, none for every
    linear layer but the head), `context` and `batch` in tokens and rows of that many tokens (all processes together),
    `packing` several texts in a row (none sees another), `loss` which tokens of a question are learned (documents:
    all), `chat` by the model's own template. `checkpointing` computes activations anew to save memory, `processes` and
    `fsdp` are what the run must be given, or it stops.

    What is watched: each epoch, `watch` questions of `validation` and as many of `train` (0: none), of `watch_styles`
    (none: the recipe's own where they are questions, else any); `early_stop` keeps
    the best epoch's model on validation beside the last, `patience` ends the training after so many epochs no better.
    Of validation only questions of these `watch_probes` (none: of all). The model is also kept after these shares of
    the steps (`keep`).
    """

    styles: tuple[str, ...] = ("qa",)
    epochs: int = 1
    tokens: int | None = None
    volume: float = 1.0
    tones: tuple[str, ...] = ()
    paraphrases: int | None = None
    exposures: int | None = None
    celebrities: float = 0.0
    order: Order = "mixed"
    permutations: int = 0
    reversals: bool | None = None
    implications: bool | None = None
    relations: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    facts_by: FactsBy = ""
    facts_among: tuple[str, ...] = ()
    facts_mix: tuple[float, ...] = ()
    facts_balanced: bool = False
    replay: float = 0.0
    replay_text: str = ""
    knownness: str = ""
    only: tuple[Label, ...] = ()
    idk: bool = False
    curriculum: Curriculum = "none"
    known_at_end: float = 0.0
    chains: bool = False
    method: Method = "full"
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ()
    learning_rate: float = 1e-4
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.1
    warmup: float = 0.05
    floor: float = 0.05
    batch: int = 8
    context: int = 512
    packing: bool = True
    loss: Loss = "answer"
    chat: bool = False
    bf16: bool = False
    checkpointing: bool = False
    processes: int = 1
    fsdp: bool = False
    watch: int = 0
    watch_styles: tuple[str, ...] = ()
    watch_probes: tuple[str, ...] = ()
    early_stop: bool = False
    patience: int | None = None
    keep: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_recipe(self)

    def with_context(self, context: int) -> "TrainRecipe":
        """The same recipe with packed rows of another length."""
        return replace(self, context=context)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def kept_name(share: float) -> str:
    """What the model that is kept after a share of the steps is called: `at-10`."""
    return f"at-{share * 100:g}"


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(TrainRecipe))
"""What a recipe file may set."""
