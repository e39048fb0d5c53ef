"""How a row is shown to a model: the prompt it completes, and the completion it is trained to give."""

from typing import Any

from kbench.benchmarks.match import exact_match

QUESTION = "Question: {question}\nAnswer:"


def prompt_of(row: dict[str, Any]) -> str:
    """The zero-shot prompt of a question row; a cloze is its own prompt."""
    question = str(row["question"])
    return question if row["style"] == "cloze" else QUESTION.format(question=question)


def completion_of(row: dict[str, Any]) -> str:
    """What follows the prompt in training text."""
    return f" {row['answer']}"


def prediction_of(row: dict[str, Any], generated: str) -> str:
    """The answer in generated text: its first line; for a cloze, its first sentence.

    A full stop may be the answer's own (`St. Ives`): of the places where a sentence may end, one that makes the text
    before it an answer counts.
    """
    lines = generated.strip().splitlines()
    first = lines[0].strip() if lines else ""
    if row["style"] != "cloze":
        return first
    ends = [place for place, letter in enumerate(first) if letter == "." and first[place + 1 : place + 2] in ("", " ")]
    sentences = [first[:place] for place in ends] or [first]
    return next((said for said in [*sentences, first] if exact_match(said, row.get("answers", []))), sentences[0])
