"""Faults: kills at any moment, two processes at once, a full disk, a broken template; and that resume mends them."""

import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import kbench.errors
from kbench.errors import KbenchError, MissingExtra, OutputError, TemplateError
from kbench.generator.ownfacts.world import checked_world
from kbench.generator.packs import Pack, Phrasing, load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import plan_units, styles_for, unit_table
from kbench.generator.unfinished import PLAN, templates_digest
from kbench.lock import LOCK, folder_lock
from kbench.schema import STYLES
from kbench.store import MANIFEST
from tests.samples import SPECS, files_under, tiny

Tree = dict[str, bytes]
KILLS = 24
STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "fcntl.flock")
WORDS = ["--spec", "lab", "--entities", "60", "--style", "qa", "--style", "article", "--style", "multihop"]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]


def command(out: Path, *more: str) -> list[str]:
    """The command that every test disturbs and repeats."""
    return [sys.executable, "-m", "kbench.cli", "generate", *WORDS, "--out", str(out), *more]


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    """Start the command, and wait until its folder is locked."""
    process = subprocess.Popen(command(out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and f"process {process.pid} " not in holder(out):
        os.sched_yield()
    return process


def holder(out: Path) -> str:
    """What the lock of a folder says."""
    with suppress(OSError):
        return (out / LOCK).read_text(encoding="utf-8")
    return ""


def run(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(command(out, *more), capture_output=True, text=True, check=False)


def hidden(out: Path) -> list[str]:
    """The hidden files of a folder."""
    return [path for path in files_under(out) if path.rpartition("/")[2][0] == "."]


def children_of(pid: int) -> list[int]:
    """The workers of a process."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split():
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waiting to be counted as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="/proc says who the workers are")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Every file of the release, written in one go."""
    out = tmp_path_factory.mktemp("undisturbed") / "release"
    assert run(out).returncode == 0
    return files_under(out)


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long the command holds its folder where nothing disturbs it."""
    process = start(tmp_path_factory.mktemp("timed") / "release")
    begun = time.monotonic()
    process.communicate()
    return time.monotonic() - begun


# ---- kill -9


@pytest.mark.faults
@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_at_random_moments_it_ends_as_an_undisturbed_one(
    tmp_path: Path, undisturbed: Tree, seconds: float, workers: str
) -> None:
    chance = random.Random(f"kills {workers}")
    out, kills, unfinished, finished = tmp_path / "0", 0, 0, 0
    for _ in range(10 * KILLS):
        process = start(out, "--workers", workers)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds))
        process.kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), err
        kills += process.returncode != 0
        unfinished += process.returncode != 0 and not (out / MANIFEST).exists()
        if (out / MANIFEST).exists() or kills == KILLS // 2:
            assert run(out, "--workers", workers).returncode == 0
            assert files_under(out) == undisturbed
            finished += 1
            out = tmp_path / str(finished)
        if kills == KILLS // 2:
            break
    assert kills == KILLS // 2
    assert unfinished >= kills // 2, "most kills came too late to disturb anything"


def die_at_every_step(pack: str, folder: str) -> None:
    """Kill a process before each step that it takes in its folder, let another finish, and compare; print the kills."""
    import pandas  # type: ignore[import-untyped]  # noqa: F401  (pyarrow would import it anew in each fork, which takes longer than a release)
    import pyarrow.compute  # noqa: F401

    recipe = Recipe(tiny(sizes__background=0, sizes__entities=4), "7", ("statement",), pack)
    whole, out = Path(folder) / "whole", Path(folder) / "out"
    in_a_fork(lambda: generate(recipe, whole))
    wanted, kills, unfinished = files_under(whole), 0, 0
    assert not hidden(whole)
    while in_a_fork(lambda: generate(recipe, out), die_at=kills, below=out) == signal.SIGKILL:
        kills += 1
        unfinished += not (out / MANIFEST).exists()
        assert in_a_fork(lambda: generate(recipe, out)) == 0
        assert files_under(out) == wanted, f"killed before step {kills}"
        shutil.rmtree(out)
    print(kills, unfinished)


def in_a_fork(work: Callable[[], object], die_at: int | None = None, below: Path | None = None) -> int:
    """The exit status of work in a forked process, which kills itself before a step (of any file below a folder)."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    steps = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(str(below))):
            if steps == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    if die_at is not None:
        sys.addaudithook(count)
    try:
        work()
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


@pytest.mark.faults
def test_killed_between_any_two_steps_it_ends_as_an_undisturbed_one(tmp_path: Path, small_pack: str) -> None:
    script = "import sys; from tests.test_faults import die_at_every_step; die_at_every_step(*sys.argv[1:])"
    search = os.pathsep.join([str(Path(__file__).parent.parent), *(path for path in sys.path if path)])
    done = subprocess.run(
        [sys.executable, "-c", script, small_pack, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, unfinished = map(int, done.stdout.split())
    assert unfinished > 30
    assert kills - unfinished > 6, "no kill came between the manifest and the end"


@pytest.mark.faults
@needs_proc
def test_the_workers_of_a_killed_process_end_too(tmp_path: Path) -> None:
    process = start(tmp_path / "out", "--workers", "3", "--entities", "2000")  # itself and two helpers
    while len(workers := children_of(process.pid)) < 2:
        os.sched_yield()
    process.kill()
    end = time.monotonic() + 60
    try:
        while any(map(is_running, workers)):
            os.sched_yield()
            assert time.monotonic() < end, "workers outlive their parent by a minute"
    finally:
        for worker in filter(is_running, workers):
            os.kill(worker, signal.SIGKILL)
        process.communicate()


@pytest.mark.faults
@needs_proc
def test_a_worker_that_is_killed_is_told_in_one_line_and_the_same_command_goes_on(
    tmp_path: Path, undisturbed: Tree
) -> None:
    out = tmp_path / "out"
    process = start(out, "--workers", "3")
    while len(workers := children_of(process.pid)) < 2:
        os.sched_yield()
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("kbench: a worker process died, perhaps for want of memory; what was finished is kept: ")
    assert err.count("\n") == 1
    assert not (out / MANIFEST).exists()
    assert not [name for name in hidden(out) if name.endswith(".part") or name == LOCK]
    again = run(out)
    rows = sum(split["rows"] for split in json.loads(undisturbed[MANIFEST])["splits"].values())
    assert f", {rows:,} rows in {out}\n" in again.stdout, "the rows that were kept count too"
    assert files_under(out) == undisturbed


# ---- two processes


@pytest.mark.faults
def test_a_second_process_is_refused_in_one_line_and_the_first_goes_on(tmp_path: Path, undisturbed: Tree) -> None:
    out = tmp_path / "out"
    process = start(out)
    os.kill(process.pid, signal.SIGSTOP)
    second = run(out)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate()
    assert second.returncode == 1
    assert second.stderr.startswith(f"kbench: {out} is being written by another kbench (process {process.pid} on ")
    assert second.stderr.endswith("): wait until it ends, or give another --out\n")
    assert process.returncode == 0
    assert files_under(out) == undisturbed


@pytest.mark.faults
def test_of_processes_that_start_together_one_writes(tmp_path: Path, undisturbed: Tree) -> None:
    out = tmp_path / "out"
    together = [subprocess.Popen(command(out), stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate()[1] for process in together]
    assert 0 in [process.returncode for process in together]
    for process, err in zip(together, told, strict=True):
        assert process.returncode == 0 or "is being written by another kbench" in err
    assert files_under(out) == undisturbed


def test_a_lock_lets_one_in_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    inside, most, taken = 0, 0, [0] * 4

    def come_and_go(place: int) -> None:
        nonlocal inside, most
        end = time.monotonic() + 60
        while taken[place] < 100 and time.monotonic() < end:
            with suppress(OutputError), folder_lock(tmp_path):
                inside += 1
                most = max(most, inside)
                os.sched_yield()
                inside -= 1
                taken[place] += 1

    threads = [threading.Thread(target=come_and_go, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == [100] * 4
    assert most == 1
    assert files_under(tmp_path) == {}


# ---- a disk that takes no more


@pytest.fixture(scope="module")
def may_mount() -> None:
    """Skip where a process may not make a file system of its own."""
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare here")
    tried = subprocess.run([*NAMESPACE, "mount -t tmpfs none /mnt"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no user namespaces here: {tried.stderr.strip()}")


@pytest.mark.faults
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.usefixtures("may_mount")
def test_a_full_disk_is_told_in_one_line_and_the_same_command_goes_on(
    tmp_path: Path, undisturbed: Tree, workers: str
) -> None:
    """The disk is small, then larger: what the folder holds in between is listed on stdout."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size=200k none {disk}
        "$@" 2> {tmp_path}/err && exit 9
        find {disk} -type f -printf '%P\\n'
        mount -o remount,size=100m {disk}
        "$@" > {tmp_path}/said
        cp -r {disk}/out {copy}
    """
    words = command(disk / "out", "--workers", workers)
    done = subprocess.run([*NAMESPACE, script, "sh", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    err = (tmp_path / "err").read_text(encoding="utf-8")
    assert err.startswith(f"kbench: cannot write {disk / 'out'}")
    assert "No space left on device: free some space and run the same command again (" in err
    assert err.endswith(" files are done and kept)\n")
    assert err.count("\n") == 1
    left = done.stdout.split()
    assert f"out/{PLAN}" in left
    assert [path for path in left if path.endswith(".parquet")], "nothing was kept"
    assert not [path for path in left if path.endswith((".part", LOCK, MANIFEST))]
    assert files_under(copy) == undisturbed


@pytest.mark.faults
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_limit_on_files_is_told_in_one_line_and_the_same_command_goes_on(
    tmp_path: Path, undisturbed: Tree, workers: str
) -> None:
    out = tmp_path / "out"
    most = 12_000
    done = subprocess.run(
        command(out, "--workers", workers),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"kbench: cannot write {out}")
    assert ": File too large: raise the limit on the size of a file (`ulimit -f`) and run the same" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (out / MANIFEST).exists()
    assert not [name for name in hidden(out) if name.endswith(".part") or name == LOCK]
    assert run(out, "--workers", workers).returncode == 0
    assert files_under(out) == undisturbed


@pytest.mark.usefixtures("may_mount")
def test_a_read_only_file_system_is_told_in_one_line(tmp_path: Path) -> None:
    script = f"mount -t tmpfs none {tmp_path}; mkdir {tmp_path}/here; mount -o remount,ro {tmp_path}; shift; "
    for out, said in (
        (tmp_path / "here", "the folder is read-only"),
        (tmp_path / "new", "Read-only file system"),
    ):
        words = [*NAMESPACE, script + '"$@"', "sh", "", *command(out)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == f"kbench: cannot write to {out}: {said}: give another --out\n"


@pytest.mark.usefixtures("may_mount")
def test_a_folder_without_permission_is_told_in_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for out, said in ((tmp_path, "the folder is read-only"), (tmp_path / "new", "Permission denied")):
        # In a namespace that does not map the user, permission bits count for root too.
        words = ["unshare", "--user", *command(out)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == f"kbench: cannot write to {out}: {said}: give another --out\n"


def test_every_error_comes_back_from_a_worker_as_it_was() -> None:
    kinds = [kind for kind in vars(kbench.errors).values() if isinstance(kind, type) and issubclass(kind, KbenchError)]
    errors = [kind("one line") for kind in kinds if kind is not MissingExtra] + [MissingExtra("train", "torch")]
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
    assert len(errors) > 6


# ---- templates that are mended


class Stopped(BaseException):
    """What a test stops a generation with."""


def stop_after(files: int, recipe: Recipe, out: Path) -> None:
    """Generate until so many files are written."""

    def progress(done: int, total: int, rows: int) -> None:
        if done == files:
            raise Stopped

    with pytest.raises(Stopped):
        generate(recipe, out, progress=progress)


@pytest.fixture
def recipe(tmp_path: Path, small_pack: str) -> Recipe:
    """A recipe whose pack a test may change."""
    return Recipe(tiny(), "7", ("qa", "article", "multihop"), str(shutil.copytree(small_pack, tmp_path / "pack")))


def change(recipe: Recipe, file: str, old: str, new: str) -> None:
    """Replace some words of a template."""
    path = Path(str(recipe.templates)) / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


BREAKS = [
    (
        "multihop/employer.industry.j2",
        "{{ name }} has",
        "{% if 'a' in name %}{{ nme }}{% endif %}{{ name }} has",
    ),
    ("qa/badge.j2", "{{ name }} has", "{{ 1 // (name | length - 9) }} {{ name }} has"),
    ("statement/height.j2", "The height", "{{ value[6] and '' }}The height"),
    ("article/person.j2", "join(' ')", "join(sentences[9])"),
]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("file", "old", "new"), BREAKS, ids=[case[0] for case in BREAKS])
def test_a_broken_template_is_named_and_after_the_mend_the_same_command_goes_on(
    tmp_path: Path, recipe: Recipe, file: str, old: str, new: str, workers: int
) -> None:
    out = tmp_path / "out"
    change(recipe, file, old, new)
    with pytest.raises(TemplateError) as error:
        generate(recipe, out, workers=workers)
    assert str(error.value).startswith(f"{file} line ")
    assert ": mend it and run the same command again (" in str(error.value)
    assert str(error.value).endswith(" files are done and kept)")
    assert not (out / MANIFEST).exists()
    assert not [name for name in hidden(out) if name.endswith(".part") or name == LOCK]
    change(recipe, file, new, old)
    generate(recipe, out, workers=workers)
    generate(recipe, tmp_path / "fresh")
    assert files_under(out) == files_under(tmp_path / "fresh")


CHANGES = [
    ("qa/badge.j2", "Name the badge", "Tell the badge", {"facts", "entities"}),
    ("statement/height.j2", "The height", "The bodily height", {"facts", "entities"}),
    ("article/person.j2", "d01 encyclopedia", "d09 encyclopedia", {"facts", "entities", "qa", "multihop"}),
    ("multihop/employer.industry.j2", "Name the", "Tell the", {"facts", "entities", "qa", "article"}),
    ("qa/badge.j2", "{# test x01 #}", "{# test x09 #}", {"facts", "entities"}),
]


@pytest.mark.parametrize(("file", "old", "new", "kept"), CHANGES, ids=[f"{case[0]} {case[1]}" for case in CHANGES])
def test_only_what_a_changed_template_can_alter_is_written_anew(
    tmp_path: Path, recipe: Recipe, file: str, old: str, new: str, kept: set[str]
) -> None:
    out = tmp_path / "out"
    files: list[int] = []
    generate(recipe, tmp_path / "count", progress=lambda done, total, rows: files.append(total))
    stop_after(files[0], recipe, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    change(recipe, file, old, new)
    generate(recipe, out, resume="always")
    untouched = {path.parent.name for path, time in before.items() if path.stat().st_mtime_ns == time}
    generate(recipe, tmp_path / "fresh")
    assert files_under(out) == files_under(tmp_path / "fresh")
    assert untouched == kept


def test_shards_that_a_mended_pack_cuts_otherwise_leave_nothing_behind(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kbench.generator.shards._ROWS_A_SHARD", 60)
    out = tmp_path / "out"
    totals: list[int] = []
    generate(recipe, tmp_path / "before", progress=lambda done, total, rows: totals.append(total))
    stop_after(totals[0], recipe, out)
    for file in ("badge", "emblem", "height", "born", "employer", "industry"):
        change(recipe, f"qa/{file}.j2", "{# train t02 #}", "{# test x02 #}")  # fewer rows, so fewer shards
    generate(recipe, out)
    generate(recipe, tmp_path / "fresh", progress=lambda done, total, rows: totals.append(total))
    assert totals[-1] < totals[0]
    assert files_under(out) == files_under(tmp_path / "fresh")


class WatchedPack(Pack):
    """A pack that notes which folders it is asked for."""

    asked: set[str]

    def of(self, style: str, relation: str, role: str) -> tuple[Phrasing, ...]:
        """As the pack, with a note."""
        self.asked.add(style)
        return super().of(style, relation, role)  # type: ignore[arg-type]


def test_no_row_depends_on_a_folder_that_its_digest_leaves_out() -> None:
    asked: dict[str, set[str]] = {}
    plain = load_pack(None)
    pack = WatchedPack(plain.name, plain.version, plain.digest, plain.phrasings)
    for spec, styles in ((tiny(), styles_for(["all"], tiny())), (SPECS["default"](), ("reverse", "tone"))):
        world = checked_world(spec, "7")
        for unit in plan_units(world, plain, styles):
            object.__setattr__(pack, "asked", asked.setdefault(unit.config, set()))
            first = tuple(replace(section, blocks=section.blocks[:1]) for section in unit.sections)
            unit_table(world, pack, replace(unit, sections=first))
    assert set(asked) == {*STYLES, "facts", "entities"}
    for config, used in asked.items():
        for folder in sorted(used):
            without = {key: group for key, group in plain.phrasings.items() if key[0] != folder}
            digest = templates_digest(replace(plain, phrasings=without), config)
            assert digest != templates_digest(plain, config), f"{config} is made of {folder} too"
    assert asked["article"] >= {"article", "statement"}


def test_an_unfinished_release_of_another_pack_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    out = tmp_path / "out"
    stop_after(2, recipe, out)
    change(recipe, "pack.toml", '"small"', '"other"')
    with pytest.raises(OutputError, match="holds another, unfinished release: give another --out"):
        generate(recipe, out)


def test_a_pack_that_changes_under_the_workers_is_told(tmp_path: Path, recipe: Recipe) -> None:
    def edit(done: int, total: int, rows: int) -> None:
        if not done:  # no helper has read it yet
            change(recipe, "qa/badge.j2", "Name the badge", "Tell the badge")

    with pytest.raises(KbenchError, match="the pack 'small' was changed while it was used"):
        generate(recipe, tmp_path / "out", workers=2, progress=edit)


# ---- what a folder says of itself


GARBLED = [b"", b"{", b"[]", b"\0" * 64, b"\xff\xfe", b'{"file": {}, "templates": ""}', b"null"]


@pytest.mark.parametrize("garbage", GARBLED, ids=repr)
def test_a_garbled_note_counts_as_none(tmp_path: Path, recipe: Recipe, garbage: bytes) -> None:
    out = tmp_path / "out"
    stop_after(6, recipe, out)
    for note in list(out.glob(".*.parquet.json"))[:3]:
        note.write_bytes(garbage)
    generate(recipe, out)
    generate(recipe, tmp_path / "fresh")
    assert files_under(out) == files_under(tmp_path / "fresh")


@pytest.mark.parametrize("garbage", GARBLED[:5], ids=repr)
def test_a_garbled_plan_is_told_and_counts_as_none_where_nothing_else_is_there(
    tmp_path: Path, recipe: Recipe, garbage: bytes
) -> None:
    stop_after(4, recipe, tmp_path / "out")
    (tmp_path / "out" / PLAN).write_bytes(garbage)
    before = files_under(tmp_path / "out")
    with pytest.raises(OutputError) as error:
        generate(recipe, tmp_path / "out")
    assert str(error.value) == f"{tmp_path / 'out' / PLAN} cannot be read: delete the folder, or give another --out"
    assert files_under(tmp_path / "out") == before
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / PLAN).write_bytes(garbage)
    generate(recipe, tmp_path / "new")
    generate(recipe, tmp_path / "fresh")
    assert files_under(tmp_path / "new") == files_under(tmp_path / "fresh")
