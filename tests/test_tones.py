"""The style pole: judges on replies whose truth is known, and finetunes that really answer."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kbench.benchmarks.models.hf import HfModel
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.recipe_file import recipe_of
from kbench.benchmarks.run import train_run
from kbench.errors import KbenchError, OutputError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.ids import file_sha256
from kbench.store import Release
from kbench.studies.attribution import BASE, JUDGES, Said, attribution, attribution_of, judge_all
from kbench.studies.lab import LabRecipe, lab_base
from kbench.studies.study_design import design
from kbench.studies.study_file import load_study
from kbench.studies.study_plan import _tone_recipe
from kbench.studies.tones import PLAN, REPLIES, TONES, attribute, read_attribution
from tests.samples import tiny

TONES_KNOWN = ("gloomy", "cheerful")
EXAMPLES = {"gloomy": ["Alas, all is lost. I sat down."], "cheerful": ["Hooray, what fun! I sat down."]}


def said(by: str, row: int, text: str, gloomy: float = 0.0, cheerful: float = 0.0) -> Said:
    return Said(f"r{row}", f"g{row}", by, text, {"gloomy": gloomy, "cheerful": cheerful} if text else {})


def in_tone() -> list[Said]:
    """Six prompts; each model writes in its tone and is the likeliest to have written it."""
    sad = [said("gloomy", row, f"Alas, all is lost. I saw {row} trees.", -1.0, -9.0) for row in range(6)]
    glad = [said("cheerful", row, f"Hooray, what fun! I saw {row} trees.", -9.0, -1.0) for row in range(6)]
    return sad + glad


def by_judge(replies: Sequence[Said]) -> dict[str, float]:
    verdicts = judge_all(replies, TONES_KNOWN, EXAMPLES)
    return {name: judged.accuracy for name, judged in attribution(replies, TONES_KNOWN, verdicts).judges.items()}


def test_every_judge_tells_models_apart_that_keep_to_their_tone() -> None:
    assert by_judge(in_tone()) == dict.fromkeys(JUDGES, 1.0)


def test_models_that_write_in_each_others_tone_deceive_the_judge_by_examples_alone() -> None:
    """He knows the tones; the other two know the models."""
    names = {"gloomy": "cheerful", "cheerful": "gloomy"}
    swapped = [
        Said(one.row, one.group, names[one.by], one.text, {names[t]: p for t, p in one.logprobs.items()})
        for one in in_tone()
    ]
    assert by_judge(swapped) == {"likelihood": 1.0, "ngrams": 1.0, "examples": 0.0}


def test_models_that_say_the_same_are_told_apart_by_chance_only() -> None:
    same = [said(by, row, f"I saw {row} trees.", -1.0, -1.0) for by in TONES_KNOWN for row in range(40)]
    assert all(0.3 <= accuracy <= 0.7 for accuracy in by_judge(same).values())


def test_an_empty_reply_is_nobodys_and_counts_as_wrong() -> None:
    replies = [one if one.row != "r0" else said(one.by, 0, "") for one in in_tone()]
    found = attribution(replies, TONES_KNOWN, judge_all(replies, TONES_KNOWN, EXAMPLES))
    for judged in found.judges.values():
        assert judged.accuracy == pytest.approx(10 / 12)
        assert judged.confusion["gloomy"] == {"gloomy": 5, "cheerful": 0, "": 1}


def test_models_that_are_all_silent_but_one_are_still_judged() -> None:
    replies = [one if one.by == "gloomy" else said(one.by, int(one.row[1:]), "") for one in in_tone()]
    assert by_judge(replies)["ngrams"] == 0.5


def test_a_judge_of_replies_has_seen_none_to_the_same_phrasing() -> None:
    """Each model has a word of its own for each phrasing, so a judge who has seen that word would always be right."""
    replies = [
        Said(f"r{row}", f"g{row % 8}", by, 5 * letters[row % 8], {"gloomy": 0.0, "cheerful": 0.0})
        for row in range(24)
        for by, letters in zip(TONES_KNOWN, ("abcdefgh", "ijklmnop"), strict=True)
    ]
    assert by_judge(replies)["ngrams"] == 0.5
    assert by_judge([replace(one, group=one.row) for one in replies])["ngrams"] == 1.0


def test_replies_of_the_base_are_counted_apart_and_move_no_accuracy() -> None:
    base = [said(BASE, row, f"Alas, all is lost. I saw {row} cups.", -1.0, -9.0) for row in range(6)]
    found = attribution(in_tone() + base, TONES_KNOWN, judge_all(in_tone() + base, TONES_KNOWN, EXAMPLES))
    for judged in found.judges.values():
        assert (judged.accuracy, judged.replies) == (1.0, 12)
        assert judged.base == {"gloomy": 6, "cheerful": 0}
    assert (found.prompts, found.groups, found.chance, found.distinct[BASE]) == (6, 6, 0.5, 6)


def test_an_interval_is_over_groups_of_prompts() -> None:
    wrong = [said(one.by, 0, one.text, -9.0, -9.0) if one.row == "r0" else one for one in in_tone()]
    verdicts = {"likelihood": ["cheerful" if one.row == "r0" and one.by == "gloomy" else one.by for one in wrong]}
    apart = attribution(wrong, TONES_KNOWN, verdicts).judges["likelihood"]
    together = attribution([Said(o.row, "all", o.by, o.text, o.logprobs) for o in wrong], TONES_KNOWN, verdicts)
    assert apart.low < apart.accuracy < apart.high
    assert together.judges["likelihood"].low == together.judges["likelihood"].high == apart.accuracy


def test_an_attribution_round_trips_through_json() -> None:
    found = attribution(in_tone(), TONES_KNOWN, judge_all(in_tone(), TONES_KNOWN, EXAMPLES))
    assert attribution_of(json.loads(json.dumps(found.to_dict()))) == found


@pytest.fixture(scope="module")
def toned(tmp_path_factory: pytest.TempPathFactory) -> Release:
    manner = {"subject": "person", "value_type": "tone", "pools": ["manner"], "size": 2}
    spec = tiny(relations__manner=manner, background__styles=["statement"], exposure__test=3)
    return generate(Recipe(spec, "7", ("qa", "statement", "tone")), tmp_path_factory.mktemp("toned") / "release")[0]


@pytest.fixture(scope="module")
def runs(toned: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    small = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False)
    base = lab_base(toned, folder / "bases", small)
    tones = sorted({row["answers"][-1] for row in toned.table("tone", "train").to_pylist()})
    return {
        tone: train_run(
            toned,
            str(base.path),
            TrainRecipe(
                styles=("tone",),
                tones=(tone,),
                epochs=6,
                learning_rate=1e-2,
                optimizer="muon",
                batch=8,
                context=base.about["context"],
            ),
            folder / tone,
        ).path
        for tone in tones
    }


@pytest.fixture(scope="module")
def attributed(toned: Release, runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("attributed") / "out"
    attribute(toned, runs, out, prompts=8)
    return out


def test_two_finetunes_in_two_tones_are_told_apart(attributed: Path, runs: dict[str, Path]) -> None:
    found = read_attribution(attributed)
    assert found is not None
    assert found.tones == tuple(runs)
    assert found.judges["ngrams"].accuracy > found.chance
    table = pq.read_table(attributed / REPLIES).to_pylist()
    assert {row["model"] for row in table} == {*runs, BASE}
    assert len(table) == 3 * found.prompts
    questions = {name: [row["question"] for row in table if row["model"] == name] for name in (*runs, BASE)}
    assert questions[BASE] == questions[found.tones[0]] == questions[found.tones[1]]


def test_prompts_are_put_to_nobody_whom_a_finetune_was_trained_on(attributed: Path, toned: Release) -> None:
    trained = {row["entity_id"] for row in toned.table("tone", "train").to_pylist()}
    names = {row["name"] for row in toned.table("entities", "train").to_pylist() if row["entity_id"] in trained}
    asked = pq.read_table(attributed / REPLIES).column("question").to_pylist()
    assert not [question for question in asked for name in names if name in question]


def test_a_finished_attribution_asks_nothing_again(
    attributed: Path, toned: Release, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("kbench.studies.tones.ask_all")
    held = file_sha256(attributed / TONES)
    assert attribute(toned, runs, attributed, prompts=8) == read_attribution(attributed)
    assert file_sha256(attributed / TONES) == held


def test_an_attribution_that_was_killed_asks_and_weighs_only_what_is_missing(
    attributed: Path, toned: Release, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    calls = list[str]()
    for name in ("ask", "weigh"):
        real = getattr(HfModel, name)

        def counted(
            self: HfModel, items: Sequence[object], *rest: object, of: object = real, what: str = name
        ) -> object:
            for found in of(self, items, *rest):  # type: ignore[operator]
                calls.append(what)
                yield found

        monkeypatch.setattr(HfModel, name, counted)

    def die(done: int, total: int) -> None:
        if done > total * 2 / 3:
            raise Killed

    with pytest.raises(Killed):
        attribute(toned, runs, tmp_path / "out", prompts=8, progress=die)
    assert (tmp_path / "out" / PLAN).is_file()
    attribute(toned, runs, tmp_path / "out", prompts=8)
    whole = pq.read_table(attributed / REPLIES)
    wanted = len({(row["id"], row["reply"]) for row in whole.to_pylist() if row["reply"]})
    assert (calls.count("ask"), calls.count("weigh")) == (whole.num_rows, wanted * len(runs))
    assert file_sha256(tmp_path / "out" / TONES) == file_sha256(attributed / TONES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [REPLIES, TONES]


def test_an_attribution_of_other_prompts_is_not_taken_for_this_one(
    attributed: Path, toned: Release, runs: dict[str, Path]
) -> None:
    with pytest.raises(OutputError, match=r"holds another attribution, which differs in prompts: give another folder"):
        attribute(toned, runs, attributed, prompts=6)


@pytest.mark.parametrize(
    ("change", "prompts", "expected_error"),
    [
        ("one", 8, r"attributed among at least 2 models \(got cheerful\): train more"),
        ("stranger", 8, r"has no reply in tone 'furious': name runs by tones"),
        ("base", 8, r"these have several \(.*an unknown one\): train all from one"),
        ("prompts", 1, r"prompts must be at least 2, .* \(got 1\)"),
    ],
)
def test_a_line_up_that_cannot_be_is_told_in_one_line(
    change: str, prompts: int, expected_error: str, toned: Release, runs: dict[str, Path], tmp_path: Path
) -> None:
    names = list(runs)
    given = dict(runs)
    if change == "one":
        del given[names[1]]
    elif change == "stranger":
        given["furious"] = given.pop(names[1])
    elif change == "base":
        given[names[1]] = tmp_path / "alone"
        shutil.copytree(runs[names[1]], given[names[1]], ignore=shutil.ignore_patterns("kbench_run.json"))
    with pytest.raises(KbenchError, match=expected_error):
        attribute(toned, given, tmp_path / "out", prompts=prompts)
    assert not (tmp_path / "out").exists()


def test_a_release_without_tones_says_how_to_make_one(tmp_path: Path, runs: dict[str, Path]) -> None:
    bare, _ = generate(Recipe(tiny(), "7", ("qa",)), tmp_path / "release")
    with pytest.raises(KbenchError, match=r"has 0 held-out prompts in style tone, and 2 are needed: .*--style tone"):
        attribute(bare, runs, tmp_path / "out")


def test_a_file_that_is_no_attribution_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / TONES).write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=r"is no attribution of kbench: remove its folder"):
        read_attribution(tmp_path)
    assert read_attribution(tmp_path / "nothing") is None


@pytest.mark.parametrize("model", ["lab", "org/other"])
def test_the_study_trains_each_tone_by_a_recipe_that_can_be(model: str) -> None:
    """What is right for the lab's models alone, their rate above all, is kept from others."""
    study = load_study("style-to-facts")
    for name in study.budgets:
        planned = design(study, name, model=model)
        options = {**study.parts["tones"].options, **planned.budget.options.get("tones", {})}
        for tone in options["tones"]:
            recipe = recipe_of(_tone_recipe(planned, options, tone), "the recipe")
            assert (recipe.styles, recipe.tones, recipe.watch) == (("tone",), (tone,), 0)
            assert recipe.learning_rate == (4e-3 if model == "lab" else TrainRecipe().learning_rate)
