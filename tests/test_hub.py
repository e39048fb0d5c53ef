"""Push and pull through the Hub's real client, against a server on loopback that fails and lies as it is told."""

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kbench import shelf
from kbench.contents import content_digest, split_digest
from kbench.errors import ReleaseError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.hub import arrived
from kbench.hub.arrived import fault_of
from kbench.hub.find import find_release
from kbench.hub.listing import is_kbenchs
from kbench.hub.offered import OfferedFile
from kbench.ids import file_sha256
from kbench.schema import Style
from kbench.store import MANIFEST, Release, open_release, write_json, write_table
from tests.hub import Client, Done, Fault, HubServer, Repo, environment, run_alone, start
from tests.samples import files_under, tiny

QA_TRAIN, QA_TEST = "qa/train-00000-of-00001.parquet", "qa/test-00000-of-00001.parquet"
_NUMBERS = count(1)
pytestmark = pytest.mark.xdist_group("hub")  # one server for all of them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """One Hub for the file: each test has a dataset of its own."""
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: HubServer) -> Iterator[Client]:
    """kbench as a client of that Hub."""
    with Client(server.env()) as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small_pack: str) -> Callable[[str], Release]:
    """Small releases by seed; that of 9 has questions alone."""
    folder = tmp_path_factory.mktemp("made")

    def make(seed: str) -> Release:
        styles: tuple[Style, ...] = ("qa",) if seed == "9" else ("qa", "article")
        return generate(Recipe(tiny(), seed, styles, small_pack), folder / seed / "world")[0]

    return make


@pytest.fixture
def name() -> str:
    """A dataset that no other test uses."""
    return f"my-org/t{next(_NUMBERS)}"


@pytest.fixture
def world(made: Callable[[str], Release], tmp_path: Path) -> Path:
    """A release that a test may spoil."""
    return Path(shutil.copytree(made("7").path, tmp_path / "world"))


@pytest.fixture
def published(server: HubServer, name: str, world: Path) -> Repo:
    """A dataset that holds this release already."""
    return publish(server, name, files_under(world))


@dataclass(frozen=True)
class CutOff:
    """A push whose connection is always cut, and the Hub that it goes to."""

    hub: HubServer
    folder: Path
    process: "subprocess.Popen[str]"


@pytest.fixture(scope="module", autouse=True)
def cut_off(
    made: Callable[[str], Release], small_pack: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CutOff]:
    """The client tries again for half a minute, while the other tests run."""
    folder = tmp_path_factory.mktemp("cut")
    shutil.copytree(made("7").path, folder / "world")
    words = ["push", "world", "--repo-id", "my-org/x", "--templates", small_pack]
    with HubServer(folder) as hub:
        hub.fault(Fault("put", "cut", after=100))
        with start(hub.env(), *words, cwd=folder) as process:
            yield CutOff(hub, folder, process)
            process.kill()


def publish(server: HubServer, name: str, files: dict[str, bytes]) -> Repo:
    """A dataset that holds some files."""
    repo = server.repo(name)
    repo.commit(files)
    return repo


def one_line(done: Done) -> str:
    """What a command that ended in one line said."""
    assert done.status == 1, done
    assert done.err.startswith("kbench: ")
    assert done.err.count("\n") == 1, done.err
    assert "hf_" not in done.err, "a token is never printed"
    return done.err


def on(repo: Repo) -> dict[str, bytes]:
    """The files of the newest commit, without what the Hub puts there."""
    return {path: file.data for path, file in repo.files.items() if path != ".gitattributes"}


