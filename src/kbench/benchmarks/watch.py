"""What is watched of a training: after each epoch, questions of `validation` and `train`; and what follows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kbench.benchmarks.chat import CHAT, chat_prompter
from kbench.benchmarks.evaluate import judge
from kbench.benchmarks.models.hf import HfModel
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import PLAIN
from kbench.benchmarks.prompts import completion_of
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.tasks import Item
from kbench.benchmarks.watched import watched_rows
from kbench.store import Release, write_json

CONVERGED = 0.99
"""The share of the watched training questions at which a training counts as converged."""

HISTORY = "kbench_watch.json"
"""In a checkpoint: what had been seen so far."""


@dataclass(frozen=True)
class Seen:
    """An epoch's end: the loss on validation answers (nats a token), and the share of right answers of each split."""

    epoch: int
    step: int
    loss: float
    validation: float
    train: float

    def beats(self, other: "Seen") -> bool:
        """Whether it is the better one on validation: more right, or as many at a lower loss."""
        return (self.validation, -self.loss) > (other.validation, -other.loss)


@dataclass
class History:
    """The epochs seen so far; what is best and when it converged follows from them."""

    epochs: list[Seen] = field(default_factory=list)

    @property
    def best(self) -> Seen | None:
        """The epoch to keep: the first that no other beats."""
        best: Seen | None = None
        for seen in self.epochs:
            best = seen if best is None or seen.beats(best) else best
        return best

    @property
    def converged(self) -> int | None:
        """The first epoch that answered nearly all watched training questions."""
        return next((seen.epoch for seen in self.epochs if seen.train >= CONVERGED), None)

    def is_over(self, patience: int | None) -> bool:
        """Whether the last `patience` epochs were none of them better than one before."""
        best = self.best
        return patience is not None and best is not None and len(self.epochs) - self.epochs.index(best) > patience

    def about(self) -> dict[str, Any]:
        """What the run keeps of it."""
        best = self.best
        return {
            "history": [asdict(seen) for seen in self.epochs],
            "best_epoch": best.epoch if best else None,
            "converged_epoch": self.converged,
        }

    def write(self, folder: Path) -> None:
        """Keep it beside a checkpoint."""
        write_json(folder / HISTORY, self.about()["history"])

    def read(self, folder: Path) -> None:
        """Take up what stands beside a checkpoint."""
        path = folder / HISTORY
        if path.is_file():
            self.epochs[:] = [Seen(**seen) for seen in json.loads(path.read_text(encoding="utf-8"))]


@dataclass
class Watch:
    """The questions that are asked each epoch, how they are asked, and what was answered so far."""

    items: Mapping[str, Sequence[Item]]
    tokenizer: Any
    recipe: TrainRecipe
    history: History = field(default_factory=History)

    def look(self, model: Any, epoch: int, step: int) -> Seen:
        """Ask a model that is being trained, by greedy exact match; it is in training again afterwards."""
        asked = HfModel("the model in training", model, self.tokenizer)
        prompting = CHAT if self.recipe.chat else PLAIN
        right = {}
        for split, items in self.items.items():
            replies = dict(asked.ask(items, Decoding(first_line=True)))
            correct = [bool(judge(item, replies[place], prompting).correct) for place, item in enumerate(items)]
            right[split] = sum(correct) / len(correct)
        return Seen(epoch, step, self._loss(asked), right["validation"], right["train"])

    def _loss(self, model: HfModel) -> float:
        wanted = [
            (item, item.row["answer"] if item.chat else completion_of(item.row)) for item in self.items["validation"]
        ]
        weights = [weight for _, weight in model.weigh(wanted)]
        return -sum(weight.logprob for weight in weights) / sum(weight.tokens for weight in weights)


def watched(release: Release, tokenizer: Any, recipe: TrainRecipe) -> Watch | None:
    """The questions that a recipe watches, as a model is asked them; None where it watches none.

    Raises ReleaseError where the release has no such questions.
    """
    if not recipe.watch:
        return None
    rows = watched_rows(release, recipe)
    items: dict[str, Sequence[Item]] = {"validation": rows.validation, "train": rows.train}
    if recipe.chat:
        prompter = chat_prompter(tokenizer)
        for split, chosen in items.items():
            shown = [(item, prompter.shown(item.row)) for item in chosen]
            items[split] = [Item(item.row, split, each.prompt, each.messages) for item, each in shown]
    return Watch(items, tokenizer, recipe)
