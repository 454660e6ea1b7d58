"""One piece of work in a process beside this one, where there is a core for it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import TypeVar

from medfl.files.parallel import cpu_count
from medfl.files.processes import be_silent_helper, can_fork
from medfl.stopping import held

_Found = TypeVar("_Found")


@contextmanager
def done_beside(
    gather: Callable[[], _Found], write: Callable[[_Found], object]
) -> Iterator[Callable[[], None]]:
    """Gather in a process of its own while the block runs, and write there what was found.

    All that remains of it are the files that it writes. It writes nothing before the block calls
    what it is given, or ends. Where the work fails, or no process can be started, it is done here
    after the block, so its errors are raised as if there were no other process. Where the block
    fails, the process is ended.
    """
    parent, (here, there) = os.getpid(), multiprocessing.Pipe()

    def work() -> None:
        be_silent_helper([here], parent)
        found = gather()
        there.recv_bytes()  # fails where the other process is gone
        write(found)

    def allow() -> None:
        with suppress(OSError):  # the process has failed, which is seen at the end
            here.send_bytes(b"write")

    with here, there:
        process = _start(work)
        there.close()
        try:
            yield allow
        except BaseException:
            if process is not None:
                process.kill()
                process.join()
            raise
        if process is not None:
            allow()
            process.join()
    if process is None or process.exitcode:
        write(gather())


def _start(work: Callable[[], None]) -> BaseProcess | None:
    if cpu_count() < 2 or not can_fork():
        return None
    process = multiprocessing.get_context("fork").Process(target=_do, args=(work,), daemon=True)
    try:
        with held():  # no signal's handler of ours may run in it
            process.start()
    except OSError:
        return None
    return process


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException:  # it is done again where it can be told
        os._exit(1)
    os._exit(0)
