"""What the training benchmark measures by and on: the clock of a run's steps, its rows, and a larger model."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from kbench.benchmarks.packing import PackedRows

WARM = 1
"""Steps that are not counted: memory is taken and the optimiser's state made in the first."""


@dataclass(frozen=True)
class Measured:
    """A training: tokens that are not padding in a step and in all rows, CPU seconds of a step and before the first."""

    tokens_a_step: float
    tokens: int
    step: float
    before: float

    @property
    def rate(self) -> float:
        """Tokens a CPU second, of the steps alone."""
        return self.tokens_a_step / self.step

    @property
    def whole(self) -> float:
        """CPU seconds that all rows take once over, with what comes before the first step."""
        return self.before + self.tokens / self.rate


@dataclass
class StepClock:
    """CPU time of this process when it began and after each step."""

    began: float = field(default_factory=time.process_time)
    ends: list[float] = field(default_factory=list)

    def tick(self) -> None:
        """A step is done."""
        self.ends.append(time.process_time())

    def measured(self, trained: int, tokens: int) -> Measured:
        """What a training on so many tokens took, of so many that there are."""
        step = (self.ends[-1] - self.ends[WARM - 1]) / (len(self.ends) - WARM)
        return Measured(trained / len(self.ends), tokens, step, self.ends[WARM - 1] - self.began - WARM * step)


def some(rows: PackedRows, count: int) -> PackedRows:
    """The first rows of them. Raises ValueError where there are fewer."""
    if count > len(rows):
        raise ValueError(f"expected at most {len(rows)} rows of this release (got {count}): take fewer steps")
    firsts = rows.firsts[: count + 1]
    texts = rows.shown[: firsts[-1]]
    tokens = int((rows.starts[texts + 1] - rows.starts[texts]).sum())
    return replace(rows, firsts=firsts, shown=texts, tokens=tokens, epochs=(count,))


def larger_base(lab: Path, out: Path) -> Path:
    """A Llama of 20 million random weights with the lab's tokenizer and a vocabulary of 12,000, mostly unused."""
    tokenizer = AutoTokenizer.from_pretrained(lab)
    config = LlamaConfig(
        vocab_size=12_000,
        hidden_size=384,
        intermediate_size=1056,
        num_hidden_layers=6,
        num_attention_heads=6,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out
