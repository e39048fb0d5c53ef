"""What an entry must say to be re-run at all: the release, base and way of asking of its track, and a recipe."""

from kbench.benchmarks.prompting import PLAIN_TOKENS
from kbench.errors import OutputError
from kbench.leaderboard.bases import lab_digest
from kbench.leaderboard.entry import Entry
from kbench.leaderboard.tracks import LAB, PINNED, TRACKS, entry_recipe
from kbench.store import Release
