"""A release on disk: digests of what a table says, and what is refused because it is no whole release."""

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbench.contents import content_digest, split_digest
from kbench.errors import KbenchError, OutputError, ReleaseError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.ids import digest_of, entity_id, file_sha256, json_digest
from kbench.store import (
    FORMAT,
    MANIFEST,
    Release,
    manifest_in,
    open_release,
    prepare_folder,
    write_json,
    write_table,
    write_text,
)
from tests.samples import files_under, tiny

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("texts", pa.list_(pa.field("element", pa.string()))),
        ("number", pa.float64()),
        ("n", pa.int32()),
        ("small", pa.int8()),
    ]
)
ROW = st.fixed_dictionaries(
    {
        "id": st.none() | st.text(max_size=5),
        "texts": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
        "number": st.none() | st.floats(allow_nan=False),
        "n": st.none() | st.integers(-(2**31), 2**31 - 1),
        "small": st.integers(-128, 127),
    }
)
ROWS = st.lists(ROW, min_size=1, max_size=8)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows under one schema."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@given(rows=ROWS, cut=st.integers(0, 8))
def test_the_content_digest_ignores_how_a_table_is_chunked(rows: list[dict[str, Any]], cut: int) -> None:
    whole = table(rows)
    pieces = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    joined = pa.concat_tables([table(rows[:cut]), table(rows[cut:])])
    assert content_digest(pieces) == content_digest(joined) == content_digest(whole)


