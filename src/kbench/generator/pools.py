"""The committed value pools: what categorical and tone relations draw their values from."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from kbench.errors import SpecError
from kbench.generator.columns import Texts, texts


@cache
def load_pool(name: str) -> tuple[str, ...]:
    """The values of a pool, in file order; `favourite.season` is the pool of one topic.

    Raises SpecError that lists the known pools.
    """
    if "." in name:
        family, topic = name.split(".", 1)
        values = load_topics().get(family, {})
        if isinstance(values, dict) and topic in values:
            return tuple(values[topic])
    folder = files("kbench.generator").joinpath("pools")
    source = folder.joinpath(f"{name}.txt")
    if not name.isidentifier() or not source.is_file():
        known = sorted(p.name.removesuffix(".txt") for p in folder.iterdir() if p.name.endswith(".txt"))
        raise SpecError(f"unknown pool {name!r}: have {', '.join(known)}")
    return tuple(source.read_text(encoding="utf-8").splitlines())


@cache
def pool_column(name: str) -> Texts:
    """The values of a pool as a column."""
    return texts(load_pool(name))


@cache
def load_topics() -> dict[str, Any]:
    """The topics of families of relations: `things` is a list, every other key a table of topic and values."""
    return tomllib.loads(_read("topics.toml"))


@cache
def other_forms() -> dict[str, dict[str, str]]:
    """The second surface form of a pool's values, by pool and value; most values have one form."""
    found: dict[str, dict[str, str]] = tomllib.loads(_read("forms.toml"))
    return found


def topics_of(pool: str) -> list[str]:
    """The topics of a topic pool, in file order. Raises SpecError that lists the known ones."""
    known = load_topics()
    if pool not in known:
        raise SpecError(f"unknown topic pool {pool!r}: have {', '.join(known)}")
    return list(known[pool])


def _read(name: str) -> str:
    return files("kbench.generator").joinpath(f"pools/{name}").read_text(encoding="utf-8")
