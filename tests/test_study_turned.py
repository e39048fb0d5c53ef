"""A study turned: models on the way, other worlds and bases, a release in place of its worlds, another choice of facts."""

import copy
from pathlib import Path
from typing import Any

import pytest

from kbench.errors import SpecError
from kbench.studies.grid import LAB
from kbench.studies.study import BASE, Study
from kbench.studies.study_design import design
from kbench.studies.study_file import at_checkpoints, load_study
from tests.samples import edited
from tests.test_study_file import SMALL, small, written

TURNED: dict[str, Any] = {
    "train": {"facts_by": "knownness", "knownness": "probe:slick-k0-g1-s2-t0.5-topk40", "relations": ["emblem"]},
    "train_lab": {"facts_by": "exposures", "facts_among": ["4", "0"], "knownness": ""},
    "factors": {
        "arm": {"title": "arm", "centre": "top", "levels": {"top": {"facts": ["top"]}, "bottom": {"facts": ["bottom"]}}}
    },
    "variants": {
        "tiers": {"title": "other doses", "world": "tiers.world.toml"},
        "instruct": {"title": "instructed", "lab": {"instructed": 2}},
    },
    "arms": {
        "never": {"title": "never read", "train": {"facts": ["0"]}},
        "tier": {"title": "other doses", "variant": "tiers", "train": {"facts": ["top"], "facts_among": []}},
        "told": {"title": "instructed", "variant": "instruct", "levels": {"arm": "bottom"}},
        "told_base": {"title": "instructed, not trained", "variant": "instruct", "untrained": True},
    },
    "readings": {
        "emblem": {"title": "e", "styles": ["qa"], "probes": ["known"], "relations": ["emblem"]},
        "badge": {"title": "b", "styles": ["qa"], "probes": ["known"], "relations": ["badge"]},
        "firms": {"title": "f", "styles": ["qa"], "probes": ["known"], "types": ["company"]},
        "all": {"title": "a", "styles": ["qa"], "probes": ["known"]},
    },
    "within": {},
    "claims": [],
    "gates": {},
    "budgets": {
        "minute": {"says": "one", "seeds": 3, "one": {"arm": 3}},
        "coffee": {
            "says": "all",
            "seeds": 4,
            "one": {"arm": 4},
            "arms": {"never": 3, "tier": 3, "told": 3, "told_base": 2},
            "world": "large.world.toml",
            "lab": {"layers": 4},
            "train_lab": {"epochs": 7},
        },
    },
}


def turned(**changes: Any) -> Study:
    return Study.model_validate(edited({**SMALL, **TURNED}, changes))


def test_a_way_of_asking_and_its_readings_come_once_for_every_checkpoint_it_names() -> None:
    raw = edited(SMALL, {"asks.again.checkpoints": ["at-10", "early-stop"], "readings.badge.ask": "again"})
    before = copy.deepcopy(raw)
    study = Study.model_validate(at_checkpoints(raw))
    assert raw == before
    assert {name: ask.checkpoint for name, ask in study.asks.items()} == {
        "plain": "",
        "again": "",
        "again@at-10": "at-10",
        "again@early-stop": "early-stop",
    }
    assert study.asks["again@at-10"].splits == study.asks["again"].splits == ("train",)
    assert {name: reading.ask for name, reading in study.readings.items()} == {
        "emblem": "plain",
        "badge": "again",
        "badge@at-10": "again@at-10",
        "badge@early-stop": "again@early-stop",
    }
    assert study.readings["badge@early-stop"].title == "badge, at its best epoch on validation"


def test_whoever_is_asked_is_asked_at_every_checkpoint_and_a_base_has_none() -> None:
    raw = edited(SMALL, {"asks.again.checkpoints": ["at-10"], "asks.plain.checkpoints": ["at-50"]})
    cells = design(Study.model_validate(at_checkpoints(raw)), "lunch").cells
    assert cells["more"].asks == ("plain", "again", "plain@at-50", "again@at-10")
    assert cells["centre"].asks == ("plain", "plain@at-50")
    assert cells[BASE].asks == ("plain", "again")


