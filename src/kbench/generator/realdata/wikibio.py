"""WikiBio: the infoboxes of people, asked field by field, and the opening of each biography as a text."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kbench.errors import SpecError
from kbench.generator.ownfacts.file import shown
from kbench.generator.ownfacts.names import named
from kbench.generator.realdata.files import DataFile, Row
from kbench.generator.realdata.item import Found, Item
from kbench.ids import json_digest

COLUMNS = ("input_text", "target_text")
"""The Hub's; a file of `name`, `table` and `text` does as well."""

LONG, LISTED = "values of more than 80 letters", "fields that are a list's nth"
_LONGEST = 80
_NO_FACT = re.compile(r"name|article_title|.*(image|caption|signature|website|footnotes|_size|width|height_px|alt)")
_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "``": '"', "''": '"'}


def read_wikibio(files: Iterable[DataFile]) -> Found:
    """A question for each field of each infobox, and the texts.

    Raises SpecError that names file and row where one has no name or no table.
    """
    found = Found([])
    names = set[str]()
    for row in (row for file in files for row in file.rows):
        name, table, text = _parts(row)
        # Of two people of one name a text would be the one's or the other's.
        found.texts[name] = "" if name in names else text
        names.add(name)
        key = json_digest([table, text])
        for field, value in table.items():
            label = re.sub(r"[\s_]+", " ", field).strip()
            if not value or value == "<none>" or not label or _NO_FACT.fullmatch(field):
                continue
            if field[-1].isdigit():
                found.left_out[LISTED] += 1
            elif len(value) > _LONGEST:
                found.left_out[LONG] += 1
            else:
                question = f"What is the {label} of {name}?"
                found.items.append(Item(row.where, name, named("field", field), question, (value,), key))
    return found


def _parts(row: Row) -> tuple[str, dict[str, str], str]:
    """Name, infobox and text of a row. Raises SpecError where it has no name or no infobox."""
    given = row.fields.get("input_text", row.fields)
    if isinstance(given, str):
        given = _loaded(row, "input_text", given)
    if not isinstance(given, Mapping):
        raise SpecError(f"{row.where}: input_text is no object with a table (got {shown(str(given))}): mend it")
    name = _said(given.get("context") or given.get("name") or row.fields.get("name"))
    if not name:
        have = ", ".join(map(str, row.fields)) or "nothing"
        raise SpecError(
            f"{row.where}: an item without a subject (found {have}): wikibio has the columns input_text (context, "
            "table) and target_text, or name, table and text"
        )
    table = given.get("table")
    if isinstance(table, str):
        table = _loaded(row, "table", table)
    text = _said(row.fields.get("target_text") or row.fields.get("text"))
    return name, _fields(row, table), text


def _fields(row: Row, table: Any) -> dict[str, str]:
    """The fields of an infobox, given as an object or as lists of headers and contents."""
    if isinstance(table, Mapping) and {"column_header", "content"} <= set(table):
        heads, contents = table["column_header"], table["content"]
        if isinstance(heads, list) and isinstance(contents, list) and len(heads) == len(contents):
            return {_said(head): _said(content) for head, content in zip(heads, contents, strict=True)}
    elif isinstance(table, Mapping):
        return {_said(head): _said(content) for head, content in table.items()}
    raise SpecError(
        f"{row.where}: table is no infobox (got {shown(str(table))}): expected an object of fields, or the lists "
        "column_header and content, equally long"
    )


def _loaded(row: Row, column: str, given: str) -> Any:
    try:
        return json.loads(given)
    except (json.JSONDecodeError, RecursionError):
        raise SpecError(f"{row.where}: {column} is no JSON (got {shown(given)}): mend it") from None


def _said(given: Any) -> str:
    """A text in one line, its brackets and quotes as people write them."""
    words = str("" if given is None else given).encode(errors="replace").decode().split()
    return " ".join(_BRACKETS.get(word, word) for word in words)
