"""The Python door: `import kbench` is light, its examples are true, and it does what the command line does."""

import doctest
import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import kbench
import kbench.rows
from kbench.api import checks, comparing, importing, recipes, releases, runs, scores, world
from kbench.cli import main
from kbench.cli.audit import audit as audit_command
from kbench.cli.compare import compare as compare_command
from kbench.cli.evaluate import evaluate as evaluate_command
from kbench.cli.generate import generate as generate_command
from kbench.cli.import_data import import_data as import_command
from kbench.cli.know import know as know_command
from kbench.cli.train import train as train_command
from kbench.cli.verify import verify as verify_command
from kbench.generator.ownfacts.book import load_facts
from kbench.store import open_release
from tests.samples import TINY, Sample, files_under

MODULES = [kbench.rows, checks, comparing, importing, recipes, releases, runs, scores, world]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_give_what_they_say(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"kbench": kbench}):
        if test.examples:
            (tmp_path / test.name).mkdir()
            monkeypatch.chdir(tmp_path / test.name)
            told: list[str] = []
            result = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test, out=told.append)
            assert result.failed == 0, "".join(told)
            ran += result.attempted
    assert ran or module in (recipes, runs)


def test_every_name_of_kbench_is_there_once_it_is_asked_for_and_has_an_example_or_a_sentence() -> None:
    for name in kbench.__all__:
        assert inspect.getdoc(getattr(kbench, name))
    assert set(kbench.__all__) == set(kbench._HOMES)
    assert set(kbench.__all__) <= set(dir(kbench))
    with pytest.raises(AttributeError, match=r"module 'kbench' has no attribute 'Wrld': have KbenchError, .*World"):
        _ = kbench.Wrld


def test_importing_kbench_loads_nothing_but_the_standard_library() -> None:
    code = "import sys; before = set(sys.modules); import kbench; print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"kbench"}


ONLY: dict[str, set[str]] = {
    "generate": {"dry_run", "progress"},  # the one prints a table; the other is a bar on the command line
    "import_data": {"progress"},
    "verify": {"json", "progress"},
    "audit": {"json", "progress"},
    "train": {"progress"},
    "evaluate": {"measures", "progress"},  # the one prints more of what the result holds
    "know": {"progress"},
    "compare": {"json"},
}
"""What one of the two has and the other has not: everything else must be in both, with the same default."""

NAMED = {
    ("generate", "out"),
    ("import_data", "out"),
    ("train", "out"),
    ("train", "release"),
    ("evaluate", "out"),
    ("evaluate", "release"),
    ("know", "out"),
    ("know", "release"),
}
"""What Python has no default for, whatever the command takes: the folder that is written, the release that is read."""


@pytest.mark.parametrize(
    ("function", "command"),
    [
        (kbench.generate, generate_command),
        (kbench.import_data, import_command),
        (kbench.verify, verify_command),
        (kbench.audit, audit_command),
        (kbench.train, train_command),
        (kbench.evaluate, evaluate_command),
        (kbench.know, know_command),
        (kbench.compare, compare_command),
    ],
    ids=lambda each: each.__module__,
)
def test_a_function_and_its_command_have_the_same_arguments_and_defaults(
    function: Callable[..., Any], command: Callable[..., Any]
) -> None:
    ours, theirs = (dict(inspect.signature(each).parameters) for each in (function, command))
    renamed = {"folder": "release"}
    theirs = {name: each for name, each in theirs.items() if each.annotation is not typer.Context}
    names = {renamed.get(name, name) for name in theirs}
    assert names ^ set(ours) == ONLY[function.__name__]
    for name, parameter in theirs.items():
        mine = ours.get(renamed.get(name, name))
        if mine is None or (function.__name__, name) in NAMED:
            continue
        assert _plain(parameter.default) == _plain(mine.default), name


def _plain(default: Any) -> list[Any]:
    """A default in plain values; the one style of an option that may be repeated is a list."""
    return [getattr(each, "value", each) for each in (default if isinstance(default, list | tuple) else [default])]


