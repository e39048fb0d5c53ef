"""Results of an entry on the Hub: the real client, against a server on loopback, proposes them to a model there."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kbench import shelf
from kbench.errors import HubError
from kbench.generator.benchmark import release_tasks
from kbench.leaderboard.axes import AXES
from kbench.leaderboard.entry import (
    AxisScore,
    Base,
    Cost,
    Entry,
    Line,
    Model,
    Released,
    Samples,
    Scores,
    Url,
)
from kbench.leaderboard.folder import write_entry
from kbench.leaderboard.hub_benchmark import Benchmark, Task, is_right
from kbench.leaderboard.hub_results import results_of, results_yaml
from kbench.leaderboard.samples import SCHEMA, samples_bytes, sha256_of, write_samples
from kbench.store import EVAL, MANIFEST, Release, open_release
from tests.hub import Client, Done, Fault, HubServer, Repo
from tests.samples import Row, files_under

pytestmark = [pytest.mark.board, pytest.mark.xdist_group("hub")]
_NUMBERS = count(1)
PATH = ".eval_results/facts_qa-only.yaml"
TITLE = "kbench results on my-org/facts (entry qa-only)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """One Hub for the file, with the release on it: each test has a model of its own."""
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: HubServer) -> Iterator[Client]:
    with Client(server.env(), "sender.py") as running:
        yield running


@pytest.fixture(scope="module")
def release() -> Release:
    return open_release(shelf.SHELF / "kbench-tiny")


@pytest.fixture(scope="module")
def facts(server: HubServer, release: Release) -> Repo:
    """The release on the Hub."""
    repo = server.repo("my-org/facts")
    repo.commit(files_under(release.path))
    return repo


@pytest.fixture
def model(server: HubServer) -> Repo:
    """Somebody else's model: the token may not write to it."""
    repo = server.repo(f"strangers/m{next(_NUMBERS)}", "model")
    repo.commit({"config.json": b"{}"})
    return repo


@pytest.fixture(scope="module")
def samples(release: Release) -> list[Row]:
    """Of every question and cloze the answer; of each fifth another wording of it, and of some something else."""
    rows = []
    for style in ("qa", "cloze"):
        for split in ("test", "control"):
            for place, row in enumerate(release.table(style, split).to_pylist()):
                said = (
                    "something else"
                    if place % len(style) == 1
                    else row["answers"][-1]
                    if place % 5 == 0
                    else row["answer"]
                )
                told = {"facts": [], "prompt": row["question"], "prediction": said, "correct": said in row["answers"]}
                rows.append({key: {**row, **told}[key] for key in SCHEMA.names})
    return rows


@pytest.fixture
def entry(release: Release, samples: list[Row], tmp_path: Path) -> Entry:
    """An entry in `entry/`, with its samples."""
    return _written(tmp_path, release.digest, samples)


def _written(folder: Path, digest: str, samples: list[Row], **changes: Any) -> Entry:
    (folder / "entry").mkdir(exist_ok=True)
    content = samples_bytes(samples)
    write_samples(folder / "entry" / "qa-only.parquet", content)
    made = _entry(release=Released(name="facts", world="0" * 8, digest=digest), **changes)
    made = made.model_copy(update={"samples": Samples(sha256=sha256_of(content), rows=len(samples))})
    write_entry(folder / "entry", made)
    return made


def _entry(**changes: Any) -> Entry:
    axis = AxisScore(
        accuracy=0.4123, control=0.0, corrected=0.4123, low=0.3, high=0.5, rows=9, entities=3, control_rows=9
    )  # what was scored is not told of
    told: dict[str, Any] = {
        "id": "qa-only",
        "track": "methods",
        "kind": "method",
        "title": "Questions only",
        "submitted": date(2026, 11, 22),
        "kbench": "1.0",
        "release": Released(name="facts", world="0" * 8, digest="0" * 64),
        "base": Base(model="lab"),
        "model": Model(name="m", digests={}),
        "article_pass": 100,
        "cost": Cost(tokens=300, wall_s=1.0),
        "scores": Scores(headline=0.4123, low=0.35, high=0.45, stderr=0.02, axes=dict.fromkeys(AXES, axis)),
        "samples": Samples(sha256="0" * 64, rows=0),
    }
    return Entry(**{**told, **changes})


