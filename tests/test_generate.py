"""Same bytes: whatever the workers, after any interruption; and what a folder that is already taken is answered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kbench.errors import KbenchError, OutputError, SpecError, TemplateError
from kbench.generator.release import PLAN, Recipe, Resume, generate
from kbench.generator.spec import spec_from_dict
from kbench.store import MANIFEST, open_release
from tests.samples import files_under, tiny

STYLES = ("qa", "article", "multihop")
RECIPE = Recipe(tiny(sizes__known=6), "7", STYLES)
Tree = dict[str, bytes]


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
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Every file of the release of RECIPE, written in one go by one worker."""
    out = tmp_path_factory.mktemp("undisturbed") / "release"
    _, written = generate(RECIPE, out)
    assert written
    return files_under(out)


def test_two_runs_of_a_recipe_give_the_same_bytes(tmp_path: Path, undisturbed: Tree) -> None:
    release, _ = generate(RECIPE, tmp_path / "again")
    assert files_under(tmp_path / "again") == undisturbed
    assert release.digest == open_release(tmp_path / "again").digest


def test_two_workers_give_the_bytes_of_one(tmp_path: Path, undisturbed: Tree) -> None:
    generate(RECIPE, tmp_path / "two", workers=2)
    assert files_under(tmp_path / "two") == undisturbed


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_with_another_hash_seed_gives_the_same_bytes(
    tmp_path: Path, undisturbed: Tree, hash_seed: str
) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.test_generate import RECIPE;"
        "from kbench.generator.release import generate; generate(RECIPE, Path(sys.argv[1]))"
    )
    root = Path(__file__).parent.parent
    search = os.pathsep.join([str(root), *(path for path in sys.path if path)])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": search, "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=True, env=environment, cwd=tmp_path)
    assert files_under(tmp_path / "out") == undisturbed


@pytest.mark.parametrize(
    "other",
    [
        Recipe(RECIPE.spec, "8", STYLES),
        Recipe(RECIPE.spec, "", STYLES),
        Recipe(tiny(sizes__known=6, exposure__exposures=6), "7", STYLES),
    ],
    ids=["another seed", "an empty seed", "another exposure"],
)
def test_another_recipe_gives_another_digest(tmp_path: Path, undisturbed: Tree, other: Recipe) -> None:
    first, _ = generate(RECIPE, tmp_path / "first")
    second, _ = generate(other, tmp_path / "second")
    assert first.digest != second.digest


def test_the_rows_of_a_style_do_not_depend_on_the_other_styles(tmp_path: Path, undisturbed: Tree) -> None:
    generate(Recipe(RECIPE.spec, "7", ("qa",)), tmp_path / "one")
    alone = {path: data for path, data in files_under(tmp_path / "one").items() if path.endswith(".parquet")}
    assert alone == {path: data for path, data in undisturbed.items() if path in alone}
    assert {path.split("/")[0] for path in alone} == {"qa", "facts", "entities"}


def test_a_finished_release_is_left_alone_and_that_is_said(tmp_path: Path) -> None:
    out = tmp_path / "release"
    recipe = Recipe(tiny(), "7", ("qa",))
    generate(recipe, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    called: list[int] = []
    release, written = generate(recipe, out, progress=lambda done, total, rows: called.append(done))
    assert not written
    assert called == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times
    assert release.digest == open_release(out).digest


def test_progress_counts_every_unit_and_every_row(tmp_path: Path) -> None:
    calls: list[tuple[int, int, int]] = []
    release, _ = generate(Recipe(tiny(), "7", ("qa",)), tmp_path, progress=lambda *call: calls.append(call))
    files = release.manifest["files"]
    assert [call[:2] for call in calls] == [(k + 1, len(files)) for k in range(len(files))]
    assert [call[2] for call in calls] == [file["rows"] for file in files]


# ---- interruptions


@pytest.mark.parametrize("units", [1, 3, 10])
def test_an_interrupted_release_ends_as_an_undisturbed_one(tmp_path: Path, undisturbed: Tree, units: int) -> None:
    out = tmp_path / "release"
    stop_after(units, RECIPE, out)
    assert not (out / MANIFEST).exists()
    assert len(list(out.rglob("*.parquet"))) == units
    calls: list[int] = []
    _, written = generate(RECIPE, out, progress=lambda done, total, rows: calls.append(done))
    assert written
    assert calls[0] == units + 1, "what was done was done again"
    assert files_under(out) == undisturbed


def test_a_release_interrupted_three_times_ends_as_an_undisturbed_one(tmp_path: Path, undisturbed: Tree) -> None:
    out = tmp_path / "release"
    for units in (2, 5, 9):
        stop_after(units, RECIPE, out)
    generate(RECIPE, out)
    assert files_under(out) == undisturbed


def test_a_release_begun_by_two_workers_and_finished_by_one_has_the_same_bytes(
    tmp_path: Path, undisturbed: Tree
) -> None:
    out = tmp_path / "release"
    stop_after(1, RECIPE, out, workers=2)
    generate(RECIPE, out)
    assert files_under(out) == undisturbed


@pytest.mark.parametrize("damage", ["truncated", "replaced", "gone", "half-written"])
def test_a_shard_that_was_damaged_before_the_release_was_whole_is_written_anew(
    tmp_path: Path, undisturbed: Tree, damage: str
) -> None:
    out = tmp_path / "release"
    stop_after(3, RECIPE, out)
    shard = sorted(out.rglob("*.parquet"))[0]
    if damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-10])
    elif damage == "replaced":
        shutil.copyfile(sorted(out.rglob("*.parquet"))[1], shard)
    elif damage == "gone":
        shard.unlink()
    else:
        (out / "qa" / ".test-00000-of-00001.parquet.part").write_bytes(b"PAR1")
    generate(RECIPE, out)
    assert files_under(out) == undisturbed


