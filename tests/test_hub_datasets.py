"""`kbench import ORG/NAME`: a dataset that is no release comes from the Hub by its commit, only the files it needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kbench.store import open_release
from tests.hub import Client, HubServer
from tests.real_data import popqa_rows, write_mmlu, write_popqa

pytestmark = pytest.mark.xdist_group("hub")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A Hub with two datasets."""
    folder = tmp_path_factory.mktemp("published")
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        table = write_popqa(folder / "test.tsv").read_bytes()
        running.repo("my-org/popqa").commit({"test.tsv": table, "README.md": b"# PopQA\n", "load.py": b"raise\n"})
        exams = write_mmlu(folder / "mmlu.parquet").read_bytes()
        held = {f"{config}/test-00000-of-00001.parquet": exams for config in ("all", "virology")}
        running.repo("my-org/exams").commit({**held, "auxiliary_train/train-00000-of-00001.parquet": b"PAR1"})
        yield running


@pytest.fixture(scope="module")
def client(server: HubServer) -> Iterator[Client]:
    """kbench as a client of that Hub."""
    with Client(server.env()) as running:
        yield running


def test_a_dataset_of_the_hub_becomes_a_release_of_its_commit(
    client: Client, server: HubServer, tmp_path: Path
) -> None:
    done = client.run("import", "popqa", "my-org/popqa", "--out", "popqa", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "  qa/train                      88 rows\n" in done.out
    sha = server.repo("my-org/popqa").head.sha
    assert open_release(tmp_path / "popqa").manifest["recipe"]["imported"]["source"] == f"my-org/popqa@{sha}"
    assert server.counted("GET", "load.py") == server.counted("GET", "README.md") == 0
    fetched = server.counted("GET", "test.tsv")
    again = client.run("import", "popqa", f"my-org/popqa@{sha}", "--out", "popqa", cwd=tmp_path)
    assert "popqa is this release already" in again.out
    assert server.counted("GET", "test.tsv") == fetched


def test_an_imported_release_is_pushed_pulled_and_asked_as_any_other(
    client: Client, server: HubServer, tmp_path: Path
) -> None:
    client.run("import", "popqa", "my-org/popqa", "--out", "popqa", cwd=tmp_path)
    done = client.run("push", "popqa", "--repo-id", "my-org/popqa-divided", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "verified in part: rows: not derived anew: it is made of my-org/popqa@" in done.out
    words = ["--release", "my-org/popqa-divided", "--model", "majority", "--limit", "2", "--out", "asked"]
    asked = client.run("eval", *words, cwd=tmp_path)
    assert (asked.status, asked.err) == (0, "")
    assert "qa     known" in asked.out


def test_relations_that_are_left_out_are_told_on_stderr(client: Client, tmp_path: Path) -> None:
    rows = [*popqa_rows(), {**popqa_rows()[0], "prop": "hobby", "question": "What does Ann Stone like?"}]
    source = write_popqa(tmp_path / "popqa.tsv", rows)
    done = client.run("import", "popqa", source, "--out", "out", cwd=tmp_path)
    assert done.status == 0
    assert "left out: 1 questions of relations with too few subjects\n" in done.out
    assert done.err == (
        "kbench: left out for too few subjects in train or in test: hobby (0); --least keeps smaller relations\n"
    )


def test_of_exams_only_the_files_that_hold_each_once_are_fetched(
    client: Client, server: HubServer, tmp_path: Path
) -> None:
    done = client.run("import", "mmlu", "my-org/exams", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "left out" not in done.out
    assert open_release(tmp_path / "kbench-mmlu").counts()["choice"]["train"] == 35
    assert server.counted("GET", "auxiliary_train") == server.counted("GET", "virology") == 0


@pytest.mark.parametrize(
    ("words", "expected_error"),
    [
        (["my-org/gone"], "there is no folder my-org/gone; as a dataset of the Hub: no dataset my-org/gone at"),
        (["my-org/popqa@v9"], "no revision 'v9' of my-org/popqa at"),
        (
            ["my-org/popqa", "--files", "x*"],
            "has no data file that was asked for: have .gitattributes, README.md, load.py",
        ),
    ],
)
def test_what_the_hub_has_not_is_told_in_one_line(
    client: Client, tmp_path: Path, words: list[str], expected_error: str
) -> None:
    done = client.run("import", "popqa", *words, cwd=tmp_path)
    assert done.status == 1
    assert expected_error in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
