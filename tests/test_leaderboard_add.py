"""Taking entries in: what is edited, swapped, too large or another's is refused with its reason, or stays text."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kbench.errors import KbenchError
from kbench.generator.release import generate
from kbench.leaderboard.adding import Added, add_entry
from kbench.leaderboard.folder import read_entries, read_entry, write_entry
from kbench.leaderboard.samples import MOST_BYTES, SCHEMA, samples_bytes, sha256_of
from kbench.store import Release
from tests.boards import (
    Edit,
    Rows,
    answered,
    edited_entry,
    made_scores,
    of_probe,
    rerun_of,
    small_recipe,
    small_rules,
    written,
)
from tests.samples import run

pytestmark = pytest.mark.xdist_group("leaderboard")


@pytest.fixture(scope="session")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return generate(small_recipe(), tmp_path_factory.mktemp("methods") / "release")[0]


def added(path: Path, board: Path, release: Release) -> Added:
    return add_entry(path, board, small_rules(release), release)


def refusal(path: Path, board: Path, release: Release) -> str:
    """The one line that an entry is refused with; the board stays as it was."""
    before = {p.name: p.read_bytes() for p in board.iterdir()} if board.is_dir() else {}
    with pytest.raises(KbenchError) as refused:
        added(path, board, release)
    assert before == ({p.name: p.read_bytes() for p in board.iterdir()} if board.is_dir() else {})
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_sound_entry_is_taken_in_with_its_samples_and_a_second_time_nothing_changes(
    methods: Release, tmp_path: Path
) -> None:
    path = written(tmp_path / "mine", methods)
    found = added(path, tmp_path / "board", methods)
    assert (found.is_new, found.dropped) == (True, False)
    assert (tmp_path / "board" / "qa-only.json").read_bytes() == path.read_bytes()
    assert (tmp_path / "board" / "qa-only.parquet").read_bytes() == path.with_suffix(".parquet").read_bytes()
    assert not added(path, tmp_path / "board", methods).is_new


def test_a_rerun_that_an_entry_brings_is_dropped_and_one_that_was_made_here_stays(
    methods: Release, tmp_path: Path
) -> None:
    path, board = written(tmp_path / "mine", methods), tmp_path / "board"
    claimed = read_entry(path)
    write_entry(path.parent, rerun_of(claimed, made_scores(0.9)))
    assert added(path, board, methods).dropped
    assert read_entries(board) == [claimed]
    write_entry(board, rerun_of(claimed, claimed.scores))
    added(path, board, methods)
    assert read_entries(board)[0].reproduced is not None


def test_a_rerun_in_the_folder_itself_is_neither_dropped_nor_checked(
    methods: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, board = written(tmp_path / "mine", methods), tmp_path / "board"
    claimed = read_entry(path)
    added(path, board, methods)
    held = write_entry(board, rerun_of(claimed, claimed.scores))
    found = added(held, board, methods)
    assert (found.is_new, found.dropped, found.unchecked) == (False, False, True)
    monkeypatch.setattr("kbench.leaderboard.rules.rules_of", lambda track: small_rules(methods))
    words = ["add", str(held), "--entries", str(board), "--release", str(methods.path)]
    assert run(monkeypatch, "leaderboard", *words) == 0
    told = capsys.readouterr()
    assert "the re-run that it holds was not checked: only `kbench leaderboard verify` makes one" in told.err
    assert "dropped" not in told.err
    held.with_suffix(".parquet").unlink()
    assert "no samples at" in refusal(held, board, methods)


def _set(*keys: str, value: Any) -> Edit:
    def edit(values: dict[str, Any], rows: Rows) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    return edit


def _mark_right(values: dict[str, Any], rows: Rows) -> None:
    rows[of_probe(rows, correct=False)]["correct"] = True


def _mark_wrong(values: dict[str, Any], rows: Rows) -> None:
    rows[of_probe(rows, correct=True)]["correct"] = False


def _answer(values: dict[str, Any], rows: Rows) -> None:
    row = rows[of_probe(rows, correct=False)]
    row.update(prediction=row["answers"][0], correct=True)


def _easier_answers(values: dict[str, Any], rows: Rows) -> None:
    rows[of_probe(rows, correct=False)].update(answers=["nobody"], correct=True)


def _swap(values: dict[str, Any], rows: Rows) -> None:
    one, other = rows[of_probe(rows, correct=False)], rows[of_probe(rows, correct=True)]
    one["id"], other["id"] = other["id"], one["id"]


def _double(values: dict[str, Any], rows: Rows) -> None:
    rows[0] = dict(rows[1])


def _lose(values: dict[str, Any], rows: Rows) -> None:
    rows.pop()


def _lose_and_say_so(values: dict[str, Any], rows: Rows) -> None:
    rows.pop()
    values["samples"]["rows"] = len(rows)


def _stranger(values: dict[str, Any], rows: Rows) -> None:
    rows[0]["id"] = "elsewhere/person-1/badge/qa/x01"


def _other_facts(values: dict[str, Any], rows: Rows) -> None:
    rows[0]["facts"] = ["<b>somebody</b> | badge | 1"]


def _other_prompt(values: dict[str, Any], rows: Rows) -> None:
    rows[0]["prompt"] = f"The answer is {rows[0]['answers'][0]}. {rows[0]['prompt']}"


def _essay(values: dict[str, Any], rows: Rows) -> None:
    rows[of_probe(rows, correct=False)]["prediction"] = "so " * 5000


def _claim_all(values: dict[str, Any], rows: Rows) -> None:
    values["scores"] = made_scores(0.99).model_dump()


def _unscored(values: dict[str, Any], rows: Rows) -> None:
    rows[of_probe(rows, correct=True)]["correct"] = None


EDITED: list[tuple[str, Edit, str]] = [
    ("an edited headline", _set("scores", "headline", value=0.99), "scores: headline must be 0."),
    ("an edited axis", _set("scores", "axes", "reverse", "corrected", value=1.0), "reverse: corrected must be 0."),
    ("every axis edited alike", _claim_all, "scores.headline is 0.99, its samples give 0."),
    ("an edited interval", _set("scores", "low", value=-1.0), "scores.low is -1.0, its samples give"),
    ("a narrower error", _set("scores", "stderr", value=0.0), "scores.stderr is 0.0, its samples give"),
    ("an edited retention", _set("scores", "retention", "kept", value=1.0), "retention: kept must be 0."),
    ("a wrong answer marked right", _mark_right, "is marked right, but its prediction is 'nobody' and its answers are"),
    ("a right answer marked wrong", _mark_wrong, "is marked wrong, but its prediction is"),
    ("a right answer without a verdict", _unscored, "is marked unscored, but its prediction is"),
    ("an answer put in", _answer, "its samples give"),
    ("answers put in", _easier_answers, "is not the release's: expected ["),
    ("swapped samples", _swap, "is not the release's: expected '"),
    ("a doubled id", _double, "twice: expected each once"),
    ("a sample lost", _lose, "rows, expected"),
    ("a sample lost and the number changed", _lose_and_say_so, "samples, and its release asks"),
    ("a question of another world", _stranger, "that its release does not ask: 'elsewhere/person-1"),
    ("a fact rewritten", _other_facts, "the facts of"),
    ("a prompt rewritten", _other_prompt, "the prompt of"),
    ("an endless prediction", _essay, "must have at most 8,192 letters (got 15,000)"),
    (
        "another release",
        _set("release", "digest", value="0" * 64),
        "is of another release than small-methods: expected",
    ),
    ("an unknown release", _set("release", "name", value="mine"), "is not judged on 'mine': have small-methods"),
    ("another world", _set("release", "world", value="00000000"), "is of the world 00000000"),
    ("another base", _set("base", "recipe", value="0" * 64), "stands on another base of the lab"),
    ("a base by name alone", _set("base", "model", value="org/name"), "the base 'org/name' is not pinned"),
    ("a base that leads out", _set("base", "model", value=f"../..@{'a' * 40}"), "is not pinned"),
    ("a base that is an option", _set("base", "model", value=f"-x/name@{'a' * 40}"), "is not pinned"),
    ("a base that is hidden", _set("base", "model", value=f"org/.name@{'a' * 40}"), "is not pinned"),
    ("a base with a way up", _set("base", "model", value=f"org/na..me@{'a' * 40}"), "is not pinned"),
    ("facts in the prompt", _set("asked", value={"prompt": "open-book"}), "was asked with the prompt open-book"),
    ("exemplars", _set("asked", value={"shots": 4}), "was asked with 4 exemplars"),
    ("longer replies", _set("asked", value={"max_tokens": 64}), "was asked for 64 tokens"),
    ("too many tokens", _set("cost", "tokens", value=16_001), "16,001 tokens, more than 16 times the 1,000"),
    ("no recipe", _set("recipe", value={}), "has no recipe"),
    ("no digest of the model", _set("model", "digests", value={}), "nothing pins the model run"),
    ("a digest of nothing", _set("model", "digests", "luck", value="c" * 64), "'luck' is no digest of a model: have"),
    ("a day to come", _set("submitted", value="2999-01-01"), "was submitted on 2999-01-01, in the future: expected"),
    ("an adapter from nowhere", _set("model", "digests", value={"adapter": "c" * 64}), "model scored has an adapter"),
    ("no adapter", _set("recipe", value={"styles": ["qa"], "method": "lora"}), "the model scored has no adapter"),
    ("a floor that was trained", _set("kind", value="floor"), "a floor is not trained"),
    ("another track's kind", _set("kind", value="model"), "an entry of the track methods is no model"),
]


@pytest.mark.parametrize(("edit", "expected_error"), [case[1:] for case in EDITED], ids=[case[0] for case in EDITED])
def test_an_edited_entry_is_refused_by_what_was_edited(
    methods: Release, tmp_path: Path, edit: Edit, expected_error: str
) -> None:
    path = edited_entry(tmp_path / "mine", methods, edit)
    assert expected_error in refusal(path, tmp_path / "board", methods)


def test_samples_that_are_not_the_entrys_are_refused_by_their_digest(methods: Release, tmp_path: Path) -> None:
    path = written(tmp_path / "mine", methods)
    path.with_suffix(".parquet").write_bytes(samples_bytes(answered(methods, 0.9)))
    assert "is not the entry's: its sha256 is" in refusal(path, tmp_path / "board", methods)
    path.with_suffix(".parquet").unlink()
    assert "no samples at" in refusal(path, tmp_path / "board", methods)


def test_two_entries_of_one_id_or_of_one_model_are_refused(methods: Release, tmp_path: Path) -> None:
    board = tmp_path / "board"
    added(written(tmp_path / "mine", methods), board, methods)
    other = written(tmp_path / "other", methods, answered(methods, 0.8))
    assert "is another entry of that id" in refusal(other, board, methods)
    again = written(tmp_path / "again", methods, id="qa-again", title="Mine now")
    assert "is the model of the entry qa-only again" in refusal(again, board, methods)


def _sign(path: Path) -> None:
    """Make the entry name whatever samples lie beside it."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["samples"]["sha256"] = sha256_of(path.with_suffix(".parquet").read_bytes())
    path.write_text(json.dumps(raw), encoding="utf-8")


