"""One spread of items over workers: who begins what when, and the results in their order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Any

from medfl.errors import MedflError
from medfl.federated.workers.exchange import Packed
from medfl.federated.workers.process import WorkerProcess
from medfl.federated.workers.task import WorkerTask
from medfl.stopping import held

log = logging.getLogger(__name__)


class Turn:
    """Items that workers share out among them, and what they hand back.

    Each worker has a thread in the run's process that gives it the next item as soon as it has done
    one. The main thread, which a signal may interrupt at any place, waits for a queue, and touches
    what it shares with the threads under a lock that no signal leaves locked.

    Args:
        number: of the task, by which workers know it.
        task: the task.
        items: what is worked on.
        lengths: how long each takes, in any unit.
        room: bytes of a result → how many results may wait.
        first_size: the bytes of a result, as long as there is none.
    """

    def __init__(
        self,
        number: int,
        task: WorkerTask[Any, Any],
        items: Sequence[Any],
        lengths: Sequence[int],
        room: Callable[[int], int],
        first_size: int,
    ) -> None:
        self._number, self._task, self._items, self._lengths = number, task, items, lengths
        self._room, self._largest = room, first_size
        self._leaving = False
        self._entered = 0  # how many items were ever let in
        self._last = len(items)  # the first item that ends the run, after which none is wanted
        self._lock = threading.Lock()
        self._ready: list[tuple[int, int]] = []  # a heap: the longest is first, then the earliest
        self._tokens = SimpleQueue[bool]()  # one for each that is ready; False ends a thread
        self._done = SimpleQueue[tuple[int, Any, BaseException | None] | None]()
        self._serving = 0

    def results(self, again: Callable[[Any], Any]) -> Iterator[Any]:
        """The result of each item, in their order.

        Args:
            again: gives the result of an item in this process, where a worker failed.

        Raises:
            MedflError: what the task raised, when it is the turn of its item.
        """
        came: dict[int, tuple[Any, BaseException | None]] = {}
        for place, item in enumerate(self._items):
            self._let_in(place)
            while place not in came and (found := self._next()) is not None:
                where, back, error = found
                came[where] = back, error
                if error is None:
                    self._largest = max(self._largest, self._task.size(back))
            if place not in came:
                yield again(item)
                continue
            back, error = came.pop(place)
            if isinstance(error, MedflError):
                raise error
            if error is None:
                yield self._task.take_back(item, back)
            else:
                log.warning("%s is done again: %s", self._task.words(item), error)
                yield again(item)

    def _next(self) -> tuple[int, Any, BaseException | None] | None:
        """What a worker says next; None where there is no worker any more."""
        while True:
            with held(), self._lock:
                serving = self._serving
            try:
                found = self._done.get(block=serving > 0)
            except Empty:
                return None
            if found is not None:
                return found

    def _let_in(self, place: int) -> None:
        """Let workers begin items as far ahead of ``place`` as there is room for their results."""
        end = min(len(self._items), place + self._room(self._largest))
        with held(), self._lock:
            while self._entered < end:
                heappush(self._ready, (-self._lengths[self._entered], self._entered))
                self._entered += 1
                self._tokens.put(True)

    def expect(self) -> None:
        """Count one more thread that will serve."""
        self._serving += 1

    def leave(self) -> None:
        """Let the threads end; who waits for a worker ends with it."""
        self._leaving = True
        for _ in range(self._serving):
            self._tokens.put(False)

    def serve(self, process: WorkerProcess, brief: Packed) -> None:
        """Be the thread of a worker."""
        try:
            process.brief(self._number, brief)
            while process.alive and self._tokens.get() and not self._leaving:
                with self._lock:
                    place = heappop(self._ready)[1]
                    wanted = place <= self._last
                if wanted:
                    self._serve(process, place)
        except Exception as error:  # its items are done without it
            log.debug("A worker could not be told what to do.", exc_info=error)
        finally:
            with self._lock:
                self._serving -= 1
            self._done.put(None)  # so that the main thread looks whether anybody is left

    def _serve(self, process: WorkerProcess, place: int) -> None:
        try:
            back, error = process.ask(self._number, self._task, self._items[place]), None
        except Exception as problem:  # raised, or mended, when it is its turn
            back, error = None, problem
        if isinstance(error, MedflError):
            with self._lock:
                self._last = min(self._last, place)
        self._done.put((place, back, error))
