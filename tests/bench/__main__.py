"""`python -m tests.bench [NAME] [ARGS]`: the main table, or the benchmark that is named."""

import importlib
import sys

NAMES = ("generate", "depth", "workers", "memory", "start", "scoring", "adapters", "training")


def main() -> None:
    """Run the benchmark that the first word names, with the words after it; without one, `generate`."""
    words = sys.argv[1:]
    name = words.pop(0) if words and not words[0].startswith("-") else "generate"
    if name not in NAMES:
        sys.exit(f"no benchmark {name!r}: have {', '.join(NAMES)}")
    sys.argv = [f"{sys.argv[0]} {name}", *words]
    importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main()
