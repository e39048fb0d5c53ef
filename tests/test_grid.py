"""Grids: their file, their plan, and real runs of small models that are killed, changed and made to fail."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from kbench.errors import OutputError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.hub.find import find_release
from kbench.store import Release, write_text
from kbench.studies.grid import Cell, Reporting
from kbench.studies.grid_file import load_grid
from kbench.studies.grid_orders import Generate, Train
from kbench.studies.grid_plan import Plan, plan_grid
from kbench.studies.grid_run import run_grid
from kbench.studies.grid_scores import contrasts_of, levels_of
from kbench.studies.grid_workers import Ended, hear_all, reason_of, workers
from tests.samples import run, tiny

pytestmark = pytest.mark.xdist_group("grid")  # one worker runs the grid for all of them

SMALL = 'from = "lab"\nlab = { layers = 1, width = 32, heads = 1, inner = 32, batch = 64, bf16 = false }'
LEAST = '[[release]]\nname = "r"\nfrom = "x"\n[[model]]\nname = "m"\nfrom = "x"\n[[recipe]]\nname = "qa"\n'
GRID = f"""
name = "formats"
seeds = [0, 1]
[[release]]
name = "tiny"
from = "world"
[[model]]
name = "small"
{SMALL}
[[recipe]]
name = "untuned"
train = false
[[recipe]]
name = "qa"
batch = 4
[[recipe]]
name = "article"
styles = ["article"]
batch = 4
[[prompt]]
name = "plain"
limit = 12
max_tokens = 8
[[prompt]]
name = "cut"
limit = 6
max_tokens = 2
[report]
contrast = [["recipe", "qa", "article"], ["recipe", "article", "untuned"]]
"""


@dataclass(frozen=True)
class Done:
    """A grid that was run: its folder, what it printed, its exit status."""

    out: Path
    printed: str
    exit: int

    def about(self) -> dict[str, Any]:
        """What it keeps of itself."""
        found: dict[str, Any] = json.loads((self.out / "grid.json").read_text(encoding="utf-8"))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The rows of its cells."""
        found: list[dict[str, Any]] = pq.read_table(self.out / "cells.parquet").to_pylist()
        return found


def grid_in(folder: Path, text: str) -> Path:
    """A grid file in a folder."""
    write_text(folder / "grid.toml", text)
    return folder / "grid.toml"


def run_grid_of(grid: Path, out: Path, *more: str) -> Done:
    """Run the command in this process; the cells are worker processes as ever."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        status = run(patch, "run", str(grid), "--out", str(out), *more)
    return Done(out, printed.getvalue(), status)


def written(out: Path) -> dict[str, int]:
    """When each run and result below a folder was written."""
    kept = ("results.json", "kbench_run.json", "base.json")
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in sorted(out.rglob("*.json")) if p.name in kept}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return generate(Recipe(tiny(), "7", ("qa", "article", "cloze")), tmp_path_factory.mktemp("grid") / "world")[0]


@pytest.fixture(scope="module")
def grid(world: Release) -> Path:
    """Two recipes, two seeds, two prompts, and the base of all."""
    return grid_in(world.path.parent, GRID)


@pytest.fixture(scope="module")
def finished(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The grid, run undisturbed, two cells side by side."""
    return run_grid_of(grid, tmp_path_factory.mktemp("grids") / "whole", "--jobs", "2")


def plan_of(grid: Path, out: Path) -> Plan:
    return plan_grid(load_grid(grid), out, find_release, str)


def kinds(plan: Plan) -> dict[str, int]:
    return dict(Counter(task.kind for task in plan.tasks.values()))


