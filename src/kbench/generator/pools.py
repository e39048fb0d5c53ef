"""The committed value pools: what categorical and tone relations draw their values from."""

from functools import cache
from importlib.resources import files

from kbench.errors import SpecError


@cache
def load_pool(name: str) -> tuple[str, ...]:
    """The values of a pool, in file order. Raises SpecError that lists the known pools."""
    folder = files("kbench.generator").joinpath("pools")
    source = folder.joinpath(f"{name}.txt")
    if not name.isidentifier() or not source.is_file():
        known = sorted(p.name.removesuffix(".txt") for p in folder.iterdir() if p.name.endswith(".txt"))
        raise SpecError(f"unknown pool {name!r}: have {', '.join(known)}")
    return tuple(source.read_text(encoding="utf-8").splitlines())
