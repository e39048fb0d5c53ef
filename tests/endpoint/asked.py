"""What the tests of endpoints ask, and how."""

from collections.abc import Iterator
from typing import Any

from kbench.benchmarks.models.openai import Endpoint, open_endpoint
from kbench.benchmarks.models.protocol import GREEDY, Decoding, Model, Reply
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError
from tests.endpoint import server


def items(*prompts: str) -> list[Item]:
    """A row for each prompt."""
    return [Item({"id": f"row-{n}"}, "test", prompt) for n, prompt in enumerate(prompts)]


def numbered(number: int) -> list[Item]:
    """So many rows."""
    return items(*(f"prompt {n}" for n in range(number)))


def opened(at: server.Endpoint, **settings: Any) -> Endpoint:
    """The model of a server; a request is tried once more."""
    return open_endpoint(at.name, **{"timeout": 30.0, "retries": 1, **settings})


def replies(model: Model, asked: list[Item], decoding: Decoding = GREEDY) -> list[Reply]:
    """The replies in the order of the items; each place must come once."""
    found = list(model.ask(asked, decoding))
    assert sorted(place for place, _ in found) == list(range(len(asked)))
    return [reply for _, reply in sorted(found, key=lambda pair: pair[0])]


def until_dead(came: Iterator[tuple[int, Reply]]) -> tuple[list[tuple[int, Reply]], str]:
    """What was handed over before the endpoint was given up, and the line that said so."""
    kept = []
    try:
        for pair in came:
            kept.append(pair)
    except ModelError as error:
        return kept, str(error)
    raise AssertionError("the endpoint was not given up")
