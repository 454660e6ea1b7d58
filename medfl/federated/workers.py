"""Clients side by side: threads that each work in a network of their own.

What clients give comes in their order, whatever is ready first. So everything that follows their
training stays in the main thread and in one order, and any number of threads gives the same bits.
Threads suffice, because PyTorch lets go of Python's lock while it computes; and they share the
images.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import Generic, TypeVar

import torch

from medfl.errors import MedflError
from medfl.models.flat import FlatModel
from medfl.stopping import held

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# Bytes of results that may wait for the turn of their client. So many small models wait that the
# longest of all clients can begin first; and a thousand large ones do not fill the memory.
WAITING_BYTES = 2**29
THREADS = "medfl-worker"  # their name
_here = threading.local()


class _Left(BaseException):
    """Ends a thread's work of which nobody waits for the result any more."""


def in_worker() -> bool:
    """Whether this thread is one of several that work side by side."""
    return hasattr(_here, "turn")


def leave_if_asked() -> None:
    """End this thread's work where the run is being stopped; it is called before each batch."""
    if in_worker() and _here.turn.leaving:
        raise _Left


class Workers:
    """So many threads as clients train side by side; one stands for the main thread itself.

    Args:
        model: the network of the main thread, and of the first worker.
        number: how many.

    Attributes:
        number: as above.
    """

    def __init__(self, model: FlatModel, number: int = 1) -> None:
        self.number = number
        self._models = [model]
        self._turn: _Turn[object, object] | None = None
        self._threads: list[threading.Thread] = []

    @property
    def at_work(self) -> bool:
        """Whether several threads are at work."""
        return bool(self._threads)

    def spread(
        self,
        function: Callable[[_Item, FlatModel], _Result],
        items: Sequence[_Item],
        lengths: Sequence[int],
        size: Callable[[_Result], int] | None = None,
        first_size: int = 1,
    ) -> Iterator[_Result]:
        """What ``function(item, model)`` gives for each item, in their order.

        One worker computes each when it is asked for. Several begin with the longest, and are
        ahead of what is asked for as far as ``WAITING_BYTES`` allow. An error is raised when it is
        the turn of its item.

        Args:
            function: what is done to an item in a network, which holds what the item before has
                left there.
            items: what is done.
            lengths: how long each takes, in any unit.
            size: bytes of a result; by default they are few.
            first_size: what ``size`` will be, as long as there is no result.

        Raises:
            MedflError: something was drawn from PyTorch's own generator, which threads share; or
                the network cannot be copied.
        """
        if self.number == 1 or len(items) < 2:
            for item in items:
                yield function(item, self._models[0])
            return
        models = self.models[: len(items)]
        before = torch.default_generator.get_state()
        turn = _Turn(function, items, lengths, self.room, size, first_size)
        try:
            with held():  # a signal between these would leave a thread that nobody knows of
                self._turn = turn  # type: ignore[assignment]
                for model in models:
                    self._start(turn, model)
            yield from turn.results()
        finally:
            self.rest()
        if not torch.equal(before, torch.default_generator.get_state()):
            raise MedflError(
                "something draws from PyTorch's own random generator while clients train side by "
                "side (a layer such as an LSTM or attention with dropout, or a class of your own), "
                "so that the result would depend on which of them is first: set "
                "`training.workers: 1`."
            )

    def _start(self, turn: _Turn[_Item, _Result], model: FlatModel) -> None:
        thread = threading.Thread(target=turn.serve, args=(model,), name=THREADS, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # a limit of the system or of the job
            raise MedflError(
                f"a thread for a client beside others could not be started ({error}): set "
                "`training.workers: 1`, which needs none."
            ) from error
        self._threads.append(thread)

    def rest(self) -> None:
        """End what is under way, at the latest after the batches under way; wait for it."""
        with held():
            if self._turn is not None:
                self._turn.leave(len(self._threads))
            while self._threads:
                self._threads[-1].join()
                self._threads.pop()
            self._turn = None

    def room(self, size: int) -> int:
        """How many results of ``size`` bytes there may be that are waiting, or in the making."""
        return max(2 * self.number, WAITING_BYTES // max(1, size))

    @property
    def models(self) -> list[FlatModel]:
        """The workers' networks; all but the first are copies that are made once."""
        while len(self._models) < self.number:
            try:
                self._models.append(self._models[0].clone())
            except Exception as error:  # a person's own network may hold anything
                raise MedflError(
                    f"the network cannot be copied for clients that train side by side ({error}): "
                    "set `training.workers: 1`."
                ) from error
        return self._models[: self.number]


class _Turn(Generic[_Item, _Result]):
    """Items that threads share out among them, and their results.

    The main thread, which a signal may interrupt at any place, waits for a queue, and touches what
    it shares with the threads under a lock that no signal leaves locked.
    """

    def __init__(
        self,
        function: Callable[[_Item, FlatModel], _Result],
        items: Sequence[_Item],
        lengths: Sequence[int],
        room: Callable[[int], int],
        size: Callable[[_Result], int] | None,
        first_size: int,
    ) -> None:
        self._function, self._items, self._lengths = function, items, lengths
        self._room, self._size, self._largest = room, size, first_size
        self.leaving = False
        self._entered = 0  # how many items were ever let in
        self._last = len(items)  # the first item that failed, after which none is wanted
        self._lock = threading.Lock()
        self._ready: list[tuple[int, int]] = []  # a heap: the longest is first, then the earliest
        self._tokens = SimpleQueue[bool]()  # one for each that is ready; False ends a thread
        self._done = SimpleQueue[tuple[int, _Result | None, BaseException | None]]()

    def results(self) -> Iterator[_Result]:
        """What there is for each item, in their order."""
        came: dict[int, tuple[_Result | None, BaseException | None]] = {}
        for place in range(len(self._items)):
            self._let_in(place)
            while place not in came:
                where, found, error = self._done.get()
                came[where] = found, error
                if error is None and self._size is not None:
                    self._largest = max(self._largest, self._size(found))  # type: ignore[arg-type]
            error = came[place][1]
            if error is not None:
                raise error
            yield came.pop(place)[0]  # type: ignore[misc]

    def _let_in(self, place: int) -> None:
        """Let threads begin items as far ahead of ``place`` as there is room for their results."""
        end = min(len(self._items), place + self._room(self._largest))
        with held(), self._lock:
            while self._entered < end:
                heappush(self._ready, (-self._lengths[self._entered], self._entered))
                self._entered += 1
                self._tokens.put(True)

    def leave(self, threads: int) -> None:
        """Ask the threads to end, at the latest after the batches under way."""
        self.leaving = True
        for _ in range(threads):
            self._tokens.put(False)

    def serve(self, model: FlatModel) -> None:
        """Be one of the threads, which works in ``model``."""
        _here.turn = self
        torch.set_num_threads(1)  # which PyTorch asks for in each thread
        while self._tokens.get() and not self.leaving:
            with self._lock:
                place = heappop(self._ready)[1]
                wanted = place <= self._last
            if not wanted:
                continue
            try:
                self._done.put((place, self._function(self._items[place], model), None))
            except BaseException as error:  # raised in the main thread when it is its turn
                with self._lock:
                    self._last = min(self._last, place)
                self._done.put((place, None, error))
