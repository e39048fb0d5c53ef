"""Same bytes: whatever the workers, after any interruption; and what a folder that is already taken is answered."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kbench.errors import KbenchError, OutputError, SpecError, TemplateError
from kbench.generator.packs import load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.spec import spec_from_dict
from kbench.generator.unfinished import PLAN, Resume
from kbench.store import MANIFEST, open_release
from tests.samples import files_under, tiny, write_small_pack

STYLES = ("qa", "article", "multihop")
SPEC = tiny(sizes__known=6)
Tree = dict[str, bytes]
GOLDEN = "9d37a38ce6f5935ff97ac2ffe13844b50e1db93272e158e70ed46c8a32e61ef5"


class Stopped(BaseException):
    """What a test stops a generation with, as Ctrl-C would."""


def stop_after(units: int, recipe: Recipe, out: Path, workers: int = 1) -> None:
    """Generate, but be stopped once so many units of work are written."""

    def progress(done: int, total: int, rows: int) -> None:
        if done == units:
            raise Stopped

    with pytest.raises(Stopped):
        generate(recipe, out, workers=workers, progress=progress)


@pytest.fixture(scope="module")
def recipe(small_pack: str) -> Recipe:
    """The recipe that the tests write, interrupt and write again."""
    return Recipe(SPEC, "7", STYLES, small_pack)


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Every file of the release, written in one go by one worker."""
    out = tmp_path_factory.mktemp("undisturbed") / "release"
    _, written = generate(recipe, out)
    assert written
    return files_under(out)


def test_two_runs_of_a_recipe_give_the_same_bytes(tmp_path: Path, recipe: Recipe, undisturbed: Tree) -> None:
    release, _ = generate(recipe, tmp_path / "again")
    assert files_under(tmp_path / "again") == undisturbed
    assert release.digest == open_release(tmp_path / "again").digest


def test_the_tiny_release_says_what_it_always_said(tmp_path: Path, recipe: Recipe) -> None:
    """A change of this digest is a new version of the data: it needs a line in CHANGELOG."""
    release, _ = generate(replace(recipe, spec=tiny()), tmp_path)
    assert release.digest == GOLDEN


def test_two_workers_give_the_bytes_of_one(tmp_path: Path, recipe: Recipe, undisturbed: Tree) -> None:
    generate(recipe, tmp_path / "two", workers=2)
    assert files_under(tmp_path / "two") == undisturbed


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_with_another_hash_seed_gives_the_same_bytes(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree, hash_seed: str
) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.test_generate import SPEC, STYLES;"
        "from kbench.generator.recipe import Recipe; from kbench.generator.release import generate;"
        "generate(Recipe(SPEC, '7', STYLES, sys.argv[1]), Path(sys.argv[2]))"
    )
    root = Path(__file__).parent.parent
    search = os.pathsep.join([str(root), *(path for path in sys.path if path)])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": search, "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", script, str(recipe.templates), str(tmp_path / "out")]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    assert files_under(tmp_path / "out") == undisturbed


@pytest.mark.parametrize(
    "change",
    [{"seed": "8"}, {"seed": ""}, {"spec": tiny(sizes__known=6, exposure__exposures=6)}, {"styles": ("qa",)}],
    ids=["another seed", "an empty seed", "another exposure", "fewer styles"],
)
def test_another_recipe_gives_another_digest(tmp_path: Path, recipe: Recipe, change: dict[str, Any]) -> None:
    first, _ = generate(recipe, tmp_path / "first")
    second, _ = generate(replace(recipe, **change), tmp_path / "second")
    assert first.digest != second.digest


def test_the_rows_of_a_style_do_not_depend_on_the_other_styles(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree
) -> None:
    one, _ = generate(replace(recipe, styles=("qa",)), tmp_path / "one")
    alone = {file["path"]: file["content"] for file in one.manifest["files"]}
    together = {file["path"]: file["content"] for file in json.loads(undisturbed[MANIFEST])["files"]}
    assert alone.items() <= together.items()
    assert {path.split("/")[0] for path in alone} == {"qa", "facts", "entities"}


