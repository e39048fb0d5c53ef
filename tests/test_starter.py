"""`kbench init`, the spec's schema, private worlds, budgets of tokens and the dry run."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kbench.cli.app import app
from kbench.errors import OutputError, SpecError
from kbench.generator.budgets import in_budget, words_a_fact
from kbench.generator.building import build_world
from kbench.generator.estimate import estimates
from kbench.generator.lint import lint_coverage, lint_pack
from kbench.generator.packs import load_pack
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.generator.seeds import commitment, private_seed, salt_of
from kbench.generator.shards import styles_for
from kbench.generator.spec import builtin_specs, load_spec
from kbench.generator.starter import schema_text, world_schema, write_starter
from kbench.store import open_release
from tests.samples import tiny

SECRET = "a seed that nobody is to guess"

# ---- init


def test_init_writes_a_spec_and_a_pack_that_pass_every_check_and_make_a_release(tmp_path: Path) -> None:
    write_starter(tmp_path / "mine")
    spec, pack = load_spec(tmp_path / "mine" / "world.toml"), load_pack(tmp_path / "mine" / "templates")
    assert [str(f) for f in [*lint_pack(pack), *lint_coverage(pack, spec)]] == []
    recipe = Recipe(spec, "7", styles_for(["all"], spec), str(tmp_path / "mine" / "templates"))
    release, _ = generate(recipe, tmp_path / "release")
    assert set(release.configs()) >= {
        "qa",
        "dialogue",
        "article",
        "statement",
        "cloze",
        "numeric",
        "multihop",
        "choice",
    }


def test_init_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is there already and not empty"):
        write_starter(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_the_shipped_schema_is_that_of_the_spec() -> None:
    shipped = files("kbench.generator").joinpath("worlds/world.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(), "run `nox -s pools`, which writes it anew"


@pytest.mark.parametrize("table", ["Relation", "EntityType", "Paths", "Sizes", "Exposure", "Background"])
def test_the_schema_refuses_unknown_keys_in_every_table(table: str) -> None:
    assert world_schema()["$defs"][table]["additionalProperties"] is False


@pytest.mark.parametrize("name", builtin_specs())
def test_each_built_in_world_names_its_schema_for_editors(name: str) -> None:
    text = files("kbench.generator").joinpath(f"worlds/{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("#:schema ./world.schema.json\n")


# ---- private worlds

BAD_SEEDS: list[tuple[str, str | None, bytes | None, str]] = [
    ("no seed anywhere", None, None, "needs --seed-file FILE, or its seed in the environment as KBENCH_SEED"),
    ("a short one in a file", None, b"short", "has 5 characters and could be guessed"),
    ("a short one in the environment", "short", None, "the seed in KBENCH_SEED has 5 characters"),
    ("bytes that are no text", None, b"\xff\xfe\x00\x01" * 8, "is not UTF-8 text"),
]


@pytest.mark.parametrize(
    ("environment", "content", "expected_error"), [c[1:] for c in BAD_SEEDS], ids=[c[0] for c in BAD_SEEDS]
)
def test_a_private_seed_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None, content: bytes | None, expected_error: str
) -> None:
    monkeypatch.delenv("KBENCH_SEED", raising=False)
    if environment is not None:
        monkeypatch.setenv("KBENCH_SEED", environment)
    file = tmp_path / "seed"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SpecError) as error:
        private_seed(None if content is None else file)
    assert expected_error in str(error.value)


def test_a_private_release_never_says_its_seed_and_is_resumed_with_its_salt(tmp_path: Path) -> None:
    recipe = Recipe(tiny(), SECRET, ("qa",), private=True)
    release, written = generate(recipe, tmp_path / "out")
    again, rewritten = generate(recipe, tmp_path / "out")
    assert (written, rewritten) == (True, False)
    assert again.manifest == release.manifest
    seed = release.manifest["recipe"]["seed"]
    assert seed == commitment(SECRET, seed["salt"])
    assert SECRET not in repr(recipe) + repr(build_world(recipe.spec, SECRET))
    for path in release.path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_two_releases_of_one_private_seed_do_not_show_that_they_share_it() -> None:
    salts = [salt_of(None), salt_of(None)]
    assert commitment(SECRET, salts[0])["commitment"] != commitment(SECRET, salts[1])["commitment"]


def test_a_private_world_takes_no_seed_as_an_argument(tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(SECRET, encoding="utf-8")
    told = ["generate", "--private", "--seed-file", str(tmp_path / "seed"), "--seed", "5", "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, told)
    assert isinstance(result.exception, SpecError)
    assert "--seed is no secret" in str(result.exception)


# ---- budgets


def test_under_a_budget_of_tokens_a_wordy_style_states_a_fact_less_often() -> None:
    spec, pack = tiny(exposure__budget="tokens", exposure__exposures=40), load_pack()
    times = build_world(spec, "7").members("person", build_world(spec, "7").blocks("new")) * 0 + 40
    said = {style: int(in_budget(spec, pack, style, times)[0]) for style in ("qa", "dialogue", "statement")}
    assert said["qa"] == 40
    assert said["dialogue"] < 40
    spent = {style: n * words_a_fact(spec, pack, style) for style, n in said.items()}
    assert all(abs(float(words / spent["qa"]) - 1) < 0.05 for words in spent.values()), spent


def test_a_budget_of_tokens_gives_each_style_about_the_same_training_text(tmp_path: Path) -> None:
    styles = ("qa", "dialogue", "article", "statement")
    spec = tiny(exposure__budget="tokens", exposure__exposures=40)
    release, _ = generate(Recipe(spec, "7", styles), tmp_path)
    spent = {style: sum(r["repeat"] * _words(r) for r in release.table(style, "train").to_pylist()) for style in styles}
    assert max(spent.values()) < 1.35 * min(spent.values()), spent


def _words(row: dict[str, Any]) -> int:
    return len((row["text"] if "text" in row else f"{row['question']} {row['answer']}").split())


# ---- the dry run


def test_a_dry_run_comes_close_to_what_is_then_written(tmp_path: Path) -> None:
    spec = tiny(sizes__entities=240, sizes__background=60)
    pack, world = load_pack(), build_world(tiny(sizes__entities=240, sizes__background=60), "7")
    found = {f"{e.config}/{e.split}": e for e in estimates(world, pack, ("qa", "article", "statement"))}
    release, _ = generate(Recipe(spec, "7", ("qa", "article", "statement")), tmp_path / "out")
    assert set(found) == set(release.manifest["splits"])
    for key, split in release.manifest["splits"].items():
        assert abs(found[key].rows / split["rows"] - 1) < 0.15, key
    size = sum(file["bytes"] for file in release.manifest["files"])
    assert abs(sum(e.bytes for e in found.values()) / size - 1) < 0.4


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    told = ["generate", "--spec", "starter", "--style", "qa", "--dry-run", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert "CPU seconds" in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_audit_of_a_private_release_needs_no_seed(tmp_path: Path) -> None:
    generate(Recipe(tiny(), SECRET, ("qa",), private=True), tmp_path / "out")
    result = CliRunner().invoke(app, ["audit", str(tmp_path / "out"), "--json", str(tmp_path / "audit.json")])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert open_release(tmp_path / "out").world in result.output
