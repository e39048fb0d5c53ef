"""Whether an engine really applies an adapter: an adapter left out without a word would be scored as its base."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.benchmarks.models.adapter_files import Adapter, adapter_digest, check_tensors, read_adapter, zero_modules
from kbench.benchmarks.models.protocol import Model
from kbench.benchmarks.models.tokens import weighed_tokens
from kbench.benchmarks.prompts import completion_of
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError

PROMPTS = 8
"""How many texts are weighed with the adapter on and off."""

AGAINST_PEFT = 4
"""How many of these PEFT weighs too."""

CLOSE = 1e-3
"""What two engines may differ by in the log-probability of a text, in float32."""

ROUNDING = 0.02
"""In fewer bits than 32, the part of an adapter's effect by which two engines may differ: what rounding may do."""

Asked = Sequence[tuple[Item, str]]


@dataclass(frozen=True)
class Weighed:
    """The log-probabilities of the same texts with the adapter on and off."""

    on: list[float]
    off: list[float]

    @property
    def change(self) -> float:
        """The largest difference that the adapter makes to a text."""
        return _gap(self.on, self.off)


def adapter_truth(
    on: Model, off: Model, adapter: Path, base: str, items: Sequence[Item], *, trust_remote_code: bool = False
) -> dict[str, Any]:
    """What a result keeps of the proof that `on` is the base with the adapter and `off` the base, in one engine.

    The adapter must hold the tensors that its config asks for; the log-probabilities of the same texts, drawn from
    `items`, must differ between on and off by more than between two calls of the same (or must not, where all its B
    matrices are zero); and some of them must be those that PEFT gives, where memory allows a copy of the base.

    Raises:
        ModelError: the adapter does not fit its base, was not applied, or only in part, or another one was.
    """
    read = read_adapter(adapter)
    check_tensors(read, base, trust_remote_code=trust_remote_code)
    zeros = zero_modules(read)
    zero = len(zeros) == len({key.split(".lora_", 1)[0] for key in read.shapes if ".lora_" in key})
    asked = texts_of(items)
    first, again = (Weighed(_weigh(on, asked), _weigh(off, asked)) for _ in range(2))
    noise = max(_gap(first.on, again.on), _gap(first.off, again.off))
    _check_change(read, str(on.about()["engine"]), first.change, noise, zero)
    rounding = 0.0 if on.about()["dtype"] == "float32" else ROUNDING
    against = _check_against_peft(read, base, asked[:AGAINST_PEFT], first, rounding, trust_remote_code)
    if adapter_digest(read.path) != read.digest:
        raise ModelError(f"the adapter {adapter} was changed while it was checked: score it again")
    return {
        "applied": not zero,
        "weights_and_config": read.digest,
        "largest_change": first.change,
        "noise": noise,
        "zero": zero,
        "zero_modules": len(zeros),
        **against,
    }


def texts_of(items: Sequence[Item], count: int = PROMPTS) -> list[tuple[Item, str]]:
    """Some of the items, spread evenly, with their answers as continuations."""
    step = max(1, len(items) // count)
    return [(item, completion_of(item.row)) for item in items[::step][:count]]


def _check_change(adapter: Adapter, engine: str, change: float, noise: float, zero: bool) -> None:
    measured = f"largest change of a log-probability {change:.2g}, between two calls of the same {noise:.2g}"
    if not zero and change <= noise:
        raise ModelError(
            f"the adapter {adapter.path} was not applied by {engine} ({measured}): a score of it would be its base's"
        )
    if zero and change > noise:
        raise ModelError(
            f"the adapter {adapter.path} is zero, but {engine} applies something in its place ({measured}): "
            f"was it overwritten since the engine started?"
        )


def _check_against_peft(
    adapter: Adapter, base: str, asked: Asked, found: Weighed, rounding: float, trust_remote_code: bool
) -> dict[str, Any]:
    """That PEFT gives the same log-probabilities with the adapter as the engine does, as near as it does without it."""
    # PEFT's own copy of the base is in float32 and on the CPU: it must leave room for the engine's.
    if 2 * _bytes_in_float32(base, trust_remote_code) > _free_memory():
        return {"checked_against_peft": False, "why_not": "too little memory for a second copy of the base"}
    peft = _weigh_by_peft(adapter, base, asked, trust_remote_code)
    here = Weighed(found.on[: len(asked)], found.off[: len(asked)])
    without, with_it = _gap(here.off, peft.off), _gap(here.on, peft.on)
    allowed = max(CLOSE, 4 * without, rounding * peft.change)
    if with_it > allowed:
        raise ModelError(
            f"the adapter {adapter.path} is not what was applied: log-probabilities are up to {with_it:.2g} off from "
            f"PEFT's (its base's {without:.2g}): another adapter, an older one, or a part of this one was"
        )
    return {"checked_against_peft": True, "largest_gap_to_peft": with_it, "base_gap_to_peft": without}


def _weigh_by_peft(adapter: Adapter, base: str, asked: Asked, trust_remote_code: bool) -> Weighed:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    own = (adapter.path / "tokenizer_config.json").is_file()
    source = str(adapter.path) if own else base
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    model = AutoModelForCausalLM.from_pretrained(
        base, use_safetensors=True, dtype=torch.float32, trust_remote_code=trust_remote_code
    )
    tuned = PeftModel.from_pretrained(model, str(adapter.path)).eval()
    wholes = [(each.prompt + each.continuation, len(each.prompt)) for each in weighed_tokens(tokenizer, asked)]
    with torch.inference_mode():
        on = [_logprob(tuned, tokens, start) for tokens, start in wholes]
        with tuned.disable_adapter():
            off = [_logprob(tuned, tokens, start) for tokens, start in wholes]
    return Weighed(on, off)


def _logprob(model: Any, tokens: list[int], start: int) -> float:
    import torch

    ids = torch.tensor([tokens])
    scores = model(input_ids=ids, use_cache=False).logits[0, start - 1 : -1].log_softmax(-1)
    return float(scores.gather(1, ids[0, start:, None]).sum())


def _weigh(model: Model, asked: Asked) -> list[float]:
    found = dict(model.weigh(asked))
    return [found[place].logprob for place in range(len(asked))]


def _gap(these: Sequence[float], those: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(these, those, strict=True))


def _bytes_in_float32(base: str, trust_remote_code: bool) -> int:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    return 4 * int(model.num_parameters())


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
