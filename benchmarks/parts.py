"""The parts of the bench by name, and what runs one of them."""

from __future__ import annotations

import importlib
import os
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.results_file import Figure, Part, commit
from benchmarks.timing import Cost, Result
from benchmarks.yardstick import beside

STOPPED = "stopped by a signal"


@dataclass(frozen=True)
class Entry:
    """A part of the bench.

    Attributes:
        module: of ``benchmarks``; its ``run(pairs)`` yields results.
        pairs: how many pairs it measures by default.
        cores: how many cores it needs for itself.
    """

    module: str
    pairs: int
    cores: int = 1

    def load(self) -> Any:
        """The module; it may need packages that are not installed."""
        return importlib.import_module(f"benchmarks.{self.module}")


PARTS = {
    "rounds": Entry("rounds", 4),
    "workers": Entry("workers", 7, cores=2),
    "augment": Entry("augment", 5),
    "startup": Entry("startup", 5),
    "reading": Entry("reading", 3, cores=2),
    "memory": Entry("memory", 2),
    "grid": Entry("grid", 3),
    "results": Entry("large_grids", 3, cores=2),
    "short": Entry("short_runs", 1, cores=2),
    "large": Entry("large", 5),
    "secure": Entry("secure_aggregation", 3),
    "encryption": Entry("encryption", 3),
    "robust": Entry("robust", 1),
    "gpu": Entry("gpu", 3),
}


def run_part(
    name: str,
    pairs: int | None,
    plain: Callable[[], Cost],
    tell: Callable[[Figure], None],
    entry: Entry | None = None,
) -> Part:
    """Measure one part; what it cannot measure is told with the reason, and so is its failure.

    Args:
        name: of the part.
        pairs: pairs of each figure; by default the part's own.
        plain: the plain loop that runs before and after each figure.
        tell: called with each figure as soon as it is there.
        entry: the part; by default the one of that name.
    """
    entry = entry or PARTS[name]
    now, started = datetime.now(UTC).astimezone(), time.monotonic()
    part = Part(now.isoformat(timespec="seconds"), 0.0, commit(), os.getloadavg()[0], [])
    try:
        results, conclude = _results(name, entry, pairs)
        for figure in beside(results, plain):
            tell(add(part.figures, figure))
        if any(figure.ratios for figure in part.figures):
            part.words = conclude(part.figures)
    except KeyboardInterrupt:
        part.failed = STOPPED
    except Exception as error:
        traceback.print_exc()
        last = (str(error).strip().splitlines() or [""])[-1]  # of a child: what it said last
        part.failed = f"{type(error).__name__}: {last[:300]}".rstrip(": ")
    part.seconds = time.monotonic() - started
    return part


def _results(
    name: str, entry: Entry, pairs: int | None
) -> tuple[Iterable[Result], Callable[[list[Figure]], list[str]]]:
    """What the part yields, or the one line that says why it cannot be measured here.

    And what says in words what follows: the module's ``conclude``, if it has one.
    """
    from medfl.files.parallel import cpu_count

    def nothing(figures: list[Figure]) -> list[str]:
        return []

    if cpu_count() < entry.cores:
        words = f"needs {entry.cores} cores for itself, and this process may use {cpu_count()}"
        return [Result(name, note=words)], nothing
    try:
        module = entry.load()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("medfl", "benchmarks"):
            raise
        words = f"needs the Python package {error.name}, which is not installed"
        return [Result(name, note=words)], nothing
    return module.run(pairs or entry.pairs), getattr(module, "conclude", nothing)


def add(figures: list[Figure], new: Figure) -> Figure:
    """Put a figure to the others; a part may measure each pair of it anew, under the same name."""
    for figure in figures:
        if figure.name == new.name:
            figure.ratios += new.ratios
            figure.plain += new.plain
            figure.waited = max(figure.waited, new.waited)
            return figure
    figures.append(new)
    return new