def test_a_world_gives_the_rows_of_its_release_in_every_style_and_split(lab: Sample) -> None:
    world = kbench.World("lab", seed=7)
    assert world.tag == lab.release.world
    counted = 0
    for config, splits in lab.release.counts().items():
        assert world.splits(config) == list(splits)
        for split in splits:
            assert world.rows(config, split).table.equals(lab.release.table(config, split)), f"{config}/{split}"
            counted += 1
    assert counted == len(lab.release.manifest["splits"])
    assert world.entities().table.equals(lab.release.table("entities", "train"))
    assert world.facts().table.equals(lab.release.table("facts", "train"))
    assert set(world.styles) == set(lab.release.configs()) - {"facts", "entities"}
    assert world.sizes == {role: n for role, n in lab.release.manifest["entities"].items() if n}


def test_any_entity_and_fact_is_found_by_its_id(sample: Sample) -> None:
    world = kbench.World(sample.spec, seed=sample.release.manifest["recipe"]["seed"])
    for entities in (list(sample.entities.values())[:3], list(sample.entities.values())[-3:]):
        for entity in entities:
            assert world.entity(entity["entity_id"]) == entity
            mine = [fact for fact in sample.facts.values() if fact["subject_id"] == entity["entity_id"]]
            assert list(world.facts(about=entity["entity_id"])) == mine
            for fact in mine:
                assert world.fact(fact["fact_id"]) == fact


@pytest.mark.parametrize(
    ("kind", "wanted", "expected_error"),
    [
        ("entity", "person-0", "no entity 'person-0' in world {tag}: expected an id like {tag}/<type>-<number>, with"),
        ("entity", "{tag}/cow-1", "with a type of person, company; .entities() has all of them"),
        ("entity", "00000000/person-0", "no entity '00000000/person-0' in world"),
        ("entity", "{tag}/person-20", "no entity '{tag}/person-20' in world"),  # beyond the sizes
        ("entity", "{tag}/person-999999999999999", "no entity"),
        ("entity", "{tag}/person-9999999999999999", "no entity"),
        ("facts", "{tag}/person-20", "no entity '{tag}/person-20'"),
        ("fact", "{tag}/person-0/age", "no fact '{tag}/person-0/age' in world {tag}: expected an id like {tag}/<type>"),
        ("fact", "born", "no fact 'born'"),
    ],
)
def test_an_id_that_the_world_has_not_is_refused_in_one_line(kind: str, wanted: str, expected_error: str) -> None:
    world = kbench.World("lab", seed=7, entities=7)
    assert world.sizes["new"] == 7
    with pytest.raises(kbench.KbenchError) as caught:
        getattr(world, kind)(wanted.format(tag=world.tag))
    assert expected_error.format(tag=world.tag) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "expected_error"),
    [
        (lambda: kbench.World("nowhere"), "no world spec 'nowhere': give a TOML file or one of default, known"),
        (lambda: kbench.World(TINY | {"colour": 1}), "unknown key 'colour' in spec: have name, description"),
        (lambda: kbench.World(entities=0), "sizes.entities: Input should be greater than or equal to 1 (got 0)"),
        (lambda: kbench.World(seed=3, seed_file="nowhere"), "--seed is no secret"),
        (lambda: kbench.World(seed_file="nowhere"), "cannot read the seed file nowhere: No such file or directory"),
        (lambda: kbench.World(facts="nowhere.csv"), "nowhere.csv"),
        (lambda: kbench.World(TINY).rows("poem"), "unknown style 'poem': have qa, dialogue"),
        (lambda: kbench.World(TINY).rows("reverse"), "the spec 'tiny' has no [paths] reverse, so there is nothing"),
        (lambda: kbench.World(TINY).rows("article", "test"), "has no article/test: have article/pretrain, article/tr"),
        (lambda: kbench.generate("out", "poem"), "unknown style 'poem': have qa, dialogue"),
        (lambda: kbench.generate("out", resume="always", spec=TINY), "nothing to resume in out"),
        (
            lambda: kbench.generate("out", "all", recipe="kbench-tiny"),
            "--recipe fixes what is written: leave --style aw",
        ),
        (
            lambda: kbench.generate("out", seed=1, recipe="kbench-tiny"),
            "--recipe fixes what is written: leave --seed aw",
        ),
        (lambda: kbench.generate("out", recipe="nowhere"), "no recipe 'nowhere': give a TOML file or one of kbench-ba"),
        (
            lambda: kbench.load_release("kbench-small"),
            "kbench-small comes with kbench as a recipe only: make it with `kbench generate --recipe",
        ),
        (lambda: kbench.load_release("nowhere"), "no release at nowhere: there is no such folder"),
        (lambda: kbench.verify("nowhere"), "no release at nowhere: there is no such folder"),
        (lambda: kbench.audit("nowhere"), "no release at nowhere: there is no such folder"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Callable[[], object], expected_error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kbench.KbenchError) as caught:
        ask()
    assert expected_error in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_python_and_the_command_line_write_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["generate", "--spec", "lab", "--seed", "7", "--entities", "21", "--style", "qa", "--out", "shell"]
    monkeypatch.setattr(sys, "argv", ["kbench", *words])
    with pytest.raises(SystemExit, match="0"):
        main()
    seen: list[tuple[int, int]] = []
    made = kbench.generate(
        "python", spec="lab", seed=7, entities=21, progress=lambda done, total, rows: seen.append((done, total))
    )
    assert files_under(Path("python")) == files_under(Path("shell"))
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] == len(made.manifest["files"])
    assert kbench.World("lab", seed=7, entities=21).generate("world").digest == made.digest
    assert kbench.verify(made).verdict == "ok"
    shared = {
        check.name: check.failures for check in kbench.audit("python", against=open_release(Path("shell"))).checks
    }
    assert shared["names_against"] == len(made.rows("entities"))


