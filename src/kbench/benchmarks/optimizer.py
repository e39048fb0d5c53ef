"""Muon on the hidden matrices, AdamW on the rest: a small model from scratch learns far sooner than by AdamW alone."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


class MuonAndAdamW(torch.optim.Optimizer):
    """`torch.optim.Muon` for hidden matrices and AdamW for embeddings, head and norms, stepped as one.

    Its parameter groups are those of the two, so that a schedule reaches both.
    """

    def __init__(self, model: PreTrainedModel, muon_rate: float, adam_rate: float, weight_decay: float) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        head = model.get_output_embeddings()
        tables = [*(m for m in model.modules() if isinstance(m, nn.Embedding)), *([head] if head else [])]
        outer = {id(parameter) for table in tables for parameter in table.parameters()}
        for parameter in model.parameters():
            hidden = parameter.ndim == 2 and id(parameter) not in outer
            (matrices if hidden else others).append(parameter)
        super().__init__([*matrices, *others], {"lr": adam_rate})
        muon = torch.optim.Muon(matrices, lr=muon_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        adam = torch.optim.AdamW(others, lr=adam_rate, betas=(0.9, 0.98), weight_decay=weight_decay)
        self.parts = (muon, adam)
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step both."""
        for part in self.parts:
            part.step()  # type: ignore[no-untyped-call]

    def state_dict(self) -> dict[str, Any]:
        """The state of both, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
