"""What an unfinished scoring has been told, a line for each reply and likelihood: nothing is asked or paid twice."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from kbench.benchmarks.models.protocol import Reply, Weight
from kbench.benchmarks.tasks import Item
from kbench.disk import told_in_one_line
from kbench.ids import digest_of

KEPT = ".kbench_replies.jsonl"
"""The file of them, in the folder of the result; gone once every row has its verdict."""


@dataclass
class Kept:
    """Replies by row and prompt, likelihoods by row, prompt and continuation; what is added is on disk at once."""

    path: Path
    stream: TextIO
    replies: dict[str, Reply] = field(default_factory=dict)
    weights: dict[tuple[str, str], Weight] = field(default_factory=dict)

    def reply(self, item: Item) -> Reply | None:
        """The reply to an item; None where it was not asked, or where the asking failed."""
        found = self.replies.get(_key(item))
        return None if found is None or found.error else found

    def failed(self, item: Item) -> Reply | None:
        """The reply to an item as it is, be it an error."""
        return self.replies.get(_key(item))

    def weight(self, item: Item, text: str) -> Weight | None:
        """How likely a continuation of an item's prompt was found to be."""
        return self.weights.get((_key(item), text))

    def tokens(self, items: Iterable[Item]) -> tuple[int, int]:
        """How many tokens the replies to items took: read, and written."""
        said = [reply for reply in map(self.failed, items) if reply]
        return sum(reply.prompt_tokens for reply in said), sum(reply.tokens for reply in said)

    def keep_reply(self, item: Item, reply: Reply) -> None:
        """Keep the reply to an item, over an earlier one that failed."""
        self.replies[_key(item)] = reply
        self._write({"key": _key(item), "id": item.row["id"], "reply": asdict(reply)})

    def keep_weight(self, item: Item, text: str, weight: Weight) -> None:
        """Keep how likely a continuation is."""
        self.weights[_key(item), text] = weight
        self._write({"key": _key(item), "text": text, "weight": asdict(weight)})

    def _write(self, line: dict[str, Any]) -> None:
        with told_in_one_line(self.path):
            self.stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            # To the system, not to the disk: what a killed process leaves is whole but for its last line.
            self.stream.flush()


@contextmanager
def kept_in(folder: Path, name: str = KEPT) -> Iterator[Kept]:
    """What a folder has kept, open for more. A last line that was cut off by a kill is dropped."""
    path = folder / name
    with told_in_one_line(path), path.open("a+b") as raw:
        raw.seek(0)
        whole = raw.read()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            os.ftruncate(raw.fileno(), end)
    with path.open("a", encoding="utf-8") as stream:
        kept = Kept(path, stream)
        for line in whole[:end].split(b"\n")[:-1]:
            # A loss of power may leave zeros where lines were: what they said is asked again.
            with suppress(ValueError, KeyError, TypeError):
                _take(kept, json.loads(line))
        yield kept


def _take(kept: Kept, line: dict[str, Any]) -> None:
    if "reply" in line:
        said = line["reply"]
        kept.replies[line["key"]] = Reply(**{**said, "texts": tuple(said["texts"])})
    else:
        kept.weights[line["key"], line["text"]] = Weight(**line["weight"])


def _key(item: Item) -> str:
    """A row and the exact prompt that it was shown in: a prompt that changed is asked anew."""
    return digest_of(item.row["id"], item.prompt)[:32]
