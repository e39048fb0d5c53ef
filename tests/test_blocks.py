"""Pretraining questions in blocks: one relation and one surface form each; and bases that were pretrained on them."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from kbench.benchmarks.chains import CHAIN, with_chains
from kbench.benchmarks.examples import examples_of
from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.prompts import completion_of, prompt_of
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release
from kbench.studies.blocks import BETWEEN, Block, blocks_of, in_form
from kbench.studies.lab import LabRecipe, lab_base
from tests.samples import tiny

Row = dict[str, Any]
SMALL = LabRecipe(layers=1, width=16, heads=1, inner=16, batch=64, bf16=False)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    spec = tiny(sizes__entities=6, exposure__forms=2, background__styles=["article", "qa"])
    return generate(Recipe(spec, "7", ("qa",)), tmp_path_factory.mktemp("blocks") / "release")[0]


@pytest.fixture(scope="module")
def rows(release: Release) -> list[Row]:
    found: list[Row] = release.table("qa", "pretrain").to_pylist()
    return found


def test_the_rows_come_in_blocks_of_one_relation_each_as_often_as_it_repeats(rows: list[Row]) -> None:
    blocks = list(blocks_of(rows, 5, random.Random(0)))
    assert all(len({row["relation"] for row in block.rows}) == 1 for block in blocks)
    assert Counter(row["id"] for block in blocks for row in block.rows) == {row["id"]: row["repeat"] for row in rows}


def test_blocks_are_of_every_size_up_to_the_most_and_of_both_forms(rows: list[Row]) -> None:
    blocks = list(blocks_of(rows, 3, random.Random(0)))
    assert {len(block.rows) for block in blocks} == {1, 2, 3}
    assert {block.form for block in blocks} == {0, 1}
    sizes = Counter(len(block.rows) for block in blocks)
    assert min(sizes.values()) > 0.2 * len(blocks)


def test_the_same_stream_makes_the_same_blocks_and_another_one_others(rows: list[Row]) -> None:
    first, again, other = (list(blocks_of(rows, 4, random.Random(seed))) for seed in (0, 0, 1))
    assert first == again != other


def test_a_block_reads_as_a_prompt_of_exemplars_all_in_one_form(rows: list[Row]) -> None:
    asked = [row for row in rows if row["relation"] == "emblem"][:3]
    for form in (0, 1):
        text = Block(tuple(asked), form).text
        said = [prompt_of(row) + " " + row["answers"][form] for row in asked]
        assert text == BETWEEN.join(said)
    assert asked[0]["answers"][0] != asked[0]["answers"][1]
    assert completion_of(asked[0]) == " " + asked[0]["answers"][0]


def test_only_words_have_another_form(rows: list[Row]) -> None:
    turned = {row["relation"] for row in rows if in_form(row, 1)["answer"] != row["answer"]}
    assert turned == {"emblem", "industry"}
    assert all(in_form(row, 0) is row for row in rows)


def test_a_chain_ends_in_the_form_of_its_block_and_stands_in_a_block_of_chains(
    release: Release, rows: list[Row]
) -> None:
    chained = with_chains(release, rows)
    blocks = list(blocks_of([*rows, *chained], 4, random.Random(0)))
    assert all(len({CHAIN in row for row in block.rows}) == 1 for block in blocks)
    for block in blocks:
        for row in block.rows:
            if CHAIN in row and row["relation"] == "emblem":
                assert block.text.count(row["answers"][block.form]) >= 2  # the fact, and the answer behind it
                assert row["answers"][1 - block.form] not in block.text.replace(row["answers"][block.form], "")


def test_a_base_without_blocks_keeps_its_name_and_each_field_of_them_gives_another() -> None:
    plain = LabRecipe().to_dict()
    assert not {"shots", "rounds", "instructed", "chains"} & plain.keys()
    for changed in ({"shots": 2}, {"rounds": 2}, {"instructed": 1}):
        assert LabRecipe(**changed).to_dict() == {**plain, **changed}  # type: ignore[arg-type]


def test_a_base_reads_its_questions_in_blocks_so_many_times_over(release: Release, tmp_path: Path) -> None:
    def tokens(rounds: int, *, chains: bool = False) -> int:
        recipe = LabRecipe(**{**SMALL.to_dict(), "shots": 3, "rounds": rounds, "chains": chains})
        base = lab_base(release, tmp_path / "bases", recipe)
        assert base.about["recipe"] == recipe.to_dict()
        found: int = base.about["trained"]["tokens"]
        return found

    once, twice, thrice = (tokens(rounds) for rounds in (1, 2, 3))
    read = sum(row["repeat"] for row in release.table("qa", "pretrain").to_pylist())
    assert twice - once > 5 * read  # a question and its answer are more than five tokens
    assert tokens(3, chains=True) - thrice > 5 * read  # each third behind the fact that answers it
    assert thrice - twice == pytest.approx(twice - once, rel=0.05)  # the sizes of blocks are drawn


def test_an_instructed_base_is_that_base_after_lone_questions_answered_in_the_first_form(
    release: Release, tmp_path: Path
) -> None:
    def loss(instructed: int) -> float:
        recipe = LabRecipe(
            **{**SMALL.to_dict(), "shots": 3, "batch": 8, "learning_rate": 0.02, "instructed": instructed}
        )
        base = lab_base(release, tmp_path / "bases", recipe)
        assert not (base.path / "instructed").exists()
        assert not (base.path / "checkpoints").exists()
        model = load_hf(str(base.path))
        losses = []
        for example in examples_of(release, "qa", "pretrain", model.tokenizer, "answer"):
            ids = torch.tensor([example.tokens])
            labels = torch.cat([torch.full((1, example.prompt), -100), ids[:, example.prompt :]], dim=1)
            with torch.inference_mode():
                losses.append(float(model.model(input_ids=ids, labels=labels).loss))
        return sum(losses) / len(losses)

    plain, instructed = loss(0), loss(20)
    assert instructed < plain - 0.2
