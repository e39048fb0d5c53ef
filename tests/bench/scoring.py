"""`kbench eval` and `lm_eval --model hf` on one model and the same rows, in turn: whole commands, verdicts compared.

Runs where both are installed (the extras `train` and `eval`). Both are given one thread, 32-bit floats and the same
prompts; both keep every sample. lm-eval is given each batch size once, and then the one that was quickest.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.table import Table

from kbench.benchmarks.asking import ASKED
from kbench.benchmarks.results import RUN
from kbench.benchmarks.tasks import load_items
from kbench.exports.export import export_release
from kbench.shelf import DEFAULT, shelved
from kbench.store import Release, open_release
from tests.bench.report import show, spread

_ENV = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Ran:
    """A whole command: seconds, and whether it found each row right, by row id."""

    wall: float
    cpu: float
    right: dict[str, bool]


def main() -> None:
    """Print seconds, rows a second, the ratio, and how many verdicts are the same."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- scoring", description=__doc__)
    parser.add_argument("--release", default="", help="a release folder; else kbench-tiny")
    parser.add_argument("--model", default="", help="a model folder; else a Llama of random weights")
    parser.add_argument("--width", type=int, default=512, help="of the Llama of random weights")
    parser.add_argument("--layers", type=int, default=6, help="of the Llama of random weights")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256, 1024], help="that lm-eval is tried at")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    release = open_release(Path(asked.release) if asked.release else _default())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = work / "model"
        if asked.model:
            # Without what a run says of itself: kbench would score its base too, which lm-eval does not.
            shutil.copytree(asked.model, model, ignore=shutil.ignore_patterns(RUN))
        else:
            _random_llama(release, model, asked.width, asked.layers)
        groups = export_release(release, "lm-eval", work / "tasks").about["report"]["groups"]
        names = [group for group in groups if not group.endswith("_mc")]
        tried = {size: _lm_eval(work, model, names, size) for size in asked.batch_sizes}
        best = min(tried, key=lambda size: tried[size].cpu)
        own, other = [], []
        for _ in range(asked.repeats):
            own.append(_kbench(work, release, model))
            other.append(_lm_eval(work, model, names, best))
    _show(own, other, tried, best)


def _show(own: list[Ran], other: list[Ran], tried: dict[int, Ran], best: int) -> None:
    rows = len(own[0].right)
    shown = Table("command", title=f"scoring {rows:,} rows, whole commands")
    for column in ("CPU s: median (quartiles)", "wall s", "rows / CPU s"):
        shown.add_column(column, justify="right")
    for name, runs in (("kbench eval", own), (f"lm_eval --model hf --batch_size {best}", other)):
        cpu = [run.cpu for run in runs]
        shown.add_row(name, spread(cpu), spread([run.wall for run in runs]), spread([rows / s for s in cpu], 0))
    ratios = [b.cpu / a.cpu for a, b in zip(own, other, strict=True)]
    walls = [b.wall / a.wall for a, b in zip(own, other, strict=True)]
    both = own[0].right.keys() & other[0].right.keys()
    alike = sum(own[0].right[row] == other[0].right[row] for row in both)
    show(
        shown,
        f"kbench is faster by {spread(ratios, 2)} in CPU time, {spread(walls, 2)} in wall time",
        f"verdicts that are the same: {alike:,} of {rows:,}; right: {sum(own[0].right.values()):,}",
        "lm-eval by batch size, CPU s: " + ", ".join(f"{size}: {run.cpu:.1f}" for size, run in tried.items()),
    )


def _default() -> Path:
    folder = shelved(DEFAULT)
    assert folder is not None
    return folder


def _random_llama(release: Release, out: Path, width: int, layers: int) -> None:
    """A model so large that its arithmetic is what takes time, with a token a word as the lab's have."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from kbench.studies.tokenizer import word_tokenizer

    tokenizer = word_tokenizer(f"{item.prompt} {item.row['answer']}" for item in load_items(release, ASKED))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=int(width * 2.75),
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    print(f"a Llama of {model.num_parameters():,} random parameters", flush=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _kbench(work: Path, release: Release, model: Path) -> Ran:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        out = Path(folder) / "result"
        asked = ("--release", str(release.path), "--model", str(model), "--out", str(out))
        wall, cpu = _run([sys.executable, "-m", "kbench.cli", "eval", *asked], work)
        rows = pq.read_table(out / "samples.parquet", columns=["id", "correct"]).to_pylist()
    return Ran(wall, cpu, {row["id"]: bool(row["correct"]) for row in rows})


def _lm_eval(work: Path, model: Path, groups: list[str], batch: int) -> Ran:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        out = Path(folder) / "out"
        program = str(Path(sys.executable).with_name("lm_eval"))
        asked = ("--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu")
        tasks = ("--include_path", "tasks", "--tasks", ",".join(groups), "--batch_size", str(batch))
        wall, cpu = _run([program, *asked, *tasks, "--output_path", str(out), "--log_samples"], work)
        right: dict[str, bool] = {}
        for path in out.rglob("samples_*.jsonl"):
            samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            right |= {sample["doc"]["id"]: bool(sample["exact_match"]) for sample in samples}
    return Ran(wall, cpu, right)


def _run(command: list[str], cwd: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command and all it starts. Raises CalledProcessError with what it said."""
    path = {"PYTHONPATH": str(Path("src").resolve())} if Path("src/kbench").is_dir() else {}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | _ENV | path, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            print(said.read().decode(errors="replace")[-3000:], file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, command)
    return wall, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
