"""Asking one model every question once: replies are kept as they come, then judged."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.kept import Kept
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.metrics import Sample
from kbench.benchmarks.models.protocol import Model, Reply
from kbench.benchmarks.prompting import Prompting, read_answer
from kbench.benchmarks.reasoning import chain_facts
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError

_SILENT = Reply((), error="no reply")


def ask_all(model: Model, items: Sequence[Item], asking: Asking, kept: Kept, progress: Callable[[int], None]) -> None:
    """Ask what has no reply yet, and keep each reply as it comes; `progress` hears how many are new to it.

    Raises ModelError where the engine fails; it says how many replies are kept.
    """
    waiting = [item for item in items if kept.reply(item) is None]
    progress(len(items) - len(waiting))
    # Of a chain of thought all is read, of any other reply the first line.
    decoding = replace(asking.decoding, first_line=not asking.prompting.reasons)
    with _kept_so_far(lambda: sum(kept.reply(item) is not None for item in items), len(items), "replies"):
        for place, reply in model.ask(waiting, decoding) if waiting else ():
            kept.keep_reply(waiting[place], reply)
            progress(1)


def weigh_all(model: Model, asked: Sequence[tuple[Item, str]], kept: Kept, progress: Callable[[int], None]) -> None:
    """Weigh what has no likelihood yet, and keep each as it comes. Raises ModelError as `ask_all` does."""
    waiting = [each for each in asked if kept.weight(*each) is None]
    progress(len(asked) - len(waiting))
    with _kept_so_far(lambda: sum(kept.weight(*each) is not None for each in asked), len(asked), "likelihoods"):
        for place, weight in model.weigh(waiting) if waiting else ():
            kept.keep_weight(*waiting[place], weight)
            progress(1)


@contextmanager
def _kept_so_far(count: Callable[[], int], total: int, what: str) -> Iterator[None]:
    """Say of an engine that fails in the block how much of its work is kept."""
    try:
        yield
    except ModelError as error:
        if not (done := count()):
            raise
        raise ModelError(f"{error}; {done:,} of {total:,} {what} are kept: the same command goes on") from None


def judge(item: Item, reply: Reply | None, prompting: Prompting) -> Sample:
    """The verdict on a reply: of an error or a refusal there is none, and an empty one is wrong."""
    said = reply or _SILENT
    if said.error or said.refused or not said.texts:
        return Sample(item, "".join(said.texts[:1]), None, None, "unscored" if said.refused else "error")
    prediction = read_answer(prompting, item.row, said.texts[0])
    right = exact_match(prediction, item.row["answers"])
    chain = chain_facts(item.bridges, said.texts[0]) if prompting.reasons else None
    return Sample(item, prediction, right, float(right), "scored", reply=said.texts[0], chain=chain)
