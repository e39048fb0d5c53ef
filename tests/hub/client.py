"""kbench in a process of its own, which runs one command after another with the Hub's client loaded once."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


class Client:
    """A process that runs commands of kbench with the environment it was started with."""

    def __init__(self, env: dict[str, str], worker: str = "worker.py") -> None:
        """Start it."""
        words = [sys.executable, "-P", str(Path(__file__).with_name(worker))]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(env)
        )

    def __enter__(self) -> Self:
        """Nothing is left to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate(timeout=30)

    def run(self, *words: str | Path, cwd: Path, **env: str) -> Done:
        """Run `kbench WORDS` in a folder, with more in the environment; an empty variable is none."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"words": [str(word) for word in words], "cwd": str(cwd), "env": env}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))


def environment(env: dict[str, str]) -> dict[str, str]:
    """The environment of this process, which imports the same kbench in any folder, with more."""
    places = [str(Path(place).resolve()) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", **env}


def start(env: dict[str, str], *words: str | Path, cwd: Path) -> "subprocess.Popen[str]":
    """Start a command of kbench in a process that the test may kill."""
    command = [sys.executable, "-m", "kbench.cli", *map(str, words)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=environment(env), **pipes)


def run_alone(env: dict[str, str], *words: str | Path, cwd: Path) -> Done:
    """Run a command of kbench in a process of its own."""
    process = start(env, *words, cwd=cwd)
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)