BAD = [
    ("nome = 1", "unknown key 'nome': have name, seeds, engine, release, model, recipe, prompt, skip, report"),
    ("name = 'a/b'", "a name is 1 to 40 letters"),
    ("seeds = [0, 'x']", r"seeds must be a list of whole numbers such as \[0, 1, 2\] \(got \[0, 'x'\]\)"),
    ("seeds = [", "not valid TOML: "),
    ("[engine]\nbackend = 'jax'", "backend must be one of auto, hf, vllm \\(got 'jax'\\)"),
    ("[engine]\nbatches = 4", r"\[engine\]: unknown key 'batches': have batch, "),
    ("[[release]]\nname = 'two'", "give either from .* or recipe"),
    ("[[release]]\nname = 'r'\nfrom = 'y'", "two releases are called 'r': give each a name of its own"),
    ("[[release]]\nname = 'a b'\nfrom = 'y'", "a name is 1 to 40 letters, digits and . _ \\+ - \\(got 'a b'\\)"),
    ("[[model]]\nname = 'two'", "from must be lab, a folder or a Hub id"),
    ("[[model]]\nname = 'two'\nfrom = 'lab'\nlab = { layer = 1 }", "unknown key 'layer': have layers, "),
    ("[[recipe]]\nname = 'two'\nlearning-rate = 1", "unknown key 'learning-rate': have learning_rate, "),
    ("[[recipe]]\nname = 'two'\nseed = 1", "unknown key 'seed'"),
    ("[[recipe]]\nname = 'two'\nepochs = 0", r"\[\[recipe\]\] two: epochs must lie in 1 to 10,000 \(got 0\)"),
    ("[[recipe]]\nname = 'two'\nepochs = 'all'", r"\[\[recipe\]\] two: epochs"),
    ("[[recipe]]\nname = 'two'\nstyles = ['poem']", "poem"),
    ("[[recipe]]\nname = 'two'\nfrom = 'none.toml'", "no recipe at .*none.toml"),
    ("[[recipe]]\nname = 'two'\ntrain = false\nepochs = 2", "train = false is the base itself: it takes no epochs"),
    ("[[prompt]]\nname = 'two'\nseeds = [1]", "'seeds' belongs to the whole grid: put it above the first"),
    ("[[prompt]]\nname = 'two'\nshot = 4", "unknown key 'shot': have shots, "),
    ("[[prompt]]\nname = 'two'\nprompt = 'sonnet'", "unknown prompt 'sonnet': have plain, cot, chain, open-book"),
    ("[[prompt]]\nname = 'two'\nlimit = 0", "limit must be a whole number, 1 or more \\(got 0\\)"),
    (
        "[[prompt]]\nname = 'two'\nsplits = ['dev']",
        "splits must be a list of pretrain, train, validation, test, control",
    ),
    ("[skip]\nrecipe = 'qas'", "unknown recipe 'qas': have qa"),
    ("[skip]\nseed = 3", "unknown seed 3: have 0"),
    ("[skip]\nmodel = 'm'", "leaves no cell"),
    ("[report]\nrow = 'model'", "unknown key 'row': have rows, "),
    ("[report]\nmetric = 'bleu'", "unknown metric 'bleu': have exact_match, gain, token_f1"),
    ("[report]\ncolumns = 'model'\nrows = ['recipe']", "put probe among the rows or the columns"),
    ("[report]\nprobes = ['qa recal']", "unknown probe 'recal': have recall, "),
    ("[report]\ncontrast = [['recipe', 'qa']]", "a contrast is "),
    ("[report]\ncontrast = [['recipe', 'qa', 'article']]", "unknown recipe 'article': have qa"),
    ("[[model]]\nname = 'guess'\nfrom = 'random'", "the model 'guess' \\(random\\) has no weights to train"),
    ("[[recipe]]\nname = 'two'\nprocesses = 2", r"two: a grid trains each cell in one process: leave processes and"),
    ("skip = 5", r"\[\[skip\]\] names what to leave out, by .* \(got 5\)"),
    ("[report]\ncontrast = 5", r"a contrast is .* \(got 5\)"),
    ("[report]\ncontrast = [['recipe', 'qa', 'qa']]", "a contrast is "),
    ("[report]\ncolumns = ['probe', 'recipe']\nrows = ['recipe']", "recipe stands in rows and columns"),
    (
        "[[recipe]]\nname = 'two'\nonly = ['Unknown']\nknownness = 'probe:slick'",
        r"\[\[recipe\]\] two: no probe 'slick': expected a name such as slick-k4-g10-s16-t0.5-topk40",
    ),
    ("[[recipe]]\nname = 'two'\nknownness = 5", r"\[\[recipe\]\] two: knownness must be a valid string \(got 5\)"),
    ("[[prompt]]\nname = 'two'\nsplits = [['test']]", "splits must be a list of pretrain, "),
    ("[[model]]\nname = 'two'\nfrom = 'lab'\nlab = 5", "lab must be a table such as { layers = 4 } \\(got 5\\)"),
    ("[[model]]\nname = 'two'\nfrom = 'lab'\nlab = { layers = 'two' }", "lab: layers must be a whole number, 1 or"),
    ("[[model]]\nname = 'two'\nfrom = 'lab'\nlab = { bf16 = 1 }", "lab: bf16 must be true or false \\(got 1\\)"),
    ("[[model]]\nname = 'two'\nfrom = 'lab'\nlab = { learning_rate = nan }", "learning_rate must be a number above 0"),
]


