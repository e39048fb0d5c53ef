"""What the tables of a grid file are held against: known keys, known names, whole numbers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kbench.errors import SpecError

Table = dict[str, Any]

TOP = ("name", "seeds", "engine", "release", "model", "recipe", "prompt", "skip", "report")
"""The keys of the file itself."""

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,39}", re.ASCII)


def tables(raw: Table, factor: str, where: str, default: list[Table] | None = None) -> Iterable[tuple[Table, str]]:
    """The tables of a factor, each with the words for an error; a text stands for a table that has it as `from`."""
    listed = raw.get(factor, default)
    if not isinstance(listed, list) or not listed:
        raise SpecError(f"{where}: a grid needs at least one [[{factor}]] (got {listed!r})")
    for number, each in enumerate(listed, 1):
        table = {"from": each} if isinstance(each, str) and factor != "prompt" else each
        if not isinstance(table, dict):
            raise SpecError(f"{where}: [[{factor}]] {number} must be a table (got {each!r})")
        yield table, f"{where}: [[{factor}]] {table.get('name', number)}"


def name_of(table: Table, where: str) -> str:
    """What it is called: its `name`, else the last part of where it comes from."""
    source = str(table.get("from") or table.get("recipe") or "")
    name = table.get("name", Path(source).name.removesuffix(".toml"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpecError(f"{where}: a name is 1 to 40 letters, digits and . _ + - (got {name!r}): give it a name")
    return name


def keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raise SpecError at the first key that is not known, with the nearest one first."""
    for key in table:
        if key in known:
            continue
        if key in TOP and not where.endswith(".toml"):
            raise SpecError(f"{where}: {key!r} belongs to the whole grid: put it above the first [[...]] of the file")
        near = get_close_matches(str(key).replace("-", "_").lower(), known, len(known), 0.6)
        listed = ", ".join([*near, *(name for name in known if name not in near)])
        raise SpecError(f"{where}: unknown key {key!r}: have {listed}")


def one_of(value: Any, known: Sequence[Any], what: str, where: str) -> Any:
    """The value, where it is known. Raises SpecError that lists the known ones."""
    if value not in known:
        raise SpecError(f"{where}: unknown {what} {value!r}: have {', '.join(map(str, known))}")
    return value


def whole_numbers(raw: Any, where: str) -> tuple[int, ...]:
    """A list of seeds, each once. Raises SpecError where it is none."""
    if not isinstance(raw, list) or not raw or not all(is_whole(each) and 0 <= each < 2**32 for each in raw):
        raise SpecError(f"{where} must be a list of whole numbers such as [0, 1, 2] (got {raw!r})")
    return tuple(dict.fromkeys(raw))


def is_whole(value: Any) -> bool:
    """Whether a value of a file is a whole number: true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
