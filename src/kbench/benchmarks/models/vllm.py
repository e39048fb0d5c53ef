"""Scoring through vLLM's offline engine: a model, or one base and many adapters of it in one engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from kbench.benchmarks.models.adapter_files import Adapter, check_tensors, is_adapter, read_adapter
from kbench.benchmarks.models.context import check_context
from kbench.benchmarks.models.protocol import Decoding, Reply, Weight
from kbench.benchmarks.models.tokens import breaking_tokens, prompt_tokens, weighed_tokens
from kbench.benchmarks.models.vllm_engine import Plan, dtype_of, engine_of, first_line, has_gpu, prepare_import
from kbench.benchmarks.results import model_digests
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError
from kbench.ids import digest_of

CHUNK = 1024
"""How many prompts one call of the engine gets: what a kill may lose."""

HEADS = frozenset({"lm_head", "embed_tokens"})
"""The modules that vLLM cannot adapt and still give log-probabilities of a prompt."""


@dataclass(frozen=True)
class _Draw:
    """A text that the engine wrote, its tokens, and whether it was ended by the end of a line."""

    text: str
    tokens: int
    broken: bool


@dataclass(frozen=True)
class VllmModel:
    """A model in the engine of its plan: the base, or the base with one adapter.

    The engine is found anew for each chunk, so two models of different bases can be used in turn, if slowly.
    """

    name: str
    plan: Plan
    tokenizer: Any
    adapter: Adapter | None = None
    chunk: int = CHUNK

    def about(self) -> dict[str, Any]:
        """Engine, precision, device, context, and the digests of weights, tokenizer and adapter."""
        import vllm

        about: dict[str, Any] = {
            "engine": f"vllm {vllm.__version__}",
            "dtype": dtype_of(self.plan.base, self.plan.trust_remote_code),
            "device": "cuda" if has_gpu() else "cpu",
            "context": engine_of(self.plan).context,
            **model_digests(Path(self.plan.base)),
        }
        if self.adapter is not None:
            own = model_digests(self.adapter.path)
            about |= {key: own[key] for key in ("adapter", "tokenizer") if key in own} | {"base": self.plan.base}
        return about

    def without_adapter(self) -> "VllmModel | None":
        """The base, in the same engine and read by the same tokenizer; None where there is no adapter."""
        return None if self.adapter is None else replace(self, name=self.plan.base, adapter=None)

    def ask(self, items: Sequence[Item], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The reply to each item, a chunk at a time; draws are the same again, whatever else is asked with them."""
        encoded = prompt_tokens(self.tokenizer, items)
        check_context(items, [len(tokens) for tokens in encoded], engine_of(self.plan).context, decoding)
        breaks = _breaking(self.tokenizer) if decoding.first_line else frozenset[int]()
        for places in _chunks(len(items), self.chunk):
            found = self._said(items, encoded, places, decoding, breaks)
            # A line that ended blank is not the first: such a prompt is answered without ends of lines.
            blank = [place for place in places if any(not draw.text.strip() and draw.broken for draw in found[place])]
            found |= self._said(items, encoded, blank, decoding, frozenset()) if blank else {}
            for place in places:
                texts = tuple(draw.text for draw in found[place])
                yield place, Reply(texts, len(encoded[place]), sum(draw.tokens for draw in found[place]))

    def _said(
        self,
        items: Sequence[Item],
        encoded: Sequence[list[int]],
        places: Sequence[int],
        decoding: Decoding,
        breaks: frozenset[int],
    ) -> dict[int, list["_Draw"]]:
        """The draws of each place's item, none of which goes on behind one of the tokens `breaks`."""
        params = [self._params(items[place], decoding, breaks) for place in places]
        outputs = engine_of(self.plan).run([encoded[place] for place in places], params, self.adapter)
        found = {}
        for place, output in zip(places, outputs, strict=True):
            said = [list(draw.token_ids) for draw in output.outputs]
            texts = self.tokenizer.batch_decode(said, skip_special_tokens=True)
            ends = [bool(tokens) and tokens[-1] in breaks for tokens in said]
            found[place] = [_Draw(*each) for each in zip(texts, map(len, said), ends, strict=True)]
        return found

    def weigh(self, asked: Sequence[tuple[Item, str]]) -> Iterator[tuple[int, Weight]]:
        """The log-probability of each continuation, read off the prompt that holds it."""
        from vllm import SamplingParams

        weighed = weighed_tokens(self.tokenizer, asked)
        wholes = [each.prompt + each.continuation for each in weighed]
        # vLLM cannot but write a token more.
        most = Decoding(max_tokens=1)
        check_context([item for item, _ in asked], [len(w) for w in wholes], engine_of(self.plan).context, most)
        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        for places in _chunks(len(asked), self.chunk):
            outputs = engine_of(self.plan).run([wholes[place] for place in places], params, self.adapter)
            for place, output in zip(places, outputs, strict=True):
                said, start = weighed[place].continuation, len(weighed[place].prompt)
                found = zip(said, output.prompt_logprobs[start:], strict=True)
                yield place, Weight(sum(each[token].logprob for token, each in found), len(said))

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt that the model's own chat template makes."""
        if not self.tokenizer.chat_template:
            raise ModelError(f"the model {self.name} has no chat template: score it without --chat")
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template of {self.name} refuses the messages: {error}") from None

    def _params(self, item: Item, decoding: Decoding, breaks: frozenset[int]) -> Any:
        from vllm import SamplingParams

        # Of one seed for all, prompts would draw with the same luck: each has its own, and a prompt's draws differ by
        # vLLM's own counting.
        luck = int(digest_of("draw", str(decoding.seed), item.prompt)[:8], 16)
        return SamplingParams(
            n=decoding.samples,
            temperature=decoding.temperature,
            top_k=decoding.top_k,
            seed=luck if decoding.temperature else None,
            max_tokens=decoding.max_tokens,
            # As the tokenizer has it; what else the model's generation_config.json names, vLLM adds.
            stop_token_ids=sorted(breaks | {self.tokenizer.eos_token_id} - {None}),
            detokenize=False,
        )


