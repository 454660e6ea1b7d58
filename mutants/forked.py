"""Pytest in a child that is forked from a process which has imported the heavy libraries already.

The parent imports no module of the package: a child finds the mutant, not what it replaces.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAVY = "torch numpy pandas scipy.stats sklearn.metrics pydantic yaml PIL.Image pytest coverage"
GRACE = 20.0
"""Seconds that any batch of tests may take, besides five times what it takes on sound sources."""
MEMORY = 24 * 2**30
"""Bytes of address space for a child: a mutant may ask for arrays without end."""


@dataclass
class Ending:
    """How a run of pytest ended.

    Attributes:
        code: pytest's exit code, or None where it was stopped at its time limit.
        seconds: of processor time, which other work on the machine does not stretch.
        failed: the tests that failed; a file that cannot be imported stands under its name.
        lines: source → numbers of the lines that ran, where they were asked for.
    """

    code: int | None
    seconds: float
    failed: list[str] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=dict)


def import_heavy() -> None:
    """Import what every child needs; a library that is not there is left out."""
    for name in HEAVY.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run(tree: Path, arguments: Sequence[str], limit: float, source: Path | None = None) -> Ending:
    """Run pytest in a copy of the project.

    Args:
        tree: the copy; the child's current folder, and the first in which it looks for modules.
        arguments: pytest's own.
        limit: seconds of processor time; four times as many on the clock.
        source: a folder of which the lines that ran are noted.
    """
    notes = tree.with_name("child.json")
    notes.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _child(tree, list(arguments), limit, source, notes)
    code, seconds = _wait(child, time.monotonic() + 4 * limit)
    told = json.loads(notes.read_text()) if notes.exists() else {}
    return Ending(code, seconds, told.get("failed", []), told.get("lines", {}))


def _wait(child: int, deadline: float) -> tuple[int | None, float]:
    """The exit code of a child, None where its time ran out, and its seconds of processor time.

    What it started ends with it.
    """
    done = 0
    while not done:
        if late := time.monotonic() > deadline:
            _kill(child)
        done, status, used = os.wait4(child, 0 if late else os.WNOHANG)
        time.sleep(0.02)
    _kill(child)
    code = os.waitstatus_to_exitcode(status)
    stopped = code in (-signal.SIGXCPU, -signal.SIGKILL)
    return None if stopped else code, used.ru_utime + used.ru_stime


def _kill(child: int) -> None:
    """End a child's group of processes, where any of them is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


class Watch:
    """A plugin of pytest that notes what failed, at once: the process may not end by itself."""

    def __init__(self, notes: Path) -> None:
        self.notes, self.failed = notes, list[str]()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note a test that failed, or what failed before or after it."""
        self._note(report)

    def pytest_collectreport(self, report: Any) -> None:
        """Note a file that could not be imported."""
        self._note(report)

    def _note(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
            self.write()

    def write(self, **more: Any) -> None:
        """Write what is known so far, where the parent reads it."""
        self.notes.write_text(json.dumps({"failed": self.failed, **more}))


def _child(
    tree: Path, arguments: list[str], limit: float, source: Path | None, notes: Path
) -> None:
    code = 70
    try:
        os.setsid()
        with open(tree.with_name("child.log"), "wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        seconds = int(limit) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.chdir(tree)
        sys.path[:0] = [str(tree)]
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        code = _pytest(arguments, source, Watch(notes))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _pytest(arguments: list[str], source: Path | None, watch: Watch) -> int:
    import coverage
    import pytest

    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", *arguments]
    if source is None:
        return int(pytest.main(arguments, plugins=[watch]))
    measured = coverage.Coverage(data_file=None, config_file=False, source=[str(source)])
    with measured.collect():
        code = int(pytest.main(arguments, plugins=[watch]))
    data = measured.get_data()
    root = source.parent
    watch.write(
        lines={
            Path(file).relative_to(root).as_posix(): sorted(lines)
            for file in data.measured_files()
            if (lines := data.lines(file))
        }
    )
    return code
