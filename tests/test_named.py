"""The named releases: what lies on the shelf, and that the recipes still give it."""

import re
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from kbench.benchmarks.match import normalise
from kbench.benchmarks.prompts import prediction_of, prompt_of
from kbench.errors import KbenchError
from kbench.generator.benchmark import QUESTION
from kbench.generator.named import RECIPE, load_recipe, published
from kbench.generator.release import generate
from kbench.generator.verify import verify_release
from kbench.schema import SPLITS, STYLES
from kbench.shelf import DEFAULT, SHELF, names, shelved
from kbench.store import CANARY, CARD, EVAL, MANIFEST, PICTURE, open_release

ROOT = Path(__file__).parent.parent
TEXTS = (CARD, EVAL, PICTURE, MANIFEST)


def tiny() -> Path:
    """The release that lies on the shelf in full."""
    folder = shelved(DEFAULT)
    assert folder is not None
    return folder


def test_the_shelf_has_the_four_and_the_tree_shows_them_in_releases() -> None:
    assert names() == ["kbench-base", "kbench-methods", "kbench-small", "kbench-tiny"]
    for name in names():
        assert (ROOT / "releases" / name).resolve() == (ROOT / "src" / "kbench" / "releases" / name).resolve()
        assert {RECIPE, *TEXTS} <= {path.name for path in (SHELF / name).iterdir()}
        assert name in (ROOT / "releases" / "README.md").read_text(encoding="utf-8")


def test_kbench_tiny_has_every_style_and_split_and_is_small() -> None:
    release = open_release(tiny())
    assert set(release.configs()) == {*STYLES, "facts", "entities"}
    assert {split for config in release.configs() for split in release.splits(config)} == set(SPLITS)
    assert sum(path.stat().st_size for path in tiny().rglob("*") if path.is_file()) <= 5_000_000


def test_kbench_tiny_is_what_its_manifest_says_row_by_row() -> None:
    found = verify_release(tiny())
    assert found.verdict == "ok"
    assert found.derived
    assert {finding.where for finding in found.findings} == {RECIPE, "world.toml"}


def test_the_recipe_of_kbench_tiny_gives_its_every_byte(tmp_path: Path) -> None:
    release, _ = generate(load_recipe("kbench-tiny"), tmp_path / "again")
    made = {path.relative_to(release.path): path for path in release.path.rglob("*") if path.is_file()}
    assert {MANIFEST, *(file["path"] for file in release.manifest["files"])} <= {path.as_posix() for path in made}
    for where, path in made.items():
        assert path.read_bytes() == (tiny() / where).read_bytes(), where


@pytest.mark.releases
@pytest.mark.parametrize("name", ["kbench-methods", "kbench-small", "kbench-base"])
def test_the_recipe_of_a_big_release_gives_what_was_published(tmp_path: Path, name: str) -> None:
    release, _ = generate(load_recipe(name), tmp_path / name, workers=2)
    known = published(name)
    assert known is not None
    assert release.digest == known.digest
    for text in TEXTS:
        assert (release.path / text).read_bytes() == (SHELF / name / text).read_bytes(), text


def test_kbench_base_has_more_than_a_hundred_thousand_new_facts() -> None:
    base = published("kbench-base")
    assert base is not None
    manifest = base.manifest
    new = manifest["entities"]["new"] / sum(manifest["entities"].values())
    assert manifest["splits"]["facts/train"]["rows"] * new > 100_000


REFUSED = [
    (
        "nowhere",
        "",
        "no recipe 'nowhere': give a TOML file or one of kbench-base, kbench-methods, kbench-small, kbench-tiny",
    ),
    ("r.toml", "spec = 'lab'\nsede = '1'", "r.toml: 'seed': is missing: the keys of a recipe are spec, seed, styles"),
    ("r.toml", "spec = 'lab'\nseed = '1'\nsize = 3", "r.toml: 'size': no such key: the keys of a recipe are"),
    ("r.toml", "spec = 'lab'\nseed = '1'\n\"a\\nb\" = 3", "r.toml: 'a\\nb': no such key"),
    ("r.toml", "spec = 'lab'\nseed = 7", "r.toml: seed: Input should be a valid string (got '7')"),
    ("r.toml", "spec = 'lab'\nseed = '1'\nname = '../up'", "name: String should match pattern"),
    ("x" * 5000, "", "cannot read the recipe xxx"),
    ("r.toml", "spec = ", "r.toml is no TOML"),
    ("r.toml", "spec = 'gone'\nseed = '1'", "no world spec 'gone'"),
    ("r.toml", "spec = 'lab'\nseed = '1'\nstyles = ['poem']", "unknown style 'poem'"),
    ("r.toml", "spec = 'lab'\nseed = '1'\n[sizes]\nentities = 0", "sizes.entities: Input should be greater than"),
]


