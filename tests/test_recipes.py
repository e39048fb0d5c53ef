"""Training recipes: what they may say, and how they are read from a file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kbench.benchmarks.recipe import FIELDS, TrainRecipe
from kbench.benchmarks.recipe_file import load_train_recipe, recipe_of, recipe_values
from kbench.errors import SpecError


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


CHOICE: dict[str, Any] = {"facts": ("4", "0"), "facts_among": ("4", "0"), "facts_by": "exposures"}


@pytest.mark.parametrize(
    ("changes", "expected_error"),
    [
        ({"styles": ()}, "styles must name at least one style (got none): have qa, dialogue"),
        ({"styles": ("qaa",)}, "unknown style 'qaa': have qa, dialogue, article"),
        ({"styles": ("qa", "qa")}, "styles must name each once (got 'qa' twice)"),
        ({"styles": "qa"}, "styles must be a valid list (got 'qa')"),
        ({"epochs": 0}, "epochs must lie in 1 to 10,000 (got 0)"),
        ({"epochs": 1.5}, "epochs must be a valid integer (got 1.5)"),
        ({"epochs": True}, "epochs must be a valid integer (got True)"),
        ({"paraphrases": 0}, "paraphrases must lie in 1 to 1,000 (got 0)"),
        ({"order": "random"}, "order must be 'mixed' or 'sequence' (got 'random')"),
        ({"order": "sequence"}, "order = 'sequence' needs two styles or more, read one after the other (styles: qa)"),
        ({"permutations": 65}, "permutations must lie in 0 to 64 (got 65)"),
        (
            {"permutations": 2},
            "permutations = 2 needs the style article, whose texts have several sentences (styles: qa)",
        ),
        ({"reversals": True}, "reversals = true needs the style statement, which holds them (styles: qa)"),
        ({"implications": True}, "implications = true needs the style statement, which holds them (styles: qa)"),
        ({"replay": 1.0}, "replay must be at least 0 and less than 1 (got 1.0)"),
        ({"replay": float("nan")}, "replay must be at least 0 and less than 1 (got nan)"),
        ({"replay_text": "a.txt"}, "replay_text = 'a.txt' needs replay, its share of the tokens, above 0 (got 0.0)"),
        ({"only": ("Known",)}, "only[0] must be 'HighlyKnown', 'MaybeKnown', 'WeaklyKnown' or 'Unknown' (got 'Known')"),
        ({"only": ("Unknown",)}, "only = ['Unknown'] needs knownness, the folder of labels"),
        ({"idk": True}, "idk = true needs knownness, the folder of labels that `kbench know` writes (got none)"),
        (
            {"idk": True, "knownness": "k", "styles": ("article",)},
            "idk = true needs a style of questions (styles: article)",
        ),
        ({"curriculum": "known-first"}, "curriculum = 'known-first' needs knownness, the folder"),
        (
            {"knownness": "labels"},
            "knownness = 'labels' is used by none of facts_by, only, idk, curriculum, known_at_end",
        ),
        ({"known_at_end": -0.1}, "known_at_end must be at least 0 and less than 1 (got -0.1)"),
        ({"method": "qlora"}, "method must be 'full' or 'lora' (got 'qlora')"),
        ({"lora_rank": 0}, "lora_rank must lie in 1 to 65,536 (got 0)"),
        ({"lora_dropout": 1.0}, "lora_dropout must be at least 0 and less than 1 (got 1.0)"),
        ({"learning_rate": 2.0}, "learning_rate must be more than 0 and less than 1 (got 2.0)"),
        ({"warmup": 2.0}, "warmup must lie in 0 to 1 (got 2.0)"),
        ({"context": 4}, "context must lie in 8 to 1,048,576 (got 4)"),
        ({"loss": "none"}, "loss must be 'answer' or 'all' (got 'none')"),
        (
            {"chat": True, "styles": ("article",)},
            "chat = true needs a style of questions or dialogues (styles: article)",
        ),
        ({"bf16": 1}, "bf16 must be a valid boolean (got 1)"),
        ({"batch": 8, "processes": 3}, "batch must be a multiple of processes: all share its rows (got 8 and 3)"),
        ({"tokens": 0}, "tokens must lie in 1 to 1,000,000,000,000 (got 0)"),
        (
            {"tokens": 5000, "epochs": 2},
            "tokens = 5000 and epochs = 2 both say how long the training is: give one of them",
        ),
        ({"volume": 0.0}, "volume must be more than 0 and at most 1 (got 0.0)"),
        ({"volume": 1.5}, "volume must be more than 0 and at most 1 (got 1.5)"),
        ({"volume": float("nan")}, "volume must be more than 0 and at most 1 (got nan)"),
        ({"celebrities": 1.0, "paraphrases": 1}, "celebrities must be at least 0 and less than 1 (got 1.0)"),
        ({"celebrities": 0.2}, "celebrities = 0.2 needs paraphrases, what all others have (got none)"),
        ({"tones": ("blunt",)}, "tones = ['blunt'] needs the style tone, whose manners they are (styles: qa)"),
        ({"tones": ("blunt", "blunt"), "styles": ("tone",)}, "tones must name each once (got 'blunt' twice)"),
        (
            {"chains": True, "styles": ("article",)},
            "chains = true needs the style multihop, or replay from pretrain (styles: article; replay: 0.0)",
        ),
        (
            {"chains": True, "replay": 0.5, "replay_text": "a.txt"},
            "chains = true needs the style multihop, or replay from pretrain (styles: qa; replay: 0.5)",
        ),
        (
            {"chains": True, "styles": ("multihop",), "chat": True},
            "chains = true has no form with chat = true: leave one of them out",
        ),
        (
            {"chains": True, "styles": ("multihop",), "idk": True, "knownness": "k"},
            "chains = true has no form with idk = true: leave one of them out",
        ),
        ({"early_stop": True}, "early_stop = true needs watch, the questions asked each epoch, above 0 (got 0)"),
        (
            {"watch_styles": ("qa",)},
            "watch_styles = ['qa'] needs watch, the questions asked each epoch, above 0 (got 0)",
        ),
        ({"watch": 2, "watch_styles": ("article",)}, "watch_styles: 'article' is no style of questions: have qa"),
        ({"patience": 2}, "patience = 2 needs watch, the questions asked each epoch, above 0 (got 0)"),
        ({"facts": ("top",)}, "facts = ['top'] needs facts_by, what they are chosen by: exposures, knownness or"),
        ({"facts_by": "exposures"}, "facts_by = 'exposures' needs facts, what is taken (got none)"),
        ({"facts_among": ("4", "0")}, "facts_among = ['4', '0'] needs facts, what is taken (got none)"),
        ({"facts_balanced": True}, "facts_balanced = true needs facts, what is taken (got none)"),
        ({"facts_by": "fame", "facts": ("top",)}, "facts_by must be '', 'exposures', 'knownness' or 'popularity' (got"),
        ({"facts": ("top",), "facts_by": "knownness"}, "facts_by = 'knownness' needs knownness, the folder of labels"),
        ({**CHOICE, "facts": ("top", "random")}, "facts = ['top', 'random']: random and whole stand alone"),
        ({**CHOICE, "facts": ("whole",), "facts_mix": (0.5,)}, "facts_mix has no use with facts = ['whole']: leave it"),
        ({**CHOICE, "facts": ("4", "4")}, "facts must name each once (got '4' twice)"),
        ({**CHOICE, "facts_among": ("4", "0", "4")}, "facts_among must name each once (got '4' twice)"),
        ({**CHOICE, "facts": ("9",)}, "facts: ['9'] is not among facts_among = ['4', '0']"),
        ({**CHOICE, "facts_mix": (0.5,)}, "facts_mix must have a share for each of facts = ['4', '0'] (got [0.5])"),
        ({**CHOICE, "facts_mix": (0.5, 1.5)}, "facts_mix must be of shares from 0 to 1 (got 1.5)"),
        ({"relations": ("height", "height")}, "relations must name each once (got 'height' twice)"),
        ({"keep": (0.0,)}, "keep must be of shares of the steps, more than 0 and less than 1 (got 0.0)"),
        ({"keep": (0.5, 1.0)}, "keep must be of shares of the steps, more than 0 and less than 1 (got 1.0)"),
        ({"keep": (0.5, 0.5)}, "keep must name each once (got 0.5 twice)"),
        ({"watch_probes": ("known",)}, "watch_probes = ['known'] needs watch, the questions asked each epoch, above 0"),
        ({"watch": 2, "watch_probes": ("guess",)}, "watch_probes: unknown probe 'guess': have recall, paraphrase"),
        ({"seed": -1}, "seed must lie in 0 to 4,294,967,295 (got -1)"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_when_it_is_made(changes: dict[str, Any], expected_error: str) -> None:
    with pytest.raises(SpecError) as caught:
        TrainRecipe(**changes)
    assert str(caught.value).startswith(expected_error)
    assert "\n" not in str(caught.value)


def test_sharding_adapters_and_whole_numbers_for_shares_are_allowed() -> None:
    assert TrainRecipe(method="lora", fsdp=True, replay=0).replay == 0
    assert TrainRecipe(known_at_end=0.1).known_at_end == 0.1


@pytest.mark.parametrize(
    ("text", "expected_error"),
    [
        (
            "learning-rate = 1e-4",
            "unknown key 'learning-rate' in {path}: did you mean 'learning_rate'? have styles, epochs,",
        ),
        ("[model]\nlayers = 2", "unknown key 'model' in {path}: have styles, epochs, tokens"),
        ("styles = ['qa']\nepochs = = 2", "{path}: not valid TOML: Invalid value (at line 2, column 10)"),
        ("epochs = 2.5", "{path}: epochs must be a valid integer (got 2.5)"),
        ("epochs = '2'", "{path}: epochs must be a valid integer (got '2')"),
        ("styles = ['qa', 1]", "{path}: styles[1] must be a valid string (got 1)"),
        ("styles = 'all'", "{path}: styles must be a valid list (got 'all')"),
        ("bf16 = 'yes'", "{path}: bf16 must be a valid boolean (got 'yes')"),
    ],
)
def test_a_recipe_file_that_cannot_be_is_told_in_one_line(tmp_path: Path, text: str, expected_error: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        load_train_recipe(path)
    assert str(caught.value).startswith(expected_error.format(path=path))
    assert "\n" not in str(caught.value)


def test_a_recipe_file_that_is_missing_or_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no recipe at .*none.toml: give a TOML file whose keys are styles, epochs"):
        load_train_recipe(tmp_path / "none.toml")
    with pytest.raises(SpecError, match=r"cannot read the recipe .*: Is a directory: give a TOML file"):
        load_train_recipe(tmp_path)
    (tmp_path / "recipe.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="not valid TOML: 'utf-8' codec"):
        load_train_recipe(tmp_path / "recipe.toml")


def test_a_recipe_file_sets_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, "styles = ['qa', 'article']\norder = 'sequence'\nlearning_rate = 1e-5\nreplay = 0\n")
    assert load_train_recipe(path) == TrainRecipe(
        styles=("qa", "article"), order="sequence", learning_rate=1e-5, replay=0
    )
    assert list(recipe_values(path)) == ["styles", "order", "learning_rate", "replay"]


def test_files_that_a_recipe_names_lie_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, "replay = 0.1\nreplay_text = 'web.txt'\nknownness = '/labels'\nidk = true\n")
    recipe = load_train_recipe(path)
    assert recipe.replay_text == str(tmp_path / "web.txt")
    assert recipe.knownness == "/labels"


def test_every_field_survives_the_way_through_a_run_and_through_a_file(tmp_path: Path) -> None:
    recipe = TrainRecipe(
        styles=("qa", "article"),
        watch=10,
        patience=3,
        knownness="labels",
        only=("Unknown",),
        facts=("4", "0"),
        facts_by="exposures",
        facts_mix=(0.5, 0.25),
        keep=(0.2, 0.5),
    )
    kept = recipe.to_dict()
    assert set(kept) == set(FIELDS)
    assert recipe_of(kept, "kbench_run.json") == recipe
    with pytest.raises(SpecError, match=r"^kbench_run.json: epochs must lie"):
        recipe_of({**kept, "epochs": 0}, "kbench_run.json")


PAGE = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_each_recipe_of_the_page_can_be_read(tmp_path: Path, example: str) -> None:
    assert load_train_recipe(written(tmp_path, example)) != TrainRecipe()


def test_the_page_names_every_option_with_its_default() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row[1])]
    assert set(named) | {"lora_rank", "lora_alpha", "lora_dropout", "lora_targets"} == set(FIELDS)
    for row in rows:
        names, shown = re.findall(r"`(\w+)`", row[1]), re.findall(r"`([^`]+)`", row[2])
        values = [json.loads(value) for value in shown]
        defaults = [TrainRecipe().to_dict()[name] for name in names]
        assert values == defaults[: len(values)] or (len(values) == 1 and set(defaults) == set(values)), names
