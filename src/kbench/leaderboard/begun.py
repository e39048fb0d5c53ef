"""Work folders that this machine's verify began: what somebody else laid into one is not taken for a re-run."""

import secrets
from pathlib import Path

from kbench.disk import cache_folder, told_in_one_line
from kbench.errors import OutputError
from kbench.ids import digest_of
from kbench.lock import folder_lock
from kbench.store import write_text

TOKEN = ".kbench_verify"
"""The file in a work folder whose words the cache has too, under the folder's path."""


def begin_work(out: Path) -> None:
    """Make a work folder ours, or find that it is: its token is the one that the cache keeps for its path.

    Raises OutputError where it holds anything and its token is not, for then the runs in it may be anybody's.
    """
    known = cache_folder() / "verify"
    with told_in_one_line(known):
        known.mkdir(parents=True, exist_ok=True)
    with folder_lock(known, wait=True), told_in_one_line(out):
        ours = known / digest_of("kbench verify", str(out.resolve()))[:32]
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out} is a file, not a folder: give another --out")
        held = {path.name for path in out.iterdir()} if out.is_dir() else set[str]()
        if held - {f".{TOKEN}.part"}:  # which a kill may have left of an empty folder
            token = _read(out / TOKEN)
            if not token or token != _read(ours):
                raise OutputError(f"{out} was not begun by this machine's verify: give an --out that does not exist")
            return
        token = secrets.token_hex(16)
        write_text(ours, token)
        write_text(out / TOKEN, token)


def _read(path: Path) -> str:
    return path.read_bytes()[:64].decode("ascii", errors="replace") if path.is_file() else ""
