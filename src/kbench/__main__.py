"""`python -m kbench`, the same as `kbench`."""

from kbench.cli import main

if __name__ == "__main__":
    main()
