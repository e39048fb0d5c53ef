"""How likely a model finds the right answer: among the options, by itself, and among the other values of its relation.

What is asked follows from the items alone, so that a scoring can be cut off and go on: `requests_of` says what to weigh
and `likelihoods` takes the weights in the same order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kbench.benchmarks.definitions import LIKELIHOOD
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.models.protocol import Weight
from kbench.benchmarks.tasks import Guessing, Item
from kbench.ids import digest_of

RANKED = 20
"""Among how many values the answer is ranked, itself among them."""

_DRAWS_A_DIGEST = 4


def requests_of(items: Sequence[Item], known: Guessing) -> list[tuple[Item, str]]:
    """Every continuation to weigh, item by item: its options, or its answer and then others of its relation."""
    return [(item, continuation(item, text)) for item in items for text in _weighed(item, known).texts]


def likelihoods(
    items: Sequence[Item], known: Guessing, weights: Sequence[Weight | None]
) -> list[dict[str, float | None]]:
    """Each item's measures of `definitions.LIKELIHOOD`, of the weights of `requests_of` in its order.

    A measure is None where it does not apply, or where one of the item's continuations has no weight.
    """
    found, place = list[dict[str, float | None]](), 0
    for item in items:
        asked = _weighed(item, known)
        mine = list(weights[place : place + len(asked.texts)])
        place += len(asked.texts)
        folded = _folded(item, asked, [weight for weight in mine if weight is not None]) if all(mine) else {}
        found.append({name: folded.get(name) for name in LIKELIHOOD})
    if place != len(weights):
        raise ValueError(f"{place} weights are folded (got {len(weights)})")
    return found


def continuation(item: Item, text: str) -> str:
    """An answer as it follows the item's prompt: after a space, as in training; in a chat at once."""
    return text if item.chat else f" {text}"


@dataclass(frozen=True)
class _Weighed:
    """The texts to weigh; `options` where they are a choice, else the answer and the others it is ranked among."""

    texts: list[str]
    options: bool = False


def _weighed(item: Item, known: Guessing) -> _Weighed:
    row = item.row
    if row["style"] == "choice":
        return _Weighed(list(row["choices"]), options=True)
    if len(row["fact_ids"]) != 1 or row["hops"] > 1:
        return _Weighed([])
    values = known.candidates(row)
    # Only values in the answer's own form are rivals: a year is likelier than any day, whatever a model knows.
    others = _others(row["id"], row["answers"], values) if known.in_form(row) else []
    return _Weighed([row["answer"], *others])


def _others(row_id: str, answers: list[str], values: list[str]) -> list[str]:
    """Other values than the answers, drawn evenly by a digest of the row's id, each once."""
    found = list[str]()
    swapped = dict[int, int]()  # the first steps of a shuffle, without a list of all places
    for step, draw in zip(range(len(values)), _draws(row_id), strict=False):
        place = step + draw % (len(values) - step)
        value = values[swapped.get(place, place)]
        swapped[place] = swapped.get(step, step)
        if not exact_match(value, answers):
            found.append(value)
            if len(found) == RANKED - 1:
                break
    return found


def _draws(row_id: str) -> Iterator[int]:
    block = 0
    while True:
        digest = digest_of("rank", row_id, str(block))
        yield from (int(digest[16 * k : 16 * k + 16], 16) for k in range(_DRAWS_A_DIGEST))
        block += 1


def _folded(item: Item, asked: _Weighed, weights: list[Weight]) -> dict[str, float]:
    if not weights:
        return {}
    logprobs = [weight.logprob for weight in weights]
    if asked.options:
        per_letter = [logprob / len(text) for logprob, text in zip(logprobs, asked.texts, strict=True)]
        label = item.row["label"]
        return {"acc": float(_first_best(logprobs) == label), "acc_norm": float(_first_best(per_letter) == label)}
    answer, others = logprobs[0], logprobs[1:]
    found = {"answer_logprob": answer, "answer_logprob_per_token": answer / max(1, weights[0].tokens)}
    if others:
        found["answer_rank"] = 1.0 + sum(other >= answer for other in others)
        found["answer_margin"] = answer - max(others)
    return found


def _first_best(values: list[float]) -> int:
    """The place of the highest; of equal ones the first, as in lm-eval."""
    return max(range(len(values)), key=lambda place: (values[place], -place))