@given(rows=ROWS)
def test_the_content_digest_survives_a_round_trip_through_parquet(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("round") / "t.parquet"
    write_table(path, table(rows))
    again = pq.read_table(path)
    assert again.schema.equals(SCHEMA)
    assert again.to_pylist() == rows
    assert content_digest(again) == content_digest(table(rows))


@given(rows=ROWS, other=ROWS)
def test_the_content_digest_differs_wherever_the_rows_differ(
    rows: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    same = repr(rows) == repr(other)
    assert (content_digest(table(rows)) == content_digest(table(other))) == same


@given(rows=ROWS, data=st.data())
def test_the_content_digest_changes_with_any_one_value(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(SCHEMA.names))
    value = data.draw(ROW)[column]
    changed = [dict(row) for row in rows]
    changed[place][column] = value
    same = repr(changed) == repr(rows)
    assert (content_digest(table(rows)) == content_digest(table(changed))) == same


ALIKE: list[tuple[str, Any, Any, pa.DataType]] = [
    ("letters moved to the next row", ["ab", "c"], ["a", "bc"], pa.string()),
    ("an empty text for none", [""], [None], pa.string()),
    ("zero for none", [0.0], [None], pa.float64()),
    ("false for none", [False], [None], pa.bool_()),
    ("elements moved to the next list", [["a"], ["b"]], [["a", "b"], []], pa.list_(pa.string())),
    ("an empty list for none", [[]], [None], pa.list_(pa.string())),
    ("an empty text in a list for none", [[""]], [[None]], pa.list_(pa.string())),
    ("an element split in two", [["ab"]], [["a", "b"]], pa.list_(pa.string())),
    ("rows in another order", ["a", "b"], ["b", "a"], pa.string()),
    ("one row more", ["a"], ["a", ""], pa.string()),
]


@pytest.mark.parametrize(("one", "other", "kind"), [c[1:] for c in ALIKE], ids=[c[0] for c in ALIKE])
def test_columns_that_look_alike_have_digests_of_their_own(one: Any, other: Any, kind: pa.DataType) -> None:
    first, second = (pa.table({"c": pa.array(values, type=kind)}) for values in (one, other))
    assert content_digest(first) != content_digest(second)


@pytest.mark.parametrize(
    "other",
    [pa.table({"d": pa.array([1], pa.int32())}), pa.table({"c": pa.array([1], pa.int64())}), pa.table({})],
    ids=["another name", "another type", "no column"],
)
def test_the_content_digest_covers_names_and_types_of_columns(other: pa.Table) -> None:
    assert content_digest(other) != content_digest(pa.table({"c": pa.array([1], pa.int32())}))


@pytest.mark.parametrize("kind", [pa.string(), pa.list_(pa.string()), pa.struct([("a", pa.string())]), pa.int8()])
def test_a_column_without_rows_has_one_digest_whether_it_has_a_chunk_or_none(kind: pa.DataType) -> None:
    none, empty = (pa.table({"c": pa.chunked_array(chunks, kind)}) for chunks in ([], [pa.array([], kind)]))
    assert content_digest(none) == content_digest(empty)


TURN = pa.struct([("role", pa.string()), ("content", pa.string())])
SPOKEN = pa.schema([("turns", pa.list_(pa.field("element", TURN))), ("asked", pa.bool_()), *SCHEMA])
SPOKEN_ROW = st.builds(
    lambda row, more: {**row, **more},
    ROW,
    st.fixed_dictionaries(
        {
            "turns": st.none()
            | st.lists(st.none() | st.fixed_dictionaries({key: st.text(max_size=2) for key in ("role", "content")})),
            "asked": st.none() | st.booleans(),
        }
    ),
)


def as_documented(name: str, kind: pa.DataType, values: list[Any]) -> bytes:
    """What `docs/architecture.md` says is digested of a column, put together value by value."""
    return f"{name}\x1f{kind}\x1e".encode() + _entries(kind, values)


def _entries(kind: pa.DataType, values: list[Any]) -> bytes:
    nulls = values.count(None)
    found = struct.pack("<qq", len(values), nulls)
    if nulls:
        found += bytes(value is not None for value in values)
    if pa.types.is_list(kind):
        found += _entries(pa.int32(), [len(value or []) for value in values])
        return found + _entries(kind.value_type, [entry for value in values for entry in value or []])
    if pa.types.is_struct(kind):
        parts = [[None if value is None else value[part.name] for value in values] for part in kind]
        return found + b"".join(as_documented(f.name, f.type, part) for f, part in zip(kind, parts, strict=True))
    if pa.types.is_string(kind):
        said = [(value or "").encode() for value in values]
        return found + b"".join(struct.pack("<i", len(text)) for text in said) + b"".join(said)
    code = {pa.float64(): "<d", pa.int32(): "<i", pa.int8(): "<b", pa.bool_(): "<?"}[kind]
    return found + b"".join(struct.pack(code, 0 if value is None else value) for value in values)


@given(rows=st.lists(SPOKEN_ROW, max_size=6), cuts=st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_the_content_digest_is_the_documented_one(rows: list[dict[str, Any]], cuts: tuple[int, int]) -> None:
    whole = pa.Table.from_pylist(rows, schema=SPOKEN)
    first, last = sorted(cuts)
    cut = pa.concat_tables([whole.slice(0, first), whole.slice(first, last - first), whole.slice(last)])
    said = b"".join(as_documented(f.name, f.type, [row[f.name] for row in rows]) for f in SPOKEN)
    assert content_digest(cut) == hashlib.sha256(said).hexdigest()


def test_the_content_digest_of_a_table_is_what_it_always_was() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "texts": ["x", "é"], "number": 1.5, "n": -1, "small": 7},
        {"id": None, "texts": [], "number": None, "n": 2, "small": 0},
    ]
    assert content_digest(table(rows)) == "9c0d81403ea5046dddc2caf06196c7adc3fb41214550cd679575278191d25d16"


def test_the_digest_of_a_split_depends_on_the_order_of_its_files() -> None:
    assert split_digest(["a", "b"]) != split_digest(["b", "a"])
    assert split_digest(["a", "b"]) != split_digest(["ab"])


@given(parts=st.lists(st.text(max_size=4), max_size=4), other=st.lists(st.text(max_size=4), max_size=4))
def test_two_lists_of_parts_have_one_digest_only_if_they_are_the_same(parts: list[str], other: list[str]) -> None:
    assert (digest_of(*parts) == digest_of(*other)) == (parts == other)


def test_the_digest_of_a_json_value_ignores_the_order_of_keys_and_nothing_else() -> None:
    assert json_digest({"a": 1, "b": [1, 2]}) == json_digest({"b": [1, 2], "a": 1})
    assert json_digest({"a": 1, "b": [1, 2]}) != json_digest({"b": [2, 1], "a": 1})


def test_ids_read_as_the_contract_writes_them() -> None:
    assert entity_id("0a1b2c3d", "person", 12) == "0a1b2c3d/person-12"


@pytest.mark.parametrize("write", [lambda p: write_text(p, "x"), lambda p: write_json(p, {"a": 1})])
def test_a_written_file_leaves_nothing_else_in_its_folder(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "new" / "file")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]