def test_a_huge_file_of_samples_is_refused_before_it_is_read(methods: Release, tmp_path: Path) -> None:
    path = written(tmp_path / "mine", methods)
    with path.with_suffix(".parquet").open("r+b") as stream:
        stream.truncate(1 << 30)  # sparse: nobody has to write it
    assert f"expected at most {MOST_BYTES:,}" in refusal(path, tmp_path / "board", methods)


def _repeated(rows: int, *, dictionary: bool, letters: int = 0) -> Callable[[Path, Rows], None]:
    """A file that says the same over and over, which compresses to little."""

    def write(path: Path, held: Rows) -> None:
        row = {**held[0], "prediction": "x" * (letters or 1)}
        table = pa.Table.from_pylist([row], schema=SCHEMA).take(pa.array([0] * (rows or len(held))))
        pq.write_table(table, path, compression="zstd", use_dictionary=dictionary)

    return write


def _long_lists(path: Path, held: Rows) -> None:
    rows = [{**row, "answers": ["x"] * 2000} for row in held]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd", use_dictionary=False)


def _other_columns(path: Path, held: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(held, schema=SCHEMA).drop_columns(["facts"]), path)


def _text(path: Path, held: Rows) -> None:
    path.write_text("id,correct\n1,true\n", encoding="utf-8")


