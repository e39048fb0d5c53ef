"""Modules of kbench as one Python file that needs no kbench: what is exported cannot drift from what is scored."""

import ast
from collections import defaultdict
from importlib.resources import files


def standalone(about: str, *modules: str) -> str:
    """The code of some modules of kbench (`benchmarks/match.py`) in one text, whose docstring is `about`.

    Each module must import before it defines, of kbench only names of those before it.
    """
    whole, parts = set[str](), defaultdict[str, set[str]](set)
    bodies = list[str]()
    for module in modules:
        source = files("kbench").joinpath(module).read_text(encoding="utf-8")
        head = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in head:
            if isinstance(node, ast.Import):
                whole |= {ast.unparse(node)}
            elif str(node.module).split(".")[0] != "kbench":
                parts[str(node.module)] |= {ast.unparse(alias) for alias in node.names}
        last = max((node.end_lineno or 0 for node in head), default=1)
        bodies.append("\n".join(source.splitlines()[last:]).strip())
    lines = [f"from {module} import {', '.join(sorted(parts[module]))}" for module in sorted(parts)]
    return "\n\n\n".join([f'"""{about}"""\n\n' + "\n".join([*sorted(whole), *lines]), *bodies]) + "\n"
