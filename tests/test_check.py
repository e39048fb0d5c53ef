"""`kbench generate --check`: compiled rows against those of plain Jinja, and what it says where they differ."""

import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from kbench.cli import main
from kbench.errors import CheckError
from kbench.generator.building import build_world
from kbench.generator.check import check_rows
from kbench.generator.packs import load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.setting import Setting
from kbench.generator.shards import Unit, plan_units, styles_for, unit_table
from kbench.generator.spec import WorldSpec
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES
from tests.samples import SPECS, files_under, tiny

PACK = load_pack(None)
SPEC = tiny(sizes__background=0, sizes__entities=4)
"""One block of new entities, so that its rows are all that are compared."""


def train(style: str) -> tuple[World, Unit, pa.Table]:
    """The rows of the training split of a style, their unit, and their world."""
    world = build_world(SPEC, "7")
    unit = next(unit for unit in plan_units(world, PACK, (style,)) if unit.split == "train")
    return world, unit, unit_table(world, PACK, unit)


def with_entry(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    """The table with another entry in one place."""
    place = table.schema.get_field_index(name)
    values = table.column(name).to_pylist()
    values[row] = value
    return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def found_by_check(world: World, unit: Unit, table: pa.Table) -> str:
    """What the check says of an altered table."""
    with pytest.raises(CheckError) as refused:
        check_rows(world, PACK, unit, table)
    return str(refused.value)


@pytest.mark.parametrize("spec", [SPECS["lab"](), tiny(sizes__entities=4)], ids=["lab", "tiny"])
def test_the_compiled_rows_of_every_unit_are_those_of_plain_jinja(spec: WorldSpec) -> None:
    world = build_world(spec, "7")
    styles = styles_for(["all"], spec)
    checked: dict[str, int] = {}
    for unit in plan_units(world, PACK, styles):
        n = check_rows(world, PACK, unit, unit_table(world, PACK, unit))
        checked[unit.config] = checked.get(unit.config, 0) + n
    assert {config for config, n in checked.items() if n} == set(styles)


@pytest.mark.parametrize("style", ["qa", "article", "dialogue", "statement", "choice", "cloze"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_altered_text_is_found_and_its_row_named(style: str, place: str) -> None:
    world, unit, table = train(style)
    row = {"first": 0, "middle": table.num_rows // 2, "last": table.num_rows - 1}[place]
    column = "text" if style in DOCUMENT_STYLES else "question"
    said = table[column][row].as_py()
    assert found_by_check(world, unit, with_entry(table, column, row, f"{said}!")) == (
        f"{style}/train-00000-of-00001.parquet, row {table['id'][row].as_py()!r} "
        f"({table['template_id'][row].as_py()}): plain Jinja has {column} {said!r}, compiled it is {said + '!'!r}: "
        f"this is a defect of kbench, please report it"
    )


@pytest.mark.parametrize(
    ("style", "column", "value"),
    [
        ("qa", "answer", "x"),
        ("qa", "answers", []),
        ("qa", "repeat", 99),
        ("qa", "number", 0.5),
        ("article", "fact_ids", []),
        ("dialogue", "turns", []),
    ],
)
def test_any_other_altered_column_is_found_too(style: str, column: str, value: object) -> None:
    world, unit, table = train(style)
    said = found_by_check(world, unit, with_entry(table, column, 3, value))
    assert f"row {table['id'][3].as_py()!r}" in said
    assert f"has {column} {table[column][3].as_py()!r}, compiled it is {value!r}: this" in said


@pytest.mark.parametrize("style", ["qa", "article"])
def test_a_dropped_row_is_named_wherever_it_stood(style: str) -> None:
    world, unit, table = train(style)
    ids = table["id"].to_pylist()
    for row in (0, table.num_rows // 2, table.num_rows - 1):
        without = pa.concat_tables([table.slice(0, row), table.slice(row + 1)])
        there = repr(ids[row + 1]) if row + 1 < len(ids) else "nothing"
        assert found_by_check(world, unit, without) == (
            f"{unit.path}: plain Jinja has the row {ids[row]!r} where compiled there is {there}: "
            f"this is a defect of kbench, please report it"
        )
    assert f"has the row {ids[0]!r} where compiled there is nothing" in found_by_check(world, unit, table.slice(0, 0))


def test_a_row_too_many_is_named() -> None:
    world, unit, table = train("qa")
    twice = pa.concat_tables([table, table.slice(table.num_rows - 1)])
    last = table["id"][table.num_rows - 1].as_py()
    assert f"has the row nothing where compiled there is {last!r}" in found_by_check(world, unit, twice)


def test_facts_and_entities_have_no_text_to_compare() -> None:
    world = build_world(SPEC, "7")
    for unit in plan_units(world, PACK, ()):
        assert check_rows(world, PACK, unit, unit_table(world, PACK, unit).slice(0, 0)) == 0


def test_a_check_leaves_what_a_world_remembers_as_it_was() -> None:
    world, unit, table = train("qa")
    remembered = list(world.__dict__["_scenes"])
    assert check_rows(world, PACK, unit, table) == table.num_rows
    assert list(world.__dict__["_scenes"]) == remembered


# ---- the command


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of `kbench generate`."""
    monkeypatch.setattr(sys, "argv", ["kbench", "generate", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_release_that_is_checked_has_the_bytes_of_one_that_is_not(
    tmp_path: Path, small_pack: str, workers: int
) -> None:
    recipe = Recipe(tiny(), "7", ("qa", "article", "multihop"), small_pack)
    generate(recipe, tmp_path / "unchecked")
    generate(recipe, tmp_path / "checked", workers=workers, check=True)
    assert files_under(tmp_path / "checked") == files_under(tmp_path / "unchecked")


def test_check_passes_on_the_command_line_and_ends_it_where_a_row_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--spec", "starter", "--entities", "8", "--style", "qa", "--style", "article", "--out"]
    assert run(monkeypatch, *words, str(tmp_path / "good"), "--check") == 0
    capsys.readouterr()
    pieces = Setting.pieces
    monkeypatch.setattr(
        Setting,
        "pieces",
        lambda self, phrasing, *rest: pieces(self, phrasing, *rest) + ([] if phrasing.plain else [" "]),
    )
    out = tmp_path / "bad"
    assert run(monkeypatch, *words, str(out), "--check") == 1
    said = capsys.readouterr().err
    assert re.search(
        r"kbench: qa/\w+-00000-of-00001.parquet, row '[^']+' \(qa/\w+/t\d+\): plain Jinja has question '", said
    )
    assert re.search(r": this is a defect of kbench, please report it \(0 of \d+ files are done and kept\)\n$", said)
    assert said.count("\n") == 1
    assert not (out / "kbench_manifest.json").exists()
    assert run(monkeypatch, *words, str(out)) == 0
