"""The picture of a release's factor grid: its styles by splits, and what else it varies, as SVG for the card."""

import math
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench.schema import ROLES, SPLITS, STYLES

_WIDTH, _LETTER = 900, 7.3
"""The picture's width, and that of a letter of its fixed-width type, in pixels."""
_LABEL, _CELL, _ROW = 140, 120, 26


@dataclass(frozen=True)
class Cell:
    """A split of a style: its place, its rows, and how dark it is (0 to 1, by the logarithm of its rows)."""

    x: int
    y: int
    rows: str
    dark: float


@dataclass(frozen=True)
class Chip:
    """A level of a factor: its place, its width and what it says."""

    x: int
    y: int
    width: int
    text: str


@dataclass(frozen=True)
class Factor:
    """A factor of a release, and its levels."""

    name: str
    y: int
    chips: tuple[Chip, ...]


def release_picture(manifest: dict[str, Any]) -> str:
    """The picture as SVG text, from the manifest alone."""
    splits = [split for split in SPLITS if any(key.endswith(f"/{split}") for key in manifest["splits"])]
    styles = [style for style in STYLES if any(key.startswith(f"{style}/") for key in manifest["splits"])]
    top = 84
    rows = {key: entry["rows"] for key, entry in manifest["splits"].items()}
    most = max([2, *(rows.get(f"{style}/{split}", 0) for style in styles for split in splits)])
    cells = [
        Cell(_LABEL + column * _CELL, top + line * _ROW, f"{n:,}", round(math.log(n + 1) / math.log(most + 1), 2))
        for line, style in enumerate(styles)
        for column, split in enumerate(splits)
        if (n := rows.get(f"{style}/{split}", 0))
    ]
    factors = _laid(factors_of(manifest), top + len(styles) * _ROW + 28)
    jinja = Environment(
        loader=PackageLoader("kbench", "templates"), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    return jinja.get_template("factors.svg.j2").render(
        title=f"{manifest['recipe']['spec']['name']}, world {manifest['world']}",
        width=_WIDTH,
        height=(factors[-1].chips[-1].y if factors else top) + 40,
        columns=[(split, _LABEL + column * _CELL + _CELL // 2 - 4) for column, split in enumerate(splits)],
        lines=[(style, top + line * _ROW) for line, style in enumerate(styles)],
        cells=cells,
        cell=_CELL - 8,
        factors=factors,
        label=_LABEL,
    )


def factors_of(manifest: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What a release varies beside style and split: each factor with its levels, as the card shows them."""
    if "imported" in manifest["recipe"]:
        return _of_import(manifest)
    spec = manifest["recipe"]["spec"]
    exposure, paths = spec["exposure"], spec["paths"]
    kinds = [relation["value_type"] for relation in spec["relations"].values()]
    hops = sorted({len(chain) for chain in paths["chains"]})
    reasoning = {
        "compare": "compares",
        "difference": "differences",
        "count": "counts",
        "list": "lists",
        "most": "extremes",
        "both": "intersections",
        "reverse": "reverse",
    }
    doses = [f"tier {n}" for n in exposure["tiers"]] or [f"{exposure['exposures']}"]
    written = set(manifest["recipe"]["styles"])
    found = {
        "entity type": list(spec["types"]),
        "value type": [f"{kind} ({kinds.count(kind)})" for kind in dict.fromkeys(kinds)],
        "phrasing": ["train", *(["held out"] if any(key.endswith("/test") for key in manifest["splits"]) else [])],
        "paraphrases": [str(exposure["paraphrases"])],
        "exposures": [*doses, *(["zipf"] if exposure["popularity"] == "zipf" else [])],
        "budget": [f"same {exposure['budget']}"],
        "number form": exposure["number_forms"] if "numeric" in written else [],
        "surface forms": [str(exposure["forms"])],
        "hops": [str(n) for n in (1, *hops)] if "multihop" in written else [],
        "reasoning": [
            name
            for name, key in reasoning.items()
            if paths[key] and ("reverse" if name == "reverse" else "multihop") in written
        ],
        "article kind": spec["articles"] if "article" in written else [],
        "role": [f"{role} {manifest['entities'][role]:,}" for role in ROLES if manifest["entities"][role]],
    }
    return [(name, levels) for name, levels in found.items() if levels]


def _of_import(manifest: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The same of a dataset of real facts: who is on which side, and what stands on both."""
    made, entities = manifest["recipe"]["imported"], manifest["entities"]
    return [
        ("dataset", [made["kind"], made["source"]]),
        ("held out", [f"{made['test_share']:.0%} of the subjects", f"apart: {made['apart']}"]),
        ("role", [f"{role} {entities[role]:,}" for role in ROLES if entities[role]]),
    ]


def _laid(factors: list[tuple[str, list[str]]], y: int) -> list[Factor]:
    """The chips of each factor in lines that fit the width."""
    laid = []
    for name, levels in factors:
        first, x, chips = y, _LABEL, []
        for text in levels:
            width = math.ceil(len(text) * _LETTER) + 16
            if x + width > _WIDTH - 16 and x > _LABEL:
                x, y = _LABEL, y + 26
            chips.append(Chip(x, y, width, text))
            x += width + 6
        laid.append(Factor(name, first, tuple(chips)))
        y += 30
    return laid