def test_the_names_of_checkpoints_that_a_file_asks_are_those_that_its_trainings_keep(tmp_path: Path) -> None:
    raw = edited(SMALL, {"train": {"keep": [0.1]}, "asks.plain.checkpoints": ["at-10"]})
    assert load_study(written(tmp_path, raw)).asks["plain@at-10"].checkpoint == "at-10"


def test_a_variant_has_another_world_or_another_base_and_the_rest_as_it_is() -> None:
    planned = design(turned(), "coffee")
    grid = planned.grid()
    assert {release.name: release.recipe for release in grid.releases} == {
        "world": "large.world.toml",
        "tiers": "tiers.world.toml",
    }
    assert {model.name: dict(model.lab) for model in grid.models} == {
        "model": {"layers": 4},
        "instruct": {"layers": 4, "instructed": 2},
    }
    where = {cell.recipe: (cell.release, cell.model) for cell in grid.chosen or ()}
    assert where == {
        "base": ("world", "model"),
        "centre": ("world", "model"),
        "arm=bottom": ("world", "model"),
        "never": ("world", "model"),
        "tier": ("tiers", "model"),
        "told": ("world", "instruct"),
        "told_base": ("world", "instruct"),
    }


def test_an_untrained_arm_is_a_base_and_is_asked_no_checkpoint() -> None:
    raw = edited({**SMALL, **TURNED}, {"asks.plain.checkpoints": ["at-10"]})
    cells = design(Study.model_validate(at_checkpoints(raw)), "coffee").cells
    assert not cells["told_base"].trained
    assert (cells["told_base"].asks, cells["told"].asks) == (("plain",), ("plain", "plain@at-10"))
    assert cells["told_base"].values == {}


def test_a_budget_has_its_own_world_base_and_trainings() -> None:
    small_one, large = design(turned(), "minute"), design(turned(), "coffee")
    assert [planned.cells["centre"].values.get("epochs") for planned in (small_one, large)] == [None, 7]
    assert [planned.study.world for planned in (small_one, large)] == ["small.world.toml", "large.world.toml"]
    assert [planned.study.lab.get("layers") for planned in (small_one, large)] == [None, 4]


def test_of_another_model_a_variant_of_the_base_is_run_where_it_is_given_one() -> None:
    without, given = (design(turned(), "coffee", "some/model", models=m) for m in ({}, {"instruct": "some/chat"}))
    assert not {"told", "told_base"} & without.cells.keys()
    assert {"told", "told_base"} <= given.cells.keys()
    assert {model.name: model.source for model in given.grid().models} == {
        "model": "some/model",
        "instruct": "some/chat",
    }
    assert all(not model.lab for model in given.grid().models)


def test_a_model_for_a_variant_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match="study small has no variant 'chat' to give a model for: have tiers, instruct"):
        design(turned(), "minute", "some/model", models={"chat": "some/chat"})
    with pytest.raises(SpecError, match="study small has no variant 'chat' to give a model for: have none"):
        design(small(), "minute", models={"chat": "some/chat"})


def test_a_release_is_shared_by_all_seeds_and_read_without_what_is_of_the_studys_worlds() -> None:
    planned = design(turned(), "coffee", release="ORG/popular", styles=("qa",), by="popularity")
    (release,) = planned.grid().releases
    assert (release.source, release.each_seed) == ("ORG/popular", False)
    assert "tier" not in planned.cells
    assert "told" in planned.cells  # another base can be had for any release
    assert set(planned.study.readings) == {"emblem", "all"}
    assert planned.study.readings["emblem"].relations == ()
    assert all("relations" not in cell.values for cell in planned.cells.values())


def test_of_a_release_nothing_is_asked_in_styles_that_it_has_not_and_choices_stand_for_questions() -> None:
    told = {
        "asks.plain.styles": ["qa", "cloze"],
        "asks.again.styles": ["cloze"],
        "readings.all.ask": "again",
        "budgets.minute.asks": ["again"],
        "train.styles": ["qa"],
    }
    for has, asked in ((("qa", "facts"), ("qa",)), (("choice",), ("choice",))):
        planned = design(turned(**told), "minute", release="ORG/popular", styles=has)
        assert {name: ask.styles for name, ask in planned.study.asks.items()} == {"plain": asked}
        assert {name: reading.styles for name, reading in planned.study.readings.items()} == {"emblem": asked}
        assert planned.cells[BASE].asks == planned.cells["centre"].asks == ("plain",)
        assert planned.cells["centre"].values["styles"] == list(asked)
    assert "styles" not in design(turned(), "minute", release="ORG/popular", styles=("qa",)).cells["centre"].values