@pytest.mark.parametrize(("name", "text", "expected_error"), REFUSED)
def test_a_recipe_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected_error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text:
        Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(KbenchError) as caught:
        load_recipe(name)
    assert expected_error in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_takes_a_built_in_world_and_changes_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        "spec = 'lab'\nseed = 'x'\nname = 'mine'\nstyles = ['qa']\n[exposure]\nexposures = 3", encoding="utf-8"
    )
    recipe = load_recipe(str(path))
    assert (recipe.spec.name, recipe.seed, recipe.styles) == ("mine", "x", ("qa",))
    assert (recipe.spec.exposure.exposures, recipe.spec.exposure.paraphrases) == (3, 8)


def test_every_file_has_the_canary_of_its_card_and_no_row_holds_it() -> None:
    release = open_release(tiny())
    canary = release.manifest["canary"]
    assert f"`kbench canary GUID {canary}`" in (tiny() / CARD).read_text(encoding="utf-8")
    for file in release.manifest["files"]:
        with pq.ParquetFile(tiny() / file["path"]) as parquet:
            assert parquet.metadata.metadata[CANARY.encode()].decode() == canary
            assert canary not in str(parquet.read().to_pylist())


def test_two_releases_have_two_canaries() -> None:
    found = [release.manifest["canary"] for name in names() if (release := published(name))]
    assert len(set(found)) == len(names())


def test_the_benchmark_file_asks_in_kbenchs_own_prompt_and_of_every_style_with_one_answer() -> None:
    assert QUESTION.format(prompt="Who?") == prompt_of({"style": "qa", "question": "Who?"})
    about = yaml.safe_load((tiny() / EVAL).read_text(encoding="utf-8"))
    assert about["evaluation_framework"] == "inspect-ai"
    assert [task["id"] for task in about["tasks"]] == [
        "qa",
        "cloze",
        "numeric",
        "multihop",
        "reverse",
        "choice",
        "choice_letter",
    ]
    for task in about["tasks"]:
        row = open_release(tiny()).table(task["config"], task["split"]).slice(0, 1).to_pylist()[0]
        assert set(task["field_spec"].values()) <= set(row)


def test_the_card_says_what_the_release_is_and_shows_its_picture() -> None:
    text = (tiny() / CARD).read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "cc-by-4.0"
    assert [config["config_name"] for config in header["configs"]] == open_release(tiny()).configs()
    for heading in ("Rows", "Load", "Roles and splits", "Columns", "Reproduce", "Licence and citation", "Canary"):
        assert f"\n\n## {heading}\n" in text
    assert "**Not for:**" in text
    assert f"]({PICTURE})" in text
    assert (tiny() / PICTURE).read_text(encoding="utf-8").startswith("<svg ")


def test_the_hubs_own_client_reads_the_card() -> None:
    card = DatasetCard((SHELF / "kbench-base" / CARD).read_text(encoding="utf-8"))
    header = card.data.to_dict()
    assert (header["license"], header["size_categories"]) == ("cc-by-4.0", ["1M<n<10M"])
    assert header["task_categories"] == ["question-answering", "text-generation"]
    assert card.text.startswith("\n# kbench-base, world ")


def test_the_worlds_of_the_shelf_are_no_others() -> None:
    for name in names():
        said = tomllib.loads((SHELF / name / RECIPE).read_text(encoding="utf-8"))
        assert said["seed"] == name
        assert load_recipe(name).spec.name == name


REPLIES = [
    "musician",
    " musician.",
    "musician. He plays.",
    "\nmusician \nQuestion: more",
    "a musician",
    "",
    "St. Ives",
    "B. musician",
]


@pytest.mark.parametrize("style", ["qa", "cloze"])
@pytest.mark.parametrize("reply", REPLIES)
def test_the_benchmark_file_takes_for_the_answer_what_kbench_takes(style: str, reply: str) -> None:
    about = yaml.safe_load((tiny() / EVAL).read_text(encoding="utf-8"))
    (pattern,) = (task["scorers"][0]["args"]["pattern"] for task in about["tasks"] if task["id"] == style)
    found = re.search(pattern, reply, re.IGNORECASE)
    assert found is not None
    assert normalise(found[1]) == normalise(prediction_of({"style": style}, reply))
