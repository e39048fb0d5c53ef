"""One seed of the demo: its own world, base, three finetunes and four scored models, each kept and reused."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import Engine
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import read_result
from kbench.benchmarks.run import train_run
from kbench.benchmarks.scoring import score
from kbench.generator.packs import load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import styles_for
from kbench.generator.spec import load_spec
from kbench.ids import json_digest
from kbench.store import write_json
from kbench.studies.lab import LabRecipe, lab_base

ARMS: tuple[str, ...] = ("qa", "article", "statement")
"""The forms that the same new facts are finetuned in, with equal exposures."""

SHARES = {"world": 0.03, "base": 0.42, "qa": 0.19, "article": 0.16, "statement": 0.13, "score": 0.07}
"""Each stage's share of a seed's time, for the progress bar."""

STYLES = ("qa", "article", "statement", "cloze", "numeric", "multihop")
ASKING = Asking(splits=("test", "control"), decoding=Decoding(max_tokens=8))
CELL = "cell.json"
TIMES = "times.json"
Report = Callable[[float], None]
"""Called with the share of the cell that is done, 0 to 1."""


@dataclass(frozen=True)
class Stage:
    """What a stage took, in seconds; `reused` where it was found done."""

    name: str
    wall_s: float
    cpu_s: float
    reused: bool


def lab_release_recipe(seed: int) -> Recipe:
    """The release of one seed: the lab's world in the styles that the demo trains on and asks in."""
    spec = load_spec("lab")
    return Recipe(spec, str(seed), styles_for(list(STYLES), spec))


def finetune_recipe(style: str, seed: int, context: int) -> TrainRecipe:
    """The demo's finetune, the same for every form; chosen on seeds 100 to 107."""
    return TrainRecipe(
        styles=(style,),
        learning_rate=2e-3,
        optimizer="muon",
        batch=8,
        context=context,
        replay=1 / 3,
        bf16=True,
        seed=seed,
    )


def run_cell(seed: int, out: Path, report: Report = lambda share: None) -> dict[str, Any]:
    """Do everything of one seed under `out`, and leave `cell.json` last. Done stages are reused."""
    stages: list[Stage] = []
    before = 0.0

    def tell(share: float) -> None:
        report(round(share, 9))  # sums of shares differ in their last digit, and a bar must not go back

    def advance(name: str) -> Callable[[int, int], None]:
        return lambda done, total: tell(before + SHARES[name] * done / max(1, total))

    with _timed("world", out, stages) as reuse:
        release, written = generate(lab_release_recipe(seed), out / "release")
        reuse(not written)
    tell(before := before + SHARES["world"])
    with _timed("base", out, stages) as reuse:
        base = lab_base(release, out / "base", progress=advance("base"))
        reuse(not base.built)
    tell(before := before + SHARES["base"])
    models = {"base": base.path}
    for arm in ARMS:
        with _timed(arm, out, stages) as reuse:
            plan = finetune_recipe(arm, seed, base.about["context"])
            run = train_run(release, str(base.path), plan, out / "runs" / arm, advance(arm))
            reuse(not run.trained_now)
        models[arm] = run.path
        tell(before := before + SHARES[arm])
    with _timed("score", out, stages) as reuse:
        scored = False
        for number, (name, path) in enumerate(models.items(), 1):
            result = score(
                release,
                str(path),
                out / "results" / name,
                ASKING,
                base=None if name == "base" else str(base.path),
                base_result=None if name == "base" else out / "results" / "base",
                engine=Engine(batch=512),
            )
            scored |= result.scored_now
            tell(before + SHARES["score"] * number / len(models))
        reuse(not scored)
    about = {
        "plan": cell_plan(seed),
        "seed": seed,
        "world": release.world,
        "base": {key: base.about[key] for key in ("words", "parameters", "trained")},
        "stages": [vars(stage) for stage in stages],
    }
    write_json(out / CELL, about)
    return about


def cell_plan(seed: int) -> str:
    """The digest of all that a cell is made from, so that a finished one can be told from one of another version."""
    pack = load_pack()
    packages = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    recipe = lab_release_recipe(seed).describe(pack)
    arms = [finetune_recipe(arm, seed, 0x40).to_dict() for arm in ARMS]
    return json_digest([recipe, LabRecipe().to_dict(), arms, packages])


def finished_cell(seed: int, out: Path) -> dict[str, Any] | None:
    """What a finished cell of the same plan keeps of itself, every stage marked as reused; else None."""
    path = out / CELL
    if not path.is_file() or len(cell_results(out)) <= len(ARMS):
        return None
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if about["plan"] != cell_plan(seed):
        return None
    return {**about, "stages": [{**stage, "reused": True} for stage in about["stages"]]}


def cell_results(out: Path) -> dict[str, dict[str, Any]]:
    """The results of a finished cell: `base` and each arm."""
    found = {name: read_result(out / "results" / name) for name in ("base", *ARMS)}
    return {name: result for name, result in found.items() if result is not None}


def _kept(out: Path, stage: Stage) -> Stage:
    """The stage with the time of the run that did the work; every stage's time is kept as it ends."""
    path = out / TIMES
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if stage.reused and stage.name in earlier:
        return Stage(stage.name, earlier[stage.name]["wall_s"], earlier[stage.name]["cpu_s"], True)
    write_json(path, {**earlier, stage.name: {"wall_s": stage.wall_s, "cpu_s": stage.cpu_s}})
    return stage


@contextmanager
def _timed(name: str, out: Path, stages: list[Stage]) -> Iterator[Callable[[bool], None]]:
    reused = False

    def reuse(found: bool) -> None:
        nonlocal reused
        reused = found

    wall, cpu = time.perf_counter(), time.process_time()
    yield reuse
    stages.append(_kept(out, Stage(name, time.perf_counter() - wall, time.process_time() - cpu, reused)))
