"""The static site: plain files made of a folder of entries, the same bytes each time."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from kbench.errors import OutputError
from kbench.leaderboard.boards import boards
from kbench.leaderboard.examples import examples_of
from kbench.leaderboard.folder import read_entries
from kbench.leaderboard.pages import entry_page, index_page, script, style_sheet
from kbench.leaderboard.reproduce import recipe_toml
from kbench.store import prepare_folder, write_json, write_text

LIST = "site.json"
"""The file that says which files a build wrote: a later one takes away those that are not made any more."""

_OURS = re.compile(r"index\.html|style\.css|board\.js|entries/[a-z0-9-]+\.(html|json|toml)")
"""What a build writes; nothing else is ever taken away, whatever the list says."""


@dataclass(frozen=True)
class Site:
    """What a build left: its front page, how many entries it shows, and the pages that it took away."""

    index: Path
    entries: int
    removed: tuple[str, ...]


def build_site(entries: Path, out: Path) -> Site:
    """Write the site of a folder of entries. Raises OutputError where an entry or its samples cannot be read.

    Everything is made before anything is written. A folder that holds something else is refused.
    """
    pages = site_files(entries)
    prepare_folder(out, LIST)
    before = _listed(out / LIST)
    (out / "entries").mkdir(exist_ok=True)
    write_json(out / LIST, {"format": 1, "files": sorted({*before, *pages})})  # a build cut off can be told and mended
    for name, text in pages.items():
        write_text(out / name, text)
    removed = tuple(sorted(before - set(pages)))
    for name in removed:
        (out / name).unlink(missing_ok=True)
    write_json(out / LIST, {"format": 1, "files": sorted(pages)})
    return Site(
        out / "index.html", sum(name.startswith("entries/") and name.endswith(".html") for name in pages), removed
    )


def site_files(entries: Path) -> dict[str, str]:
    """Every file of the site by its path, as text."""
    shown = boards(read_entries(entries))
    pages = {"index.html": index_page(shown), "style.css": style_sheet(), "board.js": script()}
    for line in sorted((line for board in shown for line in board.lines), key=lambda line: line.entry.id):
        entry = line.entry
        pages[f"entries/{entry.id}.html"] = entry_page(line, examples_of(entries, entry))
        pages[f"entries/{entry.id}.json"] = (
            json.dumps(entry.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
        )
        if entry.recipe:
            pages[f"entries/{entry.id}.toml"] = recipe_toml(entry)
    return pages


def _listed(path: Path) -> set[str]:
    if not path.exists():
        return set()
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {name for name in names if _OURS.fullmatch(name)}
    except (OSError, ValueError, TypeError, KeyError):
        raise OutputError(f"{path} is no list of a site's files: give another --out") from None
