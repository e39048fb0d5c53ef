"""Scoring through transformers: batches of like length, prompts read once, finished rows dropped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
import torch
import transformers

from kbench.benchmarks.models.batching import budget_of, in_batches
from kbench.benchmarks.models.context import check_context
from kbench.benchmarks.models.likelihood import weigh_behind_prompts, weigh_whole
from kbench.benchmarks.models.loading import load
from kbench.benchmarks.models.protocol import Decoding, Reply, Weight
from kbench.benchmarks.models.reading import can_read
from kbench.benchmarks.models.tokens import Ends, prompt_tokens, stop_tokens, weighed_tokens
from kbench.benchmarks.models.writing import Sampler, write_draws, write_greedily
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError


@dataclass
class HfModel:
    """A causal language model and its tokenizer.

    `batch` bounds the rows that are read together, which memory bounds anyway. Without `adapted` an adapter's model is
    asked as the base below it.
    """

    name: str
    model: Any
    tokenizer: Any
    batch: int | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    adapted: bool = True

    def about(self) -> dict[str, Any]:
        """Engine, precision, device, and where the weights are from."""
        return {
            "engine": f"transformers {transformers.__version__}",
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": self.model.device.type,
            **self.source,
        }

    def without_adapter(self) -> "HfModel | None":
        """The base below an adapter, of the same weights in memory; None where there is no adapter."""
        if not hasattr(self.model, "disable_adapter") or not self.adapted:
            return None
        source = {key: value for key, value in self.source.items() if key not in ("adapter", "base")}
        return replace(self, name=str(self.source.get("base", self.name)), source=source, adapted=False)

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The replies to each item's prompt, a batch of like length at a time."""
        prompts = prompt_tokens(self.tokenizer, items)
        self._check(items, [len(tokens) for tokens in prompts], decoding)
        greedy = decoding.temperature == 0
        ends = Ends(self.tokenizer, stop_tokens(self.inner, self.tokenizer), decoding.first_line)

        def write(places: list[int]) -> list[list[list[int]]]:
            chosen = [prompts[i] for i in places]
            with self.reading():
                if not self._rows_apart:
                    return self._generate(chosen, decoding, ends)
                if greedy:
                    return [[tokens] for tokens in write_greedily(self.inner, chosen, ends, decoding.max_tokens)]
                return write_draws(self.inner, chosen, ends, Sampler(decoding))

        draws = 1 if greedy else decoding.samples
        lengths = [len(tokens) * draws for tokens in prompts]
        kept = [draws] * len(prompts)
        for places, replies in in_batches(lengths, kept, budget_of(self.inner, self.batch), write):
            for place, drawn in zip(places, replies, strict=True):
                yield place, self._reply(drawn, len(prompts[place]), ends, decoding.samples)

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """How likely each continuation is, a batch of prompts at a time, each prompt read once for all behind it."""
        wanted = weighed_tokens(self.tokenizer, asked)
        lengths = [len(each.prompt) + len(each.continuation) for each in wanted]
        self._check([item for item, _ in asked], lengths, Decoding(max_tokens=0))
        way = weigh_behind_prompts if self._rows_apart else weigh_whole
        found = way(self.inner, wanted, budget_of(self.inner, self.batch))
        while True:
            # The mode is held for a batch, not for as long as the caller keeps this waiting.
            with self.reading():
                weights = next(found, None)
            if weights is None:
                return
            yield from weights

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's own chat template makes."""
        if not self.tokenizer.chat_template:
            raise ModelError(f"the model {self.name} has no chat template: score it without --chat")
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template of {self.name} refuses the messages: {error}") from None

    @property
    def context(self) -> int | None:
        """The most tokens that the model reads, where its config says."""
        found = getattr(self.inner.config.get_text_config(decoder=True), "max_position_embeddings", None)
        return found if isinstance(found, int) and found > 0 else None

    def _check(self, items: Sequence[Item], lengths: Sequence[int], decoding: Decoding) -> None:
        if self.context is not None:
            check_context(items, lengths, self.context, decoding)

    @property
    def inner(self) -> Any:
        """The model itself; with an adapter, the base whose layers the adapter has changed."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def _rows_apart(self) -> bool:
        return can_read(self.inner)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The model as it is when it is not trained: a model that is watched in training goes back to it."""
        trained = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode(), nullcontext() if self.adapted else self.model.disable_adapter():
                yield
        finally:
            self.model.train(trained)

    def _reply(self, drawn: list[list[int]], read: int, ends: Ends, samples: int) -> Reply:
        texts = self.tokenizer.batch_decode([ends.cut(tokens) for tokens in drawn], skip_special_tokens=True)
        written = sum(len(tokens) for tokens in drawn)
        return Reply(tuple(texts) * (samples // len(drawn)), read, written)

    def _generate(self, prompts: list[list[int]], decoding: Decoding, ends: Ends) -> list[list[list[int]]]:
        """The way of `generate`, for models whose state is more than keys and values."""
        longest = max(len(tokens) for tokens in prompts)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(tokens)) + tokens for tokens in prompts], device=self.model.device)
        mask = torch.tensor([[0] * (longest - len(t)) + [1] * len(t) for t in prompts], device=self.model.device)
        drawn = decoding.temperature > 0
        draws = decoding.samples if drawn else 1
        how: dict[str, Any] = {"do_sample": False}
        if drawn:
            torch.manual_seed(decoding.seed)
            how = {
                "do_sample": True,
                "temperature": decoding.temperature,
                "top_k": decoding.top_k,
                "top_p": 1.0,
                "num_return_sequences": draws,
            }
        with _nothing_of_its_own(self.inner):
            out = self.inner.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=decoding.max_tokens,
                pad_token_id=pad,
                eos_token_id=sorted(ends.stops) or None,
                **how,
            )
        written = [_to_the_end(tokens, ends) for tokens in out[:, longest:].tolist()]
        return [written[i : i + draws] for i in range(0, len(written), draws)]


@contextmanager
def _nothing_of_its_own(model: Any) -> Iterator[None]:
    """The model without what its generation_config.json asks for, as a penalty on repetition, which no engine heeds."""
    own, model.generation_config = model.generation_config, transformers.GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def _to_the_end(tokens: list[int], ends: Ends) -> list[int]:
    """What was written before padding."""
    return next((tokens[: i + 1] for i in range(len(tokens)) if ends.over(tokens[: i + 1])), tokens)


def load_hf(
    name: str,
    *,
    batch: int | None = None,
    base: str | None = None,
    dtype: Any = torch.float32,
    trust_remote_code: bool = False,
) -> HfModel:
    """A model, or an adapter on its base, by folder or Hub id. Raises ModelError of one line."""
    loaded = load(name, base=base, dtype=dtype, trust_remote_code=trust_remote_code)
    return HfModel(name, loaded.model, loaded.tokenizer, batch, loaded.source)
