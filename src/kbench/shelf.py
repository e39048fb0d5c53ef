"""The shelf: the named releases that come with kbench, whole (kbench-tiny) or as a recipe and its digests."""

from pathlib import Path

SHELF = Path(__file__).parent / "releases"
DEFAULT = "kbench-tiny"
"""The release that lies on the shelf in full, and is taken where no other is named."""


def names() -> list[str]:
    """What stands on the shelf."""
    return sorted(folder.name for folder in SHELF.iterdir() if folder.is_dir())


def shelved(name: str) -> Path | None:
    """The folder of a named release; None where there is none of that name."""
    return SHELF / name if name in names() else None
