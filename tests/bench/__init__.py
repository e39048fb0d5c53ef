"""What generation costs, measured: `nox -s bench` or `python -m tests.bench NAME`, one module a question."""