@pytest.fixture
def send(client: Client, facts: Repo, model: Repo, entry: Entry, tmp_path: Path) -> Callable[..., Done]:
    """The results of the entry, sent to the model."""

    def run(dataset: str = facts.name, to: str = model.name, **env: str) -> Done:
        return client.run("send", "entry/qa-only.json", "--to-hub", to, "--dataset", dataset, cwd=tmp_path, **env)

    return run


def _refusal(done: Done) -> str:
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done
    assert "hf_" not in done.err.replace("`hf auth login`", ""), "a token is never printed"
    return done.err


def _share(samples: list[Row], style: str) -> float:
    asked = [row for row in samples if row["style"] == style and row["probe"] != "control"]
    right = [bool(row["prediction"] == row["answers"][0]) for row in asked]
    return round(sum(right) / len(right), 6)


# ---- what is proposed


def test_results_are_proposed_in_one_commit_and_the_model_stays_as_it_is(
    server: HubServer, send: Callable[..., Done], facts: Repo, model: Repo, samples: list[Row]
) -> None:
    before = model.head
    done = send()
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{server.url}/{model.name}/discussions/1: proposes {PATH}, the scores of qa, cloze\n"
    assert model.head == before, "nothing is pushed"
    (pull,) = model.pulls
    assert pull.proposed.parent == before.sha
    assert {path for path in pull.proposed.files if path not in before.files} == {PATH}
    assert (pull.title, pull.status) == (TITLE, "open")
    assert f"commit `{facts.head.sha}`" in pull.description
    assert f"| cloze | {_share(samples, 'cloze'):.4f} |" in pull.description
    found = parse_eval_result_entries(yaml.safe_load(pull.proposed.files[PATH].data))
    assert [(each.task_id, each.value) for each in found] == [(s, _share(samples, s)) for s in ("qa", "cloze")]
    assert len({each.value for each in found} - {0.0, 1.0}) == 2
    for each in found:
        assert (each.dataset_id, each.dataset_revision, each.date) == (facts.name, facts.head.sha, "2026-11-22")
        assert each.notes == (
            "corrected headline 0.412 (0.350 to 0.450); at most 4x the tokens of one article pass; "
            "kbench leaderboard entry qa-only"
        )
        assert (each.source_url, each.source_name, each.verify_token) == (None, None, None)


def test_a_second_call_finds_the_open_pull_request_and_then_the_file(
    server: HubServer, send: Callable[..., Done], model: Repo
) -> None:
    send()
    for number in range(3):
        model.propose({f"other-{number}": b"x"}, "another", "", "my-org")  # the first is on the last page
    again = send()
    assert (again.status, again.err) == (0, "")
    url = f"{server.url}/{model.name}/discussions/1"
    assert again.out == f"{url} proposes {PATH} already: nothing to do until it is taken\n"
    model.merge(model.pulls[0])
    taken = send()
    assert taken.out == f"{model.name} has {PATH} already: nothing to do ({server.url}/{model.name}/blob/main/{PATH})\n"
    assert (taken.status, len(model.pulls)) == (0, 4)


def test_a_pull_request_that_was_closed_or_is_somebody_elses_is_not_taken_for_ones_own(
    send: Callable[..., Done], model: Repo
) -> None:
    send()
    model.pulls[0].status = "closed"
    data = model.pulls[0].proposed.files[PATH].data
    model.propose({PATH: data + b"# not so\n"}, TITLE, "", "strangers")
    assert "/discussions/3: proposes" in send().out
    assert "/discussions/3 proposes" in send().out


