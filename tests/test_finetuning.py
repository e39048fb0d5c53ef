"""Finetuning beyond one plain run: adapters, chat templates, killed processes, several processes, watched epochs."""

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from accelerate.state import AcceleratorState
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from kbench.benchmarks.adapters import with_adapter
from kbench.benchmarks.chat import answered, chat_note, chat_tokens
from kbench.benchmarks.checkpoints import MARK, last_whole, mark_whole
from kbench.benchmarks.distributed import check_processes
from kbench.benchmarks.labels import ABOUT, TABLE
from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.results import EARLY_STOP, RUN, base_of, model_digests
from kbench.benchmarks.run import PLAN, Run, train_run
from kbench.benchmarks.settings import Settings
from kbench.benchmarks.taught import taught
from kbench.benchmarks.watch import History, Seen
from kbench.cli import main
from kbench.errors import KbenchError, ModelError, OutputError, ReleaseError, SpecError
from kbench.generator.recipe import Recipe
from kbench.generator.release import generate
from kbench.store import Release, write_json, write_table
from kbench.studies.lab import Base, LabRecipe, lab_base
from tests.samples import tiny

SMALL = LabRecipe(layers=1, width=32, heads=1, inner=32, batch=64, bf16=False)
OFTEN = Settings(save_steps=3)
LOW = "a low score may be the prompt's"
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return generate(Recipe(tiny(), "7", ("qa", "article")), tmp_path_factory.mktemp("release"))[0]


