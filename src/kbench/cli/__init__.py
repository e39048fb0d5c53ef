"""The command line: one file a verb; a command parses, calls one function, prints."""

import sys

from kbench.cli.app import app
from kbench.errors import Interrupted, KbenchError


def main() -> None:
    """Run a command; a user's mistake ends in one line on stderr and exit status 1."""
    try:
        app()
    except KbenchError as error:
        sys.stderr.write(f"kbench: {error}\n")
        sys.exit(130 if isinstance(error, Interrupted) else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
