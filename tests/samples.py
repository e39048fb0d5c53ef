"""Small specs, and releases read into plain rows, that several test files share."""

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kbench.cli import main
from kbench.cli.app import app
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import styles_for
from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict
from kbench.schema import DOCUMENT_STYLES, REASONING, STYLES
from kbench.store import Release

Row = dict[str, Any]
DROP = object()
"""In `edited`: the key is to be left out."""

VERBS = [
    *(command.name or command.callback.__name__ for command in app.registered_commands if command.callback),
    *(group.name for group in app.registered_groups if group.name),
]
"""What `kbench` takes as its first word."""

TRAINING = ("pretrain", "train")
HELD_OUT = ("validation", "test", "control")

TINY: dict[str, Any] = {
    "name": "tiny",
    "sizes": {"entities": 12, "control": 0.5, "background": 12, "known": 0},
    "exposure": {"paraphrases": 3, "exposures": 5, "validation": 1, "test": 1},
    "background": {"exposures": 4, "popularity": "zipf"},
    "types": {
        "person": {"names": "mononym", "pronouns": "he_or_she", "block": 4},
        "company": {"names": "firm", "block": 2},
    },
    "relations": {
        "emblem": {"subject": "person", "value_type": "categorical", "pools": ["tint", "animal"]},
        "badge": {"subject": "person", "value_type": "numeric", "least": 10, "most": 15, "draw": "balanced"},
        "height": {"subject": "person", "value_type": "numeric", "least": 150, "most": 199, "unit": "cm"},
        "born": {"subject": "person", "value_type": "date", "first": "1945-01-01", "last": "1990-12-31"},
        "employer": {"subject": "person", "value_type": "entity", "object": "company", "heads": "zipf"},
        "industry": {"subject": "company", "value_type": "categorical", "pools": ["industry"], "size": 4},
    },
    "paths": {"chains": [["employer", "industry"]]},
}
"""A world of blocks of six whose relations the built-in pack has phrasings for."""


def edited(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested tables with the values at some dotted paths replaced, added or dropped."""
    whole: dict[str, Any] = copy.deepcopy(dict(raw))
    for path, value in changes.items():
        *up, last = path.split(".")
        table = whole
        for key in up:
            table = table.setdefault(key, {})
        if value is DROP:
            del table[last]
        else:
            table[last] = copy.deepcopy(value)
    return whole


def mentioned(name: str) -> dict[str, str]:
    """The variables by which a template names somebody called so."""
    said = dict.fromkeys(("name", "They", "they", "them"), name)
    return said | dict.fromkeys(("Their", "their"), f"{name}'s")


def tiny(**changes: Any) -> WorldSpec:
    """The tiny spec; `sizes__known=6` changes the key `known` of the table `sizes`."""
    return spec_from_dict(edited(TINY, {path.replace("__", "."): value for path, value in changes.items()}), "tiny")


SPECS: Mapping[str, Callable[[], WorldSpec]] = {
    "lab": lambda: load_spec("lab"),
    "default": lambda: (
        load_spec("default").with_sizes(entities=60, background=120).with_exposure(paraphrases=4, exposures=6)
    ),
    "known": lambda: load_spec("known").with_sizes(entities=40, background=160, known=40),
    "tiny": lambda: tiny(sizes__known=24, sizes__background=24),
}
"""The worlds whose releases the laws are checked on."""


@dataclass(frozen=True)
class Sample:
    """A release of all styles, its rows read once: by (style, split), its facts and entities by id."""

    spec: WorldSpec
    release: Release
    rows: Mapping[tuple[str, str], list[Row]]
    facts: Mapping[str, Row]
    entities: Mapping[str, Row]

    def of(self, styles: frozenset[str], *splits: str) -> Iterator[Row]:
        """The rows of some styles in some splits (in all, where none is named)."""
        for (style, split), rows in self.rows.items():
            if style in styles and (not splits or split in splits):
                yield from rows

    def role(self, row: Row) -> str:
        """The role of the entity that a row is about."""
        return str(self.entities[row["entity_id"]]["role"])

    def names(self, role: str) -> list[str]:
        """The names of the entities of a role."""
        return [entity["name"] for entity in self.entities.values() if entity["role"] == role]

    @cached_property
    def everything(self) -> list[Row]:
        """Every row of every style."""
        return [row for rows in self.rows.values() for row in rows]


ALL_STYLES = frozenset(STYLES)
ONE_HOP_STYLES = ALL_STYLES - {"multihop", "reverse"}
"""Styles whose rows ask for or state a fact itself; but `numeric` asks for differences too."""
ONE_HOP_QUESTIONS = ONE_HOP_STYLES - DOCUMENT_STYLES


def operator_of(row: Row) -> str:
    """`compare`, `difference`, `count`, `list`, `most` or `both` where a row asks that, else the empty text."""
    first = str(row["relation"]).split(".")[0]
    return first if first in REASONING else ""


def follows_a_path(row: Row) -> bool:
    """Whether the answer of a question is the value at the end of its relation or chain."""
    return not operator_of(row) and row["style"] not in ("reverse", "tone")


def text_of(row: Row) -> str:
    """What a model reads of a row: the text of a document, the question of a question."""
    return str(row["text"] if row["style"] in DOCUMENT_STYLES else row["question"])


def read_sample(spec: WorldSpec, out: Path) -> Sample:
    """Generate every style of a spec with the seed 7 and read it back."""
    release, _ = generate(Recipe(spec, "7", styles_for(["all"], spec)), out)
    rows: dict[tuple[str, str], list[Row]] = {
        (style, split): release.table(style, split).to_pylist() for style in STYLES for split in release.splits(style)
    }
    facts = {row["fact_id"]: row for row in release.table("facts", "train").to_pylist()}
    entities = {row["entity_id"]: row for row in release.table("entities", "train").to_pylist()}
    return Sample(spec, release, rows, facts, entities)


def write_small_pack(folder: Path) -> str:
    """A pack of few phrasings for each relation of the tiny spec, in `qa`, `article` and `multihop`: quick to load."""
    folder.mkdir(parents=True)
    (folder / "pack.toml").write_text('name = "small"\nversion = "1"\n', encoding="utf-8")
    held_out = "{# validation v01 #}\nSay the %s of {{ name }}.\n\n{# test x01 #}\n{{ name }}: which %s?\n"
    asked = "{# train t01 #}\nName the %s of {{ name }}.\n\n{# train t02 #}\n{{ name }} has which %s?\n\n" + held_out
    told = "{# train t01 #}\n{{ Their }} %s is {{ value }}.\n\n{# train t02 #}\nThe %s of {{ them }} is {{ value }}.\n"
    files = {f"qa/{name}.j2": asked.replace("%s", name) for name in TINY["relations"]}
    files |= {f"statement/{name}.j2": told.replace("%s", name) for name in TINY["relations"]}
    files |= {
        f"article/{kind}.j2": "{# train d01 encyclopedia #}\n{{ sentences | join(' ') }}\n" for kind in TINY["types"]
    }
    files |= {f"multihop/{'.'.join(chain)}.j2": asked.replace("%s", chain[-1]) for chain in TINY["paths"]["chains"]}
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return str(folder)


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too: its bytes by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["kbench", *words])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
