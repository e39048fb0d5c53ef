"""The pages of the docs do what they say: their commands run from top to bottom, in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands_page import PAGE, commands, help_of, page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

PLAIN = ("generate.md", "real-data.md", "your-facts.md")
"""Pages whose commands need kbench alone."""
WITH_HUB = ("publish.md",)
"""Pages that talk to a Hub: one on loopback."""
WITH_TOOLS = ("trainer.md", "evaluate.md", "scoring.md")
"""Pages that need other tools and a trained model: minutes."""

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "---- shown on the page ----"
_FAILS = re.compile(r"#\s*exits (\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its info string (`` where it holds commands), its text, and the line it begins in."""

    info: str
    text: str
    line: int

    @property
    def exit(self) -> int:
        """The exit status that it is to have."""
        said = _FAILS.search(self.text)
        return int(said[1]) if said else 0


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1].strip(), found[2], text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)
    ]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment in which a page's commands run: `kbench` is the tree's own, and so is `import kbench`."""
    tools = folder / ".tools"
    tools.mkdir()
    source = shlex.quote(str(ROOT / "src"))
    script = f'#!/bin/sh\nPYTHONPATH={source} exec {shlex.quote(sys.executable)} -m kbench.cli "$@"\n'
    (tools / "kbench").write_text(script, encoding="utf-8")
    (tools / "kbench").chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in ("KBENCH_SEED", "COLUMNS")}
    ours = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "KBENCH_CACHE": str(folder / ".cache")}
    return {**kept, **ours, "PATH": path, **more}


def run_page(name: str, folder: Path, **more: str) -> None:
    """Run a page's commands block by block, and compare what is shown below one with what it printed."""
    held = blocks(DOCS / name)
    assert [block for block in held if not block.info], f"{name} has no commands"
    work, env = folder / "work", environment(folder, **more)
    work.mkdir()
    printed, above = "", ""
    for block in held:
        where = f"docs/{name}:{block.line}"
        if not block.info:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text], cwd=work, env=env, capture_output=True, text=True
            )
            printed, above = done.stdout + done.stderr, where
            assert done.returncode == block.exit, f"{where} exited {done.returncode}:\n{block.text}\n{printed}"
        elif block.info == "text printed":
            missing = [line for line in block.text.splitlines() if not _is_among(line, printed)]
            assert not missing, f"{where}: {above} does not print {missing}, but:\n{printed}"


def _is_among(line: str, printed: str) -> bool:
    """Whether a line was printed; `…` at its end stands for whatever may follow."""
    if line.endswith("…"):
        return any(each.startswith(line.removesuffix("…")) for each in printed.splitlines())
    return not line.strip() or line.rstrip() in [each.rstrip() for each in printed.splitlines()]


def _pages() -> Iterator[Any]:
    """The pages to run; those that need other tools, which is minutes, where the marker `tools` is asked for."""
    yield from PLAIN
    yield from (name for name in WITH_HUB if (DOCS / name).is_file())
    yield from (pytest.param(name, marks=pytest.mark.tools) for name in WITH_TOOLS if (DOCS / name).is_file())


@pytest.mark.parametrize("name", list(_pages()))
def test_the_commands_of_a_page_run_from_top_to_bottom(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    more = {"HF_HUB_OFFLINE": "0", **request.getfixturevalue("hub").env()} if name in WITH_HUB else {}
    run_page(name, tmp_path, **more)


@pytest.mark.parametrize(
    ("page", "shows"), [(DOCS / "python.md", 10), (ROOT / "README.md", 0)], ids=lambda each: getattr(each, "name", "")
)
def test_the_python_of_a_page_runs_as_one_program_and_prints_what_it_shows(
    tmp_path: Path, page: Path, shows: int
) -> None:
    held = [block for block in blocks(page) if block.info in ("python", "text printed")]
    parts = [block.text if block.info == "python" else f"print({_MARK!r})\n" for block in held]
    script = tmp_path / "page.py"
    script.write_text("".join(parts), encoding="utf-8")
    env = environment(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shown = [block for block in held if block.info == "text printed"]
    printed = done.stdout.split(f"{_MARK}\n")
    assert len(shown) == len(printed) - 1 == shows
    for block, found in zip(shown, printed, strict=False):
        missing = [line for line in block.text.splitlines() if not _is_among(line, found)]
        assert not missing, f"{page.name}:{block.line}: not printed: {missing}, but:\n{found}"


def test_the_page_of_commands_holds_the_help_of_every_verb_word_for_word() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.commands_page"


@pytest.mark.parametrize("words", [words for words in commands() if words], ids=" ".join)
def test_a_verbs_example_stands_in_its_help_on_one_line_to_be_pasted(words: list[str]) -> None:
    said = help_of(*words)
    examples = [line.strip() for line in said.splitlines() if line.strip().startswith("Example: ")]
    assert [each.startswith(f"Example: kbench {' '.join(words)}") for each in examples] == [True]
    assert f"\n  {examples[0]}\n\n" in said


def test_no_summary_in_the_list_of_verbs_is_cut() -> None:
    listed = help_of().partition("Commands:\n")[2].splitlines()
    assert len(listed) > 8
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []
