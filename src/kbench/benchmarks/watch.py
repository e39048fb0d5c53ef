"""What is watched of a training: after each epoch, questions of `validation` and `train`; and what follows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from kbench.benchmarks.chat import chat_text, question_messages
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
    """An epoch's end: the validation loss (nats a token of an answer), and the share of right answers of each split."""

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
        """Ask a model that is being trained, by greedy exact match, and leave it as it was."""
        training = model.training
        asked = HfModel("", model, self.tokenizer)
        right = {split: _share_right(asked, items) for split, items in self.items.items()}
        loss = answer_loss(model, self.tokenizer, self.items["validation"])
        model.train(training)
        return Seen(epoch, step, loss, right["validation"], right["train"])


def watched(release: Release, tokenizer: Any, recipe: TrainRecipe) -> Watch | None:
    """The recipe's number of questions of each of the two splits, those with the least digest of their id.

    Of the recipe's own styles where these are questions, else of any. None where the recipe watches nothing. Raises
    ReleaseError where the release has no validation questions.
    """
    if not recipe.watch:
        return None
    chosen = watched_rows(release, recipe)
    items = {"validation": chosen.validation, "train": chosen.train}
    if recipe.chat:
        items = {split: tuple(_chatted(item, tokenizer) for item in each) for split, each in items.items()}
    return Watch(items, tokenizer, recipe)


def _share_right(model: HfModel, items: Sequence[Item]) -> float:
    replies = dict(model.ask(items, Decoding(first_line=True)))
    return sum(bool(judge(item, replies[place], PLAIN).correct) for place, item in enumerate(items)) / len(items)


def answer_loss(model: Any, tokenizer: Any, items: Sequence[Item], batch: int = 64) -> float:
    """The mean negative log-probability of an answer's tokens, in nats, its end token among them."""
    prompts = [_encode(tokenizer, item, "") for item in items]
    wholes = [[*_encode(tokenizer, item, _answer(item)), tokenizer.eos_token_id] for item in items]
    order = sorted(range(len(items)), key=lambda place: len(wholes[place]))
    total, count = 0.0, 0
    model.eval()
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        longest = max(len(wholes[place]) for place in places)
        ids = torch.full((len(places), longest), tokenizer.pad_token_id)
        labels = torch.full((len(places), longest), -100)
        mask = torch.zeros((len(places), longest), dtype=torch.long)
        for row, place in enumerate(places):
            tokens = torch.tensor(wholes[place])
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
            labels[row, len(prompts[place]) : len(tokens)] = tokens[len(prompts[place]) :]
        with torch.inference_mode():
            device = model.device
            logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[:, :-1]
            wanted = labels[:, 1:].to(device)
            total += float(cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), reduction="sum"))
            count += int((wanted != -100).sum())
    return total / count


def _answer(item: Item) -> str:
    return str(item.row["answer"]) if item.chat else completion_of(item.row)


def _encode(tokenizer: Any, item: Item, more: str) -> list[int]:
    special = not item.chat  # a chat template writes its own
    encoded = tokenizer(item.prompt + more, add_special_tokens=special, return_attention_mask=False)
    return list(encoded["input_ids"])


def _chatted(item: Item, tokenizer: Any) -> Item:
    messages = question_messages(item.row)
    return Item(item.row, item.split, chat_text(tokenizer, messages, answering=True), tuple(messages))
