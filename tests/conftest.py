"""What tests share: a Hugging Face home of their own, hypothesis without chance, releases made once a session."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before any test module imports datasets or transformers, which read these when they are imported.
_HOME = tempfile.mkdtemp(prefix="kbench-tests-hf-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["HF_HOME"] = _HOME
os.environ["KBENCH_CACHE"] = f"{_HOME}/kbench"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from kbench.store import Release  # noqa: E402
from tests.hub import HubServer  # noqa: E402
from tests.samples import SPECS, Sample, read_sample, write_small_pack  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

settings.register_profile("kbench", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("kbench")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    """Releases already made in this session, by the name of their world."""
    return {}


def _made(name: str, samples: dict[str, Sample], factory: pytest.TempPathFactory) -> Sample:
    if name not in samples:
        samples[name] = read_sample(SPECS[name](), factory.mktemp(f"release-{name}"))
    return samples[name]


@pytest.fixture(scope="session", params=list(SPECS))
def sample(
    request: pytest.FixtureRequest, samples: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory
) -> Sample:
    """Each of the releases that the laws are checked on: the lab's, a small default one, one with known entities."""
    return _made(request.param, samples, tmp_path_factory)


@pytest.fixture(scope="session")
def lab(samples: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The lab's release with seed 7 in all styles, and its rows."""
    return _made("lab", samples, tmp_path_factory)


@pytest.fixture(scope="session")
def default_sample(samples: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A small release of the default world in all styles, and its rows."""
    return _made("default", samples, tmp_path_factory)


@pytest.fixture(scope="session")
def lab_release(lab: Sample) -> Release:
    """The lab's release with seed 7 in all styles. It is shared: read it, never write to it."""
    return lab.release


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a template pack that loads at once, for tests of the writing rather than of what is written."""
    return write_small_pack(tmp_path_factory.mktemp("packs") / "small")


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """An empty Hub on loopback. Real clients run in processes of their own, with its `env()`."""
    with HubServer(Path(tmp_path_factory.mktemp("hub"))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real Chromium for the tests of a file: while it is there, nothing else can run an event loop in this process."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium, and on CI no browser test may be skipped")
        # A developer without a browser may run the rest; .ci/run installs one, and CI fails above.
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()
