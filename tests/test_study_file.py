"""Study files: what they may say, and which cells a budget makes of them."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.recipe_file import recipe_of
from kbench.errors import SpecError
from kbench.generator.named import load_recipe
from kbench.studies.grid import LAB
from kbench.studies.study import BASE, Study
from kbench.studies.study_design import CONFIRMATION, EXPLORATION, design
from kbench.studies.study_file import FILES, load_study, studies
from tests.samples import DROP, edited

SMALL: dict[str, Any] = {
    "name": "small",
    "title": "Small",
    "source": "nobody",
    "world": "small.world.toml",
    "train_lab": {"learning_rate": 0.002},
    "factors": {
        "style": {
            "title": "form",
            "centre": "article",
            "levels": {
                "article": {"styles": ["article"]},
                "qa": {"styles": ["qa"]},
                "both": {"styles": ["qa", "article"]},
            },
        },
        "paraphrases": {"title": "phrasings", "centre": "8", "levels": {"1": {"paraphrases": 1}, "8": {}}},
    },
    "within": {"value": {"title": "value", "centre": "words", "levels": {"words": "emblem", "digits": "badge"}}},
    "arms": {"more": {"title": "more", "levels": {"style": "qa"}, "train": {"epochs": 2}, "asks": ["again"]}},
    "asks": {"plain": {}, "again": {"splits": ["train"]}},
    "readings": {
        "emblem": {"title": "emblem", "styles": ["qa"], "probes": ["paraphrase"], "relations": ["emblem"]},
        "badge": {"title": "badge", "styles": ["qa"], "probes": ["paraphrase"], "relations": ["badge"]},
    },
    "shown": ["emblem"],
    "gates": {"known": {"title": "known", "cell": "base", "reading": "emblem", "least": 0.5, "lab": True}},
    "claims": [
        {
            "name": "qa_first",
            "says": "QA first.",
            "source": "nobody",
            "paper": "none",
            "gates": ["known"],
            "effects": [{"of": [[1, "style=qa", "emblem"], [-1, "style=article", "emblem"]]}],
        }
    ],
    "budgets": {
        "minute": {"says": "one", "seeds": 3, "one": {"style": 3}, "levels": {"style": ["qa"]}},
        "lunch": {
            "says": "pairs",
            "seeds": 4,
            "one": {"style": 4, "paraphrases": 2},
            "pairs": [["style", "paraphrases"]],
            "arms": {"more": 2},
        },
        "full": {"says": "all", "seeds": 2, "crossed": ["style", "paraphrases"]},
    },
}


def small(**changes: Any) -> Study:
    return Study.model_validate(edited(SMALL, changes))


def written(tmp_path: Path, raw: dict[str, Any]) -> str:
    """The study in a file; what TOML has no word for stays away."""
    import json

    path = tmp_path / "small.toml"
    (tmp_path / SMALL["world"]).touch()
    lines = [f"{key} = {json.dumps(value)}" for key, value in raw.items() if not isinstance(value, dict | list)]
    path.write_text("\n".join(lines) + "\n" + _tables(raw), encoding="utf-8")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == raw
    return str(path)


def _tables(raw: dict[str, Any]) -> str:
    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f'"{key}" = {inline(each)}' for key, each in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return {True: "true", False: "false"}.get(value) if isinstance(value, bool) else repr(value).replace("'", '"')  # type: ignore[return-value]

    lists = [f"{key} = {inline(value)}\n" for key, value in raw.items() if isinstance(value, list)]
    return "".join(lists) + "".join(
        f"{key} = {inline(value)}\n" for key, value in raw.items() if isinstance(value, dict)
    )


@pytest.mark.parametrize("name", studies())
def test_each_study_that_comes_with_kbench_can_be_planned_in_every_budget(name: str) -> None:
    study = load_study(name)
    assert load_recipe(study.world).styles
    for budget in study.budgets:
        for model in (LAB, "some/model"):
            planned = design(study, budget, model)
            assert BASE in planned.cells
            assert "centre" in planned.cells
            for cell in planned.cells.values():
                recipe_of(cell.values, cell.name)  # raises where it cannot be
                assert set(cell.seeds) <= set(CONFIRMATION)


@pytest.mark.parametrize("name", studies())
def test_every_claim_of_a_study_can_be_read_in_its_largest_budget(name: str) -> None:
    study = load_study(name)
    run = {cell for budget in study.budgets for cell in design(study, budget).cells} | set(study.parts)
    for claim in study.claims:
        for effect in claim.effects:
            assert {study.named(cell) for _, cell, _ in (*effect.of, *effect.bound_of)} <= run, claim.name


@pytest.mark.parametrize("name", studies())
def test_the_names_of_claims_are_their_own(name: str) -> None:
    names = [claim.name for claim in load_study(name).claims]
    assert len(names) == len(set(names))


def test_studies_come_with_kbench() -> None:
    assert "style-to-facts" in studies()
    assert all((FILES / f"{name}.toml").is_file() for name in studies())


def test_a_study_in_a_file_is_the_one_that_waswritten(tmp_path: Path) -> None:
    loaded = load_study(written(tmp_path, SMALL))
    assert loaded.model_copy(update={"world": SMALL["world"]}) == small()
    assert loaded.world == str(tmp_path / "small.world.toml")


@pytest.mark.parametrize(
    ("changes", "expected_error"),
    [
        ({"colour": 1}, "colour: no such key (got '1')"),
        ({"title": DROP, "titel": "x"}, "titel: no such key (got 'x'); missing: title"),
        ({"factors.style.centre": "verse"}, "the centre 'verse' is none of its levels: have article, qa, both"),
        ({"readings.emblem.ask": "never"}, "readings.emblem: ask 'never' is unknown: have plain, again"),
        ({"shown": ["depth"]}, "shown 'depth' is unknown: have emblem, badge"),
        ({"gates.known.reading": "depth"}, "gate known: reading 'depth' is unknown: have emblem, badge"),
        ({"gates.known.cell": "style=verse"}, "level of style 'verse' is unknown: have article, qa, both"),
        ({"gates.known.cell": "mood=low"}, "factor 'mood' is unknown: have style, paraphrases"),
        ({"arms.more.levels": {"style": "verse"}}, "arms.more: level of style 'verse' is unknown"),
        ({"arms.more.asks": ["never"]}, "arms.more: ask 'never' is unknown"),
        ({"within.value.levels": {"words": "emblem", "digits": "depth"}}, "within.value: reading 'depth' is unknown"),
        ({"budgets.minute.one": {"mood": 3}}, "budgets.minute: factor 'mood' is unknown"),
        ({"budgets.minute.arms": {"less": 3}}, "budgets.minute: arm 'less' is unknown: have more"),
        ({"factors.style.levels.qa": {"styles": ["verse"]}}, "unknown style 'verse'"),
        ({"factors.style.levels.qa": {"style": ["qa"]}}, "unknown key 'style'"),
        ({"title": DROP}, "title: Field required"),
        ({"lab": {"bach": 6}}, "lab: unknown key 'bach': have batch, "),
        ({"lab": {"batch": 0}}, "lab: batch must be a whole number, 1 or more (got 0)"),
        ({"arms.more.train": {"epoch": 2}}, "unknown key 'epoch'"),
        ({"budgets.minute.levels": {"style": ["verse"]}}, "budgets.minute: level of style 'verse' is unknown"),
        ({"budgets.lunch.pair_levels": {"paraphrases": ["3"]}}, "level of paraphrases '3' is unknown: have 1, 8"),
        ({"budgets.lunch.asks": ["never"]}, "budgets.lunch: ask 'never' is unknown: have plain, again"),
        ({"budgets.minute.seeds": 0}, "budgets.minute.seeds: Input should be greater than or equal to 1"),
        ({"asks.plain": {"splits": ["exam"]}}, "asks.plain: split 'exam' is unknown: have pretrain, train"),
        ({"asks.plain": {"styles": ["article"]}}, "asks.plain: style 'article' is unknown"),
        ({"asks.plain": {"prompt": "loud"}}, "asks.plain: unknown prompt 'loud': have plain"),
        ({"readings.emblem.probes": ["guess"]}, "readings.emblem: probe 'guess' is unknown"),
        ({"readings.emblem.styles": ["article"]}, "readings.emblem: style 'article' is unknown"),
        ({"readings.emblem.roles": ["old"]}, "readings.emblem: role 'old' is unknown: have new, control"),
        ({"factors.paraphrases.levels": {"8": {}, "1/2": {}}}, "factors.paraphrases: level '1/2' must be of letters"),
        ({"arms": {"centre": {"title": "c"}}}, "arms 'centre' is the name of another cell"),
        ({"parts": {"more": {"title": "m", "kind": "capacity"}}}, "parts 'more' is the name of another cell"),
        (
            {"asks.plain.checkpoints": ["at-10"]},
            "asks.plain@at-10: checkpoint 'at-10' is kept by no training: have none",
        ),
        (
            {"asks.plain.checkpoints": ["early-stop"], "train": {"keep": [0.2, 0.5]}},
            "checkpoint 'early-stop' is kept by no training: have at-20, at-50 (train.keep, early_stop)",
        ),
        (
            {"parts": {"law": {"title": "l", "kind": "law", "checkpoints": ["at-10", ""]}}},
            "parts.law: checkpoint 'at-10' is kept by no training",
        ),
        ({"parts": {"law": {"title": "l", "kind": "law", "cells": ["less"]}}}, "parts.law: cell 'less': factor 'less'"),
        (
            {
                "variants": {"v": {"title": "v", "lab": {"shots": 3}}},
                "arms.more.variant": "v",
                "parts": {"law": {"title": "l", "kind": "law", "cells": ["more"]}},
            },
            "parts.law: cell 'more' is of a variant or untrained: a part takes cells that are trained from the base",
        ),
        (
            {"variants": {"v": {"title": "v"}}},
            "a variant has another world, or other fields of the lab: give one of them",
        ),
        ({"variants": {"v": {"title": "v", "lab": {"shot": 3}}}}, "variants.v: lab: unknown key 'shot': have shots, "),
        ({"variants": {"v": {"title": "v", "world": "no.toml"}}}, "variants.v.world: expected a recipe 'no.toml' in"),
        ({"budgets.minute.world": "no.toml"}, "budgets.minute.world: expected a recipe 'no.toml' in"),
        (
            {"budgets.minute.lab": {"layers": 0}},
            "budgets.minute: lab: layers must be a whole number, 1 or more (got 0)",
        ),
        ({"budgets.minute.train_lab": {"epoch": 2}}, "unknown key 'epoch' in"),
        ({"arms.more.variant": "v"}, "arms.more: variant 'v' is unknown: have "),
        ({"gates.known.minus": "depth"}, "gate known: reading 'depth' is unknown: have emblem, badge"),
        ({"asks.plain.shots_from": "none"}, "asks.plain.shots_from: Input should be 'same' or 'other' (got 'none')"),
        ({"train": {"only": ["Unknown"], "knownness": "probe:slick"}}, "no probe 'slick': expected a name such as"),
        ({"parts": {"tones": {"title": "t", "kind": "tones"}}}, "options.tones must name two tones or more"),
    ],
)
def test_a_study_that_cannot_be_is_told_in_one_line(
    tmp_path: Path, changes: dict[str, Any], expected_error: str
) -> None:
    path = written(tmp_path, edited(SMALL, changes))
    with pytest.raises(SpecError) as told:
        load_study(path)
    assert expected_error in str(told.value)
    assert str(tmp_path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_gate_that_a_claim_names_must_be_there(tmp_path: Path) -> None:
    raw = copy.deepcopy(SMALL)
    raw["claims"][0]["gates"] = ["open"]
    with pytest.raises(SpecError, match="claim qa_first: gate 'open' is unknown: have known"):
        load_study(written(tmp_path, raw))


def test_claims_have_names_of_their_own_and_bounds_that_can_be_kept(tmp_path: Path) -> None:
    raw = copy.deepcopy(SMALL)
    raw["claims"] *= 2
    with pytest.raises(SpecError, match="two claims are called 'qa_first': give each a name of its own"):
        load_study(written(tmp_path, raw))
    raw = copy.deepcopy(SMALL)
    raw["claims"][0]["effects"][0]["direction"] = "within"
    with pytest.raises(SpecError, match=r"an effect within bounds needs a bound above 0, or bound_of \(got 0\)"):
        load_study(written(tmp_path, raw))


@pytest.mark.parametrize("name", studies())
def test_a_gate_is_of_a_cell_that_all_seeds_have_or_of_one_that_the_claim_compares(name: str) -> None:
    study = load_study(name)
    for claim in study.claims:
        compared = {study.named(cell) for effect in claim.effects for _, cell, _ in effect.of}
        # The base of the world or model that a compared arm is of says as much of it as the study's own of the others.
        variants = {study.arms[cell].variant for cell in compared if cell in study.arms} - {""}
        bases = {name for name, arm in study.arms.items() if arm.untrained and arm.variant in variants}
        for gate in claim.gates:
            assert study.named(study.gates[gate].cell) in {BASE, "centre", *compared, *bases}, (claim.name, gate)


@pytest.mark.parametrize("name", studies())
def test_every_way_of_asking_is_asked_in_some_budget(name: str) -> None:
    study = load_study(name)
    asked = {ask for budget in study.budgets for cell in design(study, budget).cells.values() for ask in cell.asks}
    assert asked == set(study.asks)


def test_an_unknown_study_names_those_there_are() -> None:
    with pytest.raises(SpecError, match=r"no study 'styles': have .*style-to-facts.*, or give a TOML file"):
        load_study("styles")


def test_one_factor_at_a_time_turns_one_factor_and_pairs_turn_two() -> None:
    planned = design(small(), "lunch")
    assert {name: cell.seeds for name, cell in planned.cells.items()} == {
        BASE: (0, 1, 2, 3),
        "centre": (0, 1, 2, 3),
        "style=qa": (0, 1, 2, 3),
        "style=both": (0, 1, 2, 3),
        "paraphrases=1": (0, 1, 2, 3),  # of one(2) and of the pair (4): the more
        "style=qa+paraphrases=1": (0, 1, 2, 3),
        "style=both+paraphrases=1": (0, 1, 2, 3),
        "more": (0, 1),
    }


def test_the_factorial_has_every_combination_once() -> None:
    cells = design(small(), "full").cells
    assert len(cells) == 1 + 3 * 2
    assert {tuple(cell.levels.values()) for name, cell in cells.items() if name != BASE} == {
        (style, number) for style in ("article", "qa", "both") for number in ("1", "8")
    }


def test_a_cell_is_trained_by_its_levels_over_what_all_share() -> None:
    cells = design(small(), "lunch").cells
    assert cells["style=qa+paraphrases=1"].values == {"learning_rate": 0.002, "styles": ["qa"], "paraphrases": 1}
    assert cells["more"].values == {"learning_rate": 0.002, "styles": ["qa"], "epochs": 2}
    assert design(small(), "lunch", "some/model").cells["style=qa"].values == {"styles": ["qa"]}


def test_a_level_of_the_centre_names_the_centre() -> None:
    study = small()
    assert study.named("style=article") == study.named("paraphrases=8+style=article") == "centre"
    assert study.named("paraphrases=1+style=qa") == "style=qa+paraphrases=1"
    assert study.named("more") == "more"


def test_gates_of_the_lab_are_not_asked_of_another_model() -> None:
    assert design(small(), "minute").study.claims[0].gates == ("known",)
    assert design(small(), "minute", "some/model").study.claims[0].gates == ()


def test_a_claim_that_needs_the_lab_says_so_of_another_model_alone() -> None:
    study = small(claims=[{**SMALL["claims"][0], "lab": "its tokens"}])
    assert design(study, "minute").study.claims[0].lab == ""
    assert design(study, "minute", "some/model").study.claims[0].lab == "its tokens"


def test_a_budget_may_ask_every_cell_more() -> None:
    cells = design(small(**{"budgets.lunch.asks": ["again"]}), "lunch").cells
    assert {cell.asks for cell in cells.values()} == {("plain", "again")}


def test_fewer_seeds_are_of_a_cell_by_whatever_name() -> None:
    study = small(**{"budgets.lunch.fewer": {"paraphrases=8+style=qa": 1, "style=article": 2}})
    cells = design(study, "lunch").cells
    assert (len(cells["style=qa"].seeds), len(cells["centre"].seeds), len(cells["style=both"].seeds)) == (1, 2, 4)


def test_the_base_is_asked_all_that_any_cell_is() -> None:
    assert design(small(), "lunch").cells[BASE].asks == ("plain", "again")
    assert design(small(), "minute").cells[BASE].asks == ("plain",)


def test_given_seeds_take_the_place_of_the_budgets() -> None:
    planned = design(small(), "lunch", seeds=EXPLORATION[:3])
    assert planned.seeds == (100, 101, 102)
    assert planned.cells["more"].seeds == (100, 101)


def test_of_more_seeds_than_the_budget_has_what_takes_all_of_them_takes_all() -> None:
    planned = design(small(), "lunch", seeds=EXPLORATION[:6])
    for name in (BASE, "centre", "style=qa", "style=qa+paraphrases=1"):
        assert planned.cells[name].seeds == EXPLORATION[:6]
    assert planned.cells["more"].seeds == (100, 101)


def test_an_unknown_budget_names_those_there_are() -> None:
    with pytest.raises(SpecError, match="no budget 'tea': have minute, lunch, full"):
        design(small(), "tea")