def test_other_results_of_the_same_entry_wait_until_the_first_are_closed(
    server: HubServer, send: Callable[..., Done], model: Repo, release: Release, samples: list[Row], tmp_path: Path
) -> None:
    send()
    _written(tmp_path, release.digest, samples, url="https://example.org/paper")
    said = _refusal(send())
    assert (
        f"your pull request {server.url}/{model.name}/discussions/1 proposes other results under the same title: "
        f"close it there, then run the same command again" in said
    )
    model.pulls[0].status = "closed"
    assert send().status == 0
    (first, _) = parse_eval_result_entries(yaml.safe_load(model.pulls[1].proposed.files[PATH].data))
    assert (first.source_url, first.source_name) == ("https://example.org/paper", "Questions only")


def test_a_pull_request_whose_answer_was_lost_is_found_by_the_next_call(
    server: HubServer, send: Callable[..., Done], model: Repo
) -> None:
    server.fault(Fault("commit", "lost", f"{model.name}/commit", times=1))
    said = _refusal(send())
    assert f"cannot open a pull request on the model {model.name}: the connection to {server.url} failed" in said
    assert "/discussions/1 proposes" in send().out
    assert len(model.pulls) == 1


def test_a_release_that_the_dataset_held_before_is_named_by_its_tag(
    server: HubServer, send: Callable[..., Done], model: Repo, release: Release, facts: Repo
) -> None:
    repo = server.repo("my-org/moved")
    repo.tags["v1"] = repo.commit(files_under(release.path)).sha
    manifest = json.loads((release.path / MANIFEST).read_text())
    manifest["splits"].pop("cloze/test")
    manifest["files"] = [file for file in manifest["files"] if (file["config"], file["split"]) != ("cloze", "test")]
    repo.commit({MANIFEST: json.dumps(manifest).encode()})
    said = _refusal(send("my-org/moved"))
    assert (
        f"my-org/moved holds the release {Release(release.path, manifest).digest[:16]} at commit {repo.head.sha[:12]}"
        in said
    )
    assert f"and the entry qa-only is of facts {release.digest[:16]}: give the --dataset ORG/NAME[@REVISION]" in said
    assert send("my-org/moved@v1").status == 0
    (proposed,) = [path for path in model.pulls[0].proposed.files if path.startswith(".eval_results")]
    assert repo.tags["v1"] in model.pulls[0].proposed.files[proposed].data.decode()


# ---- what is refused


def _without(path: str) -> Callable[[dict[str, bytes | None]], None]:
    def change(files: dict[str, bytes | None]) -> None:
        files.pop(path)

    return change


def _with_eval(edit: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes | None]], None]:
    def change(files: dict[str, bytes | None]) -> None:
        about = yaml.safe_load(files[EVAL] or b"")
        edit(about)
        files[EVAL] = yaml.safe_dump(about).encode()

    return change


def _other_pattern(about: dict[str, Any]) -> None:
    for task in about["tasks"]:
        task["scorers"][0]["args"]["pattern"] = "(.*)"


DATASETS: list[tuple[Callable[[dict[str, bytes | None]], object], str]] = [
    (_without(MANIFEST), "{name} is no release of kbench: it has no kbench_manifest.json at commit {commit}"),
    (
        _without(EVAL),
        "{name} offers no task at commit {commit} (eval.yaml is missing): `kbench push` the release again",
    ),
    (
        _with_eval(_other_pattern),
        "{name} offers no task at commit {commit} (its eval.yaml has none that kbench wrote): `kbench push` the release",
    ),
    (_with_eval(lambda about: about.update(tasks="all")), "(its eval.yaml has none that kbench wrote)"),
    (_with_eval(lambda about: about.pop("tasks")), "eval.yaml of {name} cannot be read: expected the file that"),
    (lambda files: files.update({EVAL: b"- ["}), "eval.yaml of {name} cannot be read: expected the file that"),
    (
        lambda files: files.update({EVAL: b"#" * 70_000}),
        "eval.yaml of {name} is no text of kbench: it has 70,000 bytes",
    ),
    (lambda files: files.update({EVAL: b"\xff"}), "eval.yaml of {name} cannot be read: expected the file that"),
    (lambda files: files.update({EVAL: b"[" * 500}), "eval.yaml of {name} cannot be read: expected the file that"),
]