def open_vllm(name: str, *, base: str | None = None, trust_remote_code: bool = False, chunk: int = CHUNK) -> VllmModel:
    """A model by folder or Hub id, or an adapter folder on `base` (None: the base that it names).

    Raises:
        MissingExtra: vLLM is not installed.
        ModelError: the model or adapter cannot be loaded, or does not fit the base.
    """
    prepare_import()
    from kbench.benchmarks.models.loading import adapter_config

    path = Path(name)
    if is_adapter(path) or (not path.exists() and adapter_config(name)):
        base = base or read_adapter(path).base
        if not base:
            raise ModelError(f"the adapter {name} does not name its base: give it by --base")
        models = open_vllm_adapters(base, [path], trust_remote_code=trust_remote_code, chunk=chunk)
        return replace(models[path], name=name)
    return _open(Plan(name, (), trust_remote_code), chunk)


def open_vllm_adapters(
    base: str, adapters: Sequence[Path], *, trust_remote_code: bool = False, chunk: int = CHUNK
) -> dict[Path | None, VllmModel]:
    """The base (under None) and each adapter as models that share one engine. Raises what `open_vllm` does."""
    prepare_import()
    read = {path: read_adapter(path) for path in adapters}
    for adapter in read.values():
        check_tensors(adapter, base, trust_remote_code=trust_remote_code)
        if heads := adapter.modules & HEADS:
            raise ModelError(
                f"the adapter {adapter.path} changes {', '.join(sorted(heads))}, which vLLM cannot: use --backend hf"
            )
    bare = _open(Plan(base, tuple(read.values()), trust_remote_code), chunk)
    models: dict[Path | None, VllmModel] = {None: bare}
    for path, adapter in read.items():
        tokenizer = (
            _tokenizer(path, trust_remote_code) if (path / "tokenizer_config.json").is_file() else bare.tokenizer
        )
        models[path] = replace(bare, name=str(path), tokenizer=tokenizer, adapter=adapter)
    return models


def _open(plan: Plan, chunk: int) -> VllmModel:
    prepare_import()
    path = Path(plan.base)
    if path.exists() and not (path / "config.json").is_file():
        raise ModelError(f"{path} is no model: expected config.json and model.safetensors there")
    if path.exists() and not any(path.glob("*.safetensors")):
        raise ModelError(f"{path} holds no safetensors, and pickled weights are not opened: save it as safetensors")
    if not path.exists() and (plan.base.startswith((".", "/", "~")) or plan.base.count("/") != 1):
        raise ModelError(f"no model {plan.base!r}: there is no such folder, and it is no Hub id (ORG/NAME)")
    tokenizer = _tokenizer(path if path.exists() else plan.base, plan.trust_remote_code)
    engine_of(plan)
    return VllmModel(plan.base, plan, tokenizer, chunk=chunk)


def _tokenizer(name: Path | str, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(name), trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load the tokenizer of {name}: {first_line(error)}") from None


@cache
def _breaking(tokenizer: Any) -> frozenset[int]:
    return breaking_tokens(tokenizer)


def _chunks(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
