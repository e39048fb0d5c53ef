"""Pretraining questions in blocks: a few of one relation, answered in one surface form, as a few-shot prompt has them.

A question alone does not say in which form its answer is wanted; those before it in the block do. So a base that has
read such blocks answers better behind exemplars, which no base learns from lone questions.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.chains import CHAIN, with_chains
from kbench.benchmarks.examples import taught_completion, taught_prompt
from kbench.store import Release

Row = dict[str, Any]

BETWEEN = "\n\n"
"""What stands between the questions of a block, as between the exemplars of a prompt."""

WORDED = ("categorical", "tone")
"""Types of value whose second form is another wording; of numbers, dates and names the first is always taken."""

_CHAINED_EVERY = 3


@dataclass(frozen=True)
class Block:
    """Rows of one relation in the order in which they are asked, and the surface form of all their answers.

    Rows that have their chain are answered behind it.
    """

    rows: tuple[Row, ...]
    form: int

    @property
    def text(self) -> str:
        """The block as it is read."""
        shown = [in_form(row, self.form) for row in self.rows]
        return BETWEEN.join(taught_prompt(row) + taught_completion(row) for row in shown)


def in_form(row: Row, form: int) -> Row:
    """The row with its answer in a surface form, where its value has that one."""
    if form == 0 or row["value_type"] not in WORDED or len(row["answers"]) <= form:
        return row
    said = {CHAIN: row[CHAIN].replace(row["answer"], row["answers"][form])} if CHAIN in row else {}
    return {**row, **said, "answer": row["answers"][form]}


def blocks_of(rows: Sequence[Row], most: int, stream: random.Random) -> Iterator[Block]:
    """The rows, each as often as it repeats, in blocks of 1 to `most` of one relation, each in a form drawn for it.

    Sizes are drawn evenly; the last block of a relation has what is left. Rows with and without a chain stand apart.
    """
    by_relation: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        by_relation[row["relation"], CHAIN in row] += [row] * row["repeat"]
    for asked in by_relation.values():
        stream.shuffle(asked)
        at = 0
        while at < len(asked):
            size = stream.randint(1, most)
            yield Block(tuple(asked[at : at + size]), stream.randrange(2))
            at += size


def pretraining_blocks(release: Release, most: int, rounds: int, *, chains: bool, seed: int) -> list[Block]:
    """The pretraining questions in style qa in blocks, `rounds` times over; with `chains` each third with its chain."""
    rows = release.table("qa", "pretrain").to_pylist() if "pretrain" in release.splits("qa") else []
    again = [{**row, "repeat": row["repeat"] * rounds} for row in rows]
    if chains and rows:
        chained = [{**row, "repeat": row["repeat"] // _CHAINED_EVERY} for row in with_chains(release, again)]
        shared = zip(again, chained, strict=True)
        again = [{**row, "repeat": row["repeat"] - other["repeat"]} for row, other in shared]
        again += [row for row in chained if row["repeat"]]
    return list(blocks_of(again, most, random.Random(seed)))
