"""Decode many files at once, in order, with a progress bar and bounded memory."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from medfl.files.control_groups import MEMBERSHIP, ROOT, control_groups

if TYPE_CHECKING:
    from tqdm import tqdm

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cpu_count() -> int:
    """The cores that this process may use: those of its job, where that has fewer than the machine.

    A scheduler or container may bind a process to some cores, or allow it the time of so many
    (``docker run --cpus``); and SLURM says how many a task has.
    """
    bound = hasattr(os, "sched_getaffinity")
    rooms = [len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1]
    rooms += _quotas()
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    rooms += [int(slurm)] if slurm.isdecimal() else []
    return max(1, min(rooms))


def _quotas(membership: Path = MEMBERSHIP, root: Path = ROOT) -> list[int]:
    """Whole cores in whose time each control group keeps this process."""
    found = []
    for group, version in control_groups("cpu", membership, root):
        try:
            if version == 2:
                quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
            else:
                quota, period = (
                    (group / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip()
                    for name in ("quota", "period")
                )
            if quota not in ("max", "-1"):  # these stand for no limit
                found.append(int(quota) // int(period))
        except (OSError, ValueError, ZeroDivisionError):  # not mounted here, or of another kind
            pass
    return found


def map_ordered(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    description: str,
    workers: int | None = None,
    first: int = 0,
    unit: str = "image",
) -> Generator[_Result, None, None]:
    """Yield ``function(item)`` for each item, in order, computed by threads.

    For what lets go of Python's lock; else, and for decoders, there is ``map_isolated``. The first
    error ends the iteration; work that has not started is cancelled. The bar begins at ``first``,
    which says how many were done before.
    """
    workers = workers or cpu_count()
    pending: deque[Future[_Result]] = deque()
    bar = progress(description, len(items), first, unit)
    with bar, ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= 8 * workers:  # volumes are large: few wait
                    yield pending.popleft().result()
                    bar.update()
            while pending:
                yield pending.popleft().result()
                bar.update()
        finally:
            for future in pending:
                future.cancel()


def progress(
    description: str, number: int | None, first: int = 0, unit: str = "image", delay: float = 0
) -> tqdm[Any]:
    """A bar on the error stream, of ``number`` after ``first`` that were done before.

    ``number`` is None where nobody knows it; nothing is shown before ``delay`` seconds are over.
    """
    from tqdm import tqdm

    # By default a thread watches bars, and a process with threads is not to be forked.
    kind = type("Bar", (tqdm,), {"monitor_interval": 0})
    bar: tqdm[Any] = kind(
        total=None if number is None else first + number,
        initial=first,
        desc=description,
        file=sys.stderr,
        unit=unit,
        delay=delay,
        mininterval=0.5,
        miniters=1,  # without that thread, the clock is to be looked at each time
    )
    return bar
