"""Entries run again: on a copy that is closed to held-out questions, on a private world, and not believed."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from transformers import AutoTokenizer

from kbench.benchmarks import diet, packing
from kbench.benchmarks.asked_recipe import fitting, train_recipe
from kbench.benchmarks.packing import training_rows
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import RUN, read_samples
from kbench.benchmarks.run import train_run
from kbench.benchmarks.scoring import score
from kbench.errors import KbenchError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.ids import json_digest
from kbench.leaderboard import rerun, training, worlds
from kbench.leaderboard.axes import scores_of
from kbench.leaderboard.begun import TOKEN, begin_work
from kbench.leaderboard.closed import closed_copy
from kbench.leaderboard.entry import Asked, Base, Cost, Entry, Model, Released, Samples
from kbench.leaderboard.folder import read_entry, write_entry
from kbench.leaderboard.passes import article_pass
from kbench.leaderboard.standing import is_reproduced
from kbench.leaderboard.tracks import entry_recipe
from kbench.leaderboard.training import shown_tokens, trainer
from kbench.leaderboard.verify import Verified, keep, verify
from kbench.leaderboard.worlds import World, twin_of, world_of
from kbench.studies.lab import LabRecipe, lab_base
from tests.boards import made_scores
from tests.samples import files_under, run, tiny

pytestmark = [pytest.mark.board, pytest.mark.xdist_group("verify")]  # one worker makes the worlds for all of them

SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False)
STYLES = ("qa", "article", "statement", "cloze", "numeric", "multihop", "reverse")
CHIEF = {"subject": "company", "value_type": "entity", "object": "person"}
RECIPE = Recipe(
    tiny(
        relations__chief=CHIEF,
        paths__reverse=["employer", "chief"],
        background__questions=0.5,
        exposure__number_forms=["digits"],
        exposure__paraphrases=1,
    ),
    "7",
    STYLES,
)
SEED = "a seed that nobody is ever told"


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    os.environ["KBENCH_SEED"] = SEED
    with trainer() as started:
        assert started.submit(os.getenv, "KBENCH_SEED").result() is None
        yield started
    assert os.environ.pop("KBENCH_SEED") == SEED


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("public")
    release, _ = generate(RECIPE, folder / "release")
    return world_of("kbench-methods", release, folder, folder / "bases", lambda kind: SMALL)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> World:
    return replace(twin_of("kbench-methods", RECIPE, tmp_path_factory.mktemp("private"), SEED), lab=lambda kind: SMALL)


@pytest.fixture(scope="module")
def honest(public: World, tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """What somebody enters who has trained and scored on the whole release, in one process."""
    folder, release = tmp_path_factory.mktemp("user"), public.release
    base = lab_base(release, public.bases, SMALL)
    toml = folder / "mine.toml"
    toml.write_text('styles = ["qa", "article"]\npermutations = 1\n', encoding="utf-8")
    recipe = fitting(train_recipe(release, "lab", recipe=toml), base.about["context"], toml, None)
    done = train_run(release, str(base.path), recipe, folder / "run")
    result = score(release, str(folder / "run"), folder / "result", base=str(base.path))
    known = next(s["base"] for s in result.about["kbench"]["scores"] if (s["style"], s["probe"]) == ("qa", "known"))
    rows = read_samples(result.path, ["style", "probe", "entity_id", "relation", "fact_ids", "correct"]).to_pylist()
    return Entry(
        id="honest",
        track="methods",
        kind="method",
        title="Questions and articles",
        submitted=date(2026, 11, 22),
        kbench="0.1.0",
        release=Released(name="kbench-methods", world=release.world, digest=release.digest),
        base=Base(model="lab", recipe=json_digest(SMALL.to_dict()), weights=done.about["base"]["weights"]),
        recipe={"styles": ["qa", "article"], "permutations": 1},
        model=Model(name="mine", digests=done.about["weights"]),
        article_pass=article_pass(release, base.path),
        cost=Cost(tokens=done.about["trained"]["tokens"], wall_s=1),
        scores=scores_of(rows, known),
        samples=Samples(sha256="0" * 64, rows=1),
    )


def edited(entry: Entry, **changes: Any) -> Entry:
    """The entry with some of its parts changed: `release__digest` is that of the part `release`."""
    for name, value in changes.items():
        whole, _, part = name.partition("__")
        value = getattr(entry, whole).model_copy(update={part: value}) if part else value
        entry = entry.model_copy(update={whole: value})
    return Entry.model_validate(entry.model_dump())


def test_a_closed_copy_holds_no_held_out_row_and_nothing_about_controls(public: World) -> None:
    release, closed = public.release, public.closed
    held_out = [f for f in release.manifest["files"] if f["split"] in ("test", "control")]
    assert held_out
    for file in held_out:
        with pytest.raises(FileNotFoundError):
            (closed.path / file["path"]).read_bytes()
    assert {path.parts[0] for path in map(Path, files_under(closed.path))} == {
        *closed.configs(),
        "kbench_manifest.json",
    }
    entities = release.table("entities", "train").to_pylist()
    controls = {row["entity_id"]: row["name"] for row in entities if row["role"] == "control"}
    facts = [row for row in release.table("facts", "train").to_pylist() if row["subject_id"] in controls]
    told = "\n".join(
        json.dumps(row)
        for config in closed.configs()
        for split in closed.splits(config)
        for row in closed.table(config, split).to_pylist()
    )
    assert controls
    assert not [name for name in (*controls.values(), *controls) if f'{name}"' in told]
    assert not [fact["fact_id"] for fact in facts if fact["fact_id"] in told]
    assert "seed" not in closed.manifest["recipe"]
    assert [
        key for key in release.manifest["splits"] if key.split("/")[1] in ("pretrain", "train", "validation")
    ] == list(closed.manifest["splits"])


def test_a_closed_copy_is_finished_once_and_not_taken_for_another(
    public: World, private: World, tmp_path: Path
) -> None:
    out = tmp_path / "closed"
    (tmp_path / ".closed.part").mkdir()  # of a process that was killed
    (tmp_path / ".closed.part" / "left").write_text("over", encoding="utf-8")
    closed_copy(public.release, out)
    written = files_under(out)
    assert written == files_under(public.closed.path)
    closed_copy(public.release, out)
    assert files_under(out) == written
    with pytest.raises(KbenchError, match="holds no closed copy of"):
        closed_copy(private.release, out)


def test_a_verified_entry_is_reproduced_digit_for_digit_until_its_claim_is_edited(
    honest: Entry, public: World, private: World, pool: Executor, tmp_path: Path
) -> None:
    path = write_entry(tmp_path, honest)
    done = verify(honest, public, private, pool)
    assert done.told == (
        f"honest: the same weights and scores, digit for digit; headline {honest.scores.headline:.3f} claimed, "
        f"{honest.scores.headline:.3f} found: reproduced"
    )
    keep(done, path)
    kept = read_entry(path)
    assert kept.reproduced
    assert kept.reproduced.private
    assert kept.reproduced.public.scores == honest.scores
    assert kept.reproduced.private.rerun.scores != honest.scores
    seed = private.release.manifest["recipe"]["seed"]
    assert (kept.reproduced.private.commitment, kept.reproduced.private.salt) == (seed["commitment"], seed["salt"])
    assert is_reproduced(kept)
    assert not is_reproduced(edited(kept, title="Another method"))
    again = verify(kept, public, None, pool)  # without the seed
    assert again.entry.reproduced == kept.reproduced


def test_what_a_private_world_is_made_of_stays_in_its_folder(private: World, honest: Entry, tmp_path: Path) -> None:
    assert str(private.bases).startswith(str(private.folder))
    assert not [name for name, held in files_under(private.folder).items() if SEED.encode() in held]


def test_one_seed_gives_one_commitment_in_whatever_folder(private: World, tmp_path: Path) -> None:
    again = twin_of("kbench-methods", RECIPE, tmp_path / "again", SEED)
    assert again.commitment == private.commitment
    assert again.release.digest == private.release.digest
    assert twin_of("kbench-tiny", RECIPE, tmp_path / "other", SEED).commitment != private.commitment


def test_a_private_world_of_another_seed_or_salt_is_refused(tmp_path: Path) -> None:
    generate(replace(RECIPE, seed=SEED, private=True), tmp_path / "release")  # by a salt that was drawn
    for seed in (SEED, "another seed that nobody is told"):
        with pytest.raises(
            KbenchError, match="holds a private world of another seed, or of another salt: give another"
        ):
            twin_of("kbench-methods", RECIPE, tmp_path, seed)


STAGES = {"the base": 0.29, "the training": 0.59, "the scoring": 0.8}


def test_a_verification_stopped_at_any_stage_goes_on(
    honest: Entry, public: World, pool: Executor, tmp_path: Path
) -> None:
    world = world_of(public.name, public.release, tmp_path, tmp_path / "bases", public.lab)
    for least in STAGES.values():

        def stop(done: float, least: float = least) -> None:
            if done >= least:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            verify(honest, world, None, pool, stop)
    trained = tmp_path / "entries" / "honest" / "run" / RUN
    before = trained.stat().st_mtime_ns
    done = verify(honest, world, None, pool)
    assert not done.against
    assert done.same_weights
    assert trained.stat().st_mtime_ns == before


def test_a_work_folder_that_somebody_else_prepared_is_refused(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begin_work(begun)
    begin_work(begun)  # it goes on
    assert files_under(begun).keys() == {TOKEN}
    foreign, without, copied = tmp_path / "foreign", tmp_path / "without", tmp_path / "copied"
    for folder, token in ((foreign, "0" * 32), (without, None), (copied, (begun / TOKEN).read_text())):
        planted = folder / "public" / "kbench-methods" / "entries" / "honest" / "run" / RUN
        planted.parent.mkdir(parents=True)
        planted.write_text("{}", encoding="utf-8")
        if token:
            (folder / TOKEN).write_text(token, encoding="utf-8")
        with pytest.raises(KbenchError, match="was not begun by this machine's verify: give an --out that does not"):
            begin_work(folder)
    (begun / TOKEN).write_text("1" * 32, encoding="utf-8")
    with pytest.raises(KbenchError, match="was not begun by this machine's verify"):
        begin_work(begun)


def test_an_empty_work_folder_is_begun_and_a_file_is_refused(tmp_path: Path) -> None:
    begin_work(tmp_path)
    assert (tmp_path / TOKEN).is_file()
    with pytest.raises(KbenchError, match="is a file, not a folder"):
        begin_work(tmp_path / TOKEN)


REFUSED = [
    ({"release__digest": "0" * 64}, "is of another release than kbench-methods: expected the digest"),
    ({"release__name": "../a/recipe.toml"}, "is of '../a/recipe.toml': the track methods has kbench-methods"),
    ({"release__world": "00000000"}, "is of the world 00000000: kbench-methods is "),
    ({"base__recipe": "0" * 64}, "stands on another base of the lab than the leaderboard's: expected the recipe's"),
    ({"base__model": "../models/mine"}, "the base '../models/mine' is not pinned: expected lab, or ORG/NAME@COMMIT"),
    ({"kind": "model"}, "an entry of the track methods is no model"),
    ({"kind": "floor"}, "a floor is not trained, expected no recipe and no tokens"),
    ({"recipe": {}}, "has no recipe to run again: it stays self-reported"),
    ({"recipe": {"styles": ["qa"], "seed": 3}}, "'seed' is no key of a leaderboard recipe"),
    ({"asked": Asked(prompt="open-book")}, "was asked with the prompt open-book: expected plain of a method"),
    ({"track": "models", "kind": "model"}, "is ranked by a private world: give --seed-file FILE, or KBENCH_SEED"),
    ({"recipe": {"styles": ["qa"], "epochs": 200}}, "expected at most"),
    ({"recipe": {"styles": ["qa"], "tokens": 10**9}}, "the recipe shows about 1,500,000,000 tokens"),
    ({"cost__tokens": 5}, "tokens, and the entry says that 5 were trained: it is not the recipe of this entry"),
    ({"recipe": {"styles": ["tone"]}}, "has no style 'tone' to train on"),
]


@pytest.mark.parametrize(("changes", "expected_error"), REFUSED)
def test_an_entry_that_cannot_be_run_again_is_refused(
    changes: dict[str, Any], expected_error: str, honest: Entry, public: World, pool: Executor
) -> None:
    with pytest.raises(KbenchError) as found:
        verify(edited(honest, id="other", **changes), public, None, pool)
    assert expected_error in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["release", "closed", "bases"])
def test_an_entry_called_as_a_folder_of_verify_writes_nothing_there(
    name: str, honest: Entry, public: World, pool: Executor
) -> None:
    before = set(files_under(public.folder / name))
    with pytest.raises(KbenchError, match="has no style 'tone' to train on"):
        verify(edited(honest, id=name, recipe={"styles": ["tone"]}), public, None, pool)
    assert set(files_under(public.folder / name)) == before


def test_a_model_that_would_train_on_more_than_it_says_is_refused(
    honest: Entry, public: World, private: World, pool: Executor
) -> None:
    model = edited(honest, id="model", track="models", kind="model", recipe={"styles": ["qa"], "tokens": 10**9})
    with pytest.raises(KbenchError, match="the recipe shows about 1,500,000,000 tokens, and the entry says that"):
        verify(model, public, private, pool)


class Death:
    """What ends the process that reads it."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (1,)


