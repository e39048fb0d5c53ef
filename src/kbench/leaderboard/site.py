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
    _check_places(out, {*before, *pages})
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
    """The files that an earlier build wrote. Raises OutputError where the list is not one that a build writes."""
    if not path.exists() and not path.is_symlink():
        return set()
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        about = None
    files = about.get("files") if isinstance(about, dict) and about.keys() == {"format", "files"} else None
    if not isinstance(files, list) or about["format"] != 1 or not all(isinstance(name, str) for name in files):
        raise OutputError(f"{path} is no list of a site's files: give another --out")
    return {name for name in files if _OURS.fullmatch(name)}


def _check_places(out: Path, names: set[str]) -> None:
    """Raise OutputError where a file of the site would be written or taken away elsewhere, or where it cannot be."""
    folder = out / "entries"
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        what = "a link to another place" if folder.is_symlink() else "a file"
        raise OutputError(f"{folder} is {what}, expected a folder: give another --out")
    for name in sorted(names):
        if (out / name).is_dir():
            raise OutputError(f"{out / name} is a folder, expected a file of the site: give another --out")
