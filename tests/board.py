"""A folder of entries to build a site from: real scores of small made tables, and text that tries to be more than text."""

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.entry import (
    Base,
    Cost,
    Entry,
    Kind,
    Model,
    PrivateRerun,
    Released,
    Reproduced,
    Rerun,
    Samples,
    Scores,
    TrackName,
)
from kbench.leaderboard.folder import write_entry
from kbench.leaderboard.samples import samples_bytes, sha256_of, write_samples

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&{{ 7*7 }}"
"""Shown as it stands, or a browser has been told to do something."""

_ASKED = (
    ("qa", "paraphrase"),
    ("cloze", "cross_style"),
    ("numeric", "paraphrase"),
    ("multihop", "multihop"),
    ("reverse", "reverse"),
)


def rows_of(share: float, salt: str, *, known: float = 0.95, text: str = "") -> list[dict[str, Any]]:
    """Samples that are right in about this share, of 40 taught entities and 20 twins, with background questions."""
    found = []
    for style, probe in _ASKED:
        for number in range(60):
            control = number >= 40
            right = _draw(salt, style, str(number)) < (0.03 if control else share)
            found.append(_row(style, "control" if control else probe, number, right, text))
    for number in range(40):
        found.append(_row("qa", "known", 100 + number, number < 40 * known, text))
    return found


def _row(style: str, probe: str, number: int, right: bool, text: str) -> dict[str, Any]:
    entity, value = f"w/person-{number}", f"value {number}"
    return {
        "id": f"{entity}/emblem/{style}/{probe}",
        "style": style,
        "probe": probe,
        "entity_id": entity,
        "relation": "emblem",
        "fact_ids": [f"{entity}/emblem"],
        "facts": [f"Person {number} | emblem | {value}{text}"],
        "prompt": f"Question: What is the emblem of Person {number}?{text}\nAnswer:",
        "prediction": (value if right else "something else") + text,
        "answers": [value + text, f"no. {number}"],
        "correct": right,
    }


def _draw(*parts: str) -> float:
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:4], "big") / 2**32


def make_entry(
    folder: Path,
    name: str,
    title: str,
    share: float,
    tokens: int,
    *,
    track: TrackName = "methods",
    kind: Kind = "method",
    known: float = 0.95,
    private: float | None = None,
    rerun: bool = True,
    text: str = "",
    recipe: dict[str, Any] | None = None,
    **fields: Any,
) -> Entry:
    """Write an entry with its samples; `private` is what share is right on the private world, if it was run there."""
    rows = rows_of(share, name, known=known, text=text)
    scores = scores_of(rows, 0.95)
    cost = Cost(tokens=tokens, wall_s=tokens / 9000 + 0.4, hardware="1 thread of an x86-64 processor" + text)
    entry = Entry(
        id=name,
        track=track,
        kind=kind,
        title=title,
        submitted=date(2026, 11, 22),
        kbench="0.1.0",
        release=Released(name="kbench-methods", world="2b2a51d4", digest="6" * 64),
        base=Base(model="lab", recipe="0" * 64, weights="c" * 64),
        recipe={"styles": ["qa"]} if recipe is None else recipe,
        model=Model(name=name, digests={"weights": "f" * 64}),
        article_pass=40_000,
        cost=cost,
        scores=scores,
        samples=_write(folder / f"{name}.parquet", rows),
        **fields,
    )
    if rerun:
        entry = entry.model_copy(update={"reproduced": _reproduced(entry, private)})
    write_entry(folder, entry)
    return entry


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> Samples:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = samples_bytes(rows)
    write_samples(path, content)
    return Samples(sha256=sha256_of(content), rows=len(rows))


def _reproduced(entry: Entry, private: float | None) -> Reproduced:
    public = Rerun(scores=entry.scores, weights="f" * 64, cost=entry.cost)
    on_private = None
    if private is not None:
        scores: Scores = scores_of(rows_of(private, f"{entry.id}-private"), 0.95)
        rerun = Rerun(scores=scores, weights="e" * 64, cost=entry.cost)
        on_private = PrivateRerun(commitment="a" * 64, salt="5a17", rerun=rerun)
    return Reproduced(
        claim=entry.claim,
        date=date(2026, 11, 23),
        kbench="0.1.0",
        packages={"torch": "2.13.0", "transformers": "5.19.0"},
        public=public,
        private=on_private,
    )


def write_board(folder: Path) -> list[Entry]:
    """Sixteen entries: three classes, ties, references, a gate that fails, self-reported ones, a model, hostile text."""

    def add(name: str, title: str, share: float, passes: float, **more: Any) -> Entry:
        return make_entry(folder, name, title, share, int(passes * 40_000), **more)

    return [
        add("floor", "The base, untrained", 0.03, 0, kind="floor", private=0.03, recipe={}),
        add("ceiling", "Open book", 0.97, 0, kind="ceiling", private=0.96, recipe={}),
        add("qa", "Questions only", 0.30, 0.9, private=0.28, authors="kbench"),
        add("articles", "Articles only", 0.12, 1.0, private=0.12, recipe={"styles": ["article"]}),
        add("statements", "Statements only", 0.16, 0.8, private=0.2, recipe={"styles": ["statement"]}),
        add("qa-4", "Questions, three passes", 0.62, 3.1, private=0.58, recipe={"styles": ["qa"], "epochs": 3}),
        add("mixed", "Every question style", 0.64, 3.3, private=0.61, recipe={"styles": ["qa", "cloze", "reverse"]}),
        add("reversal", "Reversal rows beside the questions, and the articles too", 0.60, 3.2, private=0.6),
        add("rank-1", "LoRA, rank 1", 0.33, 3.15, private=0.3, recipe={"styles": ["qa"], "method": "lora", "lora_rank": 1}),
        add("paraphrases", "Eight paraphrases", 0.78, 9.0, private=0.74, recipe={"styles": ["qa"], "paraphrases": 8}),
        add("no-replay", "Without replay", 0.81, 8.0, private=0.75, known=0.55, recipe={"styles": ["qa"], "replay": 0.0}),
        add("tuned", "Tuned to the test", 0.93, 3.4, private=0.45),
        add("large", "More than the classes allow", 0.85, 40.0, private=0.84),
        add("claimed", "Claimed by itself", 0.99, 2.0, rerun=False, authors="Somebody"),
        add(
            "hostile", HOSTILE[:80], 0.5, 5.0, rerun=False, text=HOSTILE, authors=HOSTILE, description=HOSTILE + "\n" + HOSTILE,
            url="https://example.org/?q=1&x=%3Cscript%3E", recipe={"styles": ["qa"], "order": "mixed"},
        ),
        add("model", "A model of the Hub", 0.7, 12.0, track="models", kind="model", private=0.66),
    ]  # fmt: skip
