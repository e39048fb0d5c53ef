"""The folder of entries: `<id>.json` with `<id>.parquet` beside it, read without trusting either."""

import json
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from kbench.errors import OutputError
from kbench.leaderboard.entry import Entry
from kbench.leaderboard.letters import named
from kbench.leaderboard.tracks import entry_recipe
from kbench.store import write_json

ENTRIES = Path("releases") / "leaderboard"
"""Where entries are looked for, seen from where the command is called."""

MOST_BYTES = 256 * 1024
"""An entry's file is no larger."""


def read_entry(path: Path) -> Entry:
    """The entry in a file. Raises OutputError of one line where there is none, or it is none."""
    where = named(path)
    try:
        if not path.is_file():
            raise OutputError(f"no entry at {where}: give its file, or its id and --entries DIR")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OutputError(f"{where} is too large for an entry: expected at most {MOST_BYTES:,} bytes")
        raw = json.loads(content.decode("utf-8"), parse_constant=_no_number)
        entry = entry_from(raw, where)
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"cannot read the entry {where}: {str(error)[:200]}") from None
    entry_recipe(entry.recipe, f"{where}: recipe")
    return entry


def entry_from(values: Any, where: str) -> Entry:
    """The entry that plain values make. Raises OutputError of one line, which names the first that cannot be."""
    try:
        return Entry.model_validate_json(json.dumps(values))  # of JSON, a date is text
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        key = ".".join(repr(part)[1:-1][:40] if isinstance(part, str) else str(part) for part in first["loc"])
        what = first["msg"].splitlines()[0].removeprefix("Value error, ")[:160]
        got = "" if first["type"] == "value_error" else f" (got {str(first['input'])[:60]!r})"
        raise OutputError(f"{where}: {key or 'the whole'}: {what}{got}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def read_entries(folder: Path) -> list[Entry]:
    """Every entry of a folder, by id. Raises OutputError where one cannot be read or its file has another name."""
    if not folder.is_dir():
        raise OutputError(f"no entries at {named(folder)}: call it in a clone of kbench, or give --entries DIR")
    found = []
    for path in sorted(folder.glob("*.json")):
        entry = read_entry(path)
        if path.stem != entry.id:
            raise OutputError(f"{named(path)} holds the entry {entry.id!r}: rename the file to {entry.id}.json")
        found.append(entry)
    return found


def write_entry(folder: Path, entry: Entry) -> Path:
    """Write an entry as its file in a folder."""
    path = folder / f"{entry.id}.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, entry.model_dump(mode="json"))
    return path


def samples_path(folder: Path, entry: Entry) -> Path:
    """Where the samples of an entry lie."""
    return folder / f"{entry.id}.parquet"
