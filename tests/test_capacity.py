"""Capacity: records of random facts, the bits that a model has of them, and a sweep that is not done twice."""

import json
from dataclasses import asdict, replace
from math import log2
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaForCausalLM

from kbench.errors import KbenchError, OutputError
from kbench.ids import file_sha256
from kbench.store import Release
from kbench.studies import capacity_cell
from kbench.studies.capacity import CAPACITY, CELLS, TABLE, capacity, fullest, read_capacity
from kbench.studies.capacity_cell import Capacity, bits_left, parameters_of
from kbench.studies.grid_orders import PART, Measure
from kbench.studies.parts import measure
from kbench.studies.records import VOCABULARY, Records, bits_a_person, record_release, records_of

PEOPLE = 24


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return record_release(PEOPLE, 7, tmp_path_factory.mktemp("records") / "release")


@pytest.fixture(scope="module")
def records(release: Release) -> Records:
    return records_of(release)


def test_a_record_has_two_tokens_for_each_fact_and_each_may_stand_there(records: Records, release: Release) -> None:
    facts = release.table("facts", "train").num_rows
    assert (records.facts, len(records.tokens)) == (facts, PEOPLE)
    values = records.tokens[:, records.name :]
    assert values.shape[1] == len(records.parts) == 2 * facts // PEOPLE
    for place, parts in enumerate(records.parts):
        assert set(values[:, place].tolist()) <= set(parts)
    assert records.tokens.max() < records.vocabulary == VOCABULARY


def test_two_people_have_the_same_name_tokens_only_if_they_have_the_same_name(
    records: Records, release: Release
) -> None:
    names = {tuple(row) for row in records.tokens[:, : records.name].tolist()}
    assert len(names) == len({row["subject"] for row in release.table("facts", "train").to_pylist()}) == PEOPLE


def test_the_entropy_is_that_of_ninety_values_a_fact(records: Records) -> None:
    assert records.bits == pytest.approx(records.facts * log2(90))
    assert records.bits == pytest.approx(PEOPLE * bits_a_person())


def test_values_are_drawn_apart_from_one_another(tmp_path: Path) -> None:
    """Balanced draws would give each value to as many people, and so take 1.4 bits of each."""
    facts = record_release(360, 7, tmp_path / "release").table("facts", "train").to_pylist()
    for relation in ("code_0", "mark_0"):
        values = [fact["value"] for fact in facts if fact["relation"] == relation]
        times = {values.count(value) for value in set(values)}
        assert min(times) < 4 < max(times)


def test_more_people_leave_the_first_as_they_are(records: Records, tmp_path: Path) -> None:
    more = records_of(record_release(2 * PEOPLE, 7, tmp_path / "release")).first(PEOPLE)
    assert (more.tokens == records.tokens).all()
    assert (more.bits, more.facts) == (records.bits, records.facts)


def test_a_model_that_expects_every_token_alike_knows_nothing(records: Records) -> None:
    model = LlamaForCausalLM(capacity_cell._config(8))
    torch.nn.init.zeros_(model.model.embed_tokens.weight)
    assert bits_left(model, records) == pytest.approx(records.bits)