def test_a_named_recipe_makes_what_is_on_the_shelf(tmp_path: Path) -> None:
    made = kbench.generate(tmp_path / "tiny", recipe="kbench-tiny")
    assert made.digest == kbench.load_release("kbench-tiny").digest
    changed = kbench.Release(made.path, {**made.manifest, "splits": {}})
    with pytest.raises(kbench.KbenchError, match=r"published was [0-9a-f]{16} by kbench .*not those of kbench-tiny"):
        releases.is_as_published(changed, "kbench-tiny")


def test_a_private_world_is_made_of_a_file_and_its_seed_is_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = "correct horse battery staple"
    Path("seed.txt").write_text(secret)
    world = kbench.World(TINY, seed_file="seed.txt")
    release = world.generate("out")
    assert release.digest == kbench.generate("twin", spec=TINY, private=True, seed_file="seed.txt").digest
    assert set(release.manifest["recipe"]["seed"]) == {"salt", "commitment"}
    assert secret not in repr(world) + repr(vars(world)) + repr(release)
    assert not [name for name, held in files_under(tmp_path).items() if secret.encode() in held and name != "seed.txt"]
    assert kbench.verify(release).verdict == "in part"
    assert kbench.verify(release, seed_file="seed.txt").verdict == "ok"


def test_own_facts_come_with_the_warnings_of_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lamps.csv").write_text("subject,relation,value\nLamp,warranty,three years\nSpeaker,warranty,two years\n")
    with pytest.warns(UserWarning, match="in generic frames") as caught:
        release = kbench.generate("out", facts="lamps.csv")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        world = kbench.World(facts="lamps.csv")
    assert world.facts().table.equals(release.table("facts", "train"))
    assert {row["subject"] for row in world.facts()} == set(load_facts(Path("lamps.csv")).subjects)
    twin = next(row for row in world.entities() if row["role"] == "control")
    assert world.entity(twin["entity_id"]) == twin
