"""How weights are stepped: AdamW, or Muon on the hidden matrices; and the rate, a warm-up and a cosine to a floor.

With Muon a small model from scratch learns far sooner than by AdamW alone.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from kbench.benchmarks.recipe import TrainRecipe


class MuonAndAdamW(torch.optim.Optimizer):
    """`torch.optim.Muon` for hidden matrices and AdamW for embeddings, head and norms, stepped as one.

    Its parameter groups are those of the two, so that a schedule reaches both.
    """

    def __init__(self, model: Any, muon_rate: float, adam_rate: float, weight_decay: float) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        head = model.get_output_embeddings()
        tables = [*(m for m in model.modules() if isinstance(m, nn.Embedding)), *([head] if head else [])]
        outer = {id(parameter) for table in tables for parameter in table.parameters()}
        for parameter in (p for p in model.parameters() if p.requires_grad):
            hidden = parameter.ndim == 2 and id(parameter) not in outer
            (matrices if hidden else others).append(parameter)
        super().__init__([*matrices, *others], {"lr": adam_rate})
        parts: list[torch.optim.Optimizer] = []  # of an adapter there are matrices only
        if matrices:
            parts.append(
                torch.optim.Muon(matrices, lr=muon_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            )
        if others:
            parts.append(torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.98), weight_decay=weight_decay))
        self.parts = tuple(parts)
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def optimizer_of(model: Any, recipe: TrainRecipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over what can be trained of a model."""
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, recipe.learning_rate, recipe.learning_rate, recipe.weight_decay)
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.ndim > 1]
    plain = [p for p in trained if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))


def schedule_of(optimizer: Any, steps: int, recipe: TrainRecipe) -> LambdaLR:
    """A linear warm-up over the recipe's share of the steps, then a cosine to its floor."""
    return LambdaLR(optimizer, cosine(steps, recipe))


def cosine(steps: int, recipe: TrainRecipe) -> Callable[[int], float]:
    """The share of the peak rate at each step."""
    warm = max(1, int(steps * recipe.warmup))

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        gone = torch.tensor((step - warm) / max(1, steps - warm) * torch.pi)
        return recipe.floor + (1 - recipe.floor) * 0.5 * (1 + float(torch.cos(gone)))

    return rate