def test_a_table_that_cannot_be_written_leaves_the_earlier_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, table([{"id": "a"}]))
    before = path.read_bytes()
    (tmp_path / ".t.parquet.part").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*t\.parquet: Is a directory: "):
        write_table(path, table([{"id": "b"}]))
    assert path.read_bytes() == before


# ---- releases


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small_pack: str) -> Path:
    """The folder of a small release."""
    out = tmp_path_factory.mktemp("whole") / "release"
    generate(Recipe(tiny(), "7", ("qa",), small_pack), out)
    return out


@pytest.fixture
def release(tmp_path: Path, whole: Path) -> Release:
    """A copy of the small release, which a test may damage."""
    return open_release(Path(shutil.copytree(whole, tmp_path / "release")))


def manifest_of(release: Release) -> dict[str, Any]:
    """Its manifest as it lies on disk."""
    read: dict[str, Any] = json.loads((release.path / MANIFEST).read_text(encoding="utf-8"))
    return read


def test_a_whole_release_opens_with_its_manifest(release: Release) -> None:
    opened = open_release(release.path)
    assert opened.manifest == manifest_of(release)
    assert opened.digest == release.digest
    assert opened.world == release.manifest["world"]
    assert opened.configs() == ["qa", "facts", "entities"]
    assert opened.splits("qa") == ["pretrain", "train", "validation", "test", "control"]
    assert opened.splits("article") == []


def test_a_folder_that_is_not_there_is_no_release(tmp_path: Path) -> None:
    path = tmp_path / "nope"
    with pytest.raises(ReleaseError) as error:
        open_release(path)
    assert str(error.value) == (
        f"no release at {path}: there is no such folder; `kbench generate --out {path}` makes one"
    )


def test_a_release_without_its_manifest_is_not_whole(release: Release) -> None:
    (release.path / MANIFEST).unlink()
    with pytest.raises(ReleaseError) as error:
        open_release(release.path)
    assert str(error.value) == (
        f"no release at {release.path}: it has no manifest, so it is not whole, or is something else"
    )


def test_a_release_of_a_newer_format_is_refused(release: Release) -> None:
    write_json(release.path / MANIFEST, {**manifest_of(release), "format": FORMAT + 1})
    with pytest.raises(ReleaseError) as error:
        open_release(release.path)
    assert str(error.value) == (
        f"{release.path / MANIFEST} has format {FORMAT + 1}, this kbench reads up to {FORMAT}: update kbench"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"format": 1}',
        b'{"format": "new", "files": [], "splits": {}}',
        b'{"format": 1, "files": [], "splits": {}}',
        b'{"format": 1, "files": [{}], "splits": {}, "world": "0a1b2c3d", "recipe": {}}',
        b"\xff\xfe",
    ],
)
def test_a_manifest_that_is_not_one_of_kbench_is_refused_by_name(release: Release, content: bytes) -> None:
    (release.path / MANIFEST).write_bytes(content)
    with pytest.raises(ReleaseError, match="is no manifest of kbench") as error:
        open_release(release.path)
    assert str(release.path / MANIFEST) in str(error.value)


def test_a_missing_file_is_named_when_the_release_is_opened(release: Release) -> None:
    gone = release.path / release.manifest["files"][1]["path"]
    gone.unlink()
    with pytest.raises(ReleaseError) as error:
        open_release(release.path)
    assert (
        str(error.value)
        == f"{gone} is missing from the release: take the release anew from where it came, or generate it again"
    )


def test_a_file_that_goes_missing_after_opening_is_named_when_it_is_read(release: Release) -> None:
    gone = release.path / "qa/test-00000-of-00001.parquet"
    gone.unlink()
    with pytest.raises(ReleaseError, match=r"qa/test-00000-of-00001\.parquet is missing from the release"):
        release.table("qa", "test")