@pytest.mark.parametrize(("added", "expected_error"), BAD)
def test_a_grid_that_cannot_be_is_refused_in_one_line(tmp_path: Path, added: str, expected_error: str) -> None:
    above = added if added.partition("\n")[0][0] != "[" else ""
    grid = grid_in(tmp_path, f"{above}\n{LEAST}\n{'' if above else added}")
    with pytest.raises(SpecError, match=expected_error) as told:
        load_grid(grid)
    assert "\n" not in str(told.value)
    assert "grid.toml" in str(told.value) or "none.toml" in str(told.value)


def test_a_grid_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file .*nothing\.toml: give a grid as a TOML file"):
        load_grid(tmp_path / "nothing.toml")


def test_the_cells_are_every_combination_but_what_is_left_out_and_a_base_has_no_seed(tmp_path: Path) -> None:
    text = GRID + '[[skip]]\nrecipe = "article"\nprompt = ["cut"]\n[[skip]]\nrecipe = "qa"\nseed = 1\n'
    found = list(load_grid(grid_in(tmp_path, text)).cells())
    assert [(cell.recipe, cell.seed, cell.prompt) for cell in found] == [
        ("untuned", None, "plain"),
        ("untuned", None, "cut"),
        ("qa", 0, "plain"),
        ("qa", 0, "cut"),
        ("article", 0, "plain"),
        ("article", 1, "plain"),
    ]
    assert set(found) <= set(load_grid(grid_in(tmp_path, GRID)).cells())


