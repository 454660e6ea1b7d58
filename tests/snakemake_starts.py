"""Starts of Snakemake that are forked from a process which has imported it, and nothing of medfl.

Importing takes most of a dry run's time. A start has the folder, the environment and the path of
imports that it would have as a process of its own.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

LIBRARIES = ("snakemake.cli", "snakemake.api", "snakemake.workflow", "snakemake.dag", "pydantic")
LIBRARIES += ("snakemake.report.html_reporter", "snakemake.storage", "snakemake.parser", "numpy")
LIBRARIES += ("snakemake_executor_plugin_slurm", "snakemake.scheduling.job_scheduler", "yaml")


@cache
def _server() -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    atexit.register(server.communicate)  # it ends with its input
    return server


def start(
    options: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What `python -m snakemake` with these options did in a folder."""
    server = _server()
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place, name) for name in ("out", "errors")]
        asked = [options, str(folder), dict(environment), *map(str, said)]
        print(json.dumps(asked), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(options, status, *(one.read_text() for one in said))


def _serve() -> list[str] | None:
    """Fork whatever is asked for; in a fork, its options."""
    for line in sys.stdin:
        if not (child := os.fork()):
            options, folder, environment, *said = json.loads(line)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, path in enumerate(said, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            given = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
            sys.path[:1] = [folder, *given]  # in place of this file's folder
            return options
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


if __name__ == "__main__":
    for library in LIBRARIES:
        with suppress(ImportError):  # a start imports what it needs
            importlib.import_module(library)
    if (asked_for := _serve()) is not None:
        from snakemake.cli import main

        sys.argv[:] = ["snakemake", *asked_for]
        main()
