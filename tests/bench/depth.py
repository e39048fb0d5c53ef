"""CPU time of a multi-hop row by the depth of its chain and the size of its world.

The rows are those of the last blocks of each world, the same number of blocks in each, of a world of people, companies
and cities; every depth has the same two held-out phrasings. Depth 1 is `qa`, the average of the world's five relations.
"""

import argparse
import tempfile
import time
from pathlib import Path

from rich.table import Table

from kbench.generator.building import build_world
from kbench.generator.packs import Pack, load_pack
from kbench.generator.sections import Section
from kbench.generator.shards import Unit, unit_table
from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict
from kbench.generator.world import World
from tests.bench.report import show, spread
from tests.bench.workload import SEED, use_one_thread

_CHAIN = ("spouse", "employer", "headquarters", "mayor")
_RELATIONS = (*_CHAIN, "home")
"""The chain's, and the one that its mayor is chosen by."""
_TYPES = ("person", "company", "city")


def main() -> None:
    """Print microseconds a row: depths down, worlds across."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- depth", description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[500, 5_000, 50_000, 500_000])
    parser.add_argument("--blocks", type=int, nargs="+", default=[20, 1_000], help="how many blocks the rows are of")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        pack = load_pack(_write_pack(Path(folder)))
        for blocks in asked.blocks:
            shown = Table("hops", title=f"CPU microseconds a row, rows of {blocks:,} blocks of 24 people")
            for people in asked.people:
                shown.add_column(f"{people:,} people", justify="right")
            for depth in range(1, len(_CHAIN) + 1):
                cells = [_cell(pack, people, depth, blocks, asked.repeats) for people in asked.people]
                shown.add_row(str(depth), *cells)
            show(shown, "median of the repeats (quartiles); –: the world has fewer blocks")


def _cell(pack: Pack, people: int, depth: int, blocks: int, repeats: int) -> str:
    spec = _spec(people, depth)
    if spec.blocks("new") < blocks:
        return "–"
    return spread([_cost(build_world(spec, SEED), pack, depth, blocks) for _ in range(repeats)])


def _spec(people: int, depth: int) -> WorldSpec:
    raw = load_spec("default").to_dict()
    raw["types"] = {name: raw["types"][name] for name in _TYPES}
    for kind in ("city", "company"):  # their own name forms are enough for 100,000 and 200,000 people
        raw["types"][kind]["names"] = "opaque"
    raw["relations"] = {name: raw["relations"][name] for name in _RELATIONS}
    raw["paths"] = {"chains": [list(_CHAIN[:depth])] if depth > 1 else []}
    entities = sum(kind["block"] for kind in raw["types"].values())
    raw["sizes"] = {"entities": people * entities // raw["types"]["person"]["block"], "control": 0.0}
    return spec_from_dict(raw, "tests/bench/depth.py")


def _cost(world: World, pack: Pack, depth: int, blocks: int) -> float:
    """CPU microseconds a row of the last blocks; templates are compiled beforehand, on the first of them."""
    last = world.blocks("new")[-blocks:]
    for chosen in (last[:1], last):
        section = Section("new", chosen, "test", "paraphrase")
        unit = Unit("multihop" if depth > 1 else "qa", "test", 0, 1, (section,))
        start = time.process_time()
        rows = unit_table(world, pack, unit).num_rows
        spent = time.process_time() - start
    return spent * 1e6 / int(rows)


def _write_pack(folder: Path) -> Path:
    """A template pack with the same phrasings for every depth."""
    (folder / "pack.toml").write_text('name = "depth"\nversion = "1"\n', encoding="utf-8")
    paths: list[tuple[str, tuple[str, ...]]] = [("qa", (name,)) for name in _RELATIONS]
    paths += [("multihop", _CHAIN[:depth]) for depth in range(2, len(_CHAIN) + 1)]
    for style, chain in paths:
        (folder / style).mkdir(exist_ok=True)
        told = " of the ".join(name.replace("_", " ") for name in reversed(chain))
        phrasings = [("train", "t01"), ("validation", "v01"), ("test", "x01"), ("test", "x02")]
        texts = [f"{{# {role} {name} #}}\n{name}: what is the {told} of {{{{ name }}}}?\n" for role, name in phrasings]
        (folder / style / f"{'.'.join(chain)}.j2").write_text("\n".join(texts), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
