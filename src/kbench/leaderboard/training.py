"""The process that trains for a re-run: it is handed a closed copy of a release, a base and a recipe, and no more."""

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from kbench.errors import SpecError
from kbench.generator.seeds import VARIABLE
from kbench.leaderboard.passes import article_pass
from kbench.leaderboard.tracks import CLASSES
from kbench.store import Release, open_release
from kbench.workers import worker_pool

if TYPE_CHECKING:
    from kbench.benchmarks.recipe import TrainRecipe

_P = ParamSpec("_P")
_T = TypeVar("_T")

_SLACK = 1.05
"""How far what a recipe will show, which is reckoned, may lie above the bound before it is run."""


@dataclass(frozen=True)
class Order:
    """What is to be trained: a recipe, from the base in a folder, on the closed copy of a release, into `out`.

    A recipe that shows more tokens than were `claimed`, where that is given, is refused before it is begun, and so is,
    where `bounded`, one that shows more than the largest class allows.
    """

    closed: Path
    base: str
    recipe: "TrainRecipe"
    out: Path
    bounded: bool
    claimed: int | None


class _Trainer(Executor):
    def __init__(self, pools: ExitStack) -> None:
        self._pools = pools
        self._pool = self._started()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool = self._started()
            return self._pool.submit(fn, *args, **kwargs)

    def _started(self) -> Executor:
        return self._pools.enter_context(worker_pool(1, _begin))


@contextmanager
def trainer() -> Iterator[Executor]:
    """A process to train in, and where that dies, a new one for what comes next.

    It is started without the seed of a private world in its environment.
    """
    seed = os.environ.pop(VARIABLE, None)
    try:
        with ExitStack() as pools:
            yield _Trainer(pools)
    finally:
        if seed is not None:
            os.environ[VARIABLE] = seed


def train(order: Order) -> dict[str, Any]:
    """Train, in the process of `trainer`, and give back what the run keeps about itself.

    Raises SpecError where the recipe shows too many tokens, ReleaseError where the release lacks a style, and what the
    training raises.
    """
    from kbench.benchmarks.results import RUN
    from kbench.benchmarks.run import check_styles, train_run

    closed = open_release(order.closed)
    check_styles(closed, order.recipe)
    if not (order.out / RUN).is_file():
        _check_tokens(closed, order)
    return train_run(closed, order.base, order.recipe, order.out).about


def _begin() -> None:
    warnings.filterwarnings("ignore", module="torch|transformers|accelerate")


def _check_tokens(closed: Release, order: Order) -> None:
    from transformers import AutoTokenizer

    shown = shown_tokens(closed, AutoTokenizer.from_pretrained(order.base), order.recipe)
    most = CLASSES[-1] * article_pass(closed, Path(order.base)) if order.bounded else None
    if most is not None and shown > most * _SLACK:
        raise SpecError(
            f"the recipe shows about {shown:,} tokens: expected at most {most:,}, {CLASSES[-1]} times one pass over "
            "the articles: give fewer epochs, exposures or tokens"
        )
    if order.claimed is not None and shown > order.claimed * _SLACK:
        raise SpecError(
            f"the recipe shows about {shown:,} tokens, and the entry says that {order.claimed:,} were trained: "
            "it is not the recipe of this entry"
        )


def shown_tokens(release: Release, tokenizer: Any, recipe: "TrainRecipe") -> int:
    """About how many tokens a recipe shows of a release, reckoned in the time and memory of one plain pass."""
    from kbench.benchmarks.packing import taught_tokens

    # In another order a text has about the tokens that it has.
    taught = recipe.tokens or recipe.epochs * taught_tokens(release, tokenizer, replace(recipe, permutations=0))
    return round(taught / (1 - recipe.replay) / (1 - recipe.known_at_end))
