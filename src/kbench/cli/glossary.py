"""Every measure in a line, for the end of a command's help: as the docs and each result have it."""

from textwrap import wrap

from kbench.benchmarks.definitions import definitions

_WIDE = 78


def glossary() -> str:
    """The measures, an entry each, laid out so that the help leaves the lines as they are."""
    lines = ["\b", "Measures (also in the result; printed by --measures):"]
    for name, line in definitions().items():
        lines += wrap(f"{name}: {line}", _WIDE, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    return "\n".join(lines)