def test_a_text_stands_for_what_comes_from_there(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text('styles = ["article"]\nepochs = 3\n', encoding="utf-8")
    text = 'release = ["kbench-tiny"]\nmodel = ["lab"]\nrecipe = ["long.toml"]\n'
    loaded = load_grid(grid_in(tmp_path, text))
    assert list(loaded.cells()) == [Cell("kbench-tiny", "lab", "long", "plain", 0)]
    assert loaded.recipes[0].values == {"styles": ["article"], "epochs": 3}


def test_a_training_is_shared_by_its_prompts_and_a_base_with_its_scores_by_all(grid: Path, tmp_path: Path) -> None:
    plan = plan_of(grid, tmp_path / "out")
    assert len(plan.cells) == 10
    assert kinds(plan) == {"base": 1, "train": 4, "score": 10}
    places = {folder: place for place, folder in enumerate(plan.tasks)}
    assert all(places[need] < places[task.folder] for task in plan.tasks.values() for need in task.needs)


def test_a_release_of_a_recipe_is_generated_once_under_the_grids_folder(world: Release, tmp_path: Path) -> None:
    (tmp_path / "made.toml").write_text('spec = "lab"\nseed = "3"\nstyles = ["qa"]\n', encoding="utf-8")
    text = GRID.replace('from = "world"', 'recipe = "made.toml"')
    plan = plan_of(grid_in(tmp_path, text), tmp_path / "out")
    orders = [task.order for task in plan.tasks.values() if task.kind == "release"]
    assert [order.recipe for order in orders if isinstance(order, Generate)] == [str(tmp_path / "made.toml")]
    assert orders[0].out.parent == tmp_path / "out" / "releases"


CHANGES = [
    ('"qa"', '"questions"', True),
    ('name = "cut"', 'name = "short"', True),
    ("seeds = [0, 1]", "seeds = [1, 0, 2]", True),
    ('name = "qa"\nbatch = 4', 'name = "qa"\nbatch = 2', False),
    ("layers = 1", "layers = 2", False),
]


@pytest.mark.parametrize(("before", "after", "same"), CHANGES)
def test_a_changed_grid_finds_the_cells_that_are_still_the_same(
    grid: Path, finished: Done, before: str, after: str, same: bool
) -> None:
    """A name is but a name: what counts is the content."""
    text = GRID.replace(before, after).replace('"world"', '"../world"')
    plan = plan_of(grid_in(grid.parent / "changed", text), finished.out)
    assert (len({planned.result for planned in plan.cells} & plan.done) == 10) == same


def test_a_cell_is_another_where_a_file_of_its_recipe_holds_something_else_and_the_same_where_it_was_moved(
    world: Release, tmp_path: Path
) -> None:
    text = GRID.replace('"world"', f'"{world.path}"').replace("batch = 4", 'replay = 0.1\nreplay_text = "a.txt"', 1)

    def runs(folder: Path, said: str) -> set[Path]:
        write_text(folder / "a.txt", said)
        plan = plan_of(grid_in(folder, text), tmp_path / "out")
        return {planned.run for planned in plan.cells if planned.run and planned.cell.recipe == "qa"}

    first, moved, changed = (runs(tmp_path / name, said) for name, said in (("a", "x"), ("b", "x"), ("b", "y")))
    assert first == moved
    assert not first & changed


PROBED = GRID.replace("batch = 4", "batch = 4\nonly = ['Unknown']\nknownness = 'probe:slick-k0-g1-s2-t0.5-topk40'")


def test_labels_by_a_probe_are_made_once_for_a_base_and_before_the_trainings_that_read_them(
    grid: Path, tmp_path: Path
) -> None:
    text = PROBED.replace('"world"', '"../world"')
    plan = plan_of(grid_in(grid.parent / "probed", text), tmp_path / "out")
    assert kinds(plan) == {"base": 1, "know": 1, "train": 4, "score": 10}
    (labels,) = [task.folder for task in plan.tasks.values() if task.kind == "know"]
    for task in plan.tasks.values():
        if isinstance(task.order, Train):
            assert labels in task.needs
            assert task.order.values["knownness"] == str(labels)
    told = run_grid_of(grid.parent / "probed" / "grid.toml", tmp_path / "out", "--dry-run").printed
    assert ["facts", "to", "label", "1", "0", "1"] in [line.split()[:6] for line in told.splitlines()]
    other = plan_of(grid_in(grid.parent / "probed", text.replace("s2", "s4")), tmp_path / "out")
    assert not {p.run for p in plan.cells} & {p.run for p in other.cells if p.run}


def test_a_probe_in_the_file_of_a_recipe_is_no_path(tmp_path: Path) -> None:
    write_text(tmp_path / "arm.toml", 'only = ["Unknown"]\nknownness = "probe:slick-k0-g1-s2-t0.5-topk40"\n')
    loaded = load_grid(grid_in(tmp_path, 'release = ["kbench-tiny"]\nmodel = ["lab"]\nrecipe = ["arm.toml"]\n'))
    assert loaded.recipes[0].values["knownness"] == "probe:slick-k0-g1-s2-t0.5-topk40"


def test_a_grid_ends_in_a_table_a_page_and_a_row_a_cell_and_probe(finished: Done) -> None:
    assert finished.exit == 0, finished.printed
    assert "formats: exact match, mean over seeds" in finished.printed
    assert "qa − article, qa paraphrase, plain" in finished.printed
    rows = finished.rows()
    cells = {(row["recipe"], row["seed"], row["prompt"]) for row in rows}
    trained = {(recipe, seed, prompt) for recipe in ("qa", "article") for seed in (0, 1) for prompt in ("plain", "cut")}
    assert cells == trained | {("untuned", None, "plain"), ("untuned", None, "cut")}
    assert {"qa recall", "qa paraphrase", "qa control"} <= {f"{row['style']} {row['probe']}" for row in rows}
    for row in rows:
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert row["rows"] > 0
        assert len(row["weights"]) == len(row["base_weights"]) == len(row["release_digest"]) == 64
        assert (row["base"] is None) == (row["recipe"] == "untuned")
        assert (finished.out / row["result"] / "samples.parquet").is_file()
    assert len({row["weights"] for row in rows}) == 5
    about = finished.about()
    assert (about["status"], about["failures"], len(about["cells"])) == ("whole", [], 10)
    page = (finished.out / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_finished_grid_is_left_alone(grid: Path, finished: Done) -> None:
    before = written(finished.out)
    again = run_grid_of(grid, finished.out)
    assert again.exit == 0
    assert again.printed.startswith(f"{finished.out} is this grid already: nothing to do")
    assert written(finished.out) == before


def test_a_dry_run_says_what_is_done_and_writes_nothing(grid: Path, finished: Done, tmp_path: Path) -> None:
    more = grid_in(grid.parent / "more", GRID.replace("[0, 1]", "[0, 1, 2]").replace('"world"', '"../world"'))
    before = written(finished.out)
    told = run_grid_of(more, finished.out, "--dry-run", "--jobs", "2").printed
    assert [line.split()[:4] for line in told.splitlines() if line.startswith(("trainings", "scorings"))] == [
        ["trainings", "6", "4", "2"],
        ["scorings", "14", "10", "4"],
    ]
    assert "s with --jobs 2, if each takes as long" in told
    assert written(finished.out) == before
    unknown = run_grid_of(grid, tmp_path / "new", "--dry-run").printed
    assert "how long it takes is not known" in unknown
    assert not (tmp_path / "new").exists()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def is_worker(pid: int) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def test_a_grid_that_was_killed_goes_on_to_the_same_scores_one_cell_at_a_time(
    grid: Path, finished: Done, tmp_path: Path
) -> None:
    """Kill -9 of the parent in the middle; what was done is not done again, and jobs do not change a figure."""
    out = tmp_path / "out"
    words = [sys.executable, "-m", "kbench.cli", "run", str(grid), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(out.glob("cells/*/*/results.json")):
        assert process.poll() is None, "the grid ended before it could be killed"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    crew = [child for child in children_of(process.pid) if is_worker(child)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(is_worker(child) for child in crew):
        os.sched_yield()
    before = written(out)
    assert 0 < len(list(out.glob("cells/*/*/results.json"))) < 8
    done = run_grid_of(grid, out, "--jobs", "1")
    assert done.exit == 0, done.printed
    after = written(out)
    assert {path: after[path] for path in before} == before
    assert done.rows() == finished.rows()


def poisoned(base: Path, folder: Path) -> None:
    """A copy of a base whose weights are no numbers: whatever is trained from it is none either."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: array * float("nan") for name, array in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )


def test_what_fails_stops_nothing_else_is_told_and_is_tried_again(grid: Path, finished: Done, tmp_path: Path) -> None:
    """A model that is not there, and one whose loss is no number, beside a grid that is done."""
    out = tmp_path / "out"
    shutil.copytree(finished.out, out)
    base = Path(json.loads(next(out.glob("bases/*/base.json")).read_text(encoding="utf-8"))["path"])
    poisoned(base, tmp_path / "poisoned")
    models = '[[model]]\nname = "lost"\nfrom = "./lost"\n[[model]]\nname = "nan"\nfrom = "./poisoned"\n[[recipe]]'
    skips = '[[skip]]\nseed = 1\nmodel = ["lost", "nan"]\n[[skip]]\nrecipe = "article"\nmodel = ["lost", "nan"]\n'
    text = GRID.replace("[[recipe]]", models, 1).replace('"world"', f'"{grid.parent / "world"}"') + skips
    before = written(out)
    failing = run_grid_of(grid_in(tmp_path, text), out, "--jobs", "1")
    assert failing.exit == 1
    assert "6 of 18 cells have no result:" in failing.printed
    assert "training tiny lost qa seed 0, which 2 cells need: no model './lost'" in failing.printed
    assert "training tiny nan qa seed 0, which 2 cells need: the weights or the loss are not finite" in failing.printed
    assert {path: stamp for path, stamp in written(out).items() if path in before} == before
    about = failing.about()
    assert about["status"] == "incomplete"
    assert sum(cell["status"] == "failed" for cell in about["cells"]) == 6
    for failure in about["failures"]:
        assert "Traceback" in (out / failure["traceback"]).read_text(encoding="utf-8")
    assert "What failed, and why" in (out / "report.html").read_text(encoding="utf-8")
    assert {row["model"] for row in failing.rows()} == {"small", "nan"}
    again = plan_of(tmp_path / "grid.toml", out).todo
    assert {task.title for task in again.values()} == {
        "scoring base lost of tiny plain",
        "scoring base lost of tiny cut",
        *(f"training tiny {model} qa seed 0" for model in ("lost", "nan")),
        *(f"scoring tiny {model} qa seed 0 {prompt}" for model in ("lost", "nan") for prompt in ("plain", "cut")),
    }


def test_a_worker_that_is_killed_takes_its_task_with_it_and_no_more(tmp_path: Path) -> None:
    order = Generate("kbench-tiny", tmp_path / "release")
    with workers(1) as (worker,):
        worker.hand([order])
        assert worker.process is not None
        os.kill(worker.process.pid or 0, signal.SIGKILL)
        said: list[object] = []
        while worker.busy:
            said += hear_all([worker], 1.0)
        killed = "its process was killed by signal 9, perhaps for want of memory: run again, with fewer --jobs"
        assert said == [Ended(order.out, killed)]
        assert worker.process is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OutputError("no room: free some"), "no room: free some"),
        (RuntimeError("CUDA out of memory.\nTried to allocate"), "RuntimeError: CUDA out of memory. Tried to allocate"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_whatever_goes_wrong_is_told_in_one_line(error: Exception, told: str) -> None:
    assert reason_of(error) == told


def test_a_folder_that_holds_something_else_is_no_place_for_a_grid(grid: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match=r"holds something else \(thesis\.txt"):
        run_grid(load_grid(grid), tmp_path, find_release, str)


def row(recipe: str, seed: int | None, accuracy: float, **more: object) -> dict[str, Any]:
    """A row of a grid of one release and model."""
    named = {"release": "r", "model": "m", "recipe": recipe, "prompt": "p", "style": "qa", "probe": "recall"}
    plain = {"low": accuracy - 0.1, "high": accuracy + 0.1, "rows": 10, "control": 0.0, "base": 0.1, "chance": 0.2}
    return {**named, **plain, "majority": 0.3, "seed": seed, "accuracy": accuracy, **more}


def test_a_level_is_a_mean_over_seeds_with_students_interval_and_of_one_seed_that_over_entities() -> None:
    rows = [row("qa", seed, value) for seed, value in enumerate([0.1, 0.2, 0.3, 0.4])] + [row("untuned", None, 0.05)]
    trained, untuned = levels_of(rows, Reporting(("recipe",)))
    assert (trained.row, trained.column, trained.seeds, trained.over) == (("qa",), ("qa recall",), 4, "seeds")
    assert [trained.mean, trained.low, trained.high] == pytest.approx([0.25, 0.0446, 0.4554], abs=1e-4)
    assert (untuned.seeds, untuned.over) == (0, "entities")
    assert [untuned.low, untuned.high] == pytest.approx([-0.05, 0.15])
    assert trained.beside == {"control": 0.0, "base": 0.1, "chance": 0.2, "majority": 0.3}


def test_a_contrast_pairs_seeds_and_a_base_stands_beside_each(grid: Path) -> None:
    rows = [row("qa", seed, 0.5 + seed / 10) for seed in (0, 1, 2)]
    rows += [row("article", seed, 0.3 + seed / 10) for seed in (2, 1)] + [row("untuned", None, 0.1)]
    formats, base = contrasts_of(rows, load_grid(grid))
    assert formats.differences == pytest.approx((0.2, 0.2))
    assert base.differences == pytest.approx((0.3, 0.4))
    assert (formats.title, base.title) == ("qa − article, qa recall", "article − untuned, qa recall")
    assert contrasts_of([each for each in rows if each["seed"] != 2], load_grid(grid)) == []