def test_an_altered_file_is_named_when_it_is_read_and_others_are_still_read(release: Release) -> None:
    path = release.path / "qa/test-00000-of-00001.parquet"
    write_table(path, pq.read_table(path).slice(1))
    opened = open_release(release.path)
    with pytest.raises(ReleaseError) as error:
        opened.table("qa", "test")
    assert str(error.value) == (
        f"{path} was altered (its sha256 is not the manifest's): take the release anew from where it came, or generate it again"
    )
    assert opened.table("qa", "train").num_rows == release.manifest["splits"]["qa/train"]["rows"]


@pytest.mark.parametrize(("config", "split"), [("qa", "nope"), ("article", "train"), ("", "")])
def test_a_split_that_a_release_has_not_is_refused_with_those_it_has(release: Release, config: str, split: str) -> None:
    with pytest.raises(ReleaseError) as error:
        release.table(config, split)
    assert str(error.value) == (
        f"the release {release.path} has no {config}/{split}: have qa/pretrain, qa/train, qa/validation, "
        "qa/test, qa/control, facts/train, entities/train"
    )


def test_the_digest_of_a_release_is_that_of_its_contents_and_not_of_its_files(release: Release) -> None:
    path = release.path / "qa/test-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path), path, compression="none")
    manifest = manifest_of(release)
    for file in manifest["files"]:
        file["sha256"] = file_sha256(release.path / file["path"])
    assert manifest["files"] != release.manifest["files"]
    write_json(release.path / MANIFEST, manifest)
    assert open_release(release.path).digest == release.digest


# ---- output folders


def test_a_folder_is_made_or_taken_if_it_is_empty_or_ours(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "a" / "b", "ours.json")
    prepare_folder(tmp_path / "a" / "b", "ours.json")
    (tmp_path / "a" / "b" / "ours.json").touch()
    (tmp_path / "a" / "b" / "more").touch()
    prepare_folder(tmp_path / "a" / "b", "ours.json")
    assert sorted(files_under(tmp_path)) == ["a/b/more", "a/b/ours.json"]


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError) as error:
        prepare_folder(tmp_path, "ours.json")
    assert str(error.value) == f"{tmp_path} holds something else (thesis.tex, no ours.json): give another --out"
    assert files_under(tmp_path) == {"thesis.tex": b"x"}


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as error:
        prepare_folder(tmp_path / "file", "ours.json")
    assert str(error.value) == f"{tmp_path / 'file'} is a file, not a folder: give another --out"


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="give another --out") as error:
        prepare_folder(tmp_path / "file" / "below", "ours.json")
    assert str(tmp_path / "file" / "below") in str(error.value)


def test_every_refusal_is_a_kbench_error() -> None:
    assert issubclass(ReleaseError, KbenchError)
    assert issubclass(OutputError, KbenchError)


UNSOUND: list[tuple[str, Any]] = [
    ("world", "../../up"),
    ("world", '"""\nimport os'),
    ("world", 5),
    ("canary", [7]),
    ("recipe", "x"),
    ("recipe|spec", None),
    ("recipe|spec|name", 3),
    ("recipe|generator", "\ud800"),
    ("splits", [["qa/train", {"rows": 1, "content": "0" * 64}]]),
    ("splits|qa/train", None),
    ("splits|qa/train|rows", -1),
    ("splits|qa/train|content", "x"),
    ("splits|<img src=x onerror=alert(1)>/x", {"rows": 1, "content": "0" * 64}),
    ("files|0|rows", "x"),
    ("files|0|config", "tone"),
    ("files|0|sha256", 7),
    ("files|0|bytes", True),
    ("files", []),
    ("files", {}),
]


@pytest.mark.parametrize(("key", "value"), UNSOUND, ids=str)
def test_a_manifest_of_another_shape_is_refused_in_one_line(
    lab_release: Release, tmp_path: Path, key: str, value: Any
) -> None:
    manifest = json.loads((lab_release.path / MANIFEST).read_text(encoding="utf-8"))
    assert manifest_in(json.dumps(manifest).encode(), "it", "mend it")["world"] == lab_release.world
    *above, last = key.split("|")
    place = manifest
    for each in above:
        place = place[int(each) if isinstance(place, list) else each]
    place[int(last) if isinstance(place, list) else last] = value
    with pytest.raises(ReleaseError, match="is no manifest of kbench: mend it") as refused:
        manifest_in(json.dumps(manifest).encode(), "it", "mend it")
    assert "\n" not in str(refused.value)
