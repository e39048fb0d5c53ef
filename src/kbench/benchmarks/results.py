"""A result on disk: results.json in lm-eval's shape with a `kbench` block, and every sample as Parquet."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from kbench import __version__
from kbench.benchmarks.definitions import MEASURES, definitions
from kbench.benchmarks.metrics import Accuracy, Sample
from kbench.errors import ModelError, OutputError
from kbench.ids import digest_of, file_sha256
from kbench.schema import SAMPLE_SCHEMA, Status
from kbench.store import Release, write_json, write_table

RESULTS = "results.json"
SAMPLES = "samples.parquet"
RUN = "kbench_run.json"
"""What a run folder keeps about itself."""

SETTINGS = (
    *("config.json", "generation_config.json", "adapter_config.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt"),
    *("chat_template.jinja", "chat_template.json"),
)
"""What in a model's folder, beside weights and tokenizer, changes what the model says."""

ADAPTER = "adapter_model"
"""What the name of an adapter's weights begins with."""

ADAPTER_CONFIG = "adapter_config.json"
"""What an adapter's folder says of it."""

EARLY_STOP = "early-stop"
"""In a run's folder: the model of the epoch that was best on validation."""

LAB_BASE = "kbench_base.json"
"""What a base of the lab keeps about itself."""


def model_digests(path: Path, base: str | None = None) -> dict[str, str]:
    """The digests of a model folder's weights and tokenizer; empty where it is no folder.

    Of an adapter's folder, `adapter` is its own digest, and `weights` that of `base`, else of the base that it names,
    where that is a folder.
    """
    weights = [p for p in sorted(path.glob("*.safetensors")) if not p.name.startswith(ADAPTER)]
    adapter = sorted(path.glob(f"{ADAPTER}*.safetensors"))
    tokenizer = [p for p in (path / "tokenizer.json", path / "tokenizer.model") if p.is_file()]
    if adapter and (path / ADAPTER_CONFIG).is_file():
        below = model_digests(Path(base or _named_base(path) or path / "no base"))
        own = {"tokenizer": digest_of(*(file_sha256(p) for p in tokenizer))} if tokenizer else {}
        return {**below, **own, "adapter": digest_of(*(file_sha256(p) for p in adapter))}
    if not weights:
        return {}
    return {
        "weights": digest_of(*(file_sha256(p) for p in weights)),
        "tokenizer": digest_of(*(file_sha256(p) for p in tokenizer)),
    }


def settings_digest(path: Path) -> str:
    """The digest of the files of a model's folder that change what it says beside its weights; empty for no folder."""
    held = [path / name for name in SETTINGS if (path / name).is_file()]
    return digest_of(*(f"{p.name} {file_sha256(p)}" for p in held)) if held else ""


def base_of(model: str) -> str | None:
    """The base that a run was trained from (a folder that is there, or one of the Hub), or that an adapter names.

    Raises ModelError where what should say so cannot be read.
    """
    run = Path(model) / RUN
    if run.is_file():
        base = (_read_object(run).get("base") or {}).get("model")
        if base and (Path(base).is_dir() or re.fullmatch(r"[^/@]+/[^/@]+@[0-9a-f]{40}", str(base))):
            return str(base)
    return _named_base(Path(model)) if (Path(model) / ADAPTER_CONFIG).is_file() else None


def _named_base(adapter: Path) -> str | None:
    """The base that an adapter's config names."""
    return _read_object(adapter / ADAPTER_CONFIG).get("base_model_name_or_path") or None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {error}: save the model again") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no table of settings (got {type(found).__name__}): save the model again")
    return found


def hub_name(model: str) -> str:
    """ORG/NAME@COMMIT of a folder in the Hub's cache; any other name as it is."""
    found = re.search(r"models--([^/\\]+)--([^/\\]+)[/\\]snapshots[/\\]([0-9a-f]{40})[/\\]?$", model)
    return f"{found[1]}/{found[2]}@{found[3]}" if found else model


def shown_name(model: str) -> str:
    """How a result calls a model: `hub_name` with a short commit."""
    name = hub_name(model)
    return name if name == model else name[: name.index("@") + 13]


def is_lab(model: str) -> bool:
    """Whether a model folder is a base of the lab."""
    return (Path(model) / LAB_BASE).is_file()


