"""One piece of work in a process beside this one, where there is a core for it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from medfl.files.parallel import cpu_count
from medfl.files.processes import be_silent_helper, can_fork
from medfl.stopping import held


@contextmanager
def done_beside(work: Callable[[], object]) -> Iterator[None]:
    """Do a piece of work in a process of its own while the block runs, and wait for it at the end.

    All that remains of it are the files that it writes. Where it fails, or no process can be
    started, it is done here after the block, so its errors are raised as if there were no other
    process. Where the block fails, the process is ended.
    """
    process = _start(work)
    try:
        yield
    except BaseException:
        if process is not None:
            process.kill()
            process.join()
        raise
    if process is not None:
        process.join()
    if process is None or process.exitcode:
        work()


def _start(work: Callable[[], object]) -> BaseProcess | None:
    if cpu_count() < 2 or not can_fork():
        return None
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_do, args=(work, os.getpid()), daemon=True)
    try:
        with held():  # no signal's handler of ours may run in it
            process.start()
    except OSError:
        return None
    return process


def _do(work: Callable[[], object], parent: int) -> None:
    be_silent_helper([], parent)
    try:
        work()
    except BaseException:  # it is done again where it can be told
        os._exit(1)
    os._exit(0)
