"""Work on files in processes beside this one, where a crash costs the file that is at fault alone.

Python's lock binds threads, and a decoder of damaged bytes may crash. The processes are forked from
this one: that takes milliseconds, shares what is imported, and passes on any function. A fork has
no thread but its own, so a lock that another thread held would stay locked in it: a program with
threads of its own, such as a notebook, does the work in threads, to the same results.
"""

from __future__ import annotations

import faulthandler
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from medfl.errors import FileError, MedflError
from medfl.files.forked import become_helper, locked_files
from medfl.files.memory import LITTLE, MemoryEndedError, free_memory
from medfl.files.parallel import cpu_count, map_ordered, progress
from medfl.stopping import held

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MANY = 200  # items, or
WORTH = 0.5  # seconds of work, for which several processes are started: each imports for itself
LONG = 0.1  # seconds of an item, beside which a message's way is nothing
MESSAGE = 0.02  # seconds of work that one message asks for, and of
MOST = 16  # items at the most
KILLED = "cannot be read: who read it was killed, perhaps for want of memory"
_NO_MEMORY = 112  # the status of a process that lacks memory; Python and libraries end with less
AHEAD = 4  # messages for each process, of which results may wait for the turn of their item


def map_isolated(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    description: str,
    lost: Callable[[_Item, str], _Result],
    workers: int | None = None,
    first: int = 0,
    unit: str = "image",
    long: bool = False,
) -> Generator[_Result, None, None]:
    """Yield ``function(item)`` for each item, in order, computed by processes.

    The first exception ends the iteration. A process that ends by itself costs no other item: what
    it had been asked for is asked again, one item at a time with nothing beside it, and what ends
    its process then too is lost. All processes end with the iteration, or with this process.

    Args:
        function: what is done to an item. What it gives is pickled; what it prints is lost.
        items: in memory, or as cheap to get as a range.
        description: for the progress bar.
        lost: what to give for an item that ends its process, and why, in words that follow the
            name of a file: ``KILLED`` where memory ended, else it crashed.
        workers: how many processes at the most; else one for each core.
        first: how many were done before, for the bar.
        unit: what the bar counts.
        long: that an item takes so long that all processes are worth it from the first one on.
    """
    if not can_fork():
        yield from map_ordered(function, items, description, workers, first, unit)
        return
    with progress(description, len(items), first, unit) as bar:
        pool = _Pool(function, items, lost, workers or cpu_count(), long)
        try:
            for result in pool.results():
                yield result
                bar.update()
        finally:
            pool.end()


def can_fork() -> bool:
    """Whether this process may fork: on Linux, without threads, and as nobody's helper itself."""
    if sys.platform != "linux" or not os.path.isdir("/proc/self/fdinfo"):
        return False
    kinds = [type(one).__name__ for one in threading.enumerate()]
    alone = len(kinds) - kinds.count("TMonitor") == 1  # that one watches a program's own bars
    return alone and not multiprocessing.current_process().daemon


def lost_file(path: Path, why: str) -> FileError:
    """What is to be said of a file that ends its process; ``MemoryEndedError`` where memory did."""
    if why == KILLED:
        raise MemoryEndedError(path)
    return FileError(path, why)