class Reader(torch.nn.Module):
    """Knows every record by its name: its scores are those of the token that comes next."""

    def __init__(self, records: Records, sure: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.sure, self.records = sure, torch.from_numpy(records.tokens)

    def model(self, input_ids: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        assert not use_cache
        return SimpleNamespace(last_hidden_state=torch.nn.functional.one_hot(self.records[:, 1:], VOCABULARY).float())

    def lm_head(self, states: torch.Tensor) -> torch.Tensor:
        return states * self.sure


@pytest.mark.parametrize(("sure", "left"), [(100.0, 0.0), (0.0, 1.0)])
def test_the_bits_that_are_left_are_none_of_one_who_is_sure_and_all_of_one_who_is_not(
    sure: float, left: float, records: Records
) -> None:
    assert bits_left(Reader(records, sure), records) == pytest.approx(left * records.bits, abs=1e-6)


@pytest.mark.parametrize("width", [8, 24, 48])
def test_parameters_are_counted_as_the_model_has_them(width: int) -> None:
    assert parameters_of(width) == LlamaForCausalLM(capacity_cell._config(width)).num_parameters()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("swept") / "out"
    capacity(out, [2000], [1, 10], [7], loads=[0.5])
    return out


def test_a_model_that_has_read_its_facts_more_often_has_more_bits_of_them(swept: Path) -> None:
    found = read_capacity(swept)
    assert found is not None
    once, often = found
    assert (once.exposures, often.exposures) == (1, 10)
    assert once.learned < often.learned <= often.offered
    assert often.parameters == parameters_of(8)
    table = pq.read_table(swept / TABLE).to_pylist()
    assert [row["learned"] for row in table] == [once.learned, often.learned]
    assert table[1]["bits_a_parameter"] == often.learned / often.parameters


def test_a_sweep_that_is_done_trains_nothing_again(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("kbench.studies.capacity.measure_cell")
    held = file_sha256(swept / CAPACITY)
    assert capacity(swept, [2000], [1, 10], [7], loads=[0.5]) == read_capacity(swept)
    assert file_sha256(swept / CAPACITY) == held


def test_a_sweep_that_was_killed_keeps_the_cells_that_were_done(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def die(done: int, total: int) -> None:
        assert total == 48
        if done > 20:
            raise Killed

    with pytest.raises(Killed):
        capacity(tmp_path / "out", [2000], [1, 2], [7], loads=[0.2], progress=die)
    assert read_capacity(tmp_path / "out") is None
    (done,) = (tmp_path / "out" / CELLS).iterdir()
    before = done.stat().st_mtime_ns
    heard = list[int]()
    capacity(tmp_path / "out", [2000], [1, 2], [7], loads=[0.2], progress=lambda done, total: heard.append(done))
    assert done.stat().st_mtime_ns == before
    assert heard == [16, *range(17, 49), 48]


def test_the_same_cell_learns_the_same(tmp_path: Path) -> None:
    first, second = (capacity(tmp_path / name, [2000], [2], [7], loads=[0.2])[0] for name in "ab")
    assert replace(first, cpu_s=0) == replace(second, cpu_s=0)


def test_the_fullest_load_is_that_of_the_highest_mean_over_seeds() -> None:
    def cell(seed: int, load: float, learned: float) -> Capacity:
        return Capacity(seed, 1000, 1000, 100, load, 10, 5000.0, learned, 1, 1.0)

    cells = [cell(0, 1.0, 900.0), cell(1, 1.0, 700.0), cell(0, 2.0, 1000.0), cell(1, 2.0, 500.0)]
    assert fullest(cells) == {(1000, 100): 0.8}
    assert asdict(cells[0])["learned"] == 900.0


def test_a_study_reads_the_fullest_load_of_each_size_and_their_mean(tmp_path: Path) -> None:
    options = {"sizes": [2000, 6000], "exposures": [1], "loads": [0.1, 0.2]}
    measure(Measure("capacity", None, None, {}, options, 7, tmp_path), lambda done, total: None)
    found = json.loads((tmp_path / PART).read_text(encoding="utf-8"))["readings"]
    cells = read_capacity(tmp_path / "capacity") or []
    assert found["2000x1"]["value"] == max(one.bits_a_parameter for one in cells if one.size == 2000)
    assert found["exposures_1"]["value"] == (found["2000x1"]["value"] + found["6000x1"]["value"]) / 2
    assert (found["exposures_1"]["rows"], found["exposures_1"]["chance"]) == (sum(one.facts for one in cells), 0.0)


@pytest.mark.parametrize(
    ("sizes", "exposures", "seeds", "loads", "expected_error"),
    [
        ([100], [1], [7], [1.0], r"a size is at least \d,\d+ \(got 100\)"),
        ([], [1], [7], [1.0], r"a size is at least .* \(got none\)"),
        ([2000], [0], [7], [1.0], r"exposures are at least 1 \(got 0\)"),
        ([2000], [1], [7], [0.0], r"a load is at least 0.01 \(got 0.0\)"),
        ([2000], [1], [], [1.0], r"at least one seed is needed \(got none\)"),
    ],
)
def test_a_sweep_that_cannot_be_is_told_in_one_line(
    sizes: list[int], exposures: list[int], seeds: list[int], loads: list[float], expected_error: str, tmp_path: Path
) -> None:
    with pytest.raises(KbenchError, match=expected_error):
        capacity(tmp_path / "out", sizes, exposures, seeds, loads=loads)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_capacity_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / CAPACITY).write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=r"is no capacity of kbench: remove its folder"):
        read_capacity(tmp_path)
