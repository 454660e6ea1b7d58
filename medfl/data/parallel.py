"""Decode many files at once, in order, with a progress bar and bounded memory."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from medfl.errors import MedflError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cpu_count() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    workers: int | None = None,
    first: int = 0,
    processes: bool = False,
    unit: str = "image",
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item, in order.

    The first error ends the iteration; work that has not started is cancelled. The bar begins at
    ``first``, which says how many were done before.

    Threads suffice for most: Pillow and zlib release the interpreter lock while they decode.
    ``processes`` pay where a decoder holds it for long, as that of JPEG 2000 does (see
    ``benchmarks/dicom_reading.py``). The function, items and results must then be picklable, and a
    script that calls this needs the usual ``if __name__ == "__main__":``.
    """
    from tqdm import tqdm

    workers = workers or cpu_count()
    size = _BATCH if processes else 1
    pending: deque[Future[tuple[list[Result], Exception | None]]] = deque()
    bar = tqdm(
        total=first + len(items),
        initial=first,
        desc=description,
        file=sys.stderr,
        unit=unit,
        mininterval=0.5,
    )
    rest = iter(items)
    batches = iter(lambda: list(islice(rest, size)), [])
    ahead = max(2, 8 // size) * workers  # volumes are large: few wait
    with bar, _pool(workers, processes) as pool:
        try:
            for batch in batches:
                pending.append(pool.submit(_apply, function, batch))
                if len(pending) >= ahead:
                    yield from _counted(pending.popleft(), bar)
            while pending:
                yield from _counted(pending.popleft(), bar)
        except BrokenProcessPool as error:
            raise MedflError(
                f"{description}: a worker process ended, perhaps for lack of memory: run it again "
                "with fewer workers. (A script must start its work below "
                '`if __name__ == "__main__":`.)'
            ) from error
        finally:
            for future in pending:
                future.cancel()


_BATCH = 8  # items that a process is sent at once


def _pool(workers: int, processes: bool) -> Executor:
    if not processes:
        return ThreadPoolExecutor(workers)
    import multiprocessing

    # Not "fork": the threads of PyTorch do not survive it.
    safe = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(safe))


def _apply(
    function: Callable[[Item], Result], batch: list[Item]
) -> tuple[list[Result], Exception | None]:
    """The results up to the first error, and that."""
    results = []
    for item in batch:
        try:
            results.append(function(item))
        except Exception as error:
            return results, error
    return results, None


def _counted(future: Future[tuple[list[Result], Exception | None]], bar: Any) -> Iterator[Result]:
    results, error = future.result()
    for result in results:
        yield result
        bar.update()
    if error is not None:
        raise error