def _cut(path: Path, held: Rows) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _no_utf8(path: Path, held: Rows) -> None:
    table = pa.Table.from_pylist(held, schema=SCHEMA)
    bad = pa.array([b"\xff\xfe"] * len(held), pa.binary()).view(pa.string())
    table = table.set_column(table.schema.get_field_index("prediction"), SCHEMA.field("prediction"), bad)
    pq.write_table(table, path, use_dictionary=False)


PACKED: list[tuple[str, Callable[[Path, Rows], None], str]] = [
    ("rows without end", _repeated(200_000, dictionary=True), "has 200,000 rows, expected"),
    ("the right number, but long", _repeated(0, dictionary=False, letters=50_000), "unpacks to"),
    ("long values in a dictionary", _repeated(0, dictionary=True, letters=50_000), "which may unpack to any size"),
    ("endless lists", _long_lists, "values in a column"),
    ("other columns", _other_columns, "has other columns than samples"),
    ("no Parquet", _text, "is no Parquet file of samples"),
    ("half a file", _cut, "is no Parquet file of samples"),
    ("letters that are none", _no_utf8, "is no Parquet file of samples"),
]


@pytest.mark.parametrize(("write", "expected_error"), [case[1:] for case in PACKED], ids=[case[0] for case in PACKED])
def test_a_file_that_would_fill_memory_or_is_no_file_of_samples_is_refused(
    methods: Release, tmp_path: Path, write: Callable[[Path, Rows], None], expected_error: str
) -> None:
    path = written(tmp_path / "mine", methods)
    write(path.with_suffix(".parquet"), answered(methods))
    assert path.with_suffix(".parquet").stat().st_size < MOST_BYTES
    _sign(path)
    assert expected_error in refusal(path, tmp_path / "board", methods)


