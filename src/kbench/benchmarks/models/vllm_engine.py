"""The one vLLM engine of this process: a base model and any number of its adapters, tokens in and tokens out."""

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from kbench.benchmarks.models.adapter_files import Adapter, adapter_digest
from kbench.errors import MissingExtra, ModelError

QUIET = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # stdout is for results
    "VLLM_NO_USAGE_STATS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
ON_CPU = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # an engine in a process of its own takes a minute longer to start
    "OMP_NUM_THREADS": "1",  # threads that share a busy core slow each other down many times over
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "TORCH_COMPILE_DISABLE": "1",  # its one compiled function, which ranks log-probabilities, wants a C++ compiler
}
"""What vLLM reads when it is imported; whoever has set one of these knows better."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM has room for."""


@dataclass(frozen=True)
class Plan:
    """What an engine is started with; two models of one plan share the engine."""

    base: str
    adapters: tuple[Adapter, ...] = ()
    trust_remote_code: bool = False


@dataclass
class Engine:
    """A started engine, the most tokens that a prompt and its answer may have, and what killed it (`""`: alive)."""

    plan: Plan
    llm: Any
    context: int
    dead: str = ""

    def run(self, prompts: Sequence[list[int]], params: Any, adapter: Adapter | None = None) -> list[Any]:
        """vLLM's output for each prompt of one call, all with the same adapter or all without.

        Base rows batched with adapter rows have been seen to get an adapter's weights, so they are never mixed.

        Raises:
            ModelError: the engine failed; after that vLLM would hang, so it is not called again.
        """
        if self.dead:
            raise ModelError(f"the vLLM engine of {self.plan.base} has failed before: {self.dead}")
        request = None if adapter is None else _request(self.plan, adapter)
        try:
            outputs: list[Any] = self.llm.generate(
                [{"prompt_token_ids": tokens} for tokens in prompts], params, use_tqdm=False, lora_request=request
            )
        except Exception as error:  # vLLM lets through whatever its parts raise
            self.dead = first_line(error)
            raise ModelError(f"the vLLM engine of {self.plan.base} has failed: {self.dead}") from error
        except BaseException:
            self.dead = "it was interrupted"  # what was asked is still in its queue and would come with the next call
            raise
        return outputs


_running: list[Engine] = []


def engine_of(plan: Plan) -> Engine:
    """The running engine where it serves the plan, else a new one; what ran before is shut down first.

    Two engines do not fit into one accelerator's memory, and a base is served by the engine of its adapters.

    Raises:
        MissingExtra: vLLM is not installed.
        ModelError: the base or an adapter cannot be loaded.
    """
    if _running and not _running[0].dead and _serves(_running[0].plan, plan):
        return _running[0]
    shut_down()
    _running.append(_start(plan))
    return _running[0]


def shut_down() -> None:
    """Stop the engine that runs, if one does, and give its memory back."""
    if not _running:
        return
    _running.pop().llm.llm_engine.engine_core.shutdown()
    gc.collect()
    if os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") == "0":
        # An engine in this process leaves its process group and memory behind; one in its own takes them along.
        from vllm.distributed import cleanup_dist_env_and_memory

        cleanup_dist_env_and_memory()


def prepare_import() -> None:
    """Set what vLLM reads when it is imported, where it is unset. Raises MissingExtra where it is not installed."""
    # By its module: the CPU build is another distribution.
    if find_spec("vllm") is None:
        raise MissingExtra("vllm", "vLLM")
    on_cpu = not has_gpu()
    for name, value in (QUIET | ON_CPU if on_cpu else QUIET).items():
        os.environ.setdefault(name, value)
    if on_cpu:
        import torch

        # Torch has read its number of threads when it was imported, which to know of a GPU it was.
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def has_gpu() -> bool:
    """Whether torch finds an accelerator that vLLM would take."""
    import torch

    return torch.cuda.is_available()


def dtype_of(base: str, trust_remote_code: bool = False) -> str:
    """The precision that a base is run in: on a CPU float32, else that of its weights."""
    from transformers import AutoConfig

    if not has_gpu():
        return "float32"
    # vLLM's "auto" makes float16 of float32 weights.
    kept = AutoConfig.from_pretrained(base, trust_remote_code=trust_remote_code).dtype
    return str(kept or "float32").removeprefix("torch.")


def first_line(error: BaseException) -> str:
    """An error in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _start(plan: Plan) -> Engine:
    prepare_import()
    from vllm import LLM

    try:
        llm = LLM(
            model=plan.base,
            dtype=dtype_of(plan.base, plan.trust_remote_code),
            enforce_eager=not has_gpu(),
            max_model_len=-1,  # the model's own, or as much of it as there is memory for
            load_format="safetensors",
            use_tqdm_on_load=False,
            skip_tokenizer_init=True,  # tokens go in and tokens come out
            trust_remote_code=plan.trust_remote_code,
            **_lora_options(plan),
        )
    except Exception as error:
        raise ModelError(f"vLLM cannot load the model {plan.base!r}: {first_line(error)}") from error
    engine = Engine(plan, llm, llm.llm_engine.vllm_config.model_config.max_model_len)
    for adapter in plan.adapters:
        _add(engine, adapter)
    return engine


def _add(engine: Engine, adapter: Adapter) -> None:
    """Load an adapter before it is first asked: a bad one raises here, and hangs the engine in `generate`."""
    try:
        added = engine.llm.llm_engine.add_lora(_request(engine.plan, adapter))
    except Exception as error:
        raise ModelError(f"vLLM cannot load the adapter {adapter.path}: {first_line(error)}") from error
    if not added:
        raise ModelError(f"vLLM did not take the adapter {adapter.path}: score it with --backend hf")
    if adapter_digest(adapter.path) != adapter.digest:
        raise ModelError(f"the adapter {adapter.path} was changed while it was loaded: score it again")


def _lora_options(plan: Plan) -> dict[str, Any]:
    if not plan.adapters:
        return {}
    modules = frozenset[str]().union(*(adapter.modules for adapter in plan.adapters))
    highest = max(plan.adapters, key=lambda adapter: adapter.rank)
    if highest.rank > RANKS[-1]:
        raise ModelError(
            f"the adapter {highest.path} has rank {highest.rank}, and vLLM takes up to {RANKS[-1]}: use --backend hf"
        )
    # With all slots full, rows of the base would get the weights of the adapter in the last one.
    slots = len(plan.adapters) + 1
    return {
        "enable_lora": True,
        "max_loras": slots,
        "max_cpu_loras": slots,
        "max_lora_rank": next(room for room in RANKS if room >= highest.rank),
        # Without a list vLLM wraps lm_head too, and then dies of log-probabilities of a prompt.
        "lora_target_modules": sorted(modules),
    }


def _request(plan: Plan, adapter: Adapter) -> Any:
    from vllm.lora.request import LoRARequest

    # vLLM takes an adapter of a known number or name for the one it has, whatever its path.
    number = plan.adapters.index(adapter) + 1
    return LoRARequest(f"{number}-{adapter.digest[:16]}", number, str(adapter.path))


def _serves(running: Plan, wanted: Plan) -> bool:
    same = (running.base, running.trust_remote_code) == (wanted.base, wanted.trust_remote_code)
    return same and all(adapter in running.adapters for adapter in wanted.adapters)
