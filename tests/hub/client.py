"""kbench in a process of its own, which runs one command after another with the Hub's client loaded once."""

import contextlib
import io
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

    def __init__(self, env: dict[str, str]) -> None:
        """Start it."""
        words = [sys.executable, "-m", "tests.hub.client"]
        root = Path(__file__).parent.parent.parent
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=environment(env)
        )

    def __enter__(self) -> Self:
        """Nothing is left to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate(timeout=30)

    def run(self, *words: str | Path, cwd: Path, **env: str) -> Done:
        """Run `kbench WORDS` in a folder, with more in the environment; an empty variable is none."""
        assert self._process.stdin and self._process.stdout
        asked = {"words": [str(word) for word in words], "cwd": str(cwd), "env": env}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))


def environment(env: dict[str, str]) -> dict[str, str]:
    """The environment of this process, the tree's own kbench first, with more."""
    source = Path(__file__).parent.parent.parent / "src"
    return {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", **env}


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


def _serve() -> None:
    import huggingface_hub

    from kbench.cli import main

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints past Python is no answer
    before = dict(os.environ)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.clear()
        os.environ.update({name: value for name, value in (before | asked["env"]).items() if value})
        os.chdir(asked["cwd"])
        sys.argv = ["kbench", *asked["words"]]
        out, err, status = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as stop:
                status = int(stop.code or 0)
            except BaseException as error:
                import traceback

                status = 70
                traceback.print_exception(error)
        huggingface_hub.close_session()
        answers.write(json.dumps({"status": status, "out": out.getvalue(), "err": err.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
