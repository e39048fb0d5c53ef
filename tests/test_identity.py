"""What a result is bound to: settings, an adapter's scale, the engine; and folders that hold what is no result."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import kbench
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.compare import compare_results
from kbench.benchmarks.kept import KEPT
from kbench.benchmarks.knownness import label_facts
from kbench.benchmarks.models.hf import load_hf
from kbench.benchmarks.prompting import Prompting
from kbench.benchmarks.question import base_folder, question_of
from kbench.benchmarks.results import base_of
from kbench.benchmarks.scoring import PLAN, score
from kbench.benchmarks.slick import read_probe
from kbench.errors import KbenchError, ModelError, OutputError, SpecError
from kbench.store import Release
from kbench.studies.lab import release_texts
from kbench.studies.tokenizer import word_tokenizer
from tests.test_resume import Counting, dead
from tests.vllm.adapters import train_adapter

FEW = Asking(limit=2)


@pytest.fixture(scope="module")
def base(lab_release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small model with random weights."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = word_tokenizer(text for split in release_texts(lab_release).values() for text in split)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    ends: dict[str, Any] = {
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
    }
    LlamaForCausalLM(
        LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **sizes, **ends)
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(base: Path, lab_release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from kbench.benchmarks.tasks import load_items

    items = load_items(lab_release, ("test",), 8)
    return train_adapter(str(base), items, tmp_path_factory.mktemp("adapter") / "a", 4, "all-linear")


def _edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def test_an_adapter_of_another_scale_is_another_model(
    adapter: Path, base: Path, lab_release: Release, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(adapter, tmp_path / "a"))
    score(lab_release, str(mine), tmp_path / "out", FEW, base=str(base))
    _edit(mine / "adapter_config.json", lora_alpha=1000)
    with pytest.raises(OutputError, match=r"holds another result .*, which differs in settings: give another --out"):
        score(lab_release, str(mine), tmp_path / "out", FEW, base=str(base))


def test_an_adapters_base_is_the_one_that_it_names(adapter: Path, base: Path, tmp_path: Path) -> None:
    assert base_of(str(adapter)) == str(base)
    mine = Path(shutil.copytree(adapter, tmp_path / "a"))
    _edit(mine / "adapter_config.json", base_model_name_or_path=None)
    assert base_of(str(mine)) is None


def test_a_result_has_the_weights_of_the_base_that_an_adapter_was_put_on(
    adapter: Path, base: Path, lab_release: Release, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(base, tmp_path / "other"))
    model = LlamaForCausalLM.from_pretrained(other)
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    model.save_pretrained(other)
    named, put_on = (question_of(lab_release, str(adapter), str(on), FEW) for on in (base, other))
    assert named["weights"] != put_on["weights"] == put_on["base"]["weights"]


def test_a_base_is_kept_for_each_engine_and_all_of_its_settings(
    base: Path, lab_release: Release, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(base, tmp_path / "base"))

    def kept(asked_by: str = "hf on cpu") -> Path:
        return base_folder(question_of(lab_release, "oracle", str(mine), FEW), asked_by)

    first = kept()
    assert kept() == first != kept("vllm on cuda")
    _edit(mine / "tokenizer_config.json", chat_template="{{ messages[-1]['content'] }}")
    assert kept() != first


def test_replies_of_another_engine_are_not_gone_on_with(lab_release: Release, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        score(lab_release, "oracle", tmp_path, opened=Counting(at={100: dead}))
    _edit(tmp_path / PLAN, asked_by="vllm on cuda")
    with pytest.raises(OutputError, match="another, unfinished result, which differs in asked_by: give another --out"):
        score(lab_release, "oracle", tmp_path)


def test_a_folder_in_which_nothing_was_replied_yet_is_anybodys(lab_release: Release, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        score(lab_release, "random", tmp_path, opened=Counting(at={0: dead}))
    assert (tmp_path / PLAN).is_file()
    assert score(lab_release, "oracle", tmp_path).scored_now


def test_lines_that_a_loss_of_power_left_empty_are_asked_again(lab_release: Release, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        score(lab_release, "oracle", tmp_path, opened=Counting(at={100: dead}))
    lines = (tmp_path / KEPT).read_bytes().split(b"\n")
    (tmp_path / KEPT).write_bytes(b"\n".join([b"\0" * len(lines[0]), b'{"key": "x"}', b"[]", b"\xff", *lines[4:]]))
    rest = Counting()
    whole = score(lab_release, "oracle", tmp_path, opened=rest)
    assert len(rest.asked) == whole.about["kbench"]["samples"] - 96


@pytest.mark.parametrize(
    ("name", "held", "expected_error"),
    [
        ("results.json", "{", r"cannot read .*results\.json: .*: remove its folder, or give another --out"),
        ("results.json", "[]", r"results\.json holds no JSON object"),
        ("results.json", '{"results": {}}', r"results\.json is no result of kbench: it has no block `kbench`"),
        (PLAN, "{", r"cannot read .*plan\.json: .*: remove its folder"),
    ],
)
def test_what_is_no_result_is_told_in_one_line(
    name: str, held: str, expected_error: str, lab_release: Release, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(held, encoding="utf-8")
    (tmp_path / KEPT).write_text("{}\n", encoding="utf-8")
    with pytest.raises(OutputError, match=expected_error) as told:
        score(lab_release, "oracle", tmp_path)
    assert "\n" not in str(told.value)


def test_samples_that_cannot_be_read_are_told_in_one_line(lab_release: Release, tmp_path: Path) -> None:
    for name in ("a", "b"):
        score(lab_release, "oracle", tmp_path / name, FEW)
    (tmp_path / "b" / "samples.parquet").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match=r"cannot read .*samples\.parquet: .* and score the model again"):
        compare_results(tmp_path / "a", tmp_path / "b")
    with pytest.raises(OutputError, match=r"cannot read .*samples\.parquet: .* and score the model again"):
        score(lab_release, "oracle", tmp_path / "c", FEW, base="x", base_result=tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "held", "expected_error"),
    [
        ("kbench_run.json", "{", r"cannot read .*kbench_run\.json: "),
        ("adapter_config.json", "[]", r"adapter_config\.json holds no table of settings"),
    ],
)
def test_a_model_that_cannot_say_its_base_is_told_in_one_line(
    name: str, held: str, expected_error: str, base: Path, lab_release: Release, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(base, tmp_path / "m"))
    (mine / name).write_text(held, encoding="utf-8")
    with pytest.raises(KbenchError, match=expected_error) as told:
        kbench.evaluate(lab_release, mine, tmp_path / "out", limit=1)
    assert "\n" not in str(told.value)


def test_a_run_that_does_not_say_its_base_is_scored_alone(base: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(base, tmp_path / "m"))
    (mine / "kbench_run.json").write_text("{}", encoding="utf-8")
    assert base_of(str(mine)) is None


def test_a_base_that_is_left_out_cannot_be_named(base: Path, lab_release: Release, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no_base leaves out the base that is given .*: give one of the two"):
        kbench.evaluate(lab_release, base, tmp_path / "out", base, no_base=True)


def test_results_of_engines_that_round_differently_say_so(lab_release: Release, tmp_path: Path) -> None:
    for name, engine, dtype in (
        ("a", "transformers 5", "float32"),
        ("b", "vllm 1", "bfloat16"),
        ("c", "vllm 1", "float32"),
    ):
        score(lab_release, "oracle", tmp_path / name, FEW)
        about = json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))["kbench"]
        _edit(tmp_path / name / "results.json", kbench={**about, "engine": {"engine": engine, "dtype": dtype}})
    told = "asked by different engines, which round differently: transformers in float32 and vllm in bfloat16"
    assert f"the two were {told}" in compare_results(tmp_path / "a", tmp_path / "b").notes
    assert not [note for note in compare_results(tmp_path / "a", tmp_path / "c").notes if note.startswith("the two")]


def test_an_answer_behind_a_chain_of_thought_is_not_weighed() -> None:
    with pytest.raises(SpecError, match="with the prompt 'cot' a chain comes between: score the two apart"):
        Asking(prompting=Prompting("cot"), likelihood=True)


def test_draws_of_another_engine_are_not_gone_on_with(base: Path, lab_release: Release, tmp_path: Path) -> None:
    model, probe = load_hf(str(base)), read_probe("slick-k0-g1-s2-t0.5-topk9")
    with pytest.raises(KeyboardInterrupt):
        label_facts(lab_release, model, tmp_path, probe, limit=3, max_tokens=2, progress=_interrupt)
    plan = tmp_path / ".kbench_knownness_plan.json"
    assert json.loads(plan.read_text(encoding="utf-8"))["asked_by"] == "transformers in float32 on cpu"
    _edit(plan, asked_by="vllm in bfloat16 on cuda")
    with pytest.raises(OutputError, match="holds another labelling, which differs in asked_by"):
        label_facts(lab_release, model, tmp_path, probe, limit=3, max_tokens=2)


def _interrupt(done: int, total: int) -> None:
    if done:
        raise KeyboardInterrupt


def test_a_disk_that_is_full_is_told_in_one_line_and_what_was_replied_is_kept(
    lab_release: Release, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, held[1]))
    try:
        with pytest.raises(OutputError, match=rf"cannot write .*{KEPT}: .* and run the same command again"):
            score(lab_release, "oracle", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)
    kept = (tmp_path / KEPT).read_bytes().count(b"\n")
    rest = Counting()
    whole = score(lab_release, "oracle", tmp_path, opened=rest)
    assert len(rest.asked) == whole.about["kbench"]["samples"] - kept < whole.about["kbench"]["samples"]
