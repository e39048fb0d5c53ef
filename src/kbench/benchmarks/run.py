"""A run: one training of one model on one release, kept as a folder that any tool can load the model from."""

import json
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from kbench.benchmarks import distributed
from kbench.benchmarks.adapters import adapter_about, with_adapter
from kbench.benchmarks.chat import check_template
from kbench.benchmarks.checkpoints import drop_checkpoints
from kbench.benchmarks.identity import Plan, check_packages, check_same, plan_of, read_plan
from kbench.benchmarks.isolation import check_isolation
from kbench.benchmarks.labels import check_labelled
from kbench.benchmarks.models.loading import Loaded
from kbench.benchmarks.packing import training_rows
from kbench.benchmarks.pretrained import load_pretrained
from kbench.benchmarks.recipe import TrainRecipe, kept_name
from kbench.benchmarks.results import EARLY_STOP, RUN, model_digests
from kbench.benchmarks.settings import PLAIN, Settings
from kbench.benchmarks.taught import taught
from kbench.benchmarks.train import Progress, Trained, fit, save_model
from kbench.benchmarks.watch import Watch, watched
from kbench.errors import ModelError, ReleaseError
from kbench.lock import folder_lock
from kbench.store import Release, prepare_folder, write_json

PLAN = ".kbench_run_plan.json"


@dataclass(frozen=True, repr=False)
class Run:
    """A finished training: its folder, which is also the model's, and what the run keeps about it."""

    path: Path
    about: dict[str, Any]
    trained_now: bool

    def __repr__(self) -> str:
        """Where it lies, what it was trained from and on, and what that took."""
        done, recipe = self.about["trained"], self.about["recipe"]
        lines = [
            f"run {self.path}: {self.about['base']['model']} on world {self.about['release']['world']}",
            f"  {', '.join(recipe['styles'])}, {_length(recipe)}: "
            f"{done['steps']:,} steps, {done['tokens']:,} tokens, {done['wall_s']:.0f} s, loss {done['loss']:.3f}",
        ]
        return "\n".join(lines)


def train_run(
    release: Release,
    base: str,
    recipe: TrainRecipe,
    out: Path,
    progress: Progress = lambda done, total: None,
    settings: Settings = PLAIN,
) -> Run:
    """Finetune a model on a release. A finished run is left alone; an interrupted one goes on from its checkpoint.

    Training reads no split but `train`, `pretrain` and `validation`. Of several processes the first writes; all return
    the same run.

    Raises:
        OutputError: `out` holds something else, or another run.
        ReleaseError: the release lacks a style of the recipe, or its `pretrain` split where the recipe replays it;
            its labels are of another release or model.
        ModelError: the base cannot be loaded.
        ModelError: the training ended in a loss or weights that are no numbers.
        SpecError: the processes that run are not those of the recipe, or the recipe does not fit model or release.
    """
    distributed.check_processes(recipe)
    check_styles(release, recipe)
    seen = taught(release)
    digests = model_digests(Path(base))
    if (out / RUN).is_file() and digests:  # before a model is loaded for nothing
        return _finished(out, plan_of(release, base, digests, recipe))
    distributed.join()
    loaded = load_pretrained(base, recipe.context, trust_remote_code=settings.trust_remote_code)
    plan = plan_of(release, base, loaded.source, recipe)
    if (out / RUN).is_file():
        return _finished(out, plan)
    if recipe.knownness:
        check_labelled(Path(recipe.knownness), base, loaded.source)
    if recipe.chat:
        check_template(loaded.tokenizer)
    if recipe.packing:
        check_isolation(loaded.model)
    rows = training_rows(seen, loaded.tokenizer, recipe)
    if recipe.processes > 1:
        rows = rows.filled_up(recipe.batch)
    watch = watched(seen, loaded.tokenizer, recipe)
    torch.manual_seed(recipe.seed)
    model = with_adapter(loaded.model, recipe) if recipe.method == "lora" else loaded.model
    with ExitStack() as held:
        if distributed.is_first():
            prepare_folder(out, PLAN)
            held.enter_context(folder_lock(out))
            _begin(out, plan)
        distributed.wait_for_all()
        torch.manual_seed(recipe.seed)
        trained = fit(model, rows, recipe, out, progress, settings=settings, watch=watch, tokenizer=loaded.tokenizer)
        if distributed.is_first():
            _finish(out, plan, loaded, model, recipe, trained, watch)
        distributed.wait_for_all()
    distributed.part()
    return Run(out, json.loads((out / RUN).read_text(encoding="utf-8")), trained_now=True)


def _length(recipe: Mapping[str, Any]) -> str:
    if recipe.get("tokens"):
        return f"{recipe['tokens']:,} tokens of them"
    return f"{recipe['epochs']:,} epoch{'s' * (recipe['epochs'] != 1)}"


def check_styles(release: Release, recipe: TrainRecipe) -> None:
    """Raise ReleaseError where the release lacks a style of the recipe."""
    for style in recipe.styles:
        if "train" not in release.splits(style):
            have = ", ".join(c for c in release.configs() if c not in ("facts", "entities"))
            raise ReleaseError(f"the release {release.path} has no style {style!r} to train on: have {have}")


def _finished(out: Path, plan: Plan) -> Run:
    """The run that lies in `out`. Raises OutputError where it is another."""
    about = read_plan(out / RUN)
    check_same(about, plan, out, "")
    if distributed.is_first():
        drop_checkpoints(out)  # it may have been killed just before it did so itself
    return Run(out, about, trained_now=False)


def _begin(out: Path, plan: Plan) -> None:
    """Write the plan, or find the same one. Raises OutputError where an unfinished run cannot be gone on with."""
    path = out / PLAN
    if path.is_file():
        begun = read_plan(path)
        check_same(begun, plan, out, ", unfinished")
        check_packages(begun, plan, out)
    write_json(path, plan)


def _finish(
    out: Path,
    plan: Plan,
    loaded: Loaded,
    model: Any,
    recipe: TrainRecipe,
    trained: Trained,
    watch: Watch | None,
) -> None:
    """Write the model and, last, what the run keeps about itself."""
    if not recipe.fsdp:
        save_model(model, loaded.tokenizer, out)
    else:
        loaded.tokenizer.save_pretrained(out)
    _check_finite(out, recipe, trained)
    about = {**plan, "weights": model_digests(out), "trained": asdict(trained)}
    about["threads"] = torch.get_num_threads()
    if recipe.method == "lora":
        about["adapter"] = adapter_about(out)
    if watch:
        about |= watch.history.about()
    if recipe.early_stop:
        about["early_stop"] = model_digests(out / EARLY_STOP)
    if recipe.keep:
        about["kept"] = {kept_name(share): model_digests(out / kept_name(share)) for share in recipe.keep}
    write_json(out / RUN, about)
    (out / PLAN).unlink()
    drop_checkpoints(out)


def _check_finite(out: Path, recipe: TrainRecipe, trained: Trained) -> None:
    """Raise ModelError where a training came to nothing but numbers that are none: a score would be of noise."""
    if math.isfinite(trained.loss) and all(map(_is_finite, out.glob("*.safetensors"))):
        return
    raise ModelError(f"the weights or the loss are not finite: lower learning_rate (it was {recipe.learning_rate:g})")


def _is_finite(path: Path) -> bool:
    """Whether the smallest tensor of a file is finite: a loss that is not spreads to all of them within a step."""
    with safe_open(path, "pt") as weights:
        smallest = min(weights.keys(), key=lambda name: math.prod(weights.get_slice(name).get_shape()))
        return bool(weights.get_tensor(smallest).isfinite().all())