HTML = "<script>alert('x')</script><img src=x onerror=alert(1)> & \"quoted\" `code` | [a](javascript:b)"


def test_html_in_a_field_is_kept_as_the_text_that_it_is(methods: Release, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"title": HTML[:80], "authors": HTML, "description": HTML}
    path = written(tmp_path / "mine", methods, **fields)
    entry = added(path, tmp_path / "board", methods).entry
    assert {name: getattr(entry, name) for name in fields} == fields


JSON: list[tuple[str, Callable[[dict[str, Any]], str | bytes], str]] = [
    ("a control letter", lambda v: json.dumps({**v, "title": "a\x1b[31m"}), "title: must have no control or format"),
    ("a text turned round", lambda v: json.dumps({**v, "authors": "a\u202eb"}), "authors: must have no control or"),
    ("a line in a line", lambda v: json.dumps({**v, "hardware": "x"}), "hardware: Extra inputs are not permitted"),
    ("a url of a script", lambda v: json.dumps({**v, "url": "javascript:alert(1)"}), "url: String should match"),
    ("an id that leads out", lambda v: json.dumps({**v, "id": "../../etc/passwd"}), "id: String should match pattern"),
    ("a width of nothing", lambda v: json.dumps({**v, "title": "a\u200bb"}), "title: must have no control or format"),
    ("a hidden tag", lambda v: json.dumps({**v, "description": "a\U000e0041"}), "description: must have no control or"),
    ("a blank title", lambda v: json.dumps({**v, "title": " \u2003 "}), "title: must not be blank"),
    ("an id of a device", lambda v: json.dumps({**v, "id": "nul"}), "id: 'nul' is reserved: give another id"),
    ("an id of a page", lambda v: json.dumps({**v, "id": "index"}), "id: 'index' is reserved: give another id"),
    ("nothing in a recipe", lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "order": None}}), "order is null,"),
    (
        "a bell",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "order": "a\x7f"}}),
        "order is null, endless or",
    ),
    (
        "a bell in a list",
        lambda v: json.dumps({**v, "recipe": {"styles": ["q\x00"]}}),
        "styles is null, endless or has",
    ),
    (
        "an endless decay",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "weight_decay": 9.5}}).replace("9.5", "1e999"),
        "weight_decay is null, endless or has unseen letters",
    ),
    ("an id in capitals", lambda v: json.dumps({**v, "id": "QA"}), "id: String should match pattern"),
    ("a newer format", lambda v: json.dumps({**v, "format": 2}), "format: Input should be 1"),
    ("a key that is none", lambda v: json.dumps({**v, "a\nb": 1}), "a\\nb: Extra inputs are not permitted"),
    ("no number", lambda v: json.dumps({**v, "article_pass": float("nan")}), "NaN is no number of JSON"),
    ("no finite number", lambda v: json.dumps({**v, "article_pass": float("inf")}), "Infinity is no number of JSON"),
    ("a number too large", lambda v: json.dumps({**v, "article_pass": 10**30}), "article_pass: "),
    ("a number of 5,000 digits", lambda v: json.dumps(v).replace("1000", "1" * 5000, 1), "cannot read the entry"),
    ("an infinite score", lambda v: json.dumps(v).replace('"low": ', '"low": 1e999, "l": ', 1), "l"),
    ("half a letter", lambda v: json.dumps({**v, "title": "\ud800"}), "the whole: Invalid JSON"),
    ("depth without end", lambda v: "[" * 100_000, "cannot read the entry"),
    (
        "depth in the recipe",
        lambda v: json.dumps({**v, "recipe": {"styles": json.loads("[" * 400 + "]" * 400)}}),
        "recursion limit",
    ),
    ("no UTF-8", lambda v: b"\xff\xfe" + json.dumps(v).encode(), "cannot read the entry"),
    ("a list", lambda v: "[]", "the whole: Input should be an object"),
    ("no JSON", lambda v: "hello", "cannot read the entry"),
    ("too long", lambda v: json.dumps(v) + " " * 300_000, "is too large for an entry"),
    (
        "an unknown key",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "lr": 1}}),
        "'lr' is no key of a leaderb",
    ),
    (
        "a path",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "knownness": "/etc"}}),
        "'knownness' is no key of a leaderboard recipe",
    ),
    (
        "a seed",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "seed": 3}}),
        "'seed' is no key of a leaderboard",
    ),
    ("code", lambda v: json.dumps({**v, "recipe": {"styles": "__import__('os')"}}), "styles"),
    (
        "endless",
        lambda v: json.dumps({**v, "recipe": {"styles": ["qa"], "epochs": 300}}),
        "epochs must lie in 1 to 256",
    ),
    ("a style that is none", lambda v: json.dumps({**v, "recipe": {"styles": ["x" * 5000]}}), "is too long"),
]