class _Raised:
    """An exception that the function raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Pool(Generic[_Item, _Result]):
    """Shares items out among processes, and puts their results in order."""

    def __init__(
        self,
        function: Callable[[_Item], _Result],
        items: Sequence[_Item],
        lost: Callable[[_Item, str], _Result],
        workers: int,
        long: bool,
    ) -> None:
        self._function, self._items, self._lost, self._most = function, items, lost, workers
        self._workers: list[_Worker] = []
        self._came: dict[int, _Result | _Raised] = {}
        self._next = 0  # the first item that nobody was asked for
        self._each: float | None = math.inf if long else None  # seconds that an item took lately
        self._again: list[int] = []  # items of processes that ended
        self._alone = False  # whether one of these is at work

    def results(self) -> Generator[_Result, None, None]:
        """What there is for each item, in their order."""
        for turn in range(len(self._items)):
            while turn not in self._came:
                self._ask(turn)
                self._hear()
            result = self._came.pop(turn)
            if isinstance(result, _Raised):
                raise result.error
            yield result

    def end(self) -> None:
        """End the processes: they hold nothing that would be lost."""
        with held():
            while self._workers:
                self._workers[-1].end()
                self._workers.pop()

    def _ask(self, turn: int) -> None:
        """Ask for items as far ahead of ``turn`` as there is room for their results."""
        if self._alone or (self._again and any(one.asked for one in self._workers)):
            return
        if self._again:
            self._alone = True
            row = self._again.pop(0)
            self._hire(1)[0].ask(range(row, row + 1))
            return
        size = min(MOST, max(1, round(MESSAGE / self._each))) if self._each else 1
        end = min(len(self._items), turn + AHEAD * self._most * size)
        left = len(self._items) - self._next
        several = left >= MANY or (self._each or 0) * left > WORTH
        # One that it works at, and one that it finds next, unless the last one is long to wait for.
        most = 1 if (self._each or 0) > LONG else 2
        for _ in range(most):
            for worker in self._hire(self._most if several else 1):
                if self._next < end and len(worker.asked) < most:
                    rows = range(self._next, min(end, self._next + size))
                    self._next = rows.stop
                    worker.ask(rows)

    def _hire(self, number: int) -> list[_Worker]:
        """The processes, so many of them if there were fewer."""
        while len(self._workers) < min(number, len(self._items)):
            self._workers.append(_Worker(self._function, self._items, self._workers))
        return self._workers

    def _hear(self) -> None:
        """Take what the processes give, as soon as there is something."""
        asked = {one.way: one for one in self._workers if one.asked}
        ready = wait(list(asked), None if self._each else WORTH)
        if not ready:  # each item takes long
            self._each = math.inf
        for way in ready:
            worker = asked[way]  # type: ignore[index]
            try:
                seconds, found = worker.way.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            rows = worker.asked.popleft()
            self._came.update(zip(rows, found, strict=False))  # fewer where one was raised
            self._alone = False
            if worker.warm:  # before, it imported what it needs
                self._each = seconds / len(rows)
            worker.warm = True

    def _bury(self, worker: _Worker) -> None:
        """Put the items of a process that has ended by itself to those that are asked again."""
        why = worker.bury()
        self._workers.remove(worker)
        rows = [row for rows in worker.asked for row in rows]
        if self._alone:
            self._alone = False
            self._came[rows[0]] = self._lost(self._items[rows[0]], why)
        else:
            self._again = sorted([*self._again, *rows])


class _Worker:
    """A process that works on items, seen from the one that forked it.

    Attributes:
        way: to it and from it.
        asked: which items it was asked for and has not given, a range for each message.
        warm: whether it has given any.
    """

    def __init__(
        self, function: Callable[[Any], Any], items: Sequence[Any], others: Sequence[_Worker]
    ) -> None:
        self.asked: deque[range] = deque()
        self.warm = False
        context = multiprocessing.get_context("fork")
        self.way, theirs = context.Pipe()
        ours = [self.way, *(one.way for one in others)]
        with theirs, held():  # no signal's handler of ours may run in it
            self._process = context.Process(
                target=_serve, args=(theirs, function, items, ours, os.getpid()), daemon=True
            )
            try:
                self._process.start()
            except OSError as error:
                raise MedflError(
                    f"a process that reads files beside this one cannot be started "
                    f"({error.strerror}): there may be too many processes, or too little memory."
                ) from error

    def ask(self, rows: range) -> None:
        """Ask for items; one that has ended is found so when it is listened to."""
        self.asked.append(rows)
        with suppress(OSError):
            self.way.send((rows.start, rows.stop))

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self.way.close()

    def bury(self) -> str:
        """Say why it ended, which it has done by itself, as if one file were to blame."""
        self._process.join()
        self.way.close()
        status = self._process.exitcode or 0
        # Decoders that are not Python's abort where memory ends.
        if status in (-signal.SIGKILL, _NO_MEMORY) or (status < 0 and free_memory() < LITTLE):
            return KILLED
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"makes its reader crash ({how}): get this file again"


def _serve(
    way: Connection,
    function: Callable[[Any], Any],
    items: Sequence[Any],
    ours: Sequence[Connection],
    parent: int,
) -> None:
    """Be such a process: work on the items that are asked for, until nobody can ask any more."""
    be_silent_helper(ours, parent)
    while True:
        try:
            start, stop = way.recv()
        except EOFError:
            os._exit(0)
        began, found = time.perf_counter(), []
        for row in range(start, stop):
            try:
                found.append(function(items[row]))
            except MemoryError:  # as the kernel would: it may be there for this item alone
                os._exit(_NO_MEMORY)
            except Exception as error:
                found.append(_Raised(error))
                break
        way.send((time.perf_counter() - began, found))


def be_silent_helper(ours: Sequence[Connection], parent: int) -> None:
    """Make a fork a helper: its parent's signals, locks and screen are not its own."""
    become_helper(parent)
    for one in ours:  # else it would not see that the other end is gone
        one.close()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2, *locked_files()):  # what a crashing library says may quote the file
        os.dup2(nothing, number)
    os.close(nothing)
    faulthandler.disable()