@pytest.mark.parametrize("lost", [[], [MANIFEST], [MANIFEST, "eval.yaml"], [MANIFEST, "eval.yaml", "README.md"]])
def test_a_release_interrupted_in_its_last_steps_ends_as_an_undisturbed_one(
    tmp_path: Path, undisturbed: Tree, lost: list[str]
) -> None:
    """All shards are written, the plan and the notes of each shard are still there, and the last files are lost."""
    out = tmp_path / "release"
    units = sum(path.endswith(".parquet") for path in undisturbed)
    stop_after(units, RECIPE, out)
    for path, data in undisturbed.items():
        if path not in lost:
            (out / path).write_bytes(data)
    generate(RECIPE, out)
    assert files_under(out) == undisturbed


# ---- folders that are taken


def prepared(state: str, out: Path) -> Recipe:
    """Bring a folder into a state; the recipe that a user now asks for."""
    recipe = Recipe(tiny(), "7", ("qa",))
    other = Recipe(tiny(), "8", ("qa",))
    if state.startswith("finished"):
        generate(other if "another" in state else recipe, out)
    elif state.startswith("unfinished"):
        stop_after(2, other if "another" in state else recipe, out)
    elif state == "a stranger's":
        out.mkdir()
        (out / "thesis.tex").write_text("x")
    elif state == "a file":
        out.write_text("x")
    return recipe


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
    tmp_path: Path, state: str, resume: Resume, expected_error: str
) -> None:
    out = tmp_path / "release"
    recipe = prepared(state, out)
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
def test_a_folder_that_is_free_or_ours_is_finished(tmp_path: Path, state: str, resume: Resume, writes: bool) -> None:
    out = tmp_path / "release"
    recipe = prepared(state, out)
    release, written = generate(recipe, out, resume=resume)
    assert written == writes
    assert open_release(out).digest == release.digest
    assert not (out / PLAN).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"spec": tiny(exposure__exposures=6)},
        {"seed": "07"},
        {"styles": ("qa", "article")},
    ],
    ids=["spec", "seed", "styles"],
)
def test_a_finished_release_is_ours_only_if_the_whole_recipe_is_the_same(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    parts = {"spec": tiny(), "seed": "7", "styles": ("qa",)}
    generate(Recipe(**parts), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="holds another release"):
        generate(Recipe(**{**parts, **change}), tmp_path)


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (Recipe(tiny(sizes__entities=10**6), "7", ("qa",)), SpecError),
        (Recipe(tiny(), "7", ("qa",), templates="/nowhere/at/all"), TemplateError),
    ],
)
def test_a_recipe_that_cannot_be_leaves_no_folder(tmp_path: Path, recipe: Recipe, kind: type[KbenchError]) -> None:
    with pytest.raises(kind):
        generate(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_recipe_in_the_manifest_makes_the_same_release(tmp_path: Path, undisturbed: Tree) -> None:
    first, _ = generate(Recipe(tiny(), "7", ("qa",)), tmp_path / "first")
    kept = first.manifest["recipe"]
    recipe = Recipe(spec_from_dict(kept["spec"], "the manifest"), kept["seed"], tuple(kept["styles"]))
    generate(recipe, tmp_path / "second")
    assert files_under(tmp_path / "second") == files_under(tmp_path / "first")


def test_a_user_pack_is_used_and_its_digest_kept(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    (pack / "qa").mkdir(parents=True)
    (pack / "pack.toml").write_text('name = "mine"\nversion = "3"\n')
    for relation in tiny().relations:
        text = "".join(
            f"{{# {role} {role} #}}\n{relation} {role} {{{{ name }}}}\n\n" for role in ("train", "validation", "test")
        )
        (pack / "qa" / f"{relation}.j2").write_text(text)
    recipe = Recipe(tiny(), "7", ("qa",), templates=str(pack))
    release, _ = generate(recipe, tmp_path / "one")
    kept = release.manifest["recipe"]["templates"]
    assert (kept["name"], kept["version"]) == ("mine", "3")
    questions = release.table("qa", "test")["question"].to_pylist()
    assert all(question.split(" ")[:2] == [question.split(" ")[0], "test"] for question in questions)
    generate(recipe, tmp_path / "two", workers=2)
    assert files_under(tmp_path / "one") == files_under(tmp_path / "two")
    (pack / "qa" / "badge.j2").write_text((pack / "qa" / "badge.j2").read_text().replace("badge", "Badge"))
    with pytest.raises(OutputError, match="holds another release"):
        generate(recipe, tmp_path / "one")
