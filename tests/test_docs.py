"""README, docs and CI say the same as the code."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.samples import VERBS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_ci_runs_the_readmes_test_command_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("-s demo")
    assert commands[1] == commands[0].removesuffix("demo") + "tests"
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_docs_name_only_verbs_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"`kbench ([a-z][a-z-]*)", text)
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        shown += [] if kind else re.findall(r"^kbench ([a-z][a-z-]*)", block, re.MULTILINE)
    named = set(shown)
    assert named <= set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_docs_link_only_to_files_that_there_are(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_table_of_the_architecture_names_every_module_and_no_other() -> None:
    package = ROOT / "src" / "kbench"
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("| file | is |")[1].split("\n\n")[0]
    named = set()
    for row in table.splitlines()[2:]:
        folder = Path()
        for name in re.findall(r"`([^`]+)`", row.split("|")[1]):
            folder = folder if "/" not in name.rstrip("/") else Path(name).parent
            named.add(folder / Path(name).name)
    assert all((package / name).exists() for name in named)
    modules = {path.relative_to(package) for path in package.rglob("*.py") if path.name[0] != "_"}
    shown = {module for module in modules if module.parts[0] not in ("cli", "templates")}
    assert {module for module in shown if module not in named and module.parent not in named} == set()


@pytest.mark.parametrize("file", ["src/kbench/cli/generate.py", "src/kbench/api/releases.py", "docs/worlds.md"])
def test_every_built_in_world_is_named_where_worlds_are_listed(file: str) -> None:
    worlds = {path.stem for path in (ROOT / "src" / "kbench" / "generator" / "worlds").glob("*.toml")}
    text = (ROOT / file).read_text(encoding="utf-8")
    listed = re.search(r"(?:A world: |by name \(|come with kbench: )(.+?starter.+?)(?:files:|TOML)", text, re.DOTALL)
    assert listed is not None
    assert {name for name in worlds if not re.search(rf"\b{name}\b", listed[1])} == set()


def test_every_package_and_data_file_is_listed_for_the_wheel() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    source = ROOT / "src"
    packages = {".".join(p.parent.relative_to(source).parts) for p in source.rglob("__init__.py")}
    assert set(config["packages"]) == packages
    listed = {
        found
        for package, patterns in config["package-data"].items()
        for pattern in patterns
        for found in (source / package.replace(".", "/")).glob(pattern)
    }
    data = {
        p for p in source.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc") and "egg-info" not in str(p)
    }
    assert data == listed


def test_the_three_doors_open_on_the_packages() -> None:
    for door in ("generator", "templates", "benchmarks"):
        assert (ROOT / door).is_symlink()
        assert (ROOT / door).resolve() == (ROOT / "src" / "kbench" / door).resolve()


@pytest.mark.parametrize("study", ["style-to-facts", "known-facts", "factuality-gap"])
def test_the_page_of_a_study_tells_every_claim_as_its_files_do(study: str) -> None:
    folder = ROOT / "docs" / study
    page = folder.with_suffix(".md").read_text(encoding="utf-8")
    table = page.split("## Every claim")[1].split("\n## ")[0]
    rows = {row.split("`")[1]: row for row in table.splitlines() if row.startswith("| ") and "** |" in row}
    judged, chosen = (json.loads((folder / name).read_text()) for name in ("claims.json", "claims-exploration.json"))
    assert list(rows) == [claim["claim"] for claim in judged] == [claim["claim"] for claim in chosen]
    for here, before in zip(judged, chosen, strict=True):
        _, _, verdict, effect, explored, _, _ = rows[here["claim"]].split("|")
        assert verdict == f" **{here['verdict'].replace('_', ' ')}** "
        assert effect.strip() == _told(here)
        assert explored.strip() == f"{before['verdict'].replace('_', ' ')}, {_told(before)}"
        assert set(here["seeds"]) <= set(range(8))
        assert set(before["seeds"]) <= set(range(100, 108))


def _told(claim: dict[str, Any]) -> str:
    if claim["effect"] is None:
        return "–"
    low, high = claim["interval"]
    return f"{claim['effect']:+.2f} ({low:+.2f} to {high:+.2f}), {len(claim['seeds'])} seeds"
