"""The error family: every mistake a user can make ends in one of these, and only the command line catches them.

KbenchError
 ├─ SpecError       a world spec (or a size, seed or recipe) that cannot be
 ├─ TemplateError   a template pack that cannot be read or rendered
 │   └─ CheckError  compiled rows that are not those of plain Jinja
 ├─ OutputError     an output folder that holds something else
 ├─ ReleaseError    a release that is missing, altered or not whole
 ├─ HubError        the Hub that cannot be reached, refuses, or holds something else
 ├─ ModelError      a model that cannot be found, built or loaded
 ├─ MissingExtra    an optional part of kbench that is not installed
 └─ Interrupted     the user stopped a long work (exit status 130)
"""


class KbenchError(Exception):
    """A user's mistake, told in one line: what was expected, what came, where it was looked for, what to do now."""


class SpecError(KbenchError):
    """A world spec, size, seed or recipe that cannot be."""


class TemplateError(KbenchError):
    """A template pack that cannot be read, or a template that cannot be rendered; names template and line."""


class CheckError(TemplateError):
    """Compiled rows that are not those of plain Jinja: a defect of kbench, which no change of a template mends."""


class OutputError(KbenchError):
    """An output folder that holds something else, or that cannot be written."""


class ReleaseError(KbenchError):
    """A release that is missing, altered or not whole."""


class HubError(KbenchError):
    """The Hub cannot be reached, refuses what is asked, or holds something else than a release."""


class ModelError(KbenchError):
    """A model that cannot be found, built or loaded."""


class MissingExtra(KbenchError):
    """An optional part of kbench that is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f'this needs {missing}, which is not installed: pip install "knowledge-bench[{extra}]"')
        self.made_of = extra, missing

    def __reduce__(self) -> tuple[type["MissingExtra"], tuple[str, str]]:
        # An error comes back from a worker process by pickle, which would make it anew from its one line.
        return MissingExtra, self.made_of


class Interrupted(KbenchError):
    """The user stopped a long work; what was done is kept."""
