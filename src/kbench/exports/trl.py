"""A dataset for TRL: a config for each form, with that form's columns only, each row as often as it is shown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from kbench.disk import told_in_one_line
from kbench.exports.examples import FORMS, SCHEMAS, Form, forms_of, pieces, trained_styles, written_out
from kbench.store import CANARY, Release, write_text

SPLITS = ("train", "validation", "pretrain")
"""What may be trained on, and what a training may look at; `test` and `control` never leave the release this way."""


def write_trl(
    release: Release, styles: tuple[str, ...], folder: Path, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Write the configs and their header; the report counts rows and examples of each split."""
    trained = trained_styles(release, styles)
    files = {(form, split): _files(release, trained, form, split) for form in FORMS for split in SPLITS}
    total, done = sum(file["rows"] for held in files.values() for file in held), 0
    counts: dict[str, dict[str, int]] = {}
    canary = release.manifest.get("canary")
    for (form, split), held in files.items():
        schema = SCHEMAS[form].with_metadata({CANARY: canary} if canary else None)
        for number, file in enumerate(held):
            count = counts.setdefault(f"{form}/{split}", {"rows": 0, "examples": 0})
            with _writer(folder / form / f"{split}-{number:05d}-of-{len(held):05d}.parquet", schema) as writer:
                for rows, repeats in pieces(release.read(file)):
                    writer.write_table(written_out(form, rows, repeats))
                    count["rows"] += len(rows)
                    count["examples"] += sum(repeats)
                    done += len(rows)
                    progress(done, total)
    write_text(folder / "README.md", _card(release, list(counts)))
    return {"splits": counts}


def _files(release: Release, styles: list[str], form: Form, split: str) -> list[dict[str, Any]]:
    """The release's files whose rows stand in a split of a form."""
    mine = [style for style in styles if form in forms_of(style)]
    return [file for style in mine for file in release.files(style, split) if file["rows"]]


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[Any]:
    path.parent.mkdir(exist_ok=True)
    with (
        told_in_one_line(path),
        pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=3,
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as writer,
    ):
        yield writer


def _card(release: Release, splits: list[str]) -> str:
    forms = {form: [key.split("/")[1] for key in splits if key.split("/")[0] == form] for form in FORMS}
    header = {
        "configs": [
            {
                "config_name": form,
                # datasets caches by the folder's last name and this header: it must tell two exports apart.
                "description": f"world {release.world}, content {release.digest[:16]}, {len(held)} splits",
                "data_files": [{"split": split, "path": f"{form}/{split}-*"} for split in held],
            }
            for form, held in forms.items()
            if held
        ]
    }
    return (
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n"
        f"Training rows of world {release.world} (release {release.digest[:16]}), each as often as it is shown.\n\n"
        "`text`: documents. `prompt-completion`: questions as kbench itself trains on them. `messages`: questions and\n"
        "dialogues as chats. `validation` asks the same facts in other words; `pretrain` is the known world.\n"
        + (f"\n`kbench canary GUID {release.manifest['canary']}`\n" if release.manifest.get("canary") else "")
    )
