"""Work in a process beside this one, where there is a core for it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from medfl.files.parallel import cpu_count
from medfl.files.processes import be_silent_helper, can_fork
from medfl.stopping import held

_Item = TypeVar("_Item", bound=Hashable)
_Found = TypeVar("_Found")

WORTH = 50  # items for which a process is started
_TURNS = 1000  # parts of the work at the most: their numbers have room in a pipe's first page


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


@contextmanager
def begun_beside(
    function: Callable[[_Item], _Found], items: Sequence[_Item]
) -> Iterator[Callable[[_Item], _Found]]:
    """Work on items in a process of its own from now on, and here from when the first is asked for.

    What it gives is asked in place of ``function``, for these items or others, and remembers what
    was found. An item that failed is worked on again when it is asked for, which raises its error.
    Found things are pickled on their way here.
    """
    shared = _Shared(function, items)
    try:
        yield shared.ask
    finally:
        shared.end()


class _Shared(Generic[_Item, _Found]):
    """Items that two processes work on: whoever is free takes the next of them."""

    def __init__(self, function: Callable[[_Item], _Found], items: Sequence[_Item]) -> None:
        self._function, self._items = function, items
        self._found: dict[_Item, _Found] = {}
        self._each = -(-len(items) // _TURNS) or 1
        self._turns, numbers = os.pipe()
        with open(numbers, "wb") as file:
            for first in range(0, len(items), self._each):
                file.write(first.to_bytes(4, "big"))
        parent, (self._way, there) = os.getpid(), multiprocessing.Pipe(duplex=False)

        def work() -> None:
            be_silent_helper([self._way], parent)
            there.send([pickle.dumps(some) for some in self._some()])

        with there:
            self._process = _start(work) if len(items) >= WORTH else None
        self._open = True

    def ask(self, item: _Item) -> _Found:
        """What the function gives for an item."""
        if self._process is not None and self._open:
            for some in self._some():
                self._found |= some
            with suppress(EOFError, OSError):  # it ended by itself: its share is found below
                for packed in self._way.recv():
                    self._found |= pickle.loads(packed)
            self.end()
        if item not in self._found:
            self._found[item] = self._function(item)
        return self._found[item]

    def _some(self) -> Iterator[dict[_Item, _Found]]:
        """What is found for the next items that nobody has taken, until there are none."""
        while number := os.read(self._turns, 4):
            first, some = int.from_bytes(number, "big"), {}
            for item in self._items[first : first + self._each]:
                with suppress(Exception):
                    some[item] = self._function(item)
            yield some

    def end(self) -> None:
        """End the process, if there is one."""
        if self._open:
            self._open = False
            if self._process is not None:
                self._process.kill()
                self._process.join()
            self._way.close()
            os.close(self._turns)


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
