"""A re-run: an entry's recipe trained and scored anew on a world, as `kbench train` and `kbench eval` do by default."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from kbench.benchmarks.asked_recipe import fitting, train_recipe
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.prompting import PLAIN, Prompting
from kbench.benchmarks.results import RESULTS, model_digests, read_samples
from kbench.errors import KbenchError, ModelError, OutputError
from kbench.hub.models import fetch_model
from kbench.ids import json_digest
from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.entry import Cost, Entry, Rerun, Scores
from kbench.leaderboard.passes import article_pass
from kbench.leaderboard.questions import closed
from kbench.leaderboard.reproduce import recipe_toml
from kbench.leaderboard.submission import hardware
from kbench.leaderboard.tracks import LAB
from kbench.leaderboard.training import Order, train
from kbench.leaderboard.worlds import World
from kbench.store import write_text
from kbench.studies.lab import lab_base

Progress = Callable[[float], None]
"""Called with the share that is done."""

_COLUMNS = ["style", "probe", "entity_id", "relation", "fact_ids", "correct"]

ENTRIES = "entries"
"""Where the runs of entries lie in a world's folder, apart: an entry may be called as another folder there."""

# About where the time goes: base, training, scoring.
_BASED, _TRAINED = 0.3, 0.6


@dataclass(frozen=True)
class Found:
    """What came of a re-run: scores, weights and cost, the tokens of one pass over the articles, the base's weights."""

    rerun: Rerun
    article_pass: int
    base: str


@dataclass(frozen=True)
class _Base:
    """The model before: its folder, and how long its rows are, where it says."""

    path: str
    context: int | None


def rerun(entry: Entry, world: World, trainer: Executor, progress: Progress = lambda share: None) -> Found:
    """Run an entry again on a world, in the world's folder; what was done there before is not done again.

    A reference is its base, which is only scored. `trainer` is the process of `training.trainer`.

    Raises:
        KbenchError: the process that trains died.
        ModelError: the base cannot be had, or is not the one that the entry names.
        OutputError: the folder holds another run of this id, or questions are left without a reply.
        SpecError: the recipe cannot be, or shows more tokens than are allowed or claimed.
    """
    base = _base_of(entry, world, lambda share: progress(share * _BASED))
    progress(_BASED)
    asking, folder = asking_of(entry), world.folder / ENTRIES / entry.id
    weights = model_digests(Path(base.path))["weights"]
    base_result = _base_result(world, base, weights, asking)
    if entry.is_reference:
        shut = replace(asking, prompting=PLAIN)
        plain = _base_result(world, base, weights, shut) if entry.kind == "ceiling" else None
        scores = _scores(base_result, "accuracy", plain)
        done = Rerun(scores=scores, weights=weights, cost=Cost(tokens=0, wall_s=0))
        return Found(done, article_pass(world.closed, Path(base.path)), weights)
    trained = _train(entry, world, base, folder, trainer)
    progress(_TRAINED)
    _score(
        *(world, str(folder / "run"), folder / "result", asking, base.path, base_result),
        lambda share: progress(_TRAINED + share * (1 - _TRAINED)),
    )
    done = Rerun(scores=_scores(folder / "result", "base"), weights=trained_weights(trained.weights), cost=trained.cost)
    return Found(done, article_pass(world.closed, Path(base.path)), weights)


def _base_result(world: World, base: _Base, weights: str, asking: Asking) -> Path:
    """Where the result of a base lies, which is scored once for all entries that are asked alike."""
    folder = world.folder / f"base-{json_digest([weights, asking.to_dict()])[:12]}"
    _score(world, base.path, folder, asking, None, None, lambda share: None)
    return folder


def asking_of(entry: Entry) -> Asking:
    """How an entry is asked: all questions, as it says."""
    asked = entry.asked
    # Which prompt it may be was checked with the entry.
    prompting = Prompting(asked.prompt, asked.shots, chat=asked.chat)  # type: ignore[arg-type]
    return Asking(prompting=prompting, decoding=Decoding(max_tokens=asked.max_tokens))


def trained_weights(digests: Mapping[str, str]) -> str | None:
    """The digest of what was trained, among those of a model: of its adapter, where it has one."""
    return digests.get("adapter") or digests.get("weights")


def _base_of(entry: Entry, world: World, progress: Progress) -> _Base:
    """The base that an entry stands on, built or fetched. Raises ModelError where it is another."""
    if entry.base.model == LAB:
        recipe = world.lab(entry.kind)
        built = lab_base(world.release, world.bases, recipe, lambda done, total: progress(done / max(total, 1)))
        return _Base(str(built.path), built.about["context"])
    path = fetch_model(entry.base.model)
    found = model_digests(Path(path)).get("weights")
    if found != entry.base.weights:
        raise ModelError(
            f"{entry.base.model} has weights of the digest {str(found)[:12]}, the entry {entry.id} says "
            f"{str(entry.base.weights)[:12]}: it is an entry of another model"
        )
    return _Base(path, None)


@dataclass(frozen=True)
class _Trained:
    weights: Mapping[str, str]
    cost: Cost


def _train(entry: Entry, world: World, base: _Base, folder: Path, trainer: Executor) -> _Trained:
    toml = folder / "recipe.toml"
    write_text(toml, recipe_toml(entry))
    recipe = train_recipe(world.release, LAB if entry.base.model == LAB else base.path, recipe=toml)
    if base.context is not None:
        recipe = fitting(recipe, base.context, toml, None)
    # On a private world, which comes after the public one agreed, the same recipe has other texts.
    claimed = None if world.commitment else entry.cost.tokens
    bounded = entry.track == "methods"
    order = Order(world.closed.path, base.path, recipe, folder / "run", bounded=bounded, claimed=claimed)
    try:
        about = trainer.submit(train, order).result()
    except BrokenProcessPool:
        raise KbenchError(
            f"the process that trained {entry.id} died, perhaps for want of memory: what was finished is kept: "
            "run the same command again"
        ) from None
    took, on = about["trained"], hardware(about["threads"])
    return _Trained(about["weights"], Cost(tokens=took["tokens"], wall_s=took["wall_s"], hardware=on))


def _score(
    world: World, model: str, out: Path, asking: Asking, base: str | None, base_result: Path | None, progress: Progress
) -> None:
    from kbench.benchmarks.scoring import score

    result = score(
        world.release,
        model,
        out,
        asking,
        base=base,
        base_result=base_result,
        progress=lambda done, total: progress(done / max(total, 1)),
        wait=True,
    )
    if failed := result.about["kbench"]["errors"]:
        raise OutputError(f"{failed:,} questions of {out} have no reply: the same command asks them again")


def _scores(result: Path, base: str, plain: Path | None = None) -> Scores:
    """The scores of a result; `base` names where it says what the base knew: a base that was not trained is its own.

    `plain` is the result that the controls are taken of, where the other is of an open book.
    """
    about = json.loads((result / RESULTS).read_text(encoding="utf-8"))["kbench"]
    known = [s[base] for s in about["scores"] if (s["style"], s["probe"]) == ("qa", "known")]
    rows = read_samples(result, _COLUMNS).to_pylist()
    if plain is not None:
        rows = closed(rows, read_samples(plain, _COLUMNS).to_pylist())
    return scores_of(rows, known[0] if known else None)
