"""The work of a release: the order of its units, and the same bytes whoever does them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kbench.generator import work
from kbench.generator.building import build_world
from kbench.generator.card import release_card
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.shards import Unit, in_working_order, plan_units, styles_for
from kbench.generator.work import drafts_of
from kbench.schema import STYLES
from tests.samples import SPECS, files_under, tiny

STYLES_WRITTEN = ("qa", "article", "multihop")


def blocks_of(unit: Unit) -> list[list[int]]:
    """The blocks of each section of a unit."""
    return [section.blocks.tolist() for section in unit.sections]


@pytest.mark.parametrize("name", ["lab", "known"])
def test_every_unit_is_worked_on_once_beside_those_of_the_same_blocks(name: str) -> None:
    spec = SPECS[name]()
    recipe = Recipe(spec, "7", styles_for(["all"], spec))
    units = plan_units(build_world(spec, "7"), recipe.pack(), recipe.styles)
    groups = in_working_order(units)
    done = [unit for group in groups for unit in group]
    assert len(done) == len(units)
    assert {id(unit) for unit in done} == {id(unit) for unit in units}
    alike = [(group[0].config, blocks_of(group[0])) for group in groups]
    for group, (config, blocks) in zip(groups, alike, strict=True):
        assert all((unit.config, blocks_of(unit)) == (config, blocks) for unit in group)
        assert [units.index(unit) for unit in group] == sorted(units.index(unit) for unit in group)
    assert all(alike.count(one) == 1 for one in alike)
    assert any(len({unit.split for unit in group}) > 1 for group in groups)


def test_the_units_of_many_shards_stand_with_their_own_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kbench.generator.shards._ROWS_A_SHARD", 100)
    spec = tiny(sizes__entities=48)
    recipe = Recipe(spec, "7", ("qa",))
    groups = in_working_order(plan_units(build_world(spec, "7"), recipe.pack(), ("qa",)))
    new = [group for group in groups if group[0].config == "qa" and group[0].split == "train"]
    assert len(new) > 2
    for group in new:
        assert group[0].split == "train"
        assert len({str(blocks_of(unit)) for unit in group}) == 1
        assert len(group) > 1


@pytest.fixture(scope="module")
def by_one(small_pack: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a release that one process wrote."""
    out = tmp_path_factory.mktemp("by-one") / "release"
    generate(Recipe(tiny(), "7", STYLES_WRITTEN, small_pack), out)
    return files_under(out)


def test_three_workers_give_the_bytes_of_one(tmp_path: Path, small_pack: str, by_one: dict[str, bytes]) -> None:
    generate(Recipe(tiny(), "7", STYLES_WRITTEN, small_pack), tmp_path / "three", workers=3)
    assert files_under(tmp_path / "three") == by_one


def test_every_unit_is_drafted_once_also_by_this_process(tmp_path: Path, small_pack: str) -> None:
    recipe = Recipe(tiny(), "7", STYLES_WRITTEN, small_pack)
    world, pack = build_world(recipe.spec, "7"), recipe.pack()
    units = plan_units(world, pack, recipe.styles)
    drafts = list(drafts_of(recipe, world, pack, units, tmp_path, "canary", 2, check=True))
    assert sorted(draft.file.path for draft in drafts) == sorted(unit.path for unit in units)
    processes = {draft.part.name.split(".")[-2] for draft in drafts}
    assert len(processes) == 2


def test_more_workers_than_groups_start_no_process_for_one_group(
    tmp_path: Path, small_pack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pool(*_: object) -> None:
        raise AssertionError("a process was to be started")

    monkeypatch.setattr(work, "worker_pool", no_pool)
    recipe = Recipe(tiny(), "7", STYLES_WRITTEN, small_pack)
    world, pack = build_world(recipe.spec, "7"), recipe.pack()
    alone = in_working_order(plan_units(world, pack, recipe.styles))[0]
    assert len(list(drafts_of(recipe, world, pack, alone, tmp_path, "canary", 8, check=False))) == len(alone)
    assert list(drafts_of(recipe, world, pack, [], tmp_path, "canary", 8, check=False)) == []


def test_the_card_reads_one_row_of_a_file(tmp_path: Path, small_pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release, _ = generate(Recipe(tiny(), "7", STYLES_WRITTEN, small_pack), tmp_path / "release")
    card = (release.path / "README.md").read_text(encoding="utf-8")
    read = []

    class Counted(pq.ParquetFile):  # type: ignore[misc]
        def iter_batches(self, *arguments: int, **more: object) -> object:
            for batch in super().iter_batches(*arguments, **more):
                read.append(batch.num_rows)
                yield batch

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    monkeypatch.setattr(pq, "read_table", None)
    assert release_card(release.manifest, release.path) == card
    assert read == [1] * len(set(STYLES) & set(STYLES_WRITTEN))
