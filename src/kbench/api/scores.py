"""Scoring from Python: how questions are asked, from the words of the command, a result, and what a model knew."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kbench.api.recipes import PathLike
from kbench.api.releases import load_release
from kbench.api.runs import trainer
from kbench.benchmarks.engine import Backend, Engine, has_weights
from kbench.errors import SpecError
from kbench.hub.models import fetch_model
from kbench.store import Release

if TYPE_CHECKING:
    from kbench.benchmarks.asking import Asking
    from kbench.benchmarks.knownness import Knownness
    from kbench.benchmarks.scoring import Result

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


def asking_of(
    *,
    prompt: Literal["plain", "cot", "chain", "open-book"] = "plain",
    shots: int = 0,
    shots_from: Literal["same", "other"] = "same",
    prompt_seed: int = 0,
    chat: bool = False,
    likelihood: bool = False,
    style: str | Sequence[str] | None = None,
    limit: int | None = None,
    max_tokens: int | None = None,
) -> "Asking":
    """The asking that `kbench eval` and `kbench.evaluate` use, of the same words. Raises SpecError."""
    from kbench.benchmarks.asking import Asking
    from kbench.benchmarks.models.protocol import Decoding
    from kbench.benchmarks.prompting import Prompting, default_max_tokens

    prompting = Prompting(prompt, shots, shots_from, chat, prompt_seed)
    decoding = Decoding(max_tokens=max_tokens or default_max_tokens(prompting))
    styles = (style,) if isinstance(style, str) else tuple(style or ())
    return Asking(limit=limit, prompting=prompting, decoding=decoding, likelihood=likelihood, styles=styles)


def evaluate(
    release: PathLike | Release,
    model: PathLike,
    out: PathLike,
    base: PathLike | None = None,
    *,
    no_base: bool = False,
    prompt: Literal["plain", "cot", "chain", "open-book"] = "plain",
    shots: int = 0,
    shots_from: Literal["same", "other"] = "same",
    prompt_seed: int = 0,
    chat: bool = False,
    likelihood: bool = False,
    style: str | Sequence[str] | None = None,
    limit: int | None = None,
    max_tokens: int | None = None,
    backend: Backend = "auto",
    batch_size: int | None = None,
    trust_remote_code: bool = False,
    concurrency: int = 16,
    requests_per_minute: int | None = None,
    price: tuple[float, float] | None = None,
    timeout: float = 60.0,
    progress: Progress = lambda done, total: None,
) -> "Result":
    """Score a model by exact match, each score beside its control, base and chance level: `kbench eval` in Python.

    A finished result is left alone, an interrupted one goes on from the replies that it has.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        model: a folder, a Hub id, `openai:MODEL@URL`, or "oracle", "random", "majority".
        out: the folder for results.json and samples.parquet.
        base: the untuned model, scored on the same rows and kept for others; that of the run or adapter, if None.
        no_base: score no untuned model.
        prompt: "plain", "cot" (a chain of thought first), "chain" (one as taught), or "open-book" (with the facts).
        shots: worked examples before each question.
        shots_from: examples of the "same" relation as the question, or of "other" ones.
        prompt_seed: which examples.
        chat: ask through the model's own chat template.
        likelihood: also weigh answers and options by log-probability.
        style: ask only questions of a style, or of several; the result says so.
        limit: ask only so many rows of each style and split; the result says so.
        max_tokens: the longest reply, in tokens; 32, and 128 for "cot" and "chain", if None.
        backend: "hf" (transformers), "vllm", or "auto": vLLM where there is a GPU.
        batch_size: prompts read together; what memory holds, if None.
        trust_remote_code: run the Python code that a model brings with it.
        concurrency: of an endpoint, requests at a time.
        requests_per_minute: of an endpoint, at most.
        price: of an endpoint, dollars for a million tokens read and written.
        timeout: of an endpoint, seconds until a request is given up.
        progress: called with questions done and questions in all.

    Returns:
        The result: `scores()` is a row a style and probe, `about` is results.json.

    Raises:
        MissingExtra: torch, transformers, vllm or openai is not installed, and a model is to be asked by it.
        ReleaseError: there is no release, or it has no questions.
        ModelError: a model cannot be found or loaded, or its engine fails; what was replied is kept.
        OutputError: `out` holds something else, or another result.

    >>> release = kbench.generate("my-world", spec="lab", seed=7)
    >>> kbench.evaluate(release, "majority", "guesses")
    result guesses: majority on world b7adeec1
      qa        recall      0.07 (0.04 to 0.12), control 0.02, chance 0.03, 1,296 rows
      qa        paraphrase  0.07 (0.04 to 0.12), control 0.02, chance 0.03, 324 rows
      qa        known       0.04 (0.01 to 0.07), control 0.02, chance 0.03, 324 rows
      qa        control     0.02 (0.00 to 0.06), chance 0.03, 162 rows
    """
    from kbench.benchmarks.results import base_of
    from kbench.benchmarks.scoring import score

    opened, name = load_release(release), str(model)
    asking = asking_of(
        prompt=prompt,
        shots=shots,
        shots_from=shots_from,
        prompt_seed=prompt_seed,
        chat=chat,
        likelihood=likelihood,
        style=style,
        limit=limit,
        max_tokens=max_tokens,
    )
    engine = Engine(backend, batch_size, trust_remote_code, concurrency, requests_per_minute, price, timeout)
    if no_base and base is not None:
        raise SpecError(f"no_base leaves out the base that is given ({base}): give one of the two")
    there = _there(name) or name
    against = None if no_base else str(base) if base is not None else base_of(there)
    return score(opened, there, Path(out), asking, base=_there(against), engine=engine, progress=progress)


def know(
    release: PathLike | Release,
    model: PathLike,
    out: PathLike,
    probe: str = "slick-k4-g10-s16-t0.5-topk40",
    *,
    split: Sequence[str] = ("train",),
    limit: int | None = None,
    max_tokens: int = 32,
    backend: Backend = "auto",
    batch_size: int | None = None,
    trust_remote_code: bool = False,
    concurrency: int = 16,
    requests_per_minute: int | None = None,
    price: tuple[float, float] | None = None,
    timeout: float = 60.0,
    progress: Progress = lambda done, total: None,
) -> "Knownness":
    """Label facts by how well a model knows them before it is finetuned (SliCK): `kbench know` in Python.

    Each fact is asked in many few-shot prompts, greedily and sampled: HighlyKnown, MaybeKnown, WeaklyKnown or Unknown.

    Args:
        release: a release, its folder, or its name as `load_release` takes it.
        model: a folder, a Hub id, `openai:MODEL@URL`, or "oracle", "random", "majority".
        out: the folder for knownness.parquet and knownness.json.
        probe: its name says exemplars, prompts, samples, temperature and top-k.
        split: where the questions come from.
        limit: label only so many facts; the result says so.
        max_tokens: the longest answer, in tokens.
        backend: as of `evaluate`, and so are the settings that follow.
        batch_size: prompts read together.
        trust_remote_code: run the Python code that a model brings with it.
        concurrency: of an endpoint, requests at a time.
        requests_per_minute: of an endpoint, at most.
        price: of an endpoint, dollars for a million tokens read and written.
        timeout: of an endpoint, seconds until a request is given up.
        progress: called with prompts answered and prompts in all.

    Returns:
        The labels: `labels()` is a row a fact, `about` is knownness.json.

    Raises:
        SpecError: the probe is none, or the release has too few exemplars for it.
        ReleaseError: there is no release, or it has no `qa` questions.
        ModelError: the model cannot be found or loaded, or its engine fails; what was answered is kept.
        OutputError: `out` holds something else.

    >>> release = kbench.load_release("kbench-tiny")
    >>> kbench.know(release, "oracle", "known", limit=100)
    knownness known: oracle on world 2f0743b5, slick-k4-g10-s16-t0.5-topk40
      100 HighlyKnown, 0 MaybeKnown, 0 WeaklyKnown, 0 Unknown
    """
    from kbench.benchmarks.knownness import label_facts
    from kbench.benchmarks.models.open import open_model
    from kbench.benchmarks.slick import read_probe

    opened, asked = load_release(release), read_probe(probe)
    engine = Engine(backend, batch_size, trust_remote_code, concurrency, requests_per_minute, price, timeout)
    tuned = open_model(_there(str(model)) or "", opened, engine)
    return label_facts(
        opened, tuned, Path(out), asked, splits=tuple(split), limit=limit, max_tokens=max_tokens, progress=progress
    )


def _there(model: str | None) -> str | None:
    """A model's folder, downloaded where it is one of the Hub. Raises MissingExtra where nothing here could load it."""
    if model is None or not has_weights(model):
        return model
    trainer()
    return fetch_model(model)
