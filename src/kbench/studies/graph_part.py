"""The part `graph` of a study: edges reached by a known and an unknown arm, before and after a prompt's."""

from dataclasses import dataclass
from typing import Any

from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.schema import Split
from kbench.store import Release, open_release, write_json
from kbench.studies.graph_view import Arm, delta, delta_prompted, prompt_edges, reach, trained_questions
from kbench.studies.grid_orders import Measure
from kbench.studies.part_models import opened, options_in
from kbench.studies.parts import Found, Step
from kbench.studies.study import BASE

GRAPH = "graph.json"
LAST = "last"
"""What the end of a training is called among its checkpoints."""


@dataclass(frozen=True)
class Options:
    """The names of the two cells; how many exemplars a prompt shows, and before how many questions of which split."""

    known: str = ""
    unknown: str = ""
    shots: int = 4
    prompts: int = 40
    split: Split = "test"


def measure(order: Measure, step: Step) -> Found:
    """`reached:NAME` of each run; `delta:CHECKPOINT` and `delta_prompted:CHECKPOINT` of the two arms.

    The last model of a run is the checkpoint `last`, the model before training `base`: that is asked the facts of each
    arm too. `graph.json` holds the counts.

    Raises:
        SpecError: an option is unknown, or a cell that it names is not among the runs at the same checkpoints.
        ReleaseError: a run was trained on no questions, or the release has none to put exemplars before.
        ModelError: a model cannot be opened or asked.
    """
    assert order.release is not None
    options = options_in("graph", Options, order.options)
    pairs = _pairs(order, options)
    release = open_release(order.release)
    prompts = prompt_edges(release, _asked(release, options), options.shots, seed=0)
    # What a run was trained on is the same at all its checkpoints.
    asked = {_cell(name): trained_questions(release, path) for name, path in order.runs.items()}
    arms: dict[str, Arm] = {}
    before: dict[str, Arm] = {}
    for done, (name, model) in enumerate(opened(order, release), start=1):
        if name == BASE:
            before = {cell: reach(model, rows) for cell, rows in asked.items()}
        else:
            arms[name] = reach(model, asked[_cell(name)])
        step(done, 1 + len(order.runs))
    found: Found = {}
    for name, arm in arms.items():
        subjects = len({row["entity_id"] for row in asked[_cell(name)]})
        found[f"reached:{name}"] = _reading(arm.share, len(arm.trained), subjects, before[_cell(name)].share)
    compared = {BASE: (before[options.known], before[options.unknown])}
    compared |= {checkpoint: (arms[known], arms[unknown]) for checkpoint, (known, unknown) in pairs.items()}
    subjects = len({row["entity_id"] for cell in (options.known, options.unknown) for row in asked[cell]})
    for checkpoint, (one, other) in compared.items():
        rows = len(one.trained) + len(other.trained)
        found[f"delta:{checkpoint}"] = _reading(delta(one, other), rows, subjects)
        found[f"delta_prompted:{checkpoint}"] = _reading(delta_prompted(one, other, prompts), rows, subjects)
    every = {**{f"{BASE}:{cell}": arm for cell, arm in before.items()}, **arms}
    counts = {name: {"trained": len(arm.trained), "reached": len(arm.reached)} for name, arm in every.items()}
    beside = {"prompts": len(prompts), "edges_a_prompt": sum(map(len, prompts)) / len(prompts)}
    order.out.mkdir(parents=True, exist_ok=True)
    write_json(order.out / GRAPH, {"arms": counts, **beside})
    return found


def _reading(value: float, rows: int, entities: int, base: float | None = None) -> dict[str, Any]:
    return {"value": value, "rows": rows, "entities": entities, "control": None, "base": base, "chance": None}


def _cell(run: str) -> str:
    """The cell that a run's name begins with."""
    return run.partition("@")[0]


def _pairs(order: Measure, options: Options) -> dict[str, tuple[str, str]]:
    """At each checkpoint the two arms' names among the runs."""
    for cell in (options.known, options.unknown):
        if not any(_cell(name) == cell for name in order.runs):
            have = ", ".join(dict.fromkeys(_cell(name) for name in order.runs)) or "none"
            raise SpecError(
                f"a part of kind 'graph' compares the cells in its options known and unknown, and {cell!r} is none of "
                f"its cells: have {have}"
            )
    kept = {name.partition("@")[2] for name in order.runs if _cell(name) == options.known}
    pairs = {}
    for name in sorted(kept):
        known, unknown = (f"{cell}@{name}" if name else cell for cell in (options.known, options.unknown))
        if unknown not in order.runs:
            raise SpecError(f"the arm {options.unknown!r} has no checkpoint {name or LAST!r}, which {known!r} has")
        pairs[name or LAST] = (known, unknown)
    return pairs


def _asked(release: Release, options: Options) -> list[dict[str, Any]]:
    """Questions about held-out people of the background, before which exemplars stand: the first so many by digest."""
    rows = release.table("qa", options.split).to_pylist() if options.split in release.splits("qa") else []
    rows = sorted((row for row in rows if row["probe"] == "known"), key=lambda row: digest_of("graph", row["id"]))
    if not rows:
        raise ReleaseError(
            f"the release {release.path} has no questions of the probe known in {options.split}: generate it from a "
            f"spec with [sizes] background > 0"
        )
    return rows[: options.prompts]
