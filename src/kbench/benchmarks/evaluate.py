"""Asking one model every question once: replies are kept as they come, then judged."""

from collections.abc import Callable, Sequence

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.kept import Kept
from kbench.benchmarks.match import exact_match
from kbench.benchmarks.metrics import Sample
from kbench.benchmarks.models.protocol import Model, Reply
from kbench.benchmarks.prompting import Prompting, read_answer
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError

_SILENT = Reply((), error="no reply")


def ask_all(model: Model, items: Sequence[Item], asking: Asking, kept: Kept, progress: Callable[[int], None]) -> None:
    """Ask what has no reply yet, and keep each reply as it comes; `progress` hears how many are new to it.

    Raises ModelError where the engine fails; it says how many replies are kept.
    """
    waiting = [item for item in items if kept.reply(item) is None]
    progress(len(items) - len(waiting))
    try:
        for place, reply in model.ask(waiting, asking.decoding) if waiting else ():
            kept.keep_reply(waiting[place], reply)
            progress(1)
    except ModelError as error:
        done = sum(kept.reply(item) is not None for item in items)
        if not done:
            raise
        raise ModelError(
            f"{error}; {done:,} of {len(items):,} replies are kept: run the same command again to go on"
        ) from None


def judge(item: Item, reply: Reply | None, prompting: Prompting) -> Sample:
    """The verdict on a reply: of an error or a refusal there is none, and an empty one is wrong."""
    said = reply or _SILENT
    if said.error or said.refused or not said.texts:
        return Sample(item, "".join(said.texts[:1]), None, None, "unscored" if said.refused else "error")
    prediction = read_answer(prompting, item.row, said.texts[0])
    right = exact_match(prediction, item.row["answers"])
    return Sample(item, prediction, right, float(right), "scored")