def test_a_finished_release_is_left_alone_and_that_is_said(tmp_path: Path, recipe: Recipe) -> None:
    out = tmp_path / "release"
    generate(recipe, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    called: list[int] = []
    release, written = generate(recipe, out, progress=lambda done, total, rows: called.append(done))
    assert not written
    assert called == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times
    assert release.digest == open_release(out).digest


def test_progress_counts_every_unit_and_every_row(tmp_path: Path, recipe: Recipe) -> None:
    calls: list[tuple[int, int, int]] = []
    release, _ = generate(recipe, tmp_path, progress=lambda *call: calls.append(call))
    files = release.manifest["files"]
    assert [call[:2] for call in calls] == [(k, len(files)) for k in range(len(files) + 1)]
    assert [call[2] for call in calls] == [0, *(file["rows"] for file in files)]


# ---- interruptions


@pytest.mark.parametrize("units", [1, 3, 10])
def test_an_interrupted_release_ends_as_an_undisturbed_one(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree, units: int
) -> None:
    out = tmp_path / "release"
    stop_after(units, recipe, out)
    assert not (out / MANIFEST).exists()
    assert len(list(out.rglob("*.parquet"))) == units
    done = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    calls: list[tuple[int, int]] = []
    _, written = generate(recipe, out, progress=lambda n, total, rows: calls.append((n, total)))
    assert written
    assert [n for n, _ in calls] == list(range(units, calls[0][1] + 1)), "first what is done already"
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was done was done again"
    assert files_under(out) == undisturbed


def test_a_release_interrupted_three_times_ends_as_an_undisturbed_one(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree
) -> None:
    out = tmp_path / "release"
    for units in (2, 5, 9):
        stop_after(units, recipe, out)
    generate(recipe, out)
    assert files_under(out) == undisturbed


def test_a_release_begun_by_two_workers_and_finished_by_one_has_the_same_bytes(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree
) -> None:
    out = tmp_path / "release"
    stop_after(1, recipe, out, workers=2)
    generate(recipe, out)
    assert files_under(out) == undisturbed


@pytest.mark.parametrize("damage", ["truncated", "replaced", "gone", "half-written"])
def test_a_shard_that_was_damaged_before_the_release_was_whole_is_written_anew(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree, damage: str
) -> None:
    out = tmp_path / "release"
    stop_after(3, recipe, out)
    shard = sorted(out.rglob("*.parquet"))[0]
    if damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-10])
    elif damage == "replaced":
        shutil.copyfile(sorted(out.rglob("*.parquet"))[1], shard)
    elif damage == "gone":
        shard.unlink()
    else:
        (out / "qa" / ".test-00000-of-00001.parquet.part").write_bytes(b"PAR1")
    generate(recipe, out)
    assert files_under(out) == undisturbed


@pytest.mark.parametrize("lost", [[], [MANIFEST], [MANIFEST, "eval.yaml"], [MANIFEST, "eval.yaml", "README.md"]])
def test_a_release_interrupted_in_its_last_steps_ends_as_an_undisturbed_one(
    tmp_path: Path, recipe: Recipe, undisturbed: Tree, lost: list[str]
) -> None:
    """All shards are written, the plan and the notes of each shard are still there, and the last files are lost."""
    out = tmp_path / "release"
    units = sum(path.endswith(".parquet") for path in undisturbed)
    stop_after(units, recipe, out)
    for path, data in undisturbed.items():
        if path not in lost:
            (out / path).write_bytes(data)
    generate(recipe, out)
    assert files_under(out) == undisturbed


# ---- folders that are taken


def prepare(state: str, recipe: Recipe, out: Path) -> None:
    """Bring a folder into a state."""
    other = replace(recipe, seed="8")
    if state.startswith("finished"):
        generate(other if "another" in state else recipe, out)
    elif state.startswith("unfinished"):
        stop_after(2, other if "another" in state else recipe, out)
    elif state == "a stranger's":
        out.mkdir()
        (out / "thesis.tex").write_text("x")
    elif state == "a file":
        out.write_text("x")


