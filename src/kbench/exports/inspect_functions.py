"""What the tasks for inspect share; its code goes out with them."""

import copy
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, choice, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, generate, multiple_choice, solver

from kbench.benchmarks.match import exact_match
from kbench.benchmarks.prompts import prediction_of, prompt_of

VERBATIM = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""The chat template that adds nothing: the model reads the prompt and goes on from there."""

MOST_TOKENS = 32


def asked(source: dict[str, Any], probe: str, chat: bool) -> Task:
    """The questions of a probe, scored by kbench's exact match; `chat` asks through the model's own chat template."""
    samples = [
        Sample(id=row["id"], input=prompt_of(row), target=row["answers"], metadata=_kept(row))
        for row in _rows(source, probe)
    ]
    return _task(samples, [greedy(), generate() if chat else complete()], kbench_exact_match())


def chosen(source: dict[str, Any], probe: str) -> Task:
    """The same questions as inspect's own multiple choice, for models that follow instructions."""
    samples = []
    for row in _rows(source, probe):
        options = "".join(f"\n{'ABCD'[place]}. {option}" for place, option in enumerate(row["choices"]))
        question = row["question"].removesuffix(options)
        target = "ABCD"[row["label"]]
        samples.append(Sample(id=row["id"], input=question, choices=row["choices"], target=target, metadata=_kept(row)))
    return _task(samples, [greedy(), multiple_choice()], choice())


def _rows(source: dict[str, Any], probe: str) -> list[dict[str, Any]]:
    from datasets import load_dataset

    return [row for row in load_dataset(**source) if row["probe"] == probe]


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("style", "probe", "entity_id", "relation", "template_id")}


def _task(samples: list[Sample], steps: list[Solver], scored_by: Scorer) -> Task:
    config = GenerateConfig(max_tokens=MOST_TOKENS, temperature=0.0)
    return Task(dataset=MemoryDataset(samples), solver=steps, scorer=scored_by, config=config)


@solver  # type: ignore[untyped-decorator]
def greedy() -> Solver:
    """Have transformers give the likeliest answer, as kbench does; inspect's default there is to draw one."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        engine = get_model().api
        if hasattr(engine, "do_sample"):
            engine.do_sample = False
        return state

    return solve


@solver  # type: ignore[untyped-decorator]
def complete() -> Solver:
    """Have transformers go on from the prompt as it stands, as kbench does; other services get it as a user's message.

    Left to itself inspect writes "user: " before a prompt and a new line behind it, or what the model's template adds.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        if not hasattr(model.api, "chat_template"):
            return await generate(state)
        bare = copy.copy(model.api)  # of the same weights: tasks that run beside this one keep their template
        bare.chat_template, bare.use_chat_template = VERBATIM, True
        config = GenerateConfig(max_tokens=MOST_TOKENS)
        state.output = await Model(bare, model.config).generate(state.messages, config=config)
        state.messages.append(state.output.message)
        return state

    return solve


@scorer(metrics=[accuracy(), stderr(cluster="entity_id")])  # type: ignore[untyped-decorator]
def kbench_exact_match() -> Scorer:
    """The exact match of what was generated, as kbench scores it."""

    async def score(state: TaskState, target: Target) -> Score:
        given = prediction_of(state.metadata, state.output.completion)
        right = exact_match(given, list(target))
        return Score(value=CORRECT if right else INCORRECT, answer=given)

    return score