def test_of_a_release_parts_are_about_all_relations_and_none_compares_the_studys_own() -> None:
    told = {"title": "p", "options": {"relations": ["emblem"], "rows": 5}}
    ladder = {"title": "s", "kind": "similarity", "options": {"trained": ["emblem"]}}
    parts = {"subject": {"kind": "subject", **told}, "similarity": ladder}
    study = turned(**{"parts": parts, "budgets.minute.parts": {"subject": 3, "similarity": 3}})
    planned = design(study, "minute", release="ORG/popular", styles=("qa",))
    assert set(planned.parts) == {"subject"}
    assert planned.study.parts["subject"].options == {"rows": 5}
    assert set(design(study, "minute").parts) == {"subject", "similarity"}


@pytest.mark.parametrize("model", [LAB, "some/model"])
def test_arms_are_chosen_by_what_is_given_and_those_of_named_levels_are_left_out(model: str) -> None:
    planned = design(turned(), "coffee", model, by="popularity")
    for name in ("centre", "arm=bottom"):
        values = planned.cells[name].values
        assert (values["facts_by"], values["facts_among"], values["knownness"]) == ("popularity", [], "")
    assert "never" not in planned.cells
    assert "tier" in planned.cells


def test_by_knownness_the_studys_own_probe_labels_the_facts() -> None:
    values = design(turned(), "minute", by="knownness").cells["centre"].values
    assert values["knownness"] == "probe:slick-k0-g1-s2-t0.5-topk40"
    assert values["facts_among"] == []


def test_what_the_study_chooses_by_may_be_given_and_changes_nothing() -> None:
    study = turned()
    assert design(study, "coffee", by="exposures").cells == design(study, "coffee").cells


def test_a_study_that_chooses_no_facts_or_names_levels_takes_no_other_choice() -> None:
    with pytest.raises(SpecError, match="study small chooses no facts, so that there is nothing to choose by popular"):
        design(small(), "minute", by="popularity")
    with pytest.raises(
        SpecError, match=r"factuality-gap names levels such as HighlyKnown.MaybeKnown, which there are none of where"
    ):
        design(load_study("factuality-gap"), "minute", by="exposures")


def test_of_another_model_what_is_trained_for_the_lab_alone_is_forgotten() -> None:
    made = design(load_study("known-facts"), "coffee", "ORG/NAME")
    assert "unknown" not in made.cells  # it names exposures, which nobody counted for that model
    assert {cell.values["facts_by"] for cell in made.cells.values() if cell.trained} == {"knownness"}


@pytest.mark.parametrize(
    ("styles", "pretrained", "parts", "arms"),
    [
        (("qa",), False, {"law", "graph"}, {"replay"}),
        (("qa",), True, {"law", "graph"}, set()),
        (("choice",), False, {"law"}, {"replay"}),
    ],
)
def test_of_real_facts_what_they_cannot_have_is_left_out(
    styles: tuple[str, ...], pretrained: bool, parts: set[str], arms: set[str]
) -> None:
    told: dict[str, Any] = {"release": "there", "styles": styles, "pretrained": pretrained}
    gap = design(load_study("factuality-gap"), "coffee", "ORG/NAME", **told)
    assert set(gap.parts) == parts
    known = design(load_study("known-facts"), "coffee", "ORG/NAME", **told)
    assert {"replay", "mix_in"} - known.cells.keys() == arms
    assert all(cell.values["styles"] == list(styles) for cell in known.cells.values() if cell.trained)
    assert not any("facts_balanced" in cell.values for cell in known.cells.values())


def test_another_embedder_is_told_to_the_part_that_compares_questions() -> None:
    made = design(load_study("factuality-gap"), "coffee", embedder="ORG/NAME")
    assert made.study.parts["similarity"].options["embedder"] == "ORG/NAME"
    with pytest.raises(SpecError, match="compares no questions"):
        design(load_study("known-facts"), "coffee", embedder="ORG/NAME")
