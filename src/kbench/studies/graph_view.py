"""The factuality gap as a graph sees it: which facts finetuning added as edges, and what a prompt adds to both arms.

*From Parameters to Prompts* holds that the gap between a model finetuned on known facts and one on unknown facts goes
with the difference of the edges that the two reached, |E_kn| - |E_unk|, and that a prompt whose examples add a subgraph
P to both can only make it smaller. Its theorem is of one layer whose edges all count alike. What is computed here is
the counted quantity and no more: an edge is a fact that an arm was trained on, it is reached where the arm's model
answers its training question, and every edge weighs one. Whether the measured gap goes with it is for a study to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.benchmarks.diet import Diet
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.models.protocol import Decoding, Model
from kbench.benchmarks.prompts import prediction_of, prompt_of
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.results import RUN, read_ours
from kbench.benchmarks.shots import exemplars, load_pool
from kbench.benchmarks.tasks import Item
from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.store import Release

Edges = frozenset[str]
"""Facts by their ids."""

_TOKENS = 16


@dataclass(frozen=True)
class Arm:
    """The facts that an arm was trained on, and those of them that its model answers."""

    trained: Edges
    reached: Edges

    @property
    def share(self) -> float:
        """The share of its facts that it reached."""
        return len(self.reached) / len(self.trained)


def delta(known: Arm, unknown: Arm, prompt: Edges = frozenset()) -> float:
    """The edges that the known arm has more than the unknown one, as a share of those that an arm could have.

    With the edges of a prompt, which both arms then have: (|E_kn + P| - |E_unk + P|) / |E + P|, where + joins sets and
    E is all that an arm was trained on, of two arms of unequal size the mean. It lies between -1 and 1.

    Raises SpecError where an arm was trained on nothing.
    """
    if not (known.trained and unknown.trained):
        raise SpecError("the graph view compares two arms that were trained on facts: one has none")
    whole = (len(known.trained | prompt) + len(unknown.trained | prompt)) / 2
    return (len(known.reached | prompt) - len(unknown.reached | prompt)) / whole


def delta_prompted(known: Arm, unknown: Arm, prompts: Sequence[Edges]) -> float:
    """The mean of `delta` over prompts, each with its own edges."""
    if not prompts:
        raise SpecError("delta_prompted needs at least 1 prompt (got none)")
    return sum(delta(known, unknown, prompt) for prompt in prompts) / len(prompts)


def trained_questions(release: Release, run: Path) -> list[dict[str, Any]]:
    """One question for each fact that a run was trained on in `qa`, of its training questions the first by digest.

    `run` is the folder of the run, or of a checkpoint in it.

    Raises:
        ReleaseError: neither says what it was trained on, or it was trained on no questions.
    """
    folder = run if (run / RUN).is_file() else run.parent
    if not (folder / RUN).is_file():
        raise ReleaseError(f"no run at {run}: neither it nor the folder above holds {RUN}; take one of `kbench train`")
    recipe = recipe_of(read_ours(folder / RUN)["recipe"], str(folder / RUN))
    chosen: dict[str, dict[str, Any]] = {}
    for row in Diet(release, recipe).rows("qa") if "qa" in recipe.styles else ():
        if len(row["fact_ids"]) == 1:
            fact = row["fact_ids"][0]
            if fact not in chosen or digest_of(row["id"]) < digest_of(chosen[fact]["id"]):
                chosen[fact] = row
    if not chosen:
        raise ReleaseError(f"the run {folder} was trained on no questions of one fact: train it on the style qa")
    return [chosen[fact] for fact in sorted(chosen)]


def reach(model: Model, questions: Sequence[dict[str, Any]]) -> Arm:
    """Ask a model, greedily, one question for each fact; those that it answers exactly are reached.

    Raises ModelError where the engine fails.
    """
    items = [Item(row, "train", prompt_of(row)) for row in questions]
    right = set[str]()
    for place, reply in model.ask(items, Decoding(max_tokens=_TOKENS, first_line=True)):
        row = questions[place]
        if reply.texts and exact_match(prediction_of(row, reply.texts[0]), row["answers"]):
            right.add(row["fact_ids"][0])
    return Arm(frozenset(row["fact_ids"][0] for row in questions), frozenset(right))


def prompt_edges(release: Release, rows: Iterable[dict[str, Any]], shots: int, seed: int = 0) -> list[Edges]:
    """The facts in the exemplars that stand before each question where `shots` are shown, as `kbench eval` shows them.

    Raises SpecError where a release has too few exemplars.
    """
    pool = load_pool(release, {"qa"})
    return [frozenset(fact for shot in exemplars(pool, row, shots, seed) for fact in shot["fact_ids"]) for row in rows]
