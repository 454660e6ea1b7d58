"""Measures ratios that hold on a busy machine, by interleaved pairs and processor time."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
ENOUGH = 4  # pairs for quartiles to say how far a figure spreads


@dataclass
class Result:
    """One figure, a line of the table.

    Attributes:
        name: what was compared.
        ratios: one ratio per pair; none where it could not be measured.
        target: the most that the median may be; None for information.
        unit: what ``ratios`` are, where they are not ratios: ``s`` or ``s of …`` for seconds.
        note: the numbers behind them; or why nothing was measured.
        better: whether less or more of it is better.
        facts: what else was found, for those who conclude from it.
    """

    name: str
    ratios: list[float] = field(default_factory=list)
    target: float | None = None
    unit: str = ""
    note: str = ""
    better: Literal["less", "more"] = "less"
    facts: dict[str, str | float | bool] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """From where to where: the quartiles, or all of it where there are few pairs."""
        if len(self.ratios) < ENOUGH:
            return min(self.ratios), max(self.ratios)
        low, high = np.quantile(self.ratios, (0.25, 0.75))
        return float(low), float(high)

    @property
    def in_seconds(self) -> bool:
        return self.unit.split()[:1] == ["s"]

    @property
    def verdict(self) -> str:
        if not self.ratios:
            return "skipped"
        if self.target is None:
            return "info"
        return "ok" if self.median <= self.target else "MISSED"


@dataclass
class Cost:
    """Seconds of processor time and of wall time."""

    cpu: float
    wall: float


def cost(function: Callable[[], object]) -> Cost:
    """What one call in this process costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def added(one: Cost, other: Cost) -> Cost:
    """The cost of both."""
    return Cost(one.cpu + other.cpu, one.wall + other.wall)


def interleave(
    ours: Callable[[], Cost], plain: Callable[[], Cost], pairs: int, warm_up: int = 1
) -> list[tuple[Cost, Cost]]:
    """Costs of ``pairs`` alternating calls: calls that follow each other see the same machine."""
    for _ in range(warm_up):
        plain()
        ours()
    costs = []
    for number in range(pairs):
        if number % 2:
            first = plain()
            costs.append((ours(), first))
        else:
            first = ours()
            costs.append((first, plain()))
    return costs


def compare(name: str, costs: Sequence[tuple[Cost, Cost]], target: float | None) -> Result:
    """The ratios of processor times; the note has the median ratio of wall times."""
    wall = statistics.median(ours.wall / plain.wall for ours, plain in costs)
    ours = statistics.median(ours.cpu for ours, _ in costs)
    plain = statistics.median(plain.cpu for _, plain in costs)
    return Result(
        name,
        [ours.cpu / plain.cpu for ours, plain in costs],
        target,
        note=f"{ours:.3f} s / {plain:.3f} s of processor; wall ratio {wall:.3f}",
    )


def environment() -> dict[str, str]:
    """The environment of a job: one thread, and this checkout's medfl before any other.

    Python keeps what it has compiled, as it does wherever nobody has told it otherwise.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    usual = {name: one for name, one in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return usual | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def child(command: Sequence[str], **options: Any) -> tuple[Cost, str]:
    """Run a process to its end; return its cost (with descendants) and what it printed.

    Raises:
        RuntimeError: if it fails; with the end of what it printed.
    """
    wall = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - wall
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall), output
