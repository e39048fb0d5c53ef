"""The Hub's benchmark file, eval.yaml: what inspect asks of a release, straight from the Hub."""

from typing import Any

import yaml

from kbench.schema import QUESTION_STYLES, STYLES

QUESTION = "Question: {prompt}\nAnswer:"
"""kbench's own prompt, as inspect writes it; a cloze is its own."""

_LETTER = "{prompt}\n\nThe last line of the reply is 'ANSWER: X', X being the letter of the right option."
# What is the answer in a reply: its first line, of a cloze its first sentence, without a final full stop.
_LINE = r"^\s*(.*?)\.?\s*(?:\n|$)"
_SENTENCE = r"^\s*(.*?)(?:\.(?:\s|$)|\s*(?:\n|$))"
_OPTION = r"^\s*(?:[A-D]\. )?(.*?)\.?\s*(?:\n|$)"
_ANSWERS = {"cloze": _SENTENCE, "choice": _OPTION}
_UNMATCHED = frozenset({"tone"})
"""What has no one right wording."""


def asked_styles(manifest: dict[str, Any]) -> list[str]:
    """The question styles of a release that have a test split and one right answer a row."""
    tested = {key.split("/")[0] for key in manifest["splits"] if key.endswith("/test")}
    return [style for style in STYLES if style in (QUESTION_STYLES & tested) - _UNMATCHED]


def release_tasks(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """One task for each question style that has a test split and one right answer; choices also by letter.

    inspect compares with one canonical answer: a list of them would be read as one text.
    """
    asked = asked_styles(manifest)
    tasks = [
        _task(style, "answer", None if style == "cloze" else QUESTION, "pattern", _ANSWERS.get(style, _LINE))
        for style in asked
    ]
    if "choice" in asked:
        # Its questions show their options; inspect's own solver of multiple choice would show them twice.
        letter = _task("choice", "label", _LETTER, "answer", "letter")
        letter["field_spec"]["choices"] = "choices"
        tasks.append({**letter, "id": "choice_letter"})
    return tasks


def release_eval(manifest: dict[str, Any]) -> str:
    """The file: what it is called, and its tasks."""
    facts = manifest["recipe"].get("facts")
    imported = manifest["recipe"].get("imported")
    what = f"the facts of {facts['file']}" if facts else "real facts" if imported else "invented facts"
    tasks = release_tasks(manifest)
    about = {
        "name": f"kbench {manifest['recipe']['spec']['name']} {manifest['world']}",
        "description": f"Closed-book recall of {what} after finetuning."
        if tasks
        else "Text to train on, no questions.",
        "evaluation_framework": "inspect-ai",
        "tasks": tasks,
    }
    return str(yaml.safe_dump(about, sort_keys=False))


def _task(style: str, target: str, prompt: str | None, scorer: str, pattern: str) -> dict[str, Any]:
    ask = [{"name": "prompt_template", "args": {"template": prompt}}] if prompt else []
    return {
        "id": style,
        "config": style,
        "split": "test",
        "field_spec": {"input": "question", "target": target},
        "solvers": [*ask, {"name": "generate"}],
        "scorers": [{"name": scorer, "args": {"pattern": pattern}}],
    }
