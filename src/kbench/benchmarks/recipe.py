"""A training recipe: every choice that a finetune was made with, as one value that the run keeps."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kbench.errors import SpecError
from kbench.schema import STYLES

Loss = Literal["answer", "all"]
Optimizer = Literal["adamw", "muon"]


@dataclass(frozen=True)
class TrainRecipe:
    """How a model is finetuned.

    `replay` is the share of training tokens taken from the release's `pretrain` split; `context` and `batch` are in
    tokens and rows of that many tokens; `loss` says which tokens of a question row are learned (documents: all).
    """

    styles: tuple[str, ...] = ("qa",)
    epochs: int = 1
    learning_rate: float = 1e-4
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.1
    warmup: float = 0.05
    floor: float = 0.05
    batch: int = 8
    context: int = 512
    loss: Loss = "answer"
    replay: float = 0.0
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for style in self.styles:
            if style not in STYLES:
                raise SpecError(f"unknown style {style!r}: have {', '.join(STYLES)}")
        bounds = {"epochs": (1, 10_000), "batch": (1, 65_536), "context": (8, 1_048_576), "seed": (0, 2**32 - 1)}
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise SpecError(f"{name} must lie in {least} to {most:,} (got {getattr(self, name)})")
        if not 0 < self.learning_rate < 1:
            raise SpecError(f"learning rate must lie between 0 and 1 (got {self.learning_rate})")
        if not 0 <= self.replay < 1:
            raise SpecError(f"replay must lie in 0 to 1 (got {self.replay})")

    def with_context(self, context: int) -> "TrainRecipe":
        """The same recipe with packed rows of another length."""
        return replace(self, context=context)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {**asdict(self), "styles": list(self.styles)}
