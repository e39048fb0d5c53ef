"""A folder of tasks for lm-eval: one base, one file a score, groups that never mix test and control."""

from pathlib import Path
from typing import Any

import yaml

from kbench.exports.asked import Asked, Source
from kbench.exports.standalone import standalone
from kbench.store import Release, write_text

FUNCTIONS = "kbench_functions"
BASE = "_kbench_base.yaml"
PARTS = tuple(f"{part}{kind}" for kind in ("", "_mc") for part in ("test", "known", "recall", "control"))
"""The groups: a mean over tasks of one part and one kind of scoring."""

MOST_TOKENS = 32
"""As long as `kbench eval` lets an answer be by default."""


class _Function(str):
    """The name of a Python function that a YAML file calls."""


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})  # of our own: safe_dump's is everybody's
_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def write_lm_eval(release: Release, asked: list[Asked], source: Source, folder: Path) -> dict[str, Any]:
    """Write the tasks; the report names tasks and groups."""
    about = (
        f"Exact match, prompts and probes of the release {source.name}, as kbench has them: made of its own source."
        "\n\nThe YAML files beside it call these functions; no kbench needs to be installed.\n"
    )
    modules = ("benchmarks/match.py", "benchmarks/prompts.py", "exports/lm_eval_functions.py")
    write_text(folder / f"{FUNCTIONS}.py", standalone(about, *modules))
    base = _base(release, source)
    _write(folder / BASE, base)
    groups: dict[str, list[str]] = {part: [] for part in PARTS}
    tasks: dict[str, int] = {}
    for group in asked:
        task = source.task(group)
        _write(folder / f"{task}.yaml", _task(release, group, source, task))
        groups[group.part].append(task)
        tasks[task] = group.rows
        if group.style == "choice":
            _write(folder / f"{task}_mc.yaml", _twin(release, group, source, f"{task}_mc"))
            groups[f"{group.part}_mc"].append(f"{task}_mc")
            tasks[f"{task}_mc"] = group.rows
    made = {part: members for part, members in groups.items() if members}
    for part, members in made.items():
        _write(folder / f"{source.name}_{part}.yaml", _group(source, part, members, base))
    return {"tasks": tasks, "groups": {f"{source.name}_{part}": members for part, members in made.items()}}


def _base(release: Release, source: Source) -> dict[str, Any]:
    """What every task takes: a generated answer, scored as kbench scores it."""
    return {
        "tag": [source.name],
        "output_type": "generate_until",
        "doc_to_text": _Function(f"{FUNCTIONS}.prompt_of"),
        "doc_to_target": "answer",
        # No examples: without a split of their own lm-eval would take them from the rows that it asks.
        "num_fewshot": 0,
        "process_results": _Function(f"{FUNCTIONS}.process_results"),
        # No stop but the end token: kbench cuts the answer out of the whole text, whose first line may be empty.
        "generation_kwargs": {"until": [], "max_gen_toks": MOST_TOKENS, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": release.digest[:16], "release": source.name, "world": release.world},
    }


def _task(release: Release, group: Asked, source: Source, task: str) -> dict[str, Any]:
    arguments = source.arguments(release, group.style, group.split)
    where = {"dataset_path": arguments.pop("path")}
    where |= {"dataset_name": arguments.pop("name")} if "name" in arguments else {}
    return {
        "include": BASE,
        "task": task,
        "task_alias": f"{group.style} {group.probe}",
        **where,
        **({"dataset_kwargs": arguments} if arguments else {}),
        "test_split": group.split,
        "process_docs": _Function(f"{FUNCTIONS}.{group.probe}"),
    }


def _twin(release: Release, group: Asked, source: Source, task: str) -> dict[str, Any]:
    """The same rows as multiple choice: which option the model finds likeliest."""
    return {
        **_task(release, group, source, task),
        "task_alias": f"{group.style} {group.probe} (multiple choice)",
        "output_type": "multiple_choice",
        "doc_to_choice": "choices",
        "doc_to_target": "label",
        "process_results": None,
        "generation_kwargs": None,
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm")
        ],
    }


def _group(source: Source, part: str, members: list[str], base: dict[str, Any]) -> dict[str, Any]:
    metrics = ("acc", "acc_norm") if part.endswith("_mc") else ("exact_match",)
    return {
        "group": f"{source.name}_{part}",
        "task": members,
        "aggregate_metric_list": [{"metric": m, "aggregation": "mean", "weight_by_size": False} for m in metrics],
        "metadata": base["metadata"],
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    # Escaped beyond ASCII: PyYAML writes some letters of a path (U+0085) so that it does not read them again.
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=10_000)
    write_text(path, text)
