"""Worker processes: stopped with their parent, and their death told in one line."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest

from kbench.errors import KbenchError
from kbench.workers import worker_pool


def test_work_comes_back_in_order() -> None:
    with worker_pool(2) as pool:
        assert list(pool.map(abs, [-3, -2, -1])) == [3, 2, 1]


def test_a_worker_that_dies_is_told_in_one_line() -> None:
    with pytest.raises(KbenchError, match=r"a worker process died.*what was finished is kept"), worker_pool(1) as pool:
        pool.submit(os._exit, 1).result()


def _leave_in_the_middle() -> None:
    with worker_pool(1) as pool:
        pool.submit(time.sleep, 86_400)
        raise ZeroDivisionError


def test_leaving_by_an_error_ends_work_that_would_last_a_day() -> None:
    with pytest.raises(ZeroDivisionError):
        _leave_in_the_middle()
    assert active_children() == []


def test_an_interrupted_generate_says_so_and_leaves_nothing_that_passes_for_whole(tmp_path: Path) -> None:
    out = tmp_path / "world"
    words = [sys.executable, "-m", "kbench.cli", "generate", "--style", "all", "--entities", "20000"]
    command = [*words, "--workers", "2", "--out", str(out)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while started.poll() is None and not list(out.glob(".*.json")):
        os.sched_yield()
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate()
    assert started.returncode == 130
    assert err == "kbench: interrupted: run the same command again to go on from what is done\n"
    assert (out / ".kbench_plan.json").is_file()
    assert not (out / "kbench_manifest.json").exists()