def write_result(
    out: Path,
    release: Release,
    model: str,
    accuracies: list[Accuracy],
    samples: list[Sample],
    about: dict[str, Any],
) -> dict[str, Any]:
    """Write samples, then results.json, and return it. `about` goes into the `kbench` block."""
    write_table(out / SAMPLES, _sample_table(samples))
    result = _shape(release, model, accuracies, samples, about)
    write_json(out / RESULTS, result)
    return result


def read_result(out: Path) -> dict[str, Any] | None:
    """The results.json of a folder, or None where the scoring has not finished.

    Raises OutputError where it is no result of kbench.
    """
    path = out / RESULTS
    if not path.is_file():
        return None
    found = read_ours(path)
    if not isinstance(found.get("kbench"), dict):
        raise OutputError(f"{path} is no result of kbench: it has no block `kbench`: give another --out")
    return found


def read_ours(path: Path) -> dict[str, Any]:
    """The JSON object that a file of a result's folder holds. Raises OutputError where it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot read {path}: {error}: remove its folder, or give another --out") from None
    if not isinstance(found, dict):
        raise OutputError(f"{path} holds no JSON object: remove its folder, or give another --out")
    return found


def read_verdicts(out: Path) -> dict[str, bool | None]:
    """Of each row of a finished result, whether it was answered right; None where there is no verdict."""
    table = read_samples(out, ["id", "correct"])
    return dict(zip(table.column("id").to_pylist(), table.column("correct").to_pylist(), strict=True))


def read_samples(out: Path, columns: list[str]) -> pa.Table:
    """Some columns of a result's samples. Raises OutputError where they are not there or cannot be read."""
    with _reading(out):
        return pq.read_table(out / SAMPLES, columns=columns)


def sample_columns(out: Path) -> list[str]:
    """The names of the columns of a result's samples. Raises OutputError as `read_samples` does."""
    with _reading(out):
        return list(pq.read_schema(out / SAMPLES).names)


@contextmanager
def _reading(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise OutputError(f"cannot read {out / SAMPLES}: {reason}: remove {out} and score the model again") from None


def _shape(
    release: Release, model: str, accuracies: list[Accuracy], samples: list[Sample], about: dict[str, Any]
) -> dict[str, Any]:
    tasks = {f"kbench_{release.world}_{a.style}_{a.probe}": a for a in accuracies}
    statuses = Counter(sample.status for sample in samples)
    return {
        "results": {
            name: {
                "alias": f"{a.style} {a.probe}",
                "exact_match,none": a.accuracy,
                "exact_match_stderr,none": a.stderr,
                **_measured(a),
                "sample_len": a.rows,
            }
            for name, a in tasks.items()
        },
        "versions": dict.fromkeys(tasks, __version__),
        "n-shot": dict.fromkeys(tasks, about["scoring"]["prompt"]["shots"]),
        "n-samples": {
            name: {"original": a.rows + a.unscored + a.errors, "effective": a.rows} for name, a in tasks.items()
        },
        "higher_is_better": {
            name: {"exact_match": True, **{m: better for m in a.measures if (better := _better(m)) is not None}}
            for name, a in tasks.items()
        },
        "config": {"model": model, **about.get("scoring", {})},
        "model_name": model,
        "kbench": {
            "version": __version__,
            "samples": len(samples),
            "status": {status: statuses[status] for status in get_args(Status)},
            "n_errors": statuses["error"],
            "n_unscored": statuses["unscored"],
            **about,
            "scores": [asdict(a) for a in accuracies],
            "definitions": definitions(),
        },
    }


def _measured(a: Accuracy) -> dict[str, float]:
    """The measures beside exact match, named as lm-eval names metrics."""
    found = dict[str, float]()
    for name, measure in a.measures.items():
        found |= {f"{name},none": measure.value, f"{name}_stderr,none": measure.stderr}
    return found


def _better(measure: str) -> bool | None:
    return MEASURES[measure].higher_is_better


def _sample_table(samples: list[Sample]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in SAMPLE_SCHEMA.names}
    for s in samples:
        values = {
            **s.item.row,
            "split": s.item.split,
            "prompt": s.item.prompt,
            "prediction": s.prediction,
            "reply": s.reply,
            "correct": s.correct,
            "score": s.score,
            "status": s.status,
            **s.measures,
        }
        for name, column in columns.items():
            column.append(values[name])
    return pa.table(columns, schema=SAMPLE_SCHEMA)
