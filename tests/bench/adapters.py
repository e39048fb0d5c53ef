"""What it costs to score many adapters of one base in one vLLM engine, beside scoring one: `python -m tests.bench adapters`.

Each measurement is a process of its own, from nothing to the last reply: imports, the engine's start, every adapter's
load and its replies to the same rows. It runs where vLLM is installed: the environment of the session `vllm`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.table import Table

from tests.bench.report import show, spread

_MOST_TOKENS = 8


def main() -> None:
    """Print seconds for one adapter and for several, whole and scoring alone, in turns, and their ratios."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- adapters", description=__doc__)
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--rows", type=int, default=200, help="rows that each adapter is asked")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside is not None:
        print(json.dumps(_score(asked.inside, asked.adapters, asked.rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _make(Path(folder), asked.adapters)
        runs = [(_run(folder, 1, asked.rows), _run(folder, asked.adapters, asked.rows)) for _ in range(asked.repeats)]
    shown = Table("seconds", title=f"adapters of one base in one vLLM engine, {asked.rows} rows each")
    for name in ("one", f"{asked.adapters}", "ratio"):
        shown.add_column(name, justify="right")
    for part in runs[0][0]:
        pairs = [(one[part], many[part]) for one, many in runs]
        shown.add_row(
            part,
            spread([one for one, _ in pairs], 2),
            spread([many for _, many in pairs], 2),
            spread([many / one for one, many in pairs], 2),
        )
    show(shown)


def _run(folder: str, adapters: int, rows: int) -> dict[str, float]:
    began = time.perf_counter()
    words = ["--inside", folder, "--adapters", str(adapters), "--rows", str(rows)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "adapters", *words], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"whole, wall": time.perf_counter() - began, **found}


def _score(folder: Path, adapters: int, rows: int) -> dict[str, float]:
    from kbench.benchmarks.models.protocol import Decoding
    from kbench.benchmarks.models.vllm import open_vllm_adapters
    from kbench.benchmarks.tasks import load_items
    from kbench.shelf import shelved
    from kbench.store import open_release

    items = load_items(open_release(shelved("kbench-tiny") or Path()), ("test",))
    items = items[:: len(items) // rows][:rows]
    paths = [folder / f"adapter-{number}" for number in range(adapters)]
    models = open_vllm_adapters(str(folder / "base"), paths)
    began, cpu = time.perf_counter(), time.process_time()
    for path in paths:
        assert len(list(models[path].ask(items, Decoding(max_tokens=_MOST_TOKENS)))) == rows
    scoring = {"scoring, wall": time.perf_counter() - began, "scoring, CPU": time.process_time() - cpu}
    return {"whole, CPU": time.process_time(), **scoring}


def _make(folder: Path, adapters: int) -> None:
    """A base of the lab's shape with random weights, and random adapters of it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    from kbench.shelf import shelved
    from kbench.store import open_release
    from kbench.studies.lab import LabRecipe, _config, release_texts
    from kbench.studies.tokenizer import word_tokenizer

    release = open_release(shelved("kbench-tiny") or Path())
    tokenizer = word_tokenizer(text for split in release_texts(release).values() for text in split)
    tokenizer.save_pretrained(folder / "base")
    LlamaForCausalLM(_config(LabRecipe(), tokenizer, 128)).save_pretrained(folder / "base")
    for number in range(adapters):
        torch.manual_seed(number)
        model = LlamaForCausalLM.from_pretrained(folder / "base")
        config = LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        get_peft_model(model, config).save_pretrained(str(folder / f"adapter-{number}"))
