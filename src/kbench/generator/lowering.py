"""Templates lowered to plans: what a template prints, as texts that stand and columns between them.

A plan is what the template prints when it is run once over columns; a template that cannot be run so is rendered row by
row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import meta, nodes

from kbench.generator.packs import Phrasing, environment
from kbench.generator.symbolic import Piece, Run, Slot, Text, join

_PRINT = r'\{\{ \w+(?: \| join\("(?:[^"\\\r]|\\n)*"\))? \}\}'
_PLAIN = re.compile(rf"(?:[^{{\r]|\{{(?![{{%#])|{_PRINT})*")
_PRINTED = re.compile(rf"({_PRINT})")
_CONSTANTS = frozenset({"true", "false", "none", "True", "False", "None"})


@dataclass(frozen=True)
class Plan:
    """What a template prints, piece after piece; `pieces` is None where it must be rendered row by row."""

    pieces: tuple[Piece, ...] | None


def lower(
    phrasing: Phrasing,
    columns: tuple[str, ...],
    constants: tuple[tuple[str, Any], ...] = (),
    lists: tuple[tuple[str, int], ...] = (),
) -> Plan:
    """The plan of a phrasing.

    Args:
        phrasing: the template.
        columns: the variables that are columns of text.
        constants: the variables that are the same in every row, with their values.
        lists: the variables that are lists of columns, with how many each holds.
    """
    if phrasing.plain:
        return Plan(None)
    return _lowered(phrasing.source, columns, constants, lists)


@lru_cache(maxsize=65_536)
def _lowered(
    source: str,
    columns: tuple[str, ...],
    constants: tuple[tuple[str, Any], ...],
    lists: tuple[tuple[str, int], ...],
) -> Plan:
    known: dict[str, Any] = {name: Text((Slot(name),)) for name in columns}
    known |= dict(constants)
    known |= {name: [Text((Slot(name, i),)) for i in range(n)] for name, n in lists}
    plain = _plain(source, known)
    if plain is not None:
        return _plan(plain)
    tree = _parsed(source)
    try:
        return _plan(list(Run(known).body(tree.body)))
    except Exception:  # whatever it does, rendered row by row it does what Jinja does, errors included
        return Plan(None)


@lru_cache(maxsize=4096)
def read_by(source: str) -> frozenset[str]:
    """The variables that a template reads when it is rendered as it stands, printed or not."""
    return frozenset(meta.find_undeclared_variables(_parsed(source)))


def _plain(source: str, known: Mapping[str, Any]) -> list[Piece] | None:
    """The pieces of a template that only prints variables and joins lists, which needs no parser; None for others."""
    if "\0" in source or not _PLAIN.fullmatch(source):
        return None
    pieces: list[Piece] = []
    for place, part in enumerate(_PRINTED.split(source)):
        if place % 2 == 0:
            pieces.append(part)
            continue
        name, _, between = part[3:-3].partition(" | join")
        value = None if name in _CONSTANTS else known.get(name)
        if between and isinstance(value, list):
            value = join(value, between[2:-2].replace("\\n", "\n"))
        elif between or not isinstance(value, Text | str):
            return None
        pieces += value.pieces if isinstance(value, Text) else (value,)
    return pieces


@lru_cache(maxsize=4096)
def _parsed(source: str) -> nodes.Template:
    return environment().parse(source)


def _plan(pieces: list[Piece]) -> Plan:
    """The pieces as they stand once the text is stripped, neighbouring texts joined."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    if merged and isinstance(merged[0], str):
        merged[0] = merged[0].lstrip()
    if merged and isinstance(merged[-1], str):
        merged[-1] = merged[-1].rstrip()
    kept = tuple(piece for piece in merged if piece != "")
    return Plan(kept)