def edited(folder: Path, edit: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
    """The files of a release, its manifest edited."""
    files = files_under(folder)
    manifest = json.loads(files[MANIFEST])
    edit(manifest)
    return files | {MANIFEST: json.dumps(manifest).encode()}


# ---- there and back


READ = """
import datasets, sys
name, revision = sys.argv[1:]
whole = datasets.load_dataset(name, "qa", split="test", revision=revision)
streamed = datasets.load_dataset(name, "qa", split="test", revision=revision, streaming=True)
assert whole.to_list() == list(streamed)
print(len(whole), whole[0]["id"])
"""


def test_a_pushed_release_is_read_by_datasets_and_pulled_back_byte_for_byte(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    pushed = client.run("push", "world", "--repo-id", name, "--tag", "v1.0.0", "--templates", small_pack, cwd=tmp_path)
    assert (pushed.status, pushed.err) == (0, "")
    assert f"{server.url}/datasets/{name}: {len(files_under(world))} files in one commit" in pushed.out
    assert server.repo(name).tags == {"v1.0.0": server.repo(name).head.sha}
    command = [sys.executable, "-c", READ, name, "v1.0.0"]
    read = subprocess.run(command, env=environment(server.env()), capture_output=True, text=True, cwd=tmp_path)
    rows = open_release(world).table("qa", "test")
    assert read.stdout.split() == [str(rows.num_rows), rows["id"][0].as_py()], read.stderr
    pulled = client.run("pull", name, "--revision", "v1.0.0", "--out", "back", cwd=tmp_path)
    assert (pulled.status, pulled.err) == (0, "")
    assert files_under(tmp_path / "back") == files_under(world)
    verified = client.run("verify", "back", "--templates", small_pack, cwd=tmp_path)
    assert verified.out.startswith("ok: back")


def test_a_push_is_one_commit_of_the_releases_own_files(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    own = files_under(world)
    (world / ".cache").mkdir()
    (world / ".cache" / "notes.txt").write_text("left by a download")
    (world / ".gitattributes").write_text("mine")
    (world / "recipe.toml").write_text("mine")
    assert client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path).status == 0
    assert [commit.title for commit in server.repo(name).commits[:-1]] == ["initial commit"]
    assert on(server.repo(name)) == own


def test_a_second_push_says_so_sends_nothing_and_makes_no_commit(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    words = ["push", "world", "--repo-id", name, "--tag", "v1", "--templates", small_pack]
    assert client.run(*words, cwd=tmp_path).status == 0
    before, head = server.counted("PUT", name), server.repo(name).head
    again = client.run(*words, cwd=tmp_path)
    assert again.out == f"{name} holds this release already (v1), commit {head.sha[:12]}: nothing to do\n"
    assert server.repo(name).head is head
    assert (server.counted("PUT", name), server.counted("POST", f"{name}/commit")) == (before, 1)


def test_what_could_not_be_derived_is_said_and_the_push_goes_on(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path
) -> None:
    done = client.run("push", "world", "--repo-id", name, cwd=tmp_path)
    assert done.status == 0
    assert "verified in part: rows: not derived anew: its templates are 'small'" in done.out
    assert on(server.repo(name)) == files_under(world)


def test_a_private_push_makes_a_dataset_that_only_a_token_sees(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    words = ["push", "world", "--repo-id", name, "--private", "--templates", small_pack]
    assert client.run(*words, cwd=tmp_path).status == 0
    assert server.repo(name).private
    blind = client.run("pull", name, cwd=tmp_path, HF_TOKEN="")
    assert f"no dataset {name} at {server.url}, or your token (there is none: set HF_TOKEN)" in one_line(blind)
    assert client.run("pull", name, "--out", "back", cwd=tmp_path, HF_TOKEN=server.reader).status == 0


# ---- what a push refuses


BAD_NAMES = [
    "world",
    "a/b/c",
    "my org/x",
    "-my/x",
    "my/x.",
    "my/a--b",
    "my/a..b",
    "my/x.git",
    "../x",
    "ä/x",
    "a/" + "x" * 97,
]
REFUSED: list[tuple[list[str], dict[str, str], str]] = [
    *((["--repo-id", bad], {}, f"{bad!r} is no name of a dataset on the Hub: expected ORG/NAME") for bad in BAD_NAMES),
    *(
        (["--repo-id", "{name}", "--tag", bad], {}, f"{bad!r} is no name of a tag: expected a version such as v1.0.0")
        for bad in ("main", "a b", "../x", "v1.lock", "0123456789abcdef0123456789abcdef01234567")
    ),
    (["--repo-id", "{name}"], {"HF_TOKEN": ""}, "no token for the Hub: set HF_TOKEN to one that may write"),
    (["--repo-id", "{name}"], {"HF_TOKEN": "hf_wrong"}, "does not accept your token (401: Invalid credentials"),
    (["--repo-id", "{name}"], {"HF_TOKEN": HubServer.reader}, "your token may not push to {name} (403: You don't have"),
    (["--repo-id", "strangers/x"], {}, "your token may not push to strangers/x (403: You don't have the rights"),
]


@pytest.mark.parametrize(("words", "env", "expected_error"), REFUSED)
def test_a_push_that_cannot_be_ends_in_one_line_and_sends_nothing(
    server: HubServer,
    client: Client,
    name: str,
    world: Path,
    tmp_path: Path,
    words: list[str],
    env: dict[str, str],
    expected_error: str,
) -> None:
    before = len(server.log)
    done = client.run("push", "world", *(word.format(name=name) for word in words), cwd=tmp_path, **env)
    assert expected_error.format(name=name) in one_line(done)
    assert not any(line.startswith("PUT") or "/commit/" in line for line in server.log[before:])
    if "is no name" in expected_error or env == {"HF_TOKEN": ""}:
        assert len(server.log) == before, "it is said before anybody is asked"


def test_a_private_push_to_a_public_dataset_is_refused(
    client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    done = client.run("push", "world", "--repo-id", published.name, "--private", cwd=tmp_path)
    assert f"{published.name} exists and is public: --private makes new datasets private" in one_line(done)


def test_a_push_without_the_network_says_so(server: HubServer, world: Path, tmp_path: Path) -> None:
    off = run_alone(server.env(HF_HUB_OFFLINE="1"), "push", "world", "--repo-id", "my-org/x", cwd=tmp_path)
    assert "cannot push to my-org/x: HF_HUB_OFFLINE is set" in one_line(off)
    nobody = run_alone(
        server.env(HF_ENDPOINT="http://127.0.0.1:9"), "push", "world", "--repo-id", "my-org/x", cwd=tmp_path
    )
    assert "cannot push to my-org/x: the connection to http://127.0.0.1:9 failed" in one_line(nobody)


def _alter(folder: Path) -> None:
    data = bytearray((folder / QA_TEST).read_bytes())
    data[100] ^= 1
    (folder / QA_TEST).write_bytes(data)


def _forge(folder: Path) -> None:
    """Drop a row, and mend every digest that tells."""
    table = open_release(folder).table("qa", "test").slice(1)
    write_table(folder / QA_TEST, table)
    manifest = json.loads((folder / MANIFEST).read_text())
    entry = next(file for file in manifest["files"] if file["path"] == QA_TEST)
    size = (folder / QA_TEST).stat().st_size
    entry |= {
        "rows": table.num_rows,
        "bytes": size,
        "sha256": file_sha256(folder / QA_TEST),
        "content": content_digest(table),
    }
    manifest["splits"]["qa/test"] = {"rows": table.num_rows, "content": split_digest([entry["content"]])}
    write_json(folder / MANIFEST, manifest)


UNSOUND: list[tuple[Callable[[Path], object], str]] = [
    (_alter, f"world/{QA_TEST} was altered (its sha256 is not the manifest's): nothing was pushed"),
    (_forge, f"world is not sound, so nothing was pushed: {QA_TEST}: lacks row 1"),
    (lambda folder: (folder / QA_TEST).unlink(), f"world/{QA_TEST} is missing from the release"),
    (lambda folder: (folder / MANIFEST).unlink(), "no release at world: it has no manifest, so it is not whole"),
    (lambda folder: (folder / "README.md").write_text("x"), "world is not sound, so nothing was pushed: README.md: "),
    (lambda folder: (folder / "x.pkl").write_text("x"), "world is not sound, so nothing was pushed: x.pkl: was added"),
]


@pytest.mark.parametrize(("spoil", "expected_error"), UNSOUND)
def test_a_release_that_is_not_sound_is_not_pushed(
    server: HubServer,
    client: Client,
    name: str,
    world: Path,
    tmp_path: Path,
    small_pack: str,
    spoil: Callable[[Path], object],
    expected_error: str,
) -> None:
    spoil(world)
    done = client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path)
    assert expected_error in one_line(done)
    assert f"datasets/{name}" not in server.repos, "nothing was made"


# ---- what is there already


@pytest.mark.parametrize("replace", [[], ["--replace"]])
def test_a_dataset_that_is_no_release_is_left_alone(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, replace: list[str]
) -> None:
    repo = publish(server, name, {"thesis.txt": b"mine"})
    done = client.run("push", "world", "--repo-id", name, *replace, cwd=tmp_path)
    assert f"{name} holds something else (thesis.txt, no {MANIFEST}): give another --repo-id" in one_line(done)
    assert on(repo) == {"thesis.txt": b"mine"}


def test_another_release_is_replaced_only_on_request_in_one_commit_that_leaves_strangers_alone(
    server: HubServer,
    client: Client,
    name: str,
    world: Path,
    tmp_path: Path,
    made: Callable[[str], Release],
    small_pack: str,
) -> None:
    strangers = {"LICENSE": b"mine", "qa/notes.md": b"mine"}
    more = {"multihop/test-00000-of-00001.parquet": b"old", "factors.svg": b"old"}
    repo = publish(server, name, files_under(made("8").path) | strangers | more)
    words = ["push", "world", "--repo-id", name, "--templates", small_pack]
    refused = client.run(*words, cwd=tmp_path)
    assert f"{name} holds another release: give another --repo-id, or --replace to take its place" in one_line(refused)
    commits = len(repo.commits)
    assert client.run(*words, "--replace", cwd=tmp_path).status == 0
    assert len(repo.commits) == commits + 1
    assert on(repo) == files_under(world) | strangers


def _spoilt(repo: Repo, world: Path, *also: str) -> None:
    altered = bytearray((world / QA_TEST).read_bytes())
    altered[100] ^= 1
    gone: dict[str, bytes | None] = dict.fromkeys((QA_TRAIN, "eval.yaml", *also))
    repo.commit({QA_TEST: bytes(altered), "qa/train-evil.parquet": b"loaded by the card's pattern", **gone})


@pytest.mark.parametrize("also", [[], [MANIFEST]])
def test_a_damaged_copy_of_the_release_is_mended_and_not_taken_for_done(
    client: Client, published: Repo, world: Path, tmp_path: Path, small_pack: str, also: list[str]
) -> None:
    _spoilt(published, world, *also)
    commits = len(published.commits)
    done = client.run("push", "world", "--repo-id", published.name, "--templates", small_pack, cwd=tmp_path)
    assert f"{4 + len(also)} files in one commit" in done.out
    assert len(published.commits) == commits + 1
    assert on(published) == files_under(world)


def test_a_tag_is_made_on_what_is_there_and_the_same_tag_is_fine(
    server: HubServer, client: Client, published: Repo, world: Path, tmp_path: Path, small_pack: str
) -> None:
    words = ["push", "world", "--repo-id", published.name, "--tag", "v2", "--templates", small_pack]
    assert "nothing to send" in client.run(*words, cwd=tmp_path).out
    assert published.tags == {"v2": published.head.sha}
    assert "nothing to do" in client.run(*words, cwd=tmp_path).out


@pytest.mark.parametrize("damaged", [True, False])
def test_a_tag_on_another_commit_is_refused_before_anything_is_sent(
    server: HubServer, client: Client, published: Repo, world: Path, tmp_path: Path, damaged: bool
) -> None:
    published.tags["v1"] = published.commits[0].sha
    if damaged:
        _spoilt(published, world)
        published.tags["v1"] = published.head.sha
    head = published.head
    done = client.run("push", "world", "--repo-id", published.name, "--tag", "v1", cwd=tmp_path)
    assert f"{published.name} has the tag v1 already, on another commit" in one_line(done)
    assert published.head is head
    assert server.counted("PUT", f"{published.name}/") == 0


# ---- a push that something stops


def test_a_push_that_was_killed_leaves_no_commit_and_goes_on_with_what_is_missing(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    words = ["push", "world", "--repo-id", name, "--templates", small_pack]
    held = server.fault(Fault("put", "hold", name, after=100, skip=6, times=1))
    process = start(server.env(), *words, cwd=tmp_path)
    assert held.met.wait(60)
    process.kill()
    process.communicate()
    repo = server.repo(name)
    there, large = len(repo.blobs), len(list(world.rglob("*.parquet")))
    assert len(repo.commits) == 1
    assert 0 < there < large
    before = server.counted("PUT", f"{name}/")
    assert client.run(*words, cwd=tmp_path).status == 0
    assert server.counted("PUT", f"{name}/") - before == large - there
    assert on(repo) == files_under(world)
    assert len(repo.commits) == 2


def test_a_connection_that_is_cut_once_is_taken_up_again(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    cut = server.fault(Fault("put", "cut", name, after=100, times=1))
    done = client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path)
    assert cut.met.is_set()
    assert (done.status, done.err) == (0, "")
    assert on(server.repo(name)) == files_under(world)


STOPPED: list[tuple[Fault, str]] = [
    (Fault("put", "status", skip=3, status=403), "your token may not push to {name} (403: ordered by a test)"),
    (Fault("put", "status", skip=3, status=507), "cannot push to {name}: {url} answered 507: ordered by a test"),
    (Fault("commit", "status", status=500), "cannot push to {name}: {url} answered 500: ordered by a test"),
    (Fault("commit", "cut"), "cannot push to {name}: the connection to {url} failed"),
    (Fault("info", "status", status=403, code="GatedRepo"), "no dataset {name} at {url}, or your token may not see it"),
    (Fault("info", "status", status=503), "cannot push to {name}: {url} answered 503: ordered by a test"),
]


@pytest.mark.parametrize(("fault", "expected_error"), STOPPED)
def test_a_push_that_fails_says_one_line_and_loses_nothing(
    server: HubServer,
    client: Client,
    name: str,
    world: Path,
    tmp_path: Path,
    small_pack: str,
    fault: Fault,
    expected_error: str,
) -> None:
    words = ["push", "world", "--repo-id", name, "--templates", small_pack]
    fault.match = f"{name}/" if fault.where != "info" else name
    server.fault(fault)
    said = one_line(client.run(*words, cwd=tmp_path))
    assert expected_error.format(name=name, url=server.url) in said
    assert fault.where != "info" or f"datasets/{name}" not in server.repos, "nothing was made"
    repo = server.repo(name)
    assert len(repo.commits) == 1
    there, before = len(repo.blobs), server.counted("PUT", f"{name}/")
    server.faults.remove(fault)
    assert client.run(*words, cwd=tmp_path).status == 0
    assert server.counted("PUT", f"{name}/") - before == len(list(world.rglob("*.parquet"))) - there
    assert len(repo.commits) == 2
    assert on(repo) == files_under(world)


def test_a_dataset_that_the_hub_calls_unauthorized_because_there_is_none_is_made(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    server.fault(Fault("info", "status", name, times=1, status=401, code="RepoNotFound"))
    assert client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path).status == 0
    assert on(server.repo(name)) == files_under(world)


def test_a_push_is_refused_where_somebody_else_pushed_meanwhile(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    repo = server.repo(name)
    server.fault(Fault("commit", "do", f"{name}/", times=1, do=lambda: repo.commit({"LICENSE": b"mine"})))
    words = ["push", "world", "--repo-id", name, "--templates", small_pack]
    assert f"somebody else changed {name} meanwhile" in one_line(client.run(*words, cwd=tmp_path))
    assert on(repo) == {"LICENSE": b"mine"}
    assert f"{name} holds something else (LICENSE" in one_line(client.run(*words, cwd=tmp_path))


def test_a_dataset_that_somebody_made_and_filled_after_the_look_is_left_alone(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    def fill() -> None:
        server.repo(name).commit({"thesis.txt": b"mine"})

    looked = 1
    filled = server.fault(Fault("info", "do", name, skip=looked, times=1, do=fill))
    said = one_line(client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path))
    assert filled.met.is_set()
    assert f"{name} holds something else (thesis.txt, no {MANIFEST}): give another --repo-id" in said
    assert on(server.repo(name)) == {"thesis.txt": b"mine"}
    assert server.counted("PUT", f"{name}/") == 0


def test_a_file_that_is_altered_after_it_was_verified_is_not_published(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    verified = 1
    altered = server.fault(Fault("info", "do", name, skip=verified, times=1, do=lambda: _alter(world)))
    said = one_line(client.run("push", "world", "--repo-id", name, "--templates", small_pack, cwd=tmp_path))
    assert altered.met.is_set()
    assert f"world/{QA_TEST} was altered while it was pushed" in said
    assert on(server.repo(name)) == {}


def test_a_commit_whose_answer_was_lost_is_found_by_the_same_command(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, small_pack: str
) -> None:
    server.fault(Fault("commit", "lost", f"{name}/", times=1))
    words = ["push", "world", "--repo-id", name, "--tag", "v1", "--templates", small_pack]
    assert f"cannot push to {name}: the connection to {server.url} failed" in one_line(client.run(*words, cwd=tmp_path))
    assert "nothing to send" in client.run(*words, cwd=tmp_path).out
    assert server.repo(name).tags == {"v1": server.repo(name).commits[1].sha}
    assert len(server.repo(name).commits) == 2


def test_a_connection_that_is_cut_again_and_again_ends_in_one_line(cut_off: CutOff, small_pack: str) -> None:
    hub, process = cut_off.hub, cut_off.process
    out, err = process.communicate(timeout=120)
    said = one_line(Done(process.returncode, out, err))
    assert f"cannot push to my-org/x: the connection to {hub.url} failed" in said
    assert len(hub.repo("my-org/x").commits) == 1
    hub.faults.clear()
    words = ["push", "world", "--repo-id", "my-org/x", "--templates", small_pack]
    assert run_alone(hub.env(), *words, cwd=cut_off.folder).status == 0
    assert on(hub.repo("my-org/x")) == files_under(cut_off.folder / "world")


# ---- pulling


def test_a_second_pull_says_so_and_downloads_no_data(
    server: HubServer, client: Client, published: Repo, tmp_path: Path
) -> None:
    out = published.name.split("/")[1]
    assert client.run("pull", published.name, cwd=tmp_path).out.startswith(f"{out}: world ")
    before = server.counted("GET", f"{published.name}/resolve")
    again = client.run("pull", published.name, cwd=tmp_path)
    assert again.out.startswith(f"{out} is this release already (world ")
    assert server.counted("GET", f"{published.name}/resolve") - before == 1, "the manifest alone"


def test_nothing_unlisted_is_pulled(
    client: Client, server: HubServer, published: Repo, world: Path, tmp_path: Path
) -> None:
    published.commit(
        {
            "x.pkl": b"evil",
            "a.py": b"evil",
            "qa/train-evil.parquet": b"evil",
            "../evil": b"evil",
            "/etc/evil": b"evil",
            "qa/../../evil": b"evil",
        }
    )
    assert client.run("pull", published.name, "--out", "deep/back", cwd=tmp_path).status == 0
    assert files_under(tmp_path / "deep" / "back") == files_under(world)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "world"]
    assert not [line for line in server.log if published.name in line and "evil" in line]


EVIL_PATHS = [
    "../evil",
    "/tmp/kbench-evil",
    "qa/../../evil-00000-of-00001.parquet",
    "qa\\train-00000-of-00001.parquet",
    "C:/train-00000-of-00001.parquet",
    "qa/train-00000-of-00001.parquet\n",
    "qa/train-00000-of-00001.parquet/../../x",
    "qa/train-\u0660\u0660\u0660\u0660\u0660-of-00001.parquet",
    "evil/train-00000-of-00001.parquet",
    "qa/evil-00000-of-00001.parquet",
    "x.pkl",
    "a.py",
    "README.md",
    ".git/hooks/post-checkout",
    "",
    7,
    ["qa"],
]


@pytest.mark.parametrize("evil", EVIL_PATHS)
def test_a_manifest_that_names_anything_but_data_files_is_refused_before_anything_is_written(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path, evil: object
) -> None:
    files = edited(world, lambda manifest: manifest["files"][0].update(path=evil))
    publish(server, name, files | ({evil: b"evil"} if isinstance(evil, str) else {}))
    said = one_line(client.run("pull", name, "--out", "back", cwd=tmp_path))
    named = f"names {evil!r}, which is no data file of kbench" if isinstance(evil, str) else "is no manifest of kbench"
    assert f"{MANIFEST} of {name} {named}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    assert server.counted("GET", f"{name}/resolve") == 1, "the manifest alone"


def _name_twice(manifest: dict[str, Any]) -> None:
    manifest["files"].append(copy.deepcopy(manifest["files"][0]))


MISSHAPEN: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda m: m.update(format=99), "has format 99, this kbench reads up to 1: update kbench"),
    (lambda m: m.update(format=99, files=7), "has format 99, this kbench reads up to 1: update kbench"),
    (lambda m: m.pop("files"), "is no manifest of kbench"),
    (lambda m: m.update(files=[]), "is no manifest of kbench"),
    (lambda m: m.update(splits=[1]), "is no manifest of kbench"),
    (lambda m: m.update(world="../x"), "is no manifest of kbench"),
    (_name_twice, "what cannot be"),
    (
        lambda m: m["files"][0].update(config="qa" if m["files"][0]["config"] != "qa" else "cloze"),
        "is no manifest of kbench",
    ),
    (lambda m: m["files"][0].update(sha256="x"), "is no manifest of kbench"),
    (lambda m: m["files"][0].update(bytes=-1), "is no manifest of kbench"),
    (lambda m: m["files"][0].update(bytes=0), "what cannot be"),
    (lambda m: m["files"][0].update(bytes=1 << 45), "what cannot be"),
    (lambda m: m["files"][0].update(rows="7"), "is no manifest of kbench"),
    (lambda m: m["files"][0].update(content="0" * 64), "contradicts itself: its split "),
    (lambda m: m["splits"].update({"qa/evil": {"rows": 1, "content": "0" * 64}}), "is no manifest of kbench"),
]


@pytest.mark.parametrize(("edit", "expected_error"), MISSHAPEN)
def test_a_manifest_that_cannot_be_is_refused_before_anything_is_written(
    server: HubServer,
    client: Client,
    name: str,
    world: Path,
    tmp_path: Path,
    edit: Callable[[dict[str, Any]], object],
    expected_error: str,
) -> None:
    publish(server, name, edited(world, edit))
    said = one_line(client.run("pull", name, "--out", "back", cwd=tmp_path))
    assert f"{MANIFEST} of {name}" in said
    assert expected_error in said
    assert not (tmp_path / "back").exists()


NO_RELEASE: list[tuple[dict[str, bytes], list[str], str]] = [
    ({"thesis.txt": b"x"}, [], "{name} is no release of kbench: it has no " + MANIFEST),
    ({MANIFEST: b"[1]"}, [], MANIFEST + " of {name} is no manifest of kbench"),
    ({MANIFEST: b"\xff"}, [], MANIFEST + " of {name} is no manifest of kbench"),
    ({MANIFEST: b"[" * 100_000}, [], MANIFEST + " of {name} is no manifest of kbench"),
    ({MANIFEST: b"x"}, ["--revision", "v9"], "no revision 'v9' of {name} at {url}: it has no tags"),
]


@pytest.mark.parametrize(("files", "words", "expected_error"), NO_RELEASE)
def test_what_is_no_release_is_not_pulled(
    server: HubServer,
    client: Client,
    name: str,
    tmp_path: Path,
    files: dict[str, bytes],
    words: list[str],
    expected_error: str,
) -> None:
    publish(server, name, files)
    said = one_line(client.run("pull", name, *words, "--out", "back", cwd=tmp_path))
    assert expected_error.format(name=name, url=server.url) in said
    assert not (tmp_path / "back").exists()


def test_an_unknown_dataset_and_a_name_that_is_none_are_told_in_one_line(
    server: HubServer, client: Client, tmp_path: Path
) -> None:
    unknown = client.run("pull", "my-org/nowhere", cwd=tmp_path)
    assert f"no dataset my-org/nowhere at {server.url}, or your token may not see it" in one_line(unknown)
    assert "'nowhere' is no name of a dataset on the Hub" in one_line(client.run("pull", "nowhere", cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", [QA_TEST, "README.md", "factors.svg"])
def test_a_file_that_the_server_altered_is_named_and_never_gets_its_place(
    client: Client, published: Repo, world: Path, tmp_path: Path, where: str
) -> None:
    altered = bytearray((world / where).read_bytes())
    altered[100] ^= 1
    published.served[where] = bytes(altered)
    said = one_line(client.run("pull", published.name, "--out", "back", cwd=tmp_path))
    assert f"{where} of {published.name} was altered" in said
    back = tmp_path / "back"
    came = [path.relative_to(back) for path in back.rglob("*.parquet")]
    assert came
    assert all((back / path).read_bytes() == (world / path).read_bytes() for path in came)
    assert not (back / where).exists()
    assert not (back / MANIFEST).exists()
    published.served.clear()
    assert client.run("pull", published.name, "--out", "back", cwd=tmp_path).status == 0
    assert files_under(back) == files_under(world)


def test_a_manifest_that_came_cut_is_not_taken_for_one(
    client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    published.served[MANIFEST] = (world / MANIFEST).read_bytes() + b" "
    said = one_line(client.run("pull", published.name, "--out", "back", cwd=tmp_path))
    assert f"{MANIFEST} of {published.name} was altered (it is not what the Hub lists)" in said
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("change", [b"longer", b"same", None])
def test_a_file_that_was_altered_at_the_publishers_is_named_before_anything_is_downloaded(
    server: HubServer, client: Client, published: Repo, world: Path, tmp_path: Path, change: bytes | None
) -> None:
    data = (world / QA_TEST).read_bytes()
    published.commit({QA_TEST: {b"longer": data + b"x", b"same": data[:-1] + b"x", None: None}[change]})
    said = one_line(client.run("pull", published.name, "--out", "back", cwd=tmp_path))
    assert f"{QA_TEST} " in said
    assert "is not what its manifest says" in said or "is missing from" in said
    assert server.counted("GET", f"{published.name}/resolve") == 1, "the manifest alone"
    assert not list((tmp_path / "back").rglob("*.parquet"))


def test_a_file_whose_rows_are_not_the_manifests_is_named(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path
) -> None:
    def lie(manifest: dict[str, Any]) -> None:
        entry = next(file for file in manifest["files"] if file["path"] == QA_TEST)
        entry["content"] = "0" * 64
        manifest["splits"]["qa/test"]["content"] = split_digest(["0" * 64])

    publish(server, name, edited(world, lie))
    said = one_line(client.run("pull", name, "--out", "back", cwd=tmp_path))
    assert f"{QA_TEST} of {name} does not hold the rows that its manifest says" in said
    assert not (tmp_path / "back" / MANIFEST).exists()


def test_a_text_larger_than_a_releases_is_not_downloaded(
    server: HubServer, client: Client, published: Repo, tmp_path: Path
) -> None:
    published.commit({"README.md": bytes((16 << 20) + 1)})
    said = one_line(client.run("pull", published.name, "--out", "back", cwd=tmp_path))
    assert f"README.md of {published.name} has 16,777,217 bytes, more than a release's: it was not downloaded" in said
    assert server.counted("GET", f"{published.name}/resolve") == 1, "the manifest alone"


def test_a_manifest_larger_than_a_releases_is_not_downloaded(
    server: HubServer, client: Client, name: str, tmp_path: Path
) -> None:
    publish(server, name, {MANIFEST: bytes((16 << 20) + 1)})
    said = one_line(client.run("pull", name, "--out", "back", cwd=tmp_path))
    assert f"{MANIFEST} of {name} is no manifest of kbench: it has 16,777,217 bytes" in said
    assert server.counted("GET", f"{name}/resolve") == 0


# ---- a small file that many rows come out of


def _repeated(table: pa.Table, letters: int, rows: int = 4_000) -> pa.Table:
    """The first row many times, with a long text in it that a dictionary holds once."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * letters]))
    return table.take([0] * rows).set_column(table.schema.get_field_index("unit"), "unit", text)


def _offered(file: Path, rows: int, content: str) -> OfferedFile:
    return OfferedFile(QA_TEST, rows, file.stat().st_size, file_sha256(file), content)


def _measured(file: Path, entry: OfferedFile, **most: int) -> tuple[str | None, int]:
    """What is wrong with a file, and how many bytes of Arrow were needed at once to tell."""
    before = pa.default_memory_pool()
    measured = pa.proxy_memory_pool(before)
    pa.set_memory_pool(measured)
    try:
        return fault_of(file, entry, **most), measured.max_memory() or 0
    finally:
        pa.set_memory_pool(before)


PLAIN = {"use_dictionary": False, "compression": "zstd"}
ARRIVED: list[tuple[Callable[[pa.Table], pa.Table], dict[str, Any], str | None]] = [
    (lambda table: table, PLAIN, None),
    (lambda table: table, PLAIN | {"use_dictionary": ["unit", "style"], "row_group_size": 7}, None),
    (lambda table: table.drop_columns(["unit"]), PLAIN, "does not have the columns of its config"),
    (lambda table: table.slice(1), PLAIN, "does not hold the rows that its manifest says"),
    (
        lambda table: _repeated(table, 1_000_000),
        PLAIN | {"use_dictionary": ["unit"], "store_schema": False},
        "takes more memory than rows of kbench do (over ",
    ),
    (
        lambda table: _repeated(table, 1_000_000, 4_100),
        PLAIN | {"use_dictionary": ["unit"], "store_schema": False, "row_group_size": 4_000},
        "takes more memory than rows of kbench do (over ",
    ),
    (lambda table: table, {"compression": "zstd"}, "is not written as kbench writes (fact_ids.list.element: "),
    (
        lambda table: table,
        PLAIN | {"column_encoding": {"unit": "DELTA_BYTE_ARRAY"}},
        "is not written as kbench writes (unit: DELTA_BYTE_ARRAY",
    ),
]


@pytest.mark.parametrize(("change", "options", "expected"), ARRIVED)
def test_a_file_that_came_is_known_by_what_it_says_of_itself(
    world: Path,
    tmp_path: Path,
    change: Callable[[pa.Table], pa.Table],
    options: dict[str, Any],
    expected: str | None,
) -> None:
    rows = open_release(world).table("qa", "test")
    came = change(rows)
    pq.write_table(came, tmp_path / "came.parquet", **options)
    promised = rows.num_rows if expected and "rows that" in expected else came.num_rows
    entry = _offered(tmp_path / "came.parquet", promised, content_digest(rows))
    fault, taken = _measured(tmp_path / "came.parquet", entry)
    assert taken < 16 << 20, "what the rows would take is known before they are read"
    assert taken or expected
    assert fault is None if expected is None else (fault or "").startswith(expected)


def test_a_file_of_more_memory_than_may_be_taken_is_refused(world: Path) -> None:
    file, rows = world / QA_TEST, open_release(world).table("qa", "test")
    entry = _offered(file, rows.num_rows, content_digest(rows))
    assert fault_of(file, entry, most=1 << 20) is None
    refused = "takes more memory than rows of kbench do (over 1,000 bytes)"
    assert _measured(file, entry, most=1_000) == (refused, 0), "nothing is read"


def test_a_file_that_lies_of_its_size_is_refused_while_it_is_read(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = tmp_path / "came.parquet"
    monkeypatch.setattr(arrived, "_columns", lambda about: ([], 1_000))
    table = _repeated(open_release(world).table("qa", "test"), 20_000, 100_000)
    pq.write_table(table, came, **PLAIN | {"use_dictionary": ["unit"], "store_schema": False})
    fault, taken = _measured(came, _offered(came, 100_000, ""))
    assert (fault or "").startswith("takes more memory than rows of kbench do")
    assert taken < 512 << 20, "of 2 GB"


def test_a_small_file_of_endless_rows_is_named_and_never_gets_its_place(
    server: HubServer, client: Client, name: str, world: Path, tmp_path: Path
) -> None:
    def promise(manifest: dict[str, Any]) -> None:
        entry = next(file for file in manifest["files"] if file["path"] == QA_TEST)
        size, sha256 = swollen.stat().st_size, file_sha256(swollen)
        entry |= {"rows": 4_000, "bytes": size, "sha256": sha256, "content": "0" * 64}
        manifest["splits"]["qa/test"] = {"rows": 4_000, "content": split_digest(["0" * 64])}

    swollen = tmp_path / "swollen.parquet"
    table = _repeated(open_release(world).table("qa", "test"), 1_000_000)
    pq.write_table(table, swollen, **PLAIN | {"use_dictionary": ["unit"], "store_schema": False})
    assert swollen.stat().st_size < 50_000
    publish(server, name, edited(world, promise) | {QA_TEST: swollen.read_bytes()})
    said = one_line(client.run("pull", name, "--out", "back", cwd=tmp_path))
    assert f"{QA_TEST} of {name} takes more memory than rows of kbench do (over " in said
    assert not (tmp_path / "back" / QA_TEST).exists()
    assert not (tmp_path / "back" / MANIFEST).exists()


def test_a_pull_that_was_killed_goes_on_and_downloads_no_file_twice(
    server: HubServer, client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    resolve = f"{published.name}/resolve"
    held = server.fault(Fault("get", "hold", resolve, after=100, skip=3, times=1))
    process = start(server.env(), "pull", published.name, "--out", "back", cwd=tmp_path)
    assert held.met.wait(60)
    process.kill()
    process.communicate()
    back = tmp_path / "back"
    came = {str(path.relative_to(back)) for path in back.rglob("*.parquet")}
    assert came
    assert not (back / MANIFEST).exists()
    before = len(server.log)
    assert client.run("pull", published.name, "--out", "back", cwd=tmp_path).status == 0
    fetched = {line.split("/", 7)[-1] for line in server.log[before:] if line.startswith("GET") and resolve in line}
    assert not {path for path in fetched for done in came if path.endswith(done)}
    assert files_under(back) == files_under(world)


def test_a_pull_goes_on_where_the_dataset_has_moved_to_another_release_meanwhile(
    server: HubServer, client: Client, published: Repo, made: Callable[[str], Release], tmp_path: Path
) -> None:
    published.served["entities/train-00000-of-00001.parquet"] = b"altered"
    one_line(client.run("pull", published.name, "--out", "back", cwd=tmp_path))
    assert list((tmp_path / "back" / "article").iterdir())
    other = files_under(made("9").path)
    published.commit({**dict.fromkeys(on(published)), **other})
    published.served.clear()
    assert client.run("pull", published.name, "--out", "back", cwd=tmp_path).status == 0
    assert files_under(tmp_path / "back") == other


def test_a_download_that_is_cut_is_taken_up_again(
    server: HubServer, client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    cut = server.fault(Fault("get", "cut", f"{published.name}/resolve", after=200, skip=1, times=1))
    done = client.run("pull", published.name, "--out", "back", cwd=tmp_path)
    assert cut.met.is_set()
    assert (done.status, done.err) == (0, "")
    assert files_under(tmp_path / "back") == files_under(world)


def test_a_pulled_release_that_was_damaged_here_is_mended(
    client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    assert client.run("pull", published.name, "--out", "back", cwd=tmp_path).status == 0
    _alter(tmp_path / "back")
    (tmp_path / "back" / "README.md").unlink()
    assert "rows, digest" in client.run("pull", published.name, "--out", "back", cwd=tmp_path).out
    assert files_under(tmp_path / "back") == files_under(world)


def test_a_pull_leaves_a_folder_of_something_else_alone(
    client: Client, published: Repo, made: Callable[[str], Release], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    said = one_line(client.run("pull", published.name, "--out", "full", cwd=tmp_path))
    assert "full holds something else (thesis.txt, no .kbench_pull.json): give another --out" in said
    assert files_under(tmp_path / "full") == {"thesis.txt": b"mine"}
    other = Path(shutil.copytree(made("8").path, tmp_path / "other"))
    before = files_under(other)
    said = one_line(client.run("pull", published.name, "--out", "other", cwd=tmp_path))
    assert f"other holds another release than {published.name} has now: give another --out" in said
    assert files_under(other) == before


# ---- found by name


def _scored(tmp_path: Path, out: str) -> str:
    return str(json.loads((tmp_path / out / "results.json").read_text())["kbench"]["release"]["digest"])


def test_a_release_of_the_hub_is_scored_by_its_name_and_again_without_the_network(
    server: HubServer, client: Client, published: Repo, made: Callable[[str], Release], tmp_path: Path
) -> None:
    published.tags["v1"] = published.head.sha
    seven, eight = made("7").digest, made("8").digest
    at_tag, newest = (
        ["--release", f"{published.name}@v1", "--model", "oracle"],
        ["--release", published.name, "--model", "oracle"],
    )
    assert client.run("eval", *at_tag, "--out", "a", cwd=tmp_path).status == 0
    published.commit(files_under(made("8").path))
    before = server.counted("GET", f"{published.name}/resolve")
    assert client.run("eval", *at_tag, "--out", "b", cwd=tmp_path).status == 0
    assert server.counted("GET", f"{published.name}/resolve") == before, "it is taken from the cache"
    assert client.run("eval", *newest, "--out", "c", cwd=tmp_path).status == 0
    assert [_scored(tmp_path, out) for out in "abc"] == [seven, seven, eight]
    offline = run_alone(server.env(HF_HUB_OFFLINE="1"), "eval", *at_tag, "--out", "d", cwd=tmp_path)
    assert (offline.status, _scored(tmp_path, "d")) == (0, seven)
    assert re.search(r"HF_HUB_OFFLINE is set.*taking my-org/t\d+@v1 as it was when last asked for", offline.err)
    sha = [*newest[:1], f"{published.name}@{published.tags['v1']}", *newest[2:]]
    asked = len(server.log)
    by_commit = client.run("eval", *sha, "--out", "e", cwd=tmp_path)
    assert (by_commit.status, by_commit.err, len(server.log)) == (0, "", asked), "a commit is what it is"
    unseen = run_alone(
        server.env(HF_HUB_OFFLINE="1"),
        "eval",
        "--release",
        f"{published.name}@v7",
        "--model",
        "oracle",
        "--out",
        "f",
        cwd=tmp_path,
    )
    assert "HF_HUB_OFFLINE is set" in one_line(unseen)


def _lose(folder: Path) -> None:
    (folder / QA_TEST).unlink()


def _cut(folder: Path) -> None:
    (folder / QA_TEST).write_bytes((folder / QA_TEST).read_bytes()[:-1])


def _cut_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


def _cut_manifest_and_alter(folder: Path) -> None:
    _cut_manifest(folder)
    _alter(folder)


DAMAGES: list[tuple[Callable[[Path], object], bool]] = [
    (_lose, False),
    (_lose, True),
    (_cut, True),
    (_cut_manifest, False),
    (_cut_manifest_and_alter, True),
    (lambda folder: (folder / MANIFEST).unlink(), False),
]


@pytest.mark.parametrize(("damage", "by_commit"), DAMAGES)
def test_a_damaged_release_in_the_cache_is_fetched_again(
    client: Client, published: Repo, world: Path, tmp_path: Path, damage: Callable[[Path], object], by_commit: bool
) -> None:
    name = published.name + (f"@{published.head.sha}" if by_commit else "")
    words = ["eval", "--release", name, "--model", "oracle", "--out"]
    cache = {"KBENCH_CACHE": str(tmp_path / "cache")}
    assert client.run(*words, "a", cwd=tmp_path, **cache).status == 0
    held = next((tmp_path / "cache").rglob(MANIFEST)).parent
    damage(held)
    assert client.run(*words, "b", cwd=tmp_path, **cache).status == 0
    assert files_under(held) == files_under(world)
    assert _scored(tmp_path, "a") == _scored(tmp_path, "b")


def test_a_release_in_the_cache_whose_bytes_were_altered_says_to_delete_it(
    client: Client, published: Repo, world: Path, tmp_path: Path
) -> None:
    words = ["eval", "--release", published.name, "--model", "oracle", "--out"]
    cache = {"KBENCH_CACHE": str(tmp_path / "cache")}
    assert client.run(*words, "a", cwd=tmp_path, **cache).status == 0
    held = next((tmp_path / "cache").rglob(MANIFEST)).parent
    _alter(held)
    said = one_line(client.run(*words, "b", cwd=tmp_path, **cache))
    assert f"{held / QA_TEST} was altered (its sha256 is not the manifest's): delete {held}, it is fetched" in said
    shutil.rmtree(held)
    assert client.run(*words, "b", cwd=tmp_path, **cache).status == 0


def test_two_that_want_the_same_release_of_the_hub_at_once_wait_for_each_other(
    server: HubServer, published: Repo, made: Callable[[str], Release], tmp_path: Path
) -> None:
    data = f"{published.name}/resolve/{published.head.sha}/qa"
    first_holds = server.fault(Fault("get", "hold", data, times=1))
    words = ["eval", "--release", published.name, "--model", "oracle", "--out"]
    first = start(server.env(), *words, "a", cwd=tmp_path)
    assert first_holds.met.wait(60)
    second_asks = server.fault(Fault("get", "do", f"{published.name}/resolve", times=1))
    second = start(server.env(), *words, "b", cwd=tmp_path)
    assert second_asks.met.wait(60)
    first.kill()
    first.communicate()
    _, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    assert _scored(tmp_path, "b") == made("7").digest


NOT_FOUND = [
    ("nowhere", "no release at nowhere: there is no such folder, none of kbench-base, "),
    ("./my-org/nowhere", "no release at ./my-org/nowhere: there is no such folder"),
    ("a/b/c", "no release at a/b/c: there is no such folder"),
    (
        "my-org/nowhere",
        "kbench: there is no folder my-org/nowhere; as a dataset of the Hub: no dataset my-org/nowhere at {url}",
    ),
    ("x" * 5_000, f"no release at {'x' * 80}: File name too long: give a folder, or ORG/NAME"),
]


@pytest.mark.parametrize(("release", "expected_error"), NOT_FOUND)
def test_a_release_that_is_not_found_says_where_it_was_looked_for(
    server: HubServer, client: Client, tmp_path: Path, release: str, expected_error: str
) -> None:
    done = client.run("eval", "--release", release, "--model", "oracle", "--out", "r", cwd=tmp_path)
    assert expected_error.format(url=server.url) in one_line(done)
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_folder_is_told_as_one_where_the_hub_does_not_answer(server: HubServer, tmp_path: Path) -> None:
    nobody = server.env(HF_ENDPOINT="http://127.0.0.1:9")
    done = run_alone(nobody, "eval", "--release", "runs/world", "--model", "oracle", "--out", "r", cwd=tmp_path)
    assert "kbench: there is no folder runs/world; as a dataset of the Hub: cannot pull runs/world: " in one_line(done)


def test_a_named_release_is_taken_from_the_shelf_and_one_that_is_a_recipe_says_how_to_make_it(
    made: Callable[[str], Release], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_release(shelf.DEFAULT).path == shelf.SHELF / "kbench-tiny"
    with pytest.raises(ReleaseError, match="as a recipe only: make it with `kbench generate --recipe kbench-small`"):
        find_release("kbench-small")
    with pytest.raises(ReleaseError, match=r"no release at other: there is no such folder, none of kbench-base, "):
        find_release("other")
    shutil.copytree(made("8").path, tmp_path / "kbench-tiny")
    assert find_release("kbench-tiny").digest == made("8").digest, "a folder comes first"


def test_the_verbs_that_check_a_release_take_a_name_on_the_shelf(client: Client, tmp_path: Path) -> None:
    assert client.run("audit", "kbench-tiny", cwd=tmp_path).out.splitlines()[-1].startswith("ok: kbench-tiny (world ")
    small = client.run("verify", "kbench-small", cwd=tmp_path)
    assert "kbench-small comes with kbench as a recipe only" in one_line(small)
    scored = client.run("eval", "--model", "majority", "--out", "r", cwd=tmp_path)
    assert scored.status == 0
    assert _scored(tmp_path, "r") == find_release("kbench-tiny").digest


OWN = [
    ("README.md", True),
    ("qa/train-00000-of-00001.parquet", True),
    ("qa/train-evil.parquet", True),
    ("qa/notes.md", False),
    ("notes/train-00000-of-00001.parquet", False),
    ("a/qa/train-00000-of-00001.parquet", False),
    ("LICENSE", False),
]


@pytest.mark.parametrize(("path", "own"), OWN)
def test_a_releases_own_are_its_texts_and_what_its_card_loads(path: str, own: bool) -> None:
    assert is_kbenchs(path) is own
