"""The Hub's benchmark file, eval.yaml: what inspect asks of a release, straight from the Hub."""

from typing import Any

import yaml

from kbench.schema import QUESTION_STYLES, STYLES

QUESTION = "Question: {prompt}\nAnswer:"
"""kbench's own prompt, as inspect writes it; a cloze is its own."""

_LETTER = "{prompt}\n\nThe last line of the reply is 'ANSWER: X', X being the letter of the right option."
_EXACT: dict[str, Any] = {"name": "exact"}
_BY_LETTER: dict[str, Any] = {"name": "answer", "args": {"pattern": "letter"}}
_UNMATCHED = frozenset({"tone"})
"""What has no one right wording."""


def release_eval(manifest: dict[str, Any]) -> str:
    """One task for each question style that has a test split and one right answer.

    inspect compares with one canonical answer: a list of them would be read as one text.
    """
    tested = {key.split("/")[0] for key in manifest["splits"] if key.endswith("/test")}
    asked = (QUESTION_STYLES & tested) - _UNMATCHED
    facts = manifest["recipe"].get("facts")
    what = f"the facts of {facts['file']}" if facts else "invented facts"
    about = {
        "name": f"kbench {manifest['recipe']['spec']['name']} {manifest['world']}",
        "description": f"Closed-book recall of {what} after finetuning.",
        "evaluation_framework": "inspect-ai",
        "tasks": [_task(style) for style in STYLES if style in asked],
    }
    return str(yaml.safe_dump(about, sort_keys=False))


def _task(style: str) -> dict[str, Any]:
    fields = {"input": "question", "target": "answer"}
    prompt, scorer = QUESTION, _EXACT
    if style == "choice":
        fields = {"input": "question", "target": "label", "choices": "choices"}
        # Its question shows the options; inspect's own solver of multiple choice would show them twice.
        prompt, scorer = _LETTER, _BY_LETTER
    ask = [] if style == "cloze" else [{"name": "prompt_template", "args": {"template": prompt}}]
    return {
        "id": style,
        "config": style,
        "split": "test",
        "field_spec": fields,
        "solvers": [*ask, {"name": "generate"}],
        "scorers": [scorer],
    }
