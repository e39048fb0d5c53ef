"""The process of `Client`: a line of JSON in, the command run, a line of JSON out."""

import contextlib
import io
import json
import os
import sys
import traceback

import huggingface_hub

from kbench.cli import main


def serve() -> None:
    """Run commands until there are no more."""
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
                status = 70
                traceback.print_exception(error)
        huggingface_hub.close_session()
        answers.write(json.dumps({"status": status, "out": out.getvalue(), "err": err.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
