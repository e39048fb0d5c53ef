"""Who may import whom: `errors … shelf ← schema, rows ← store ← {generator ∥ benchmarks ← exports ∥ hub} ← studies ← leaderboard ← api ← cli`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
MODULES = sorted(path.relative_to(SOURCE) for path in (SOURCE / "kbench").rglob("*.py"))

_BASE = {"errors", "ids", "disk", "lean", "lock", "workers", "shelf"}
_DATA = _BASE | {"contents", "schema", "rows", "store"}
MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"cli"},
    "": {"errors", "rows", "store", "api"},  # what it offers, imported when it is first asked for
    "errors": set(),
    "ids": set(),
    "lean": set(),
    "disk": {"errors"},
    "lock": {"errors", "disk"},
    "workers": {"errors"},
    "shelf": set(),
    "contents": {"ids"},
    "schema": _BASE,
    "rows": {"errors"},
    "store": _BASE | {"schema", "rows"},
    "templates": set(),
    "generator": _DATA | {"generator", "templates"},
    "benchmarks": _DATA | {"benchmarks"},
    "exports": _DATA | {"benchmarks", "exports"},
    "hub": _DATA | {"hub"},
    "studies": _DATA | {"generator", "benchmarks", "studies"},
    "leaderboard": _DATA | {"generator", "benchmarks", "hub", "studies", "leaderboard", "templates"},
    "api": _DATA | {"generator", "benchmarks", "exports", "hub", "studies", "leaderboard", "api"},
    "cli": _DATA | {"generator", "benchmarks", "exports", "hub", "studies", "leaderboard", "api", "cli"},
}
"""For each part of kbench the parts it may import; `kbench` itself (the version) is open to all."""

HEAVY = {"torch", "transformers", "datasets", "vllm", "faker", "matplotlib", "scipy", "accelerate", "peft"}


def part_of(module: Path) -> str:
    """The part of kbench that a file belongs to; the package's own `__init__` belongs to none."""
    part = module.parts[1].removesuffix(".py")
    return "" if part == "__init__" else part


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported below a node; a relative import has an empty name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module if node.level == 0 and node.module else ""
            yield from ((node.lineno, f"{base}.{alias.name}".lstrip(".") if base else "") for alias in node.names)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: not those inside functions nor under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from at_import(child)


def parsed(module: Path) -> ast.Module:
    """A file of kbench as a syntax tree."""
    return ast.parse((SOURCE / module).read_text(encoding="utf-8"))


def test_every_part_of_kbench_has_its_place_in_the_layers() -> None:
    assert {part_of(module) for module in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_from_its_own_layer_and_those_below(module: Path) -> None:
    allowed = MAY_IMPORT[part_of(module)]
    for line, name in imported(parsed(module)):
        top, *rest = name.split(".")
        assert top, f"{module}:{line} imports relatively"
        if top == "kbench" and rest and rest[0] in {*MAY_IMPORT, *(p.parts[1].removesuffix(".py") for p in MODULES)}:
            assert rest[0] in allowed, f"{module}:{line} imports {name}"


@pytest.mark.parametrize(("one", "other"), [("generator", "benchmarks"), ("benchmarks", "generator")])
def test_generator_and_benchmarks_never_import_each_other(one: str, other: str) -> None:
    found = [
        f"{module}:{line}"
        for module in MODULES
        if part_of(module) == one
        for line, name in imported(parsed(module))
        if f"{name}.".startswith(f"kbench.{other}.")
    ]
    assert found == []
    assert any(part_of(module) == one for module in MODULES)


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(m.with_suffix("").parts).removesuffix(".__init__"): m for m in MODULES}
    graph: dict[str, set[str]] = {}
    for name, module in names.items():
        found = {target for node in at_import(parsed(module)) for _, target in imported(node)}
        graph[name] = {t if t in names else t.rpartition(".")[0] for t in found if t.startswith("kbench.")} & set(names)
    assert list(TopologicalSorter(graph).static_order())


LIGHT = [m for m in MODULES if part_of(m) not in {"benchmarks", "studies"}]


@pytest.mark.parametrize("module", LIGHT, ids=str)
def test_no_module_of_the_command_line_or_the_generator_imports_a_heavy_library_when_it_is_loaded(
    module: Path,
) -> None:
    for node in at_import(parsed(module)):
        for line, name in imported(node):
            assert name.split(".")[0] not in HEAVY, f"{module}:{line} imports {name}"


@pytest.mark.parametrize("module", ["kbench.store", "kbench.generator.release", "kbench.cli"])
def test_importing_a_light_module_loads_no_heavy_library(module: str) -> None:
    script = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