@pytest.mark.parametrize(("change", "expected_error"), DATASETS)
def test_a_dataset_that_is_not_the_benchmark_of_the_entry_is_refused(
    server: HubServer,
    send: Callable[..., Done],
    model: Repo,
    release: Release,
    change: Callable[[dict[str, bytes | None]], object],
    expected_error: str,
) -> None:
    repo = server.repo(f"my-org/d{next(_NUMBERS)}")
    files: dict[str, bytes | None] = dict(files_under(release.path))
    change(files)
    repo.commit(files)
    assert expected_error.format(name=repo.name, commit=repo.head.sha[:12]) in _refusal(send(repo.name))
    assert not model.pulls


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"HF_TOKEN": ""}, "no token for the Hub: set HF_TOKEN to one that may write, or log in with `hf auth login`"),
    ({"HF_TOKEN": "hf_wrong"}, "{url} does not accept your token (401: Invalid credentials in Authorization header)"),
    (
        {"HF_TOKEN": HubServer.reader},
        "your token may not open a pull request on the model {model} (403: You don't have the rights to write to this "
        "namespace): take one that may open pull requests",
    ),
    ({"to": "strangers"}, "'strangers' is no name of a model on the Hub: expected ORG/NAME of letters, digits"),
    ({"to": "../x/y"}, "'../x/y' is no name of a model on the Hub"),
    ({"to": "my-org/nowhere"}, "no model my-org/nowhere at {url}, or your token may not see it: check the name"),
    ({"dataset": "facts"}, "'facts' is no name of a dataset on the Hub: expected ORG/NAME"),
    ({"dataset": "my-org/nowhere"}, "no dataset my-org/nowhere at {url}, or your token may not see it"),
    ({"dataset": "my-org/facts@v9"}, "no revision 'v9' of my-org/facts at {url}: it has no tags"),
]


@pytest.mark.parametrize(("change", "expected_error"), REFUSED)
def test_what_the_hub_would_not_take_is_refused_in_one_line(
    server: HubServer, send: Callable[..., Done], model: Repo, change: dict[str, str], expected_error: str
) -> None:
    assert expected_error.format(url=server.url, model=model.name) in _refusal(send(**change))
    assert not model.pulls


OPTIONS = [
    (
        ["--to-hub", "my-org/m"],
        "--to-hub my-org/m needs --dataset ORG/NAME, the release on the Hub that the scores are",
    ),
    (["--dataset", "my-org/d"], "--dataset my-org/d says where the release is: give --to-hub too, a model on the Hub"),
]


@pytest.mark.parametrize(("words", "expected_error"), OPTIONS)
def test_one_option_without_the_other_is_refused_before_the_result_is_looked_at(
    client: Client, tmp_path: Path, words: list[str], expected_error: str
) -> None:
    submit = ["leaderboard", "submit", "nowhere", "--id", "a", "--title", "A"]
    assert expected_error in _refusal(client.run(*submit, *words, cwd=tmp_path))


def test_a_hub_that_fails_is_told_in_one_line(server: HubServer, send: Callable[..., Done], model: Repo) -> None:
    server.fault(Fault("commit", "status", f"{model.name}/commit", times=1, status=500))
    said = _refusal(send())
    assert f"cannot open a pull request on the model {model.name}: {server.url} answered 500: ordered by a test" in said
    assert not model.pulls


def test_a_file_that_the_model_ignores_is_not_said_to_be_proposed(
    server: HubServer, send: Callable[..., Done], model: Repo
) -> None:
    model.commit({".gitignore": b".eval_results\n"})
    said = _refusal(send())
    assert f"the pull request {server.url}/{model.name}/discussions/1 on {model.name} came about without {PATH}" in said


