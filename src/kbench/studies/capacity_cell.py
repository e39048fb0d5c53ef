"""One cell of a capacity sweep: a model of a size, trained on as many records as its load says, and what it learned."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from kbench import __version__
from kbench.benchmarks.optimizer import optimizer_of, schedule_of
from kbench.benchmarks.recipe import TrainRecipe
from kbench.ids import json_digest
from kbench.studies.records import VOCABULARY, Records, bits_a_person, record_release, records_of

LAYERS = 2

STEPS = 16
"""Steps in which all facts are read once: many small ones learn more than few large ones."""

RECIPE: dict[str, Any] = {"learning_rate": 1e-2, "optimizer": "muon", "weight_decay": 0.0}
"""Chosen on the seeds 100 and 101. By AdamW the same models had learned a tenth of it after 100 exposures."""

_HEAD = 8
"""A head's width; widths are multiples of it."""

Step = Callable[[int], None]


@dataclass(frozen=True)
class Capacity:
    """What one model learned: of `facts` facts with `offered` bits, read `exposures` times, `learned` bits.

    `size` is the number of parameters that was asked for, `parameters` what the model has, embeddings among them.
    """

    seed: int
    size: int
    parameters: int
    exposures: int
    load: float
    facts: int
    offered: float
    learned: float
    steps: int
    cpu_s: float

    @property
    def bits_a_parameter(self) -> float:
        """What is reported: learned bits by parameters."""
        return self.learned / self.parameters


@dataclass(frozen=True)
class Cell:
    """A model and what it is to read: so many times, facts of so many bits a parameter (`load`)."""

    seed: int
    size: int
    exposures: int
    load: float

    @property
    def people(self) -> int:
        """How many people the facts are about."""
        return max(STEPS, round(self.load * parameters_of(_width(self.size)) / bits_a_person()))

    @property
    def batch(self) -> int:
        """How many of them a step reads."""
        return -(-self.people // STEPS)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return -(-self.people // self.batch) * self.exposures

    @property
    def name(self) -> str:
        """What its file is called: no other version, recipe or cell has the same."""
        plan = [__version__, torch.__version__, LAYERS, STEPS, RECIPE, asdict(self)]
        return f"{self.size}x{self.exposures}x{self.load:g}.seed{self.seed}.{json_digest(plan)[:8]}"


def measure_cell(cell: Cell, out: Path, step: Step) -> Capacity:
    """Train the cell's model, and count what it knows; the world it reads of is kept under `out`."""
    release = record_release(cell.people, cell.seed, out / "worlds" / f"{cell.people}.seed{cell.seed}")
    records = records_of(release).first(cell.people)
    torch.manual_seed(cell.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = LlamaForCausalLM(_config(_width(cell.size)))
    model.to(device)
    begin = time.process_time()
    tokens = torch.from_numpy(records.tokens).to(device)
    _train(model, tokens, records.name, cell, step)
    return Capacity(
        **asdict(cell),
        parameters=model.num_parameters(),
        facts=records.facts,
        offered=records.bits,
        learned=max(0.0, records.bits - bits_left(model, records)),
        steps=cell.steps,
        cpu_s=round(time.process_time() - begin, 2),
    )


def _train(model: Any, tokens: torch.Tensor, name: int, cell: Cell, step: Step) -> None:
    """All facts in a new order each exposure. Of a record the values alone are learned: a name is given, not stored.

    A loop of its own: for models that take a hundredth of a second a step, Trainer would be the larger part.
    """
    recipe = TrainRecipe(**RECIPE, seed=cell.seed)
    optimizer = optimizer_of(model, recipe)
    schedule = schedule_of(optimizer, cell.steps, recipe)
    stream = torch.Generator().manual_seed(cell.seed)
    taken = 0
    for _ in range(cell.exposures):
        for rows in torch.randperm(len(tokens), generator=stream).split(cell.batch):
            shown = tokens[rows.to(tokens.device)]
            scores = _scores(model, shown, name)
            cross_entropy(scores.flatten(0, 1), shown[:, name:].flatten()).backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            taken += 1
            step(taken)


@torch.inference_mode()
def bits_left(model: Any, records: Records) -> float:
    """How many bits of the values the model does not know: its cross entropy among the values that there might be."""
    device, left = next(model.parameters()).device, 0.0
    for shown in torch.from_numpy(records.tokens).split(1024):
        scores = _scores(model, shown.to(device), records.name).double()
        for place, parts in enumerate(records.parts):
            told = scores[:, place].log_softmax(-1)
            among = told[:, list(parts)].logsumexp(-1)
            said = told.gather(1, shown[:, records.name + place, None].to(device))[:, 0]
            left += float((among - said).sum()) / log(2)
    return left


def _scores(model: Any, tokens: torch.Tensor, name: int) -> torch.Tensor:
    """What the model expects at each place behind the name, before it reads it."""
    states = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
    scores: torch.Tensor = model.lm_head(states[:, name - 1 :]).float()
    return scores


def _width(size: int) -> int:
    """The width at which a model is nearest to a size."""
    width = _HEAD
    while abs(parameters_of(width + _HEAD) - size) < abs(parameters_of(width) - size):
        width += _HEAD
    return width


def parameters_of(width: int = _HEAD) -> int:
    """How many parameters a model has, embeddings (the head's too) among them; without a width, the smallest."""
    attention, feed_forward, norms = 4 * width * width, 3 * width * 2 * width, 2 * width
    return VOCABULARY * width + LAYERS * (attention + feed_forward + norms) + width


def _config(width: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=LAYERS,
        num_attention_heads=width // _HEAD,
        num_key_value_heads=width // _HEAD,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        attn_implementation="eager",  # type: ignore[call-arg]
    )
