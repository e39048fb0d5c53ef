"""Verifying a release: what was altered is found and named, what cannot be checked is said, and nothing else is told."""

import json
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kbench.cli import main
from kbench.contents import content_digest, split_digest
from kbench.errors import KbenchError, ReleaseError, SpecError, TemplateError
from kbench.generator import verify
from kbench.generator.findings import Verification
from kbench.generator.manifests import Given
from kbench.generator.recipe import Recipe, canary_of
from kbench.generator.release import generate
from kbench.generator.seeds import VARIABLE
from kbench.generator.unfinished import PLAN
from kbench.generator.verify import verify_release
from kbench.ids import file_sha256, json_digest
from kbench.store import FORMAT, MANIFEST, write_json, write_table
from tests.samples import Sample, tiny

STYLES = ("qa", "article")
SPEC = tiny(sizes__background=0)
SEED, OTHER_SEED = "an unguessable text", "another unguessable text"
QA_TEST, QA_TRAIN = "qa/test-00000-of-00001.parquet", "qa/train-00000-of-00001.parquet"
ARTICLES = "article/train-00000-of-00001.parquet"
Tamper = Callable[[Path], object]


@pytest.fixture(scope="module")
def published(small_pack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small release. It is shared: read it, never write to it."""
    out = tmp_path_factory.mktemp("published") / "release"
    generate(Recipe(SPEC, "7", STYLES, small_pack), out)
    return out


@pytest.fixture(scope="module")
def private(small_pack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small release of a private world. It is shared: read it, never write to it."""
    out = tmp_path_factory.mktemp("private") / "release"
    generate(Recipe(SPEC, SEED, ("qa",), small_pack, private=True), out)
    return out


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the release, to tamper with."""
    return Path(shutil.copytree(published, tmp_path / "release"))


@pytest.fixture
def given(small_pack: str) -> Given:
    """All that it takes to derive the release anew."""
    return Given(templates=Path(small_pack))


def failures(found: Verification) -> list[tuple[str, str]]:
    """What failed: where, and what is said."""
    return [(finding.where, finding.said) for finding in found.findings if finding.status == "failed"]


def skipped(found: Verification) -> list[str]:
    """What is said of what could not be checked."""
    return [finding.said for finding in found.findings if finding.status == "skipped"]


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest's values and write it as kbench does."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    write_json(folder / MANIFEST, manifest)


def fix_up(folder: Path) -> None:
    """Make a manifest agree with altered files, as a careful forger would."""

    def agree(manifest: dict[str, Any]) -> None:
        for entry in manifest["files"]:
            path = folder / entry["path"]
            table = pq.ParquetFile(path).read()
            entry |= {"rows": table.num_rows, "bytes": path.stat().st_size}
            entry |= {"sha256": file_sha256(path), "content": content_digest(table)}
        for key, split in manifest["splits"].items():
            mine = [entry for entry in manifest["files"] if f"{entry['config']}/{entry['split']}" == key]
            split |= {"rows": sum(e["rows"] for e in mine), "content": split_digest(e["content"] for e in mine)}
        manifest["recipe_digest"] = json_digest(manifest["recipe"])
        manifest["canary"] = canary_of(manifest["recipe"])

    edit_manifest(folder, agree)


def rewrite(folder: Path, path: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the rows of a file and write it as kbench does."""
    write_table(folder / path, change(pq.ParquetFile(folder / path).read()))


def without_row(place: int) -> Callable[[pa.Table], pa.Table]:
    """A table without one of its rows, counted from 0."""
    return lambda table: pa.concat_tables([table.slice(0, place), table.slice(place + 1)])


def with_cell(place: int, column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """A table with another value in one cell."""

    def change(table: pa.Table) -> pa.Table:
        cells = table.column(column).to_pylist()
        cells[place] = value
        field = table.schema.field(column)
        return table.set_column(table.schema.get_field_index(column), field, pa.array(cells, type=field.type))

    return change


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(bytes(data))


def swap(one: Path, other: Path) -> None:
    """Exchange two files."""
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def ids_of(folder: Path, path: str) -> list[str]:
    """The ids of the rows of a file."""
    found: list[str] = pq.ParquetFile(folder / path).read().column(0).to_pylist()
    return found


# ---- what is as it was written


def test_a_release_as_it_was_written_is_ok_and_nothing_else_is_told(published: Path, given: Given) -> None:
    found = verify_release(published, given)
    manifest = json.loads((published / MANIFEST).read_text(encoding="utf-8"))
    assert (found.verdict, found.findings, found.derived) == ("ok", (), True)
    assert found.rows == sum(entry["rows"] for entry in manifest["files"])
    assert found.files == len(list(published.rglob("*.parquet"))) + 4


def test_two_workers_find_what_one_finds(folder: Path, given: Given) -> None:
    rewrite(folder, QA_TEST, without_row(2))
    (folder / "extra.txt").write_text("x")
    assert verify_release(folder, given, workers=2) == verify_release(folder, given)


def test_a_release_in_the_built_in_templates_needs_nothing_but_itself(lab: Sample) -> None:
    found = verify_release(lab.release.path)
    assert (found.verdict, found.findings) == ("ok", ())
    assert found.digest == lab.release.digest


def test_progress_goes_from_one_to_all_files(published: Path, given: Given) -> None:
    steps: list[tuple[int, int]] = []
    verify_release(published, given, progress=lambda done, total: steps.append((done, total)))
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


# ---- the five ways to tamper


def test_an_altered_byte_is_found_wherever_it_is(folder: Path, given: Given) -> None:
    draw = random.Random(7)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for number in range(6 * len(files)):
        path = files[number % len(files)]
        held = path.read_bytes()
        flip(path, draw.randrange(len(held)), draw.randrange(8))
        try:
            found = failures(verify_release(folder, Given() if number % 5 else given))
        except ReleaseError as error:  # of the manifest: no JSON any more, or a newer format
            found = [(MANIFEST, str(error))]
        assert path.relative_to(folder).as_posix() in dict(found)
        path.write_bytes(held)


def test_bytes_altered_where_no_row_stands_are_told_apart_from_altered_rows(folder: Path, given: Given) -> None:
    table = pq.ParquetFile(folder / QA_TEST).read()
    pq.write_table(table, folder / QA_TEST, compression="none")
    said = "its bytes were altered (its sha256 is not the manifest's), its rows were not"
    for what in (given, Given()):
        assert failures(verify_release(folder, what)) == [(QA_TEST, said)]


def test_of_an_altered_byte_the_offset_is_told(folder: Path, given: Given) -> None:
    size = (folder / QA_TEST).stat().st_size
    for place in range(100, size, size // 6):
        flip(folder / QA_TEST, place)
        (only,) = failures(verify_release(folder, given))
        assert only[0] == QA_TEST
        assert only[1].endswith(f" (altered: 1 byte, at offset {place:,})")
        flip(folder / QA_TEST, place)


def test_a_file_that_is_no_parquet_any_more_is_named(folder: Path, given: Given) -> None:
    (folder / QA_TEST).write_bytes((folder / QA_TEST).read_bytes()[:-9])
    for what in (given, Given()):
        (only,) = failures(verify_release(folder, what))
        assert only[0] == QA_TEST
        assert only[1].startswith("cannot be read as Parquet: ")


@pytest.mark.parametrize("careful", [False, True], ids=["as it is", "with the manifest fixed up"])
def test_a_dropped_row_is_named_by_its_number_and_id(folder: Path, given: Given, careful: bool) -> None:
    dropped = ids_of(folder, QA_TEST)[4]
    rewrite(folder, QA_TEST, without_row(4))
    if careful:
        fix_up(folder)
    found = failures(verify_release(folder, given))
    assert (QA_TEST, f"lacks row 5 ({dropped})") in found
    assert {where for where, _ in found} == ({QA_TEST, MANIFEST} if careful else {QA_TEST})


@pytest.mark.parametrize("careful", [False, True], ids=["as it is", "with the manifest fixed up"])
def test_an_altered_cell_is_named_by_row_id_and_column(folder: Path, given: Given, careful: bool) -> None:
    held = pq.ParquetFile(folder / QA_TEST).read().slice(3, 1).to_pylist()[0]
    rewrite(folder, QA_TEST, with_cell(3, "answer", "Atlantis"))
    if careful:
        fix_up(folder)
    said = f"row 4 ({held['id']}), answer: expected {held['answer']!r}, found 'Atlantis'"
    assert (QA_TEST, said) in failures(verify_release(folder, given))


def test_of_a_long_text_the_place_is_shown_that_differs(folder: Path, given: Given) -> None:
    text = pq.ParquetFile(folder / ARTICLES).read().column("text").to_pylist()[0]
    rewrite(folder, ARTICLES, with_cell(0, "text", f"{text[:-1]}, so they say."))
    (only,) = failures(verify_release(folder, given))
    assert only[1].endswith(f"expected '…{text[-13:]}', found '…{text[-13:-1]}, so they say.'")


ROWS: list[tuple[str, Callable[[pa.Table], pa.Table], str]] = [
    ("two rows twice", lambda t: pa.concat_tables([t, t.slice(0, 2)]), "has 2 rows too many: {n+1} ({0}), {n+2} ({1})"),
    ("another id", with_cell(1, "id", "x/y"), "lacks row 2 ({1}); has row 2 (x/y) too many"),
    (
        "rows the other way round",
        lambda t: t.take(list(reversed(range(t.num_rows)))),
        "has its rows in another order: row 1 should be {0}, and is {-1}",
    ),
    ("a column less", lambda t: t.drop_columns(["unit"]), "lacks the column unit"),
    ("a column more", lambda t: t.append_column("note", t.column("id")), "has the column 'note' too many"),
    (
        "another type",
        lambda t: t.set_column(7, "repeat", t.column("repeat").cast(pa.int64())),
        "column repeat: expected int32, found int64",
    ),
    ("a hundredfold", lambda t: pa.concat_tables([t] * 100), "has {100n} rows, expected {n}"),
]


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in ROWS], ids=[case[0] for case in ROWS])
def test_altered_rows_are_told_as_what_they_are(
    folder: Path, given: Given, change: Callable[[pa.Table], pa.Table], expected: str
) -> None:
    ids = ids_of(folder, QA_TEST)
    n = len(ids)
    words = {"0": ids[0], "1": ids[1], "-1": ids[-1], "n": n, "n+1": n + 1, "n+2": n + 2, "100n": f"{100 * n:,}"}
    for word, value in words.items():
        expected = expected.replace(f"{{{word}}}", str(value))
    rewrite(folder, QA_TEST, change)
    assert failures(verify_release(folder, given)) == [(QA_TEST, expected)]


def test_a_dropped_row_beside_an_altered_one_hides_nothing(folder: Path, given: Given) -> None:
    ids = ids_of(folder, QA_TEST)
    rewrite(folder, QA_TEST, with_cell(5, "answer", "Atlantis"))
    rewrite(folder, QA_TEST, without_row(1))
    (only,) = failures(verify_release(folder, given))
    assert only[1].startswith(f"lacks row 2 ({ids[1]}); of the other rows, row 5 ({ids[5]}), answer: expected ")


SWAPS = [(QA_TEST, QA_TRAIN), (QA_TEST, ARTICLES), ("README.md", "eval.yaml"), ("README.md", QA_TEST)]


@pytest.mark.parametrize(("one", "other"), SWAPS)
@pytest.mark.parametrize("derived", [True, False], ids=["derived anew", "by digests"])
def test_two_swapped_files_are_both_named(folder: Path, given: Given, one: str, other: str, derived: bool) -> None:
    swap(folder / one, folder / other)
    found = dict(failures(verify_release(folder, given if derived else Given())))
    assert found.keys() == {one, other}
    assert found[one].startswith(f"holds what {other} should hold")
    assert found[other].startswith(f"holds what {one} should hold")


def test_two_swapped_files_are_named_though_the_manifest_was_fixed_up(folder: Path, given: Given) -> None:
    swap(folder / QA_TEST, folder / QA_TRAIN)
    fix_up(folder)
    found = failures(verify_release(folder, given))
    assert (QA_TEST, f"holds what {QA_TRAIN} should hold: the two are swapped") in found
    assert (QA_TRAIN, f"holds what {QA_TEST} should hold: the two are swapped") in found


@pytest.mark.parametrize(
    "name", ["extra.txt", ".hidden", "qa/test-00001-of-00002.parquet", "qa/.part", "deep/er/x", "qa/.git", ".kbench_x"]
)
@pytest.mark.parametrize("derived", [True, False], ids=["derived anew", "by digests"])
def test_an_added_file_is_named(folder: Path, given: Given, name: str, derived: bool) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    found = verify_release(folder, given if derived else Given())
    assert failures(found) == [(name, "was added")]


def test_a_moved_file_is_missing_here_and_recognised_there(folder: Path, given: Given) -> None:
    (folder / QA_TEST).rename(folder / "qa" / "elsewhere.parquet")
    assert failures(verify_release(folder, given)) == [
        (QA_TEST, "is missing"),
        ("qa/elsewhere.parquet", f"was added: it holds what {QA_TEST} should hold"),
    ]


def test_a_linked_folder_is_named_and_a_linked_file_is_read(folder: Path, given: Given, tmp_path: Path) -> None:
    (folder / QA_TEST).rename(tmp_path / "blob")
    (folder / QA_TEST).symlink_to(tmp_path / "blob")
    assert verify_release(folder, given).verdict == "ok", "a download of the Hub is made of such links"
    (folder / "more").symlink_to(tmp_path)
    assert failures(verify_release(folder, given)) == [
        ("more", "was added: it is a link to a folder, into which nobody looked")
    ]


def test_what_git_and_a_download_leave_is_noted_and_is_no_failure(folder: Path, given: Given) -> None:
    for name in (".git/config", ".cache/huggingface/x.lock", ".gitattributes"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    found = verify_release(folder, given)
    assert found.verdict == "ok"
    assert [(f.status, f.where) for f in found.findings] == [
        ("note", ".cache"),
        ("note", ".git"),
        ("note", ".gitattributes"),
    ]


def test_what_a_stopped_generation_leaves_beside_a_whole_release_is_a_note(folder: Path, given: Given) -> None:
    (folder / PLAN).write_text("{}")
    (folder / ".qa-test-00000-of-00001.parquet.json").write_text("{}")
    found = verify_release(folder, given)
    assert found.verdict == "ok"
    assert [finding.status for finding in found.findings] == ["note", "note"]


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set the value at a key path; a file is found by its path."""

    def edit(manifest: dict[str, Any]) -> None:
        table: Any = manifest
        *up, last = path.split("|")
        for key in up:
            table = next(f for f in table if f["path"] == key) if isinstance(table, list) else table[key]
        table[last] = value

    return edit


EDITS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (_set("world", "00000000"), "world: expected '{world}', found '00000000'"),
    (_set("entities|new", 13), "entities.new: expected 12, found 13"),
    (_set("splits|qa/test|rows", 1), "splits.qa/test.rows: expected "),
    (_set("splits|qa/test|content", "0"), "splits.qa/test.content: expected "),
    (_set("recipe_digest", "0"), "recipe_digest: is not that of the recipe, so one of the two was edited: expected "),
    (_set("recipe|spec|description", "x"), "recipe_digest: "),
    (_set("recipe|generator", "9.9"), "recipe_digest: is not that of the recipe, so one of the two was edited: "),
    (_set("recipe|spec|exposure|exposures", 6), "recipe_digest: "),
    (_set("recipe|spec|colour", "red"), "recipe: unknown key 'colour' in spec: have "),
    (_set("recipe|styles", ["qa", "poem"]), "recipe.styles.1: input should be "),
    (_set("recipe|templates|name", "mine"), "recipe.templates.name: expected 'small', found 'mine'"),
    (_set("recipe|templates|digest", "0"), "recipe.templates.digest: is not that of "),
    (_set("format", 0), "format: expected 1, found 0"),
    (_set("format", "1"), "format: expected 1, found '1'"),
    (_set("files", []), "files[article/train-00000-of-00001.parquet]: is missing"),
    (_set("files", None), "files: expected [{'path': 'qa/train-"),
    (_set("splits", {}), "splits.qa/test: is missing: expected {'rows': "),
    (_set("comment", "hello"), "comment: should not be there (found 'hello')"),
    (_set(f"files|{QA_TEST}|rows", 1), f"files[{QA_TEST}].rows: expected "),
    (_set(f"files|{QA_TEST}|bytes", 1), f"files[{QA_TEST}].bytes: expected "),
    (_set(f"files|{QA_TEST}|sha256", "0"), f"files[{QA_TEST}].sha256: expected "),
    (_set(f"files|{QA_TEST}|content", "0"), f"files[{QA_TEST}].content: expected "),
    (_set(f"files|{QA_TEST}|path", "../x"), "files[../x]: should not be there"),
    (lambda manifest: manifest["files"].reverse(), "files: are in another order"),
    (lambda manifest: manifest["files"].append(manifest["files"][0]), "]: should not be there"),
    (lambda manifest: manifest.update(format=manifest.pop("format")), "says the same but is written otherwise: line 2"),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS)
def test_an_edited_manifest_is_named_by_key(
    folder: Path, given: Given, edit: Callable[[dict[str, Any]], object], expected: str
) -> None:
    world = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["world"]
    edit_manifest(folder, edit)
    told = [said for where, said in failures(verify_release(folder, given)) if where == MANIFEST]
    assert any(expected.replace("{world}", world) in said for said in told)


def test_an_edited_seed_is_named_though_the_manifest_was_fixed_up(folder: Path, given: Given) -> None:
    edit_manifest(folder, _set("recipe|seed", "8"))
    fix_up(folder)
    told = failures(verify_release(folder, given))
    said = "recipe: does not give the rows of any file: its spec, seed, styles or templates were edited"
    assert (MANIFEST, said) in told
    assert any(said.startswith("world: expected ") for where, said in told if where == MANIFEST)


def test_an_edited_seed_beside_an_altered_file_is_told_as_both(folder: Path, given: Given) -> None:
    edit_manifest(folder, _set("recipe|seed", "8"))
    (folder / QA_TEST).unlink()
    told = failures(verify_release(folder, given))
    assert (QA_TEST, "is missing") in told
    assert len([where for where, _ in told if where.endswith(".parquet")]) == 1


def test_a_recipe_that_breaks_while_its_rows_are_derived_is_named(
    published: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise TemplateError("qa/badge.j2 line 4 (x01): 'colour' is undefined")

    monkeypatch.setattr(verify, "compare_unit", broken)
    assert failures(verify_release(published, given)) == [
        (MANIFEST, "recipe: qa/badge.j2 line 4 (x01): 'colour' is undefined")
    ]


def test_a_manifest_written_otherwise_is_named_by_line(folder: Path, given: Given) -> None:
    text = (folder / MANIFEST).read_text(encoding="utf-8")
    (folder / MANIFEST).write_text(text.replace('"format": 1', '"format":  1'), encoding="utf-8")
    for what in (given, Given()):
        (only,) = failures(verify_release(folder, what))
        assert only[1].startswith('says the same but is written otherwise: line 2: expected \'  "format": 1,')


def test_an_edited_card_is_named_by_line(folder: Path, given: Given) -> None:
    for name in ("README.md", "eval.yaml"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(f"{text}Buy now!\n", encoding="utf-8")
    lines = len(text.splitlines())
    for what in (given, Given()):
        found = dict(failures(verify_release(folder, what)))
        assert found.keys() == {"README.md", "eval.yaml"}
        assert found["eval.yaml"] == f"goes on after its last line with 'Buy now!\\n' (line {lines + 1})"


def test_everything_that_is_wrong_is_told_in_one_run(folder: Path, given: Given) -> None:
    rewrite(folder, QA_TEST, without_row(0))
    flip(folder / QA_TRAIN, 9)
    (folder / ARTICLES).unlink()
    (folder / "eval.yaml").unlink()
    (folder / "extra.txt").write_text("x")
    edit_manifest(folder, _set("entities|new", 13))
    named = {where for where, _ in failures(verify_release(folder, given))}
    assert named == {QA_TEST, QA_TRAIN, ARTICLES, "eval.yaml", "extra.txt", MANIFEST}


# ---- what cannot be checked


def test_without_its_templates_a_release_is_checked_by_digests_and_that_is_said(published: Path) -> None:
    found = verify_release(published)
    assert (found.verdict, found.derived) == ("in part", False)
    (said,) = skipped(found)
    assert said.startswith("not derived anew: its templates are 'small' version '1' (digest ")
    assert said.endswith("not the built-in ones: give them with --templates DIR")


def test_without_its_templates_an_altered_file_is_still_found(folder: Path) -> None:
    n = len(ids_of(folder, QA_TEST))
    rewrite(folder, QA_TEST, without_row(0))
    assert failures(verify_release(folder)) == [(QA_TEST, f"was altered: has {n - 1} rows, expected {n}")]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (_set("entities|new", 13), "entities.new: expected 12, found 13"),
        (_set("splits|qa/test|content", "0"), "splits.qa/test.content: expected "),
        (_set("recipe|spec|sizes|entities", -1), "recipe: spec: sizes.entities: Input should be greater than"),
        (_set("recipe|seed", "8"), "recipe_digest: is not that of the recipe"),
        (_set(f"files|{QA_TEST}|rows", 1), f"files[{QA_TEST}].rows: expected "),
        (_set(f"files|{QA_TEST}|sha256", "0"), f"files[{QA_TEST}].sha256: expected "),
        (_set(f"files|{QA_TEST}|path", "../x"), "path: string should match pattern"),
    ],
)
def test_by_digests_too_an_edited_manifest_is_named_by_key(
    folder: Path, edit: Callable[[dict[str, Any]], object], expected: str
) -> None:
    edit_manifest(folder, edit)
    assert any(expected in said for where, said in failures(verify_release(folder)) if where == MANIFEST)


def test_other_templates_than_those_of_the_release_fail(published: Path, small_pack: str, tmp_path: Path) -> None:
    other = Path(shutil.copytree(small_pack, tmp_path / "other"))
    (other / "pack.toml").write_text('name = "small"\nversion = "2"\n', encoding="utf-8")
    (only,) = failures(verify_release(published, Given(templates=other)))
    assert only[1].startswith(f"recipe.templates.digest: is not that of {other}: ")


def test_a_private_world_is_derived_anew_with_its_seed_only(private: Path, given: Given, tmp_path: Path) -> None:
    found = verify_release(private, given)
    assert (found.verdict, found.derived) == ("in part", False)
    assert skipped(found) == [
        "not derived anew: its seed is private: give it with --seed-file FILE, or in the environment as KBENCH_SEED"
    ]
    (tmp_path / "seed").write_text(f"{SEED}\n", encoding="utf-8")
    found = verify_release(private, replace(given, seed_file=tmp_path / "seed"))
    assert (found.verdict, found.derived, found.findings) == ("ok", True, ())


def test_a_private_seed_may_come_from_the_environment(
    private: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SEED)
    assert verify_release(private, given).verdict == "ok"


def test_a_wrong_seed_fails_and_is_not_told(private: Path, given: Given, tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(OTHER_SEED, encoding="utf-8")
    found = verify_release(private, replace(given, seed_file=tmp_path / "seed"))
    said = f"recipe.seed.commitment: is not that of the seed in {tmp_path / 'seed'}: another seed, or it was edited"
    assert failures(found) == [(MANIFEST, said)]
    assert OTHER_SEED not in json.dumps(found.to_dict())


def test_a_dropped_row_of_a_private_world_is_found_with_the_seed_though_the_manifest_was_fixed_up(
    private: Path, given: Given, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(private, tmp_path / "release"))
    dropped = ids_of(folder, QA_TEST)[0]
    rewrite(folder, QA_TEST, without_row(0))
    fix_up(folder)
    (tmp_path / "seed").write_text(SEED, encoding="utf-8")
    found = verify_release(folder, replace(given, seed_file=tmp_path / "seed"))
    assert (QA_TEST, f"lacks row 1 ({dropped})") in failures(found)
    assert SEED not in json.dumps(found.to_dict())


def as_of(version: str, folder: Path) -> None:
    """Make a release one of another version of kbench, in every place that names it."""
    before = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit_manifest(folder, _set("recipe|generator", version))
    fix_up(folder)
    after = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8").replace(before["canary"], after["canary"])
    card = card.replace(f"kbench {before['recipe']['generator']}", f"kbench {version}")
    (folder / "README.md").write_text(card, encoding="utf-8")


def test_a_release_of_another_version_is_ok_where_this_one_gives_the_same(folder: Path, given: Given) -> None:
    as_of("0.0.9", folder)
    found = verify_release(folder, given)
    assert (found.verdict, found.derived, found.findings) == ("ok", True, ())


def test_rows_that_another_version_wrote_otherwise_are_no_failure_and_that_is_said(folder: Path, given: Given) -> None:
    rewrite(folder, QA_TEST, with_cell(0, "question", "Worded otherwise?"))
    as_of("0.0.9", folder)
    found = verify_release(folder, given)
    assert (found.verdict, found.derived) == ("in part", False)
    assert skipped(found)[0].startswith("not derived anew: kbench 0.0.9 wrote it, this is ")
    assert skipped(found)[0].endswith(f"it gives other rows for {QA_TEST}; verify it with kbench 0.0.9")


def test_a_byte_altered_in_a_release_of_another_version_is_a_failure(folder: Path, given: Given) -> None:
    as_of("0.0.9", folder)
    rewrite(folder, QA_TEST, with_cell(0, "question", "Worded otherwise?"))
    (only,) = failures(verify_release(folder, given))
    assert only[0] == QA_TEST
    assert only[1].startswith("row 1 (")


def test_the_recipe_of_another_version_that_this_one_cannot_read_is_no_failure(folder: Path, given: Given) -> None:
    edit_manifest(folder, _set("recipe|spec|colour", "red"))
    as_of("9.9", folder)
    found = verify_release(folder, given)
    assert found.verdict == "in part"
    assert skipped(found)[0].startswith("not derived anew: kbench 9.9 wrote it, this is ")
    assert "unknown key 'colour' in spec" in skipped(found)[0]


FACTS = "subject,relation,value\n" + "".join(
    f"Lamp {k},{relation},{value}\n"
    for k in range(8)
    for relation, value in (("colour", ["red", "blue", "green", "white"][k % 4]), ("price", 10 + k))
)


def test_a_users_own_facts_are_derived_anew_from_their_file_only(tmp_path: Path) -> None:
    from kbench.generator.ownfacts.book import load_facts
    from kbench.generator.ownfacts.spec import spec_of_facts

    (tmp_path / "lamps.csv").write_text(FACTS, encoding="utf-8")
    (tmp_path / "renamed.csv").write_text(FACTS, encoding="utf-8")
    (tmp_path / "others.csv").write_text(FACTS.replace("blue", "black"), encoding="utf-8")
    generate(Recipe(spec_of_facts(load_facts(tmp_path / "lamps.csv")), "0", ("qa",)), tmp_path / "out")
    found = verify_release(tmp_path / "out")
    assert found.verdict == "in part"
    assert skipped(found) == [
        "not derived anew: it is made of lamps.csv, which is not in it: give that file with --facts FILE"
    ]
    found = verify_release(tmp_path / "out", Given(facts=tmp_path / "renamed.csv"))
    assert (found.verdict, found.derived, found.findings) == ("ok", True, ())
    found = verify_release(tmp_path / "out", Given(facts=tmp_path / "others.csv"))
    assert [said.partition(": ")[0] for _, said in failures(found)] == ["recipe.facts.digest"]


# ---- what is refused


def _unfinished(folder: Path) -> None:
    (folder / MANIFEST).rename(folder / PLAN)


REFUSED: list[tuple[Tamper, str]] = [
    (shutil.rmtree, "no release at {folder}: there is no such folder"),
    (lambda folder: (folder / MANIFEST).unlink(), "no release at {folder}: it has no kbench_manifest.json"),
    (_unfinished, "{folder} is an unfinished release: it has no kbench_manifest.json yet"),
    (
        lambda folder: edit_manifest(folder, _set("format", FORMAT + 1)),
        "kbench_manifest.json has format 2, this kbench reads up to 1: update kbench",
    ),
    (lambda folder: (folder / MANIFEST).write_text("[1]"), "was altered: it is no JSON object"),
    (lambda folder: (folder / MANIFEST).write_text('{"a": 1,}'), "was altered: it is no JSON at line 1 column "),
    (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), "was altered: it is no JSON: "),
    (lambda folder: (folder / MANIFEST).write_bytes(b'{"a": "\xff"}'), "was altered: it is not UTF-8 at byte 7"),
]


@pytest.mark.parametrize(("tamper", "expected_error"), REFUSED)
def test_a_folder_without_a_readable_manifest_is_refused_in_one_line(
    folder: Path, tamper: Tamper, expected_error: str
) -> None:
    tamper(folder)
    with pytest.raises(ReleaseError) as error:
        verify_release(folder)
    assert expected_error.format(folder=folder) in str(error.value)
    assert "\n" not in str(error.value)


NEEDLESS: list[tuple[Given, type[KbenchError], str]] = [
    (Given(seed_file=Path("seed")), ReleaseError, "seed is no secret, its manifest has it: leave --seed-file away"),
    (Given(facts=Path("x.csv")), ReleaseError, "not of a file of facts: leave --facts away"),
    (Given(templates=Path("nowhere")), KbenchError, "no template pack at nowhere"),
]


@pytest.mark.parametrize(("what", "kind", "expected_error"), NEEDLESS)
def test_what_is_given_in_vain_is_refused(
    published: Path, what: Given, kind: type[KbenchError], expected_error: str
) -> None:
    with pytest.raises(kind, match=expected_error):
        verify_release(published, what)


def test_a_seed_file_that_cannot_be_read_is_refused(private: Path, given: Given, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read the seed file"):
        verify_release(private, replace(given, seed_file=tmp_path / "nowhere"))


# ---- the command


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `kbench verify` in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["kbench", "verify", *words])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_exits_with_0_where_all_holds(
    published: Path, small_pack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(published), "--templates", small_pack) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith(f"ok: {published} (world ")
    assert " rows derived anew, digest " in shown.out
    assert shown.out.count("\n") == 1


def test_the_command_exits_with_0_and_says_what_it_could_not_check(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(published)) == 0
    skip, verdict = capsys.readouterr().out.splitlines()
    assert skip.startswith("skipped rows  not derived anew: ")
    assert verdict.startswith(f"in part: {published} (world ")
    assert "by their digests only, not derived anew" in verdict


def test_the_command_exits_with_1_and_a_line_for_each_finding(
    folder: Path,
    small_pack: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rewrite(folder, QA_TEST, without_row(0))
    (folder / "extra.txt").write_text("x")
    out = tmp_path / "found.json"
    assert run(monkeypatch, str(folder), "--templates", small_pack, "--json", str(out)) == 1
    first, second, verdict = capsys.readouterr().out.splitlines()
    assert first.startswith(f"failed  {QA_TEST}  lacks row 1 (")
    assert second.split() == ["failed", "extra.txt", "was", "added"]
    assert verdict.startswith(f"failed: {folder} (world ")
    assert "2 failed" in verdict
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["verdict"] == "failed"
    assert [finding["where"] for finding in told["findings"]] == [QA_TEST, "extra.txt"]


def test_the_command_refuses_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(tmp_path / "nowhere")) == 1
    assert capsys.readouterr().err == f"kbench: no release at {tmp_path / 'nowhere'}: there is no such folder\n"