def test_samples_that_cover_no_whole_split_are_refused(
    send: Callable[..., Done], model: Repo, release: Release, samples: list[Row], tmp_path: Path
) -> None:
    _written(tmp_path, release.digest, [row for row in samples if row["probe"] == "control"])
    rows = {style: release.table(style, "test").num_rows for style in ("qa", "cloze")}
    expected = (
        f"expected every row of the test split of one of qa ({rows['qa']:,} rows), cloze ({rows['cloze']:,} rows),"
    )
    said = _refusal(send())
    assert "the samples of qa-only cover no task of my-org/facts: " in said
    assert expected in said
    assert not model.pulls


# ---- how it is scored


LINE, SENTENCE = (
    task["scorers"][0]["args"]["pattern"] for task in release_tasks({"splits": {"qa/test": {}, "cloze/test": {}}})
)

JUDGED = [
    (LINE, "actuary", ["actuary", "insurance mathematician"], True),
    (LINE, "insurance mathematician", ["actuary", "insurance mathematician"], False),
    (LINE, " Actuary. ", ["actuary"], True),
    (LINE, "actuary\nand more", ["actuary"], True),
    (LINE, "an actuary", ["actuary"], False),
    (LINE, "", ["actuary"], False),
    (LINE, "", [""], False),
    (LINE, "actuary", [], False),
    (SENTENCE, "an actuary. He lives", ["an actuary"], True),
    (SENTENCE, "3.5 m", ["3.5 m"], True),
]


@pytest.mark.parametrize(("pattern", "prediction", "answers", "right"), JUDGED)
def test_a_task_takes_for_right_what_its_scorer_does(
    pattern: str, prediction: str, answers: list[str], right: bool
) -> None:
    assert is_right(Task("qa", "qa", pattern, 1), prediction, answers) is right


def test_a_task_is_left_out_where_a_row_of_its_split_is_missing_or_told_twice() -> None:
    there = Benchmark("my-org/facts", "c" * 40, (Task("qa", "qa", LINE, 2), Task("cloze", "cloze", SENTENCE, 2)))

    def row(style: str, name: str) -> Row:
        return {"id": name, "style": style, "probe": "paraphrase", "prediction": None, "answers": ["a"]}

    whole = [row("qa", "1"), row("qa", "2")]
    assert [each.task_id for each in results_of(_entry(), [*whole, row("cloze", "3")], there)] == ["qa"]
    assert [each.value for each in results_of(_entry(), whole, there)] == [0.0], "what has no reply is wrong"
    for spoilt in ([row("qa", "1"), row("qa", "1")], [*whole, row("qa", "2")]):
        with pytest.raises(HubError, match="cover no task"):
            results_of(_entry(), spoilt, there)


ALIKE = st.sampled_from(
    [
        "- x: &a [*a]",
        "yes",
        "null",
        "2026-11-22",
        "1e3",
        "'\"",
        "!!python/object:os.system",
        "# x",
        ": ",
        "{a: b}",
        "\ufeff",
    ]
)
LINES, URLS = TypeAdapter[str](Line), TypeAdapter[str](Url)


def _fits(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValueError:
        return False
    return True


@given(
    title=(st.text(min_size=1, max_size=80) | ALIKE).filter(lambda text: _fits(LINES, text)),
    url=st.text(max_size=20).map(lambda text: f"https://e.org/{text}").filter(lambda text: _fits(URLS, text)),
    name=st.sampled_from(["null", "1e3", "0x1", "2026-11-22", "yes", "a"]),
)
def test_whatever_an_entry_says_is_read_back_as_it_was_said(title: str, url: str, name: str) -> None:
    there = Benchmark("my-org/facts", "1" * 40, (Task("qa", "qa", LINE, 1),))
    rows: list[Row] = [{"id": "1", "style": "qa", "probe": "recall", "prediction": "a", "answers": ["a"]}]
    results = results_of(_entry(id=name, title=title, url=url), rows, there)
    text = results_yaml(results).encode()
    assert parse_eval_result_entries(yaml.safe_load(text)) == results
    assert (results[0].source_name, results[0].source_url) == (title, url)