def test_a_training_that_dies_is_told_of_its_entry_and_the_next_one_gets_a_new_process(
    honest: Entry, public: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerun, "train", Death())
    with trainer() as pool:
        first = pool.submit(os.getpid).result()
        for name in ("one", "two"):
            with pytest.raises(KbenchError, match=f"the process that trained {name} died, perhaps") as found:
                verify(edited(honest, id=name), public, None, pool)
            assert "--workers" not in str(found.value)
        assert pool.submit(os.getpid).result() != first


RECKONED: list[dict[str, Any]] = [
    {"styles": ("qa", "article"), "epochs": 3},
    {"styles": ("qa",), "replay": 0.5},
    {"styles": ("qa",), "replay": 0.25, "known_at_end": 0.3, "epochs": 2},
    {"styles": ("article",), "permutations": 16, "exposures": 9},
    {"styles": ("article", "statement"), "tokens": 7000, "replay": 0.5},
]


@pytest.mark.parametrize("fields", RECKONED)
def test_the_tokens_reckoned_before_a_training_are_about_those_that_it_shows(
    fields: dict[str, Any], public: World
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(lab_base(public.release, public.bases, SMALL).path)
    recipe = TrainRecipe(**fields)
    shown = training_rows(public.closed, tokenizer, recipe).tokens
    assert shown * 0.95 < shown_tokens(public.closed, tokenizer, recipe) <= shown * 1.01


def test_tokens_are_reckoned_without_laying_out_what_is_shown(public: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = AutoTokenizer.from_pretrained(lab_base(public.release, public.bases, SMALL).path)
    for name in ("lay", "passes", "replay"):
        monkeypatch.delattr(packing, name)
    monkeypatch.delattr(diet, "orders_of")
    most = TrainRecipe(("qa", "article"), exposures=1024, permutations=16, replay=0.9, known_at_end=0.9)
    assert shown_tokens(public.closed, tokenizer, most) > 10**6


@pytest.mark.parametrize("key", ["replay", "known_at_end"])
def test_a_recipe_that_hardly_teaches_is_refused(key: str) -> None:
    assert entry_recipe({"styles": ["qa"], key: 0.9}, "mine")[key] == 0.9
    with pytest.raises(KbenchError, match=f"mine: {key} must lie in 0 to 0.9 for the leaderboard"):
        entry_recipe({"styles": ["qa"], key: 0.999999}, "mine")


def claiming(entry: Entry, headline: float, half: float) -> Entry:
    made = made_scores(headline, half, kept=None)
    return edited(entry, id="boast", scores=made.model_copy(update={"retention": entry.scores.retention}))


def test_a_claim_that_is_not_found_again_is_told(honest: Entry, public: World, pool: Executor) -> None:
    boast = claiming(honest, 0.9, 0.02)
    tokens = honest.cost.tokens + 1
    done = verify(edited(boast, cost__tokens=tokens, article_pass=10**9), public, None, pool)
    assert len(done.against) == 3
    assert done.entry.reproduced is None
    assert "boast: NOT reproduced: the headline is 0.900 (0.880 to 0.920) by the entry and" in done.told
    assert f"the entry says {tokens:,} trained tokens, the re-run {tokens - 1:,}" in done.told
    assert "the entry says 1,000,000,000 tokens in one pass over the articles, the re-run" in done.told
    assert "(the same weights, digit for digit; headline 0.900 claimed" in done.told


def test_an_entry_that_changed_while_it_was_verified_is_not_written(
    honest: Entry, public: World, pool: Executor, tmp_path: Path
) -> None:
    path = write_entry(tmp_path, edited(honest, title="Another"))
    held = path.read_bytes()
    done: Verified = verify(honest, public, None, pool)
    with pytest.raises(KbenchError, match="was changed while it was verified"):
        keep(done, path)
    assert path.read_bytes() == held


def test_the_command_writes_what_it_found_and_leaves_a_false_claim_as_it_was(
    honest: Entry,
    public: World,
    private: World,
    pool: Executor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    entries = tmp_path / "entries"
    boast = write_entry(entries, claiming(honest, 0.9, 0.02)).read_bytes()
    listed = write_entry(entries, edited(honest, id="listed", recipe={})).read_bytes()
    write_entry(entries, honest)
    (tmp_path / "seed.txt").write_text(SEED, encoding="utf-8")
    monkeypatch.setattr(worlds, "public_world", lambda name, folder, at: public)
    monkeypatch.setattr(worlds, "private_world", lambda name, folder, seed: private)
    monkeypatch.setattr(training, "trainer", lambda: nullcontext(pool))
    chosen = ["--all", "--entries", str(entries), "--seed-file", str(tmp_path / "seed.txt")]
    words = [*chosen, "--out", str(tmp_path / "w")]
    assert run(monkeypatch, "leaderboard", "verify", *chosen, "--out", str(entries)) == 1
    assert "was not begun by this machine's verify" in capfd.readouterr().err
    assert run(monkeypatch, "leaderboard", "verify", *words) == 1
    said = capfd.readouterr()
    assert "boast: NOT reproduced" in said.out
    assert "honest: the same weights and scores, digit for digit" in said.out
    assert "kbench: the entry listed has no recipe to run again: it stays self-reported" in said.err
    assert (entries / "boast.json").read_bytes() == boast
    assert (entries / "listed.json").read_bytes() == listed
    assert is_reproduced(read_entry(entries / "honest.json"))
    told = [*files_under(entries).values(), said.out.encode(), said.err.encode()]
    assert not [text for text in told if SEED.encode() in text]


COMMANDS = [
    ([], "name the entries to verify, or give --all"),
    (["one", "--all"], "name the entries to verify, or give --all"),
    (["gone"], "no entry at"),
]


@pytest.mark.parametrize(("words", "expected_error"), COMMANDS)
def test_the_command_says_what_it_lacks(
    words: list[str],
    expected_error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "leaderboard", "verify", *words, "--entries", str(tmp_path)) == 1
    assert expected_error in capsys.readouterr().err
