"""Decode many files at once, in order, with a progress bar and bounded memory."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cpu_count() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ordered(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    description: str,
    workers: int | None = None,
    first: int = 0,
    unit: str = "image",
) -> Generator[_Result, None, None]:
    """Yield ``function(item)`` for each item, in order, computed by threads.

    Threads suffice: Pillow and zlib release the interpreter lock while they decode. DICOM files of
    all syntaxes except JPEG 2000 are read faster by threads than by processes
    (``benchmarks/dicom_reading.py``). The first error ends the iteration; work that has not started
    is cancelled. The bar begins at ``first``, which says how many were done before.
    """
    from tqdm import tqdm

    workers = workers or cpu_count()
    pending: deque[Future[_Result]] = deque()
    bar = tqdm(
        total=first + len(items),
        initial=first,
        desc=description,
        file=sys.stderr,
        unit=unit,
        mininterval=0.5,
    )
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
