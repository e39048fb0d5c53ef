"""`kbench generate` as a process of its own, measured from outside: wall time, CPU time, peak memory.

Nothing of kbench is imported here: a child counts the memory of the process it was forked from as its own.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Finished:
    """One run: seconds, and the peak memory of its largest process."""

    wall: float
    cpu: float
    peak: float
    """In MB (10**6 bytes)."""
    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        """Rows of all styles, without the tables of facts and entities."""
        splits = self.manifest["splits"].items()
        return sum(split["rows"] for key, split in splits if key.split("/")[0] not in ("facts", "entities"))

    @property
    def size(self) -> int:
        """Bytes of all Parquet files."""
        return sum(file["bytes"] for file in self.manifest["files"])

    @property
    def files(self) -> list[tuple[str, str]]:
        """Name and sha256 of every Parquet file: equal where two releases have the same bytes."""
        return [(file["path"], file["sha256"]) for file in self.manifest["files"]]


def start(out: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Begin to write a release into a folder."""
    command = [sys.executable, "-m", "kbench.cli", "generate", "--out", str(out), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def run(out: Path, entities: int, workers: int, style: str = "qa") -> Finished:
    """Write a release of the default world into a folder. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    process = start(out, "--entities", str(entities), "--workers", str(workers), "--style", style)
    # Of the process and all its ended children: CPU time is their sum, memory that of the largest.
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    manifest = json.loads((out / "kbench_manifest.json").read_text(encoding="utf-8"))
    kilo = 1 if sys.platform == "darwin" else 1024
    return Finished(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * kilo / 1e6, manifest)