@pytest.fixture(scope="module")
def base(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Base:
    return lab_base(release, tmp_path_factory.mktemp("bases"), SMALL)


def recipe(base: Base, **changes: object) -> TrainRecipe:
    values: dict[str, Any] = {"context": base.about["context"], "batch": 4, "learning_rate": 1e-3, **changes}
    return TrainRecipe(**values)


def trained(release: Release, base: Base, out: Path, settings: Settings = OFTEN, **changes: object) -> Run:
    return train_run(release, str(base.path), recipe(base, **changes), out, settings=settings)


def own_weights(run: Run) -> str:
    """The digest of what was trained: the adapter, or the model."""
    found: dict[str, str] = run.about["weights"]
    return found.get("adapter") or found["weights"]


def killed_at(step: int) -> Callable[[int, int], None]:
    """A progress that ends its process by signal 9."""

    def stop(done: int, total: int) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return stop


def in_processes(count: int, work: Callable[[], object]) -> list[int | None]:
    """The exit codes of some processes that do the same work as one training; without torchrun's half minute."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def begin(rank: int) -> None:
        if count > 1:
            places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            os.environ.update({name: str(value) for name, value in places.items()})
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        AcceleratorState._reset_state(True)
        work()

    workers = [multiprocessing.get_context("fork").Process(target=begin, args=(rank,)) for rank in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        worker.kill()
    return [worker.exitcode for worker in workers]


METHODS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"method": "lora", "lora_rank": 4, "lora_dropout": 0.1},
    "bf16": {"bf16": True, "checkpointing": True},
    "watched": {"epochs": 3, "watch": 8, "early_stop": True},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_killed_by_signal_9_ends_as_if_it_never_was(
    release: Release, base: Base, tmp_path: Path, method: str
) -> None:
    """The whole run too is made by a process of its own, so that nothing but the kill differs."""
    how, out = recipe(base, **METHODS[method]), tmp_path / "cut"
    whole = trained(release, base, tmp_path / "whole", **METHODS[method])
    kill_at = whole.about["trained"]["steps"] // 3 * 3 - 1
    codes = in_processes(1, lambda: train_run(release, str(base.path), how, out, killed_at(kill_at), OFTEN))
    assert codes == [-signal.SIGKILL]
    assert not (out / RUN).exists()
    seen: list[int] = []
    again = train_run(release, str(base.path), how, out, lambda done, total: seen.append(done), OFTEN)
    assert seen[0] == kill_at - 1
    assert own_weights(again) == own_weights(whole)
    assert again.about["trained"]["loss"] == pytest.approx(whole.about["trained"]["loss"], rel=0.01)
    assert again.about.get("history") == whole.about.get("history")
    assert again.about.get("early_stop") == whole.about.get("early_stop")
    assert not (out / "checkpoints").exists()


def test_two_processes_train_one_model_and_go_on_after_a_kill(release: Release, base: Base, tmp_path: Path) -> None:
    how = recipe(base, processes=2, watch=4)

    def work(out: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Callable[[], object]:
        return lambda: train_run(release, str(base.path), how, out, progress, OFTEN)

    assert in_processes(2, work(tmp_path / "whole")) == [0, 0]
    assert -signal.SIGKILL in in_processes(2, work(tmp_path / "cut", killed_at(5)))
    assert not (tmp_path / "cut" / RUN).exists()
    assert last_whole(tmp_path / "cut" / "checkpoints")
    assert in_processes(2, work(tmp_path / "cut")) == [0, 0]
    digests = [model_digests(tmp_path / name)["weights"] for name in ("whole", "cut")]
    assert digests[0] == digests[1]
    alone = trained(release, base, tmp_path / "alone", watch=4)
    twice = Run(tmp_path, json.loads((tmp_path / "whole" / RUN).read_text()), True)
    assert twice.about["trained"]["loss"] == pytest.approx(alone.about["trained"]["loss"], rel=0.02)
    assert twice.about["trained"]["steps"] == alone.about["trained"]["steps"]
    assert twice.about["history"][0]["loss"] == pytest.approx(alone.about["history"][0]["loss"], rel=0.05)


def test_of_two_processes_that_want_a_base_one_builds_it_alone(release: Release, base: Base, tmp_path: Path) -> None:
    assert in_processes(2, lambda: lab_base(release, tmp_path, SMALL)) == [0, 0]
    assert [model_digests(path) for path in tmp_path.iterdir()] == [model_digests(base.path)]


def test_torchrun_trains_with_two_processes_and_one_speaks(release: Release, base: Base, tmp_path: Path) -> None:
    words = ["train", "--release", release.path, "--model", base.path, "--context", base.about["context"]]
    words += ["--lr", "1e-3", "--batch-size", "4", "--processes", "2", "--out", tmp_path / "run"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "kbench"]
    done = subprocess.run(
        [*launcher, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("score it: kbench eval") == 1
    assert " --base " not in done.stdout  # the run knows its own
    again = tmp_path / "again"
    how = recipe(base, processes=2)
    assert in_processes(2, lambda: train_run(release, str(base.path), how, again)) == [0, 0]
    assert model_digests(tmp_path / "run") == model_digests(again)


@pytest.mark.parametrize(
    ("changes", "started", "expected_error"),
    [
        (
            {"processes": 2},
            "1",
            "2 processes were asked for and 1 runs: start them with `torchrun --nproc_per_node 2 -m kbench.cli train --x`",
        ),
        ({}, "2", "2 processes run and 1 was asked for: give --processes 2, or start it once"),
        ({"fsdp": True}, "1", "fsdp shares a model out over GPUs and there is none here: leave fsdp out"),
    ],
)
def test_processes_or_sharding_that_are_not_there_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], started: str, expected_error: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", started)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpecError, match=expected_error.replace("(", r"\(")):
        check_processes(TrainRecipe(**changes), "train --x")


def test_an_adapter_is_kept_beside_its_base_and_loads_by_peft(release: Release, base: Base, tmp_path: Path) -> None:
    run = trained(release, base, tmp_path / "run", method="lora", lora_rank=4, learning_rate=1e-2, epochs=4)
    held = {path.name for path in run.path.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", RUN} <= held
    assert not held & {"model.safetensors", "README.md", "checkpoints"}
    assert run.about["adapter"] == {"digest": model_digests(run.path)["adapter"], "zero": False}
    assert run.about["weights"]["weights"] == run.about["base"]["weights"]
    assert base_of(str(run.path)) == str(base.path)
    tuned = {key.split(".")[-3] for key in load_file(run.path / "adapter_model.safetensors")}
    assert tuned == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    plain = AutoModelForCausalLM.from_pretrained(base.path)
    ids = torch.tensor([[5, 6, 7]])
    before = plain(ids).logits
    after = PeftModel.from_pretrained(plain, run.path)(ids).logits
    assert not torch.allclose(before, after, atol=1e-3)
    with pytest.raises(ModelError, match="is an adapter: expected a whole model to train"):
        train_run(release, str(run.path), recipe(base), tmp_path / "on")


def test_an_adapter_that_learned_nothing_is_recorded(release: Release, base: Base, tmp_path: Path) -> None:
    run = trained(release, base, tmp_path / "run", method="lora", learning_rate=1e-44)
    assert run.about["adapter"]["zero"] is True


def test_a_layer_that_the_model_has_not_is_told_with_those_it_has(release: Release, base: Base, tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match="the model has no linear layer 'c_attn': have down_proj, gate_proj, k_proj, lm_"
    ):
        trained(release, base, tmp_path / "run", method="lora", lora_targets=("c_attn",))
    assert not (tmp_path / "run").exists()


def test_an_adapter_names_its_base_by_what_another_folder_or_machine_can_find(
    release: Release, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "hub" / "models--ORG--NAME" / "snapshots" / ("0" * 40)
    shutil.copytree(base.path, cached)
    monkeypatch.chdir(base.path.parent)
    named = {base.path.name: str(base.path.resolve()), str(cached): "ORG/NAME"}
    for number, (given, expected) in enumerate(named.items()):
        run = train_run(release, given, recipe(base, method="lora", lora_rank=2), tmp_path / f"run{number}")
        config = json.loads((run.path / "adapter_config.json").read_text(encoding="utf-8"))
        assert config["base_model_name_or_path"] == expected


def test_the_layers_of_gpt2_get_an_adapter_though_they_are_of_no_class_of_torch() -> None:
    config = GPT2Config(n_layer=1, n_head=1, n_embd=8, n_positions=16, vocab_size=16)
    for targets, expected in {(): {"c_attn", "c_proj", "c_fc"}, ("c_attn",): {"c_attn"}}.items():
        tuned = with_adapter(GPT2LMHeadModel(config), TrainRecipe(method="lora", lora_targets=targets))
        assert {name.split(".")[-4] for name, part in tuned.named_parameters() if part.requires_grad} == expected


def chatting(base: Base, folder: Path, template: str | None) -> str:
    """The base with a chat template of its own."""
    shutil.copytree(base.path, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_chat_model_learns_the_answer_and_the_end_of_its_turn(release: Release, base: Base, tmp_path: Path) -> None:
    name = chatting(base, tmp_path / "chat", TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(name)
    row = release.table("qa", "train").to_pylist()[0]
    said = chat_tokens(tokenizer, answered(row))
    assert said.tokens[-1] == tokenizer.eos_token_id
    answer = str(tokenizer.decode(said.tokens[said.prompt : -1])).strip()
    assert answer == row["answer"]
    model = load_hf(name)
    asked = model.chat([{"role": "user", "content": row["question"]}])
    assert said.tokens[: said.prompt] == tokenizer(asked, add_special_tokens=False)["input_ids"]
    run = train_run(release, name, recipe(base, chat=True, watch=4), tmp_path / "run")
    assert run.about["history"][0]["loss"] > 0
    assert AutoTokenizer.from_pretrained(run.path).chat_template == TEMPLATE
    notes = [chat_note(asked_of, chat) for asked_of in (str(run.path), name) for chat in (True, False)]
    assert notes == [None, f"{run.path} was trained with --chat and is asked without it: {LOW}", None, None]


@pytest.mark.parametrize(
    ("template", "expected_error"),
    [
        (None, "chat has no chat template: train it without chat"),
        ("{{ raise_exception('no system') }}", "the chat template of .*chat refuses a dialogue: no system"),
        (
            "{% if add_generation_prompt %}think{% endif %}{{ messages[-1].content }}",
            "begins a dialogue otherwise than the prompt",
        ),
    ],
    ids=["none", "refuses", "not-a-prefix"],
)
def test_a_template_that_cannot_be_trained_with_is_told_in_one_line(
    release: Release, base: Base, tmp_path: Path, template: str | None, expected_error: str
) -> None:
    name = chatting(base, tmp_path / "chat", template)
    with pytest.raises(ModelError, match=expected_error):
        train_run(release, name, recipe(base, chat=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def with_own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('own code ran')\n")


@pytest.mark.parametrize(
    ("spoil", "context", "expected_error"),
    [
        (pickled, 64, r"holds its weights as a pickle \(pytorch_model.bin\)"),
        (with_own_code, 64, "brings code of its own: read it, then allow it by --trust-remote-code"),
        (lambda folder: None, 4096, r"reads \d+ tokens at most \(got a context of 4096\): give --context \d+"),
    ],
    ids=["pickle", "code", "context"],
)
def test_a_model_that_is_not_to_be_trained_is_told_in_one_line(
    release: Release, base: Base, tmp_path: Path, spoil: Callable[[Path], None], context: int, expected_error: str
) -> None:
    shutil.copytree(base.path, tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(ModelError, match=expected_error) as caught:
        train_run(release, str(tmp_path / "model"), recipe(base, context=context), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_lost_a_file_is_not_gone_on_from(tmp_path: Path) -> None:
    for step in (2, 4, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"state")
        save_file({"w": torch.zeros(1)}, folder / "model.safetensors")
        if step != 10:
            mark_whole(folder)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-4"
    (tmp_path / "checkpoint-4" / "optimizer.pt").unlink()
    assert last_whole(tmp_path) == tmp_path / "checkpoint-2"
    (tmp_path / "checkpoint-4" / MARK).write_bytes(b"")  # as a loss of power may leave it
    assert last_whole(tmp_path) == tmp_path / "checkpoint-2"
    (tmp_path / "checkpoint-2" / "optimizer.pt").write_bytes(b"st")
    assert last_whole(tmp_path) is None
    assert (tmp_path / "checkpoint-2" / MARK).is_file()


def test_a_run_begun_with_another_torch_is_not_gone_on_with(
    release: Release, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cut"
    how = recipe(base)
    in_processes(1, lambda: train_run(release, str(base.path), how, out, killed_at(2), OFTEN))
    now = {"torch": "9.9"}
    monkeypatch.setattr("kbench.benchmarks.identity.versions", lambda: now)
    with pytest.raises(OutputError, match=r"was begun with torch .* and this is 9.9: both together make no run"):
        trained(release, base, out)


@pytest.mark.parametrize(
    "changes", [{}, {"epochs": 6, "watch": 6, "early_stop": True, "patience": 1, "learning_rate": 0.3}]
)
def test_a_run_killed_while_its_model_is_saved_has_nothing_to_learn_again(
    release: Release, base: Base, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole, how = trained(release, base, tmp_path / "whole", **changes), recipe(base, **changes)

    def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("kbench.benchmarks.run.save_model", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            train_run(release, str(base.path), how, tmp_path / "cut", settings=Settings(save_steps=1000))

    assert in_processes(1, work) == [-signal.SIGKILL]
    learned: list[int] = []
    again = train_run(release, str(base.path), how, tmp_path / "cut", lambda done, total: learned.append(done))
    assert learned == []
    assert own_weights(again) == own_weights(whole)
    assert again.about["trained"]["steps"] == whole.about["trained"]["steps"]
    assert again.about.get("history") == whole.about.get("history")
    assert not (tmp_path / "cut" / "checkpoints").exists()


def test_a_run_is_another_where_what_its_recipe_names_holds_something_else(
    release: Release, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = Path("old.txt")
    changes: dict[str, Any] = {"replay": 0.2, "replay_text": "old.txt"}
    text.write_text("One paragraph.\n\nAnother paragraph.\n", encoding="utf-8")
    whole = trained(release, base, tmp_path / "whole", **changes)
    shutil.copy(text, "moved.txt")
    assert not trained(release, base, tmp_path / "whole", replay=0.2, replay_text="moved.txt").trained_now
    how = recipe(base, **changes)
    in_processes(1, lambda: train_run(release, str(base.path), how, tmp_path / "cut", killed_at(4), OFTEN))
    text.write_text("A third paragraph.\n", encoding="utf-8")
    for out, kind in ((whole.path, ""), (tmp_path / "cut", ", unfinished")):
        expected_error = f"{out} holds another{kind} run, which differs in files replay_text: give another --out"
        with pytest.raises(OutputError, match=expected_error):
            trained(release, base, out, **changes)
    with pytest.raises(OutputError, match="which differs in recipe epochs, recipe seed: give another --out"):
        trained(release, base, whole.path, epochs=2, seed=1, replay=0.2, replay_text="moved.txt")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_training_that_ends_in_no_numbers_is_no_run(
    release: Release, base: Base, tmp_path: Path, method: str
) -> None:
    shutil.copytree(base.path, tmp_path / "poisoned")
    path = tmp_path / "poisoned" / "model.safetensors"
    save_file({name: weight * float("nan") for name, weight in load_file(path).items()}, path, {"format": "pt"})
    for _ in range(2):
        with pytest.raises(ModelError, match=r"the weights or the loss are not finite: lower learning_rate \(it was "):
            train_run(release, str(path.parent), recipe(base, method=method), tmp_path / "run")
        assert not (tmp_path / "run" / RUN).exists()


@pytest.mark.parametrize("held", ["", "[]", "{}"])
@pytest.mark.parametrize("name", [RUN, PLAN])
def test_a_run_folder_that_says_nothing_of_its_run_is_told_in_one_line(
    release: Release, base: Base, tmp_path: Path, name: str, held: str
) -> None:
    (tmp_path / name).write_text(held, encoding="utf-8")
    expected_error = "run, which differs in version, " if held == "{}" else "cannot read .*, which says what run lies"
    with pytest.raises(OutputError, match=expected_error):
        trained(release, base, tmp_path)


@pytest.mark.parametrize(
    ("model", "expected_error"),
    [
        ({"weights": "its own"}, ""),
        ({}, ""),
        ({"weights": "f" * 64}, "labels what other knew .ffffffffffffffff., not .*: run `kbench know` on this one"),
        ({"weights": "its own", "adapter": "e" * 64}, "labels what other knew .eeeeeeeeeeeeeeee., not "),
    ],
)
def test_labels_of_what_another_model_knew_are_refused(
    release: Release, base: Base, tmp_path: Path, model: dict[str, str], expected_error: str
) -> None:
    own = model_digests(base.path)["weights"]
    digests = {name: own if digest == "its own" else digest for name, digest in model.items()}
    facts = release.table("facts", "train").column("fact_id").to_pylist()
    write_table(tmp_path / TABLE, pa.table({"fact_id": facts, "label": ["Unknown"] * len(facts)}))
    write_json(tmp_path / ABOUT, {"release": {"digest": release.digest}, "model": "other", **digests})
    changes: dict[str, Any] = {"knownness": str(tmp_path), "only": ("Unknown",)}
    if not expected_error:
        assert trained(release, base, tmp_path / "run", **changes).trained_now
        return
    with pytest.raises(ReleaseError, match=expected_error):
        trained(release, base, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def seen(epoch: int, validation: float, loss: float = 1.0, train: float = 0.5) -> Seen:
    return Seen(epoch, epoch, loss, validation, train)


def test_the_best_epoch_is_that_of_most_right_answers_and_then_of_least_loss() -> None:
    history = History([seen(1, 0.2), seen(2, 0.6, 0.9), seen(3, 0.6, 0.4), seen(4, 0.6, 0.4), seen(5, 0.5, 0.1, 0.99)])
    assert history.best == seen(3, 0.6, 0.4)
    assert history.converged == 5
    assert [history.is_over(patience) for patience in (None, 1, 2, 3)] == [False, True, True, False]


def test_patience_ends_a_training_and_the_best_epochs_model_is_kept(
    release: Release, base: Base, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"epochs": 6, "watch": 6, "early_stop": True, "patience": 1, "learning_rate": 0.3}
    run = trained(release, base, tmp_path / "run", **changes)
    history = run.about["history"]
    assert 1 < len(history) < 6
    assert run.about["trained"]["steps"] == history[-1]["step"]
    assert run.about["best_epoch"] == history[-2]["epoch"]
    assert [each["epoch"] for each in history] == list(range(1, len(history) + 1))
    kept = AutoModelForCausalLM.from_pretrained(run.path / EARLY_STOP)
    last = AutoModelForCausalLM.from_pretrained(run.path)
    assert run.about["early_stop"] == model_digests(run.path / EARLY_STOP)
    assert not torch.equal(kept.lm_head.weight, last.lm_head.weight)


def test_a_training_needs_no_file_of_test_or_control(release: Release, base: Base, tmp_path: Path) -> None:
    shutil.copytree(release.path, tmp_path / "release")
    gone = [f for s in ("test", "control") for f in (tmp_path / "release").glob(f"*/{s}-*.parquet")]
    for path in gone:
        path.unlink()
    assert gone
    run = trained(
        Release(tmp_path / "release", release.manifest),
        base,
        tmp_path / "run",
        watch=4,
        replay=0.3,
        styles=("qa", "article"),
    )
    assert run.about["history"]
    for split in ("test", "control"):
        with pytest.raises(
            ReleaseError, match=rf"training reads pretrain, train, validation and nothing else \(asked for qa/{split}\)"
        ):
            taught(release).table("qa", split)


@pytest.mark.parametrize(
    ("words", "expected_error"),
    [
        (["--report-to", "nowhere"], "cannot report to 'nowhere': nowhere is not supported, only "),
        (["--save-steps", "0"], "save steps must be at least 1 (got 0)"),
        (["--lora-rank", "0"], "the recipe: lora_rank must lie in 1 to"),
        (["--recipe", "number.toml"], "number.toml: styles must be a valid list (got 5)"),
        (["--recipe", "text.toml"], "text.toml: styles must be a valid list (got 'qa')"),
        (["--recipe", "nested.toml"], "nested.toml: styles[0] must be a valid string (got ['qa'])"),
        (["--recipe", "recipe.toml"], "unknown key 'learning-rate' in recipe.toml: did you mean 'learning_rate'?"),
    ],
)
def test_a_word_of_the_command_that_cannot_be_is_told_in_one_line(
    release: Release,
    base: Base,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected_error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.toml").write_text("learning-rate = 0.1\n")
    for name, styles in {"number": "5", "text": "'qa'", "nested": "[['qa']]"}.items():
        Path(f"{name}.toml").write_text(f"styles = {styles}\n")
    given = ["--release", str(release.path), "--model", str(base.path), "--context", str(base.about["context"])]
    monkeypatch.setattr(sys, "argv", ["kbench", "train", *given, *words])
    with pytest.raises(SystemExit, match="1"):
        main()
    told = capsys.readouterr().err.strip().splitlines()[-1]  # below transformers' bar, which other tests switched on
    assert told.startswith(f"kbench: {expected_error}")


def test_an_option_beside_a_recipe_file_wins_and_the_rest_stays_open(release: Release, tmp_path: Path) -> None:
    from kbench.benchmarks.asked_recipe import train_recipe

    file = tmp_path / "recipe.toml"
    file.write_text('method = "lora"\nepochs = 3\nstyles = ["article", "qa"]\n')
    made = train_recipe(release, "lab", None, file, epochs=2)
    assert (made.method, made.epochs, made.styles) == ("lora", 2, ("qa", "article"))
    assert (made.learning_rate, made.optimizer, made.bf16) == (1e-2, "adamw", True)
    assert train_recipe(release, "some/model", "qa", file).learning_rate == 1e-4
    assert train_recipe(release, "some/model").learning_rate == 1e-5
    assert train_recipe(release, "lab", "all").styles == ("qa", "article")
    with pytest.raises(KbenchError, match=r"no recipe at nowhere\.toml"):
        train_recipe(release, "lab", None, "nowhere.toml")
