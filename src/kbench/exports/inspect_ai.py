"""One Python file of tasks for `inspect eval`: one for each score, and multiple choice where there are options."""

import json
from pathlib import Path
from typing import Any

from kbench.exports.asked import Asked, Source
from kbench.exports.standalone import standalone
from kbench.store import Release, write_text


def write_inspect(release: Release, asked: list[Asked], source: Source, folder: Path) -> dict[str, Any]:
    """Write the file; the report names its tasks."""
    name = f"{source.name}.py"
    about = (
        f"The questions of {source.name} (world {release.world}, digest {release.digest[:16]}) as tasks for inspect."
        f"\n\n    inspect eval {name} --model hf/local -M model_path=MODEL\n\n"
        "Its prompts and its exact match are kbench's own source; it needs inspect-ai and datasets, and no kbench.\n"
    )
    modules = ("benchmarks/match.py", "benchmarks/prompts.py", "exports/inspect_functions.py")
    rows = {f"{a.style}/{a.split}": {**source.arguments(release, a.style, a.split), "split": a.split} for a in asked}
    data = (
        f'DATA = {json.dumps(rows, indent=4, ensure_ascii=False)}\n"""What `datasets.load_dataset` is called with."""'
    )
    tasks: dict[str, int] = {}
    bodies = [data]
    for group in asked:
        task = source.task(group)
        tasks[task] = group.rows
        bodies.append(_task(task, group))
        if group.style == "choice":
            tasks[f"{task}_mc"] = group.rows
            bodies.append(_twin(f"{task}_mc", group))
    text = standalone(about, *modules).replace("import Task\n", "import Task, task\n", 1)
    write_text(folder / name, "\n\n\n".join([text.rstrip(), *bodies]) + "\n")
    return {"file": name, "tasks": tasks}


def _task(name: str, group: Asked) -> str:
    return f'''@task
def {name}(chat: bool = False) -> Task:
    """{group.style}, {group.probe}: {group.rows:,} rows of {group.split}."""
    return asked(DATA[{_quoted(f"{group.style}/{group.split}")}], {_quoted(group.probe)}, chat)'''


def _twin(name: str, group: Asked) -> str:
    return f'''@task
def {name}() -> Task:
    """{group.style}, {group.probe}: {group.rows:,} rows of {group.split}, as multiple choice."""
    return chosen(DATA[{_quoted(f"{group.style}/{group.split}")}], {_quoted(group.probe)})'''


def _quoted(text: str) -> str:
    """A text as Python source."""
    return json.dumps(text, ensure_ascii=False)