TAKEN: list[tuple[str, Resume, str]] = [
    ("empty", "always", "nothing to resume in {out}: leave --resume always away"),
    ("unfinished", "never", "{out} holds an unfinished release: give another --out, or --resume if_possible"),
    ("unfinished, another", "if_possible", "{out} holds another, unfinished release: give another --out"),
    ("unfinished, another", "always", "{out} holds another, unfinished release: give another --out"),
    ("finished", "never", "{out} holds a release already: give another --out, or leave --resume never away"),
    ("finished, another", "if_possible", "{out} holds another release (world {world}): give another --out"),
    ("finished, another", "always", "{out} holds another release (world {world}): give another --out"),
    ("a stranger's", "if_possible", f"{{out}} holds something else (thesis.tex, no {PLAN}): give another --out"),
    ("a stranger's", "always", f"{{out}} holds something else (thesis.tex, no {PLAN}): give another --out"),
    ("a stranger's", "never", f"{{out}} holds something else (thesis.tex, no {PLAN}): give another --out"),
    ("a file", "if_possible", "{out} is a file, not a folder: give another --out"),
]


@pytest.mark.parametrize(("state", "resume", "expected_error"), TAKEN)
def test_a_folder_that_cannot_be_continued_is_refused_and_left_as_it_was(
    tmp_path: Path, recipe: Recipe, state: str, resume: Resume, expected_error: str
) -> None:
    out = tmp_path / "release"
    prepare(state, recipe, out)
    before = files_under(tmp_path)
    world = open_release(out).world if state == "finished, another" else ""
    with pytest.raises(OutputError) as error:
        generate(recipe, out, resume=resume)
    assert str(error.value) == expected_error.format(out=out, world=world)
    assert files_under(tmp_path) == before


@pytest.mark.parametrize(
    ("state", "resume", "writes"),
    [
        ("empty", "if_possible", True),
        ("empty", "never", True),
        ("unfinished", "if_possible", True),
        ("unfinished", "always", True),
        ("finished", "if_possible", False),
        ("finished", "always", False),
    ],
)
def test_a_folder_that_is_free_or_ours_is_finished(
    tmp_path: Path, recipe: Recipe, state: str, resume: Resume, writes: bool
) -> None:
    out = tmp_path / "release"
    prepare(state, recipe, out)
    release, written = generate(recipe, out, resume=resume)
    assert written == writes
    assert open_release(out).digest == release.digest
    assert not (out / PLAN).exists()


@pytest.mark.parametrize(
    "change",
    [{"spec": tiny(exposure__exposures=6)}, {"seed": "07"}, {"styles": ("qa",)}],
    ids=["spec", "seed", "styles"],
)
def test_a_finished_release_is_ours_only_if_the_whole_recipe_is_the_same(
    tmp_path: Path, recipe: Recipe, change: dict[str, Any]
) -> None:
    generate(recipe, tmp_path)
    with pytest.raises(OutputError, match="holds another release"):
        generate(replace(recipe, **change), tmp_path)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        (Recipe(tiny(sizes__entities=10**6), "7", ("qa",)), SpecError),
        (Recipe(tiny(), "7", ("qa",), templates="/nowhere/at/all"), TemplateError),
    ],
)
def test_a_recipe_that_cannot_be_leaves_no_folder(tmp_path: Path, changed: Recipe, kind: type[KbenchError]) -> None:
    with pytest.raises(kind):
        generate(changed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_recipe_in_the_manifest_makes_the_same_release(tmp_path: Path, recipe: Recipe, undisturbed: Tree) -> None:
    first, _ = generate(recipe, tmp_path / "first")
    kept = first.manifest["recipe"]
    spec = spec_from_dict(kept["spec"], "the manifest")
    generate(Recipe(spec, kept["seed"], tuple(kept["styles"]), recipe.templates), tmp_path / "second")
    assert files_under(tmp_path / "second") == undisturbed


def test_a_user_pack_is_used_and_its_digest_kept(tmp_path: Path, recipe: Recipe) -> None:
    pack = write_small_pack(tmp_path / "pack")
    mine = replace(recipe, templates=pack)
    release, _ = generate(mine, tmp_path / "one")
    kept = release.manifest["recipe"]["templates"]
    assert kept == {"name": "small", "version": "1", "digest": load_pack(pack).digest}
    asked = {row["question"] for row in release.table("qa", "test").to_pylist() if row["relation"] == "badge"}
    assert all(question.endswith(": which badge?") for question in asked)
    assert asked
    badge = tmp_path / "pack" / "qa" / "badge.j2"
    badge.write_text(badge.read_text(encoding="utf-8").replace("which badge", "what badge"), encoding="utf-8")
    with pytest.raises(OutputError, match="holds another release"):
        generate(mine, tmp_path / "one")
