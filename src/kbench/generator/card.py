"""The release's card: README.md, whose header tells `datasets` and the Hub where each split lies."""

from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from kbench.generator.benchmark import asked_styles
from kbench.ids import digest_of
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES, SPLITS, Probe
from kbench.store import PICTURE

_ROWS_SHOWN = 5
_TOLD = {
    "pretrain": "the known world, for a base model that is to know it: documents, and questions about a part of it",
    "train": "the new facts, in the phrasings of training",
    "validation": "the same facts, asked in phrasings that no training split holds",
    "test": "the same facts, in phrasings of its own",
    "control": "the same questions about entities that no training text names: subtract this score",
}
_TOLD_OF_IMPORT = {
    "pretrain": "texts about the subjects that state some of their facts",
    "train": "questions that may be finetuned on, about subjects of the role `known`",
    "validation": "the same relations asked of other subjects, of the role `background`",
    "test": "the same relations asked of further subjects, of the role `background`",
}
_TOLD_OF_FACTS = {
    "control": "questions of the same kind whose answers are false: subtract the share of them that a model gives",
}


def release_card(manifest: dict[str, Any], out: Path) -> str:
    """The dataset card: a YAML header that `datasets` and the Hub read, then what a reader needs."""
    return card_of(manifest, _sample(manifest, out))


def card_of(manifest: dict[str, Any], rows: list[tuple[str, str]]) -> str:
    """The dataset card with the rows that it shows, each a split and a text."""
    configs: dict[str, list[str]] = {}
    for key in manifest["splits"]:
        config, split = key.split("/")
        configs.setdefault(config, []).append(split)
    facts, imported = (manifest["recipe"].get(key) for key in ("facts", "imported"))
    header = {
        # A user's own facts are the user's to license, those of a dataset its author's.
        **({} if facts or imported else {"license": "cc-by-4.0"}),
        "language": ["en"],
        "pretty_name": f"kbench {manifest['recipe']['spec']['name']} {manifest['world']}",
        "size_categories": [_size_category(sum(s["rows"] for s in manifest["splits"].values()))],
        "task_categories": [*(["question-answering"] if asked_styles(manifest) else []), "text-generation"],
        **({"task_ids": ["closed-book-qa"]} if asked_styles(manifest) else {}),
        "annotations_creators": ["found" if imported else "machine-generated"],
        "language_creators": ["found" if imported else "machine-generated"],
        "source_datasets": [f"extended|other-{imported['kind']}" if imported else "original"],
        "tags": [*_tags(facts, imported), "knowledge-injection", "kbench"],
        "configs": [
            {
                "config_name": config,
                # datasets caches by the folder's last name and this header: it must tell two releases apart.
                "description": f"world {manifest['world']}, content {_content(manifest, config)}",
                **({"default": True} if place == 0 else {}),
                "data_files": [{"split": split, "path": f"{config}/{split}-*"} for split in splits],
            }
            for place, (config, splits) in enumerate(configs.items())
        ],
    }
    jinja = Environment(
        loader=PackageLoader("kbench", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    found = {split for splits in configs.values() for split in splits}
    told: dict[str, str] = _TOLD | (_TOLD_OF_FACTS if facts else _TOLD_OF_IMPORT if imported else {})
    if "pretrain" in found and not imported:
        told["test"] += "; rows with `probe = known` ask about the known world"
    body = jinja.get_template("card.md.j2").render(
        manifest=manifest,
        facts=facts,
        imported=imported,
        configs=configs,
        rows=rows,
        picture=PICTURE,
        splits=[(split, told[split]) for split in SPLITS if split in found],
        tasks=asked_styles(manifest),
        questions=set(configs) & QUESTION_STYLES,
        probes=[probe for probe in get_args(Probe) if probe],
    )
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n{body}"


def _tags(facts: object, imported: object) -> list[str]:
    return [] if imported else ["synthetic"] if facts else ["synthetic", "fictional"]


def sampled(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The files whose first rows the card shows: one of each style."""
    found: dict[str, dict[str, Any]] = {}
    for file in manifest["files"]:
        if file["config"] not in ("facts", "entities") and file["rows"]:
            found.setdefault(file["config"], file)
    return list(found.values())[:_ROWS_SHOWN]


def sample_of(style: str, table: pa.Table) -> str:
    """The first row of a table as the card shows it."""
    row = table.slice(0, 1).to_pylist()[0]
    text = row["text"] if style in DOCUMENT_STYLES else f"{row['question']} → {row['answer']}"
    return str(text.replace("\n", " ").replace("|", "\\|"))


def _sample(manifest: dict[str, Any], out: Path) -> list[tuple[str, str]]:
    """One row of each of the first styles: (split, text)."""
    found = []
    for file in sampled(manifest):
        with pq.ParquetFile(out / file["path"]) as source:
            first = pa.Table.from_batches([next(source.iter_batches(1))])
        found.append((f"{file['config']}/{file['split']}", sample_of(file["config"], first)))
    return found


def _content(manifest: dict[str, Any], config: str) -> str:
    """The first digits of a digest of all that a config holds."""
    return digest_of(*(s["content"] for key, s in manifest["splits"].items() if key.split("/")[0] == config))[:16]


def _size_category(rows: int) -> str:
    for most, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if rows < most:
            return name
    return "1M<n<10M" if rows < 10_000_000 else "10M<n<100M"