@pytest.mark.parametrize(("text", "expected_error"), [case[1:] for case in JSON], ids=[case[0] for case in JSON])
def test_a_hostile_file_is_refused_in_one_line(
    methods: Release, tmp_path: Path, text: Callable[[dict[str, Any]], str | bytes], expected_error: str
) -> None:
    path = written(tmp_path / "mine", methods)
    said = text(json.loads(path.read_text(encoding="utf-8")))
    path.write_bytes(said if isinstance(said, bytes) else said.encode())
    line = refusal(path, tmp_path / "board", methods)
    assert expected_error in line
    assert len(line) < 600
    assert line.isprintable()


def test_a_file_by_another_name_than_its_entry_is_refused(methods: Release, tmp_path: Path) -> None:
    path = written(tmp_path / "mine", methods)
    shutil.copy(path, path.with_name("other.json"))
    with pytest.raises(KbenchError, match=r"holds the entry 'qa-only': rename the file to qa-only\.json"):
        read_entries(path.parent)


def test_a_file_is_named_on_one_line_whatever_it_is_called(methods: Release, tmp_path: Path) -> None:
    path = written(tmp_path / "two\nlines", methods)
    path.with_suffix(".parquet").unlink()
    assert "two\\nlines" in refusal(path, tmp_path / "board", methods)
    path.write_text("{", encoding="utf-8")
    assert "two\\nlines" in refusal(path, tmp_path / "board", methods)
