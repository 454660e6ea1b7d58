"""Clients side by side: processes that each work in a network of their own.

What clients give comes in their order, whatever is ready first. So everything that follows their
training stays in the run's own process and in one order, and any number of workers gives the same
bits. Processes share the images, which none of them writes to, and no interpreter's lock.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from medfl.errors import MedflError
from medfl.federated.workers.exchange import Packed
from medfl.federated.workers.process import WorkerProcess
from medfl.federated.workers.task import TaskItem, TaskResult, WorkerTask
from medfl.federated.workers.turn import Turn
from medfl.models.flat import FlatModel
from medfl.stopping import held

log = logging.getLogger(__name__)

# Bytes of results that may wait for the turn of their client. So many small models wait that the
# longest of all clients can begin first; and a thousand large ones do not fill the memory.
WAITING_BYTES = 2**29
THREADS = "medfl-worker"  # their name


def can_have_workers() -> bool:
    """Whether this system has all that workers need: they are forked, and share memory."""
    return sys.platform == "linux"


class Workers:
    """So many processes as clients train side by side; one stands for the run's own.

    Workers are forked when they are first needed and stay. Where a person's own classes take part
    they are forked anew each time, because nobody knows what has changed on these.

    Args:
        model: the network of the run's own process.
        number: how many.

    Attributes:
        number: as above.
        watched: gives the person's own objects, which must not change in a worker.
    """

    def __init__(self, model: FlatModel, number: int = 1) -> None:
        self.number = number
        self.watched: Callable[[], list[Any]] = list
        self._model = model
        self._lost = 0  # workers that failed
        self._tasks: list[WorkerTask[Any, Any]] = []
        self._processes: list[WorkerProcess] = []
        self._turn: Turn | None = None
        self._threads: list[threading.Thread] = []
        weakref.finalize(self, _end, self._processes)

    @property
    def at_work(self) -> bool:
        """Whether workers are at work."""
        return bool(self._threads)

    def add(self, task: WorkerTask[Any, Any]) -> None:
        """Let workers know a task; those that are there already end."""
        self.end()
        self._tasks.append(task)

    def spread(
        self,
        task: WorkerTask[TaskItem, TaskResult],
        items: Sequence[TaskItem],
        lengths: Sequence[int],
        first_size: int = 1,
    ) -> Iterator[TaskResult]:
        """The result of each item, in their order.

        One worker computes each when it is asked for. Several begin with the longest, and are
        ahead of what is asked for as far as ``WAITING_BYTES`` allow. What a worker that dies was
        doing is done again in this process.

        Args:
            task: one of those that workers know.
            items: what is worked on.
            lengths: how long each takes, in any unit.
            first_size: bytes of a result, as long as there is none.

        Raises:
            MedflError: what the task raised, when it is the turn of its item.
        """
        if self.number - self._lost < 2 or len(items) < 2:
            for item in items:
                yield task.do(item, self._model)
            return
        number = self._tasks.index(task)
        turn = Turn(number, task, items, lengths, self.room, first_size)
        with Packed(task.brief()) as brief:
            try:
                with held():  # a signal between these would leave one that nobody knows of
                    self._turn = turn
                    self._fork(self.watched())
                    for process in self._processes:
                        self._start(turn, process, brief)
                yield from turn.results(lambda item: task.do(item, self._model))
            finally:
                self.rest()

    def _fork(self, watched: list[Any]) -> None:
        """Have all workers but those that failed, which would fail again."""
        if watched:
            _end(self._processes)
        try:
            while len(self._processes) < self.number - self._lost:
                self._processes.append(WorkerProcess(self._tasks, self._model, watched))
        except OSError as error:  # a limit of the system or of the job
            raise MedflError(
                f"a process for a client beside others could not be started ({error.strerror}): "
                "set `training.workers: 1`, which needs none."
            ) from error

    def _start(self, turn: Turn, process: WorkerProcess, brief: Packed) -> None:
        thread = threading.Thread(
            target=turn.serve, args=(process, brief), name=THREADS, daemon=True
        )
        turn.expect()
        try:
            thread.start()
        except RuntimeError as error:
            raise MedflError(
                f"a thread for a client beside others could not be started ({error}): set "
                "`training.workers: 1`, which needs none."
            ) from error
        self._threads.append(thread)

    def rest(self) -> None:
        """End what is under way at once, with the workers that are at it."""
        with held():
            if self._turn is not None:
                self._turn.leave()
            if self._threads:
                for process in self._processes:
                    if process.busy:
                        process.kill()
            while self._threads:
                self._threads[-1].join()
                self._threads.pop()
            self._turn = None
            failed = sum(process.failed for process in self._processes)
            self._lost += failed
            if failed:
                left = self.number - self._lost
                how = f"{left} clients at a time" if left > 1 else "one client after the other"
                log.warning("the run goes on with fewer workers: %s", how)
            self._processes[:] = [process for process in self._processes if process.alive]

    def end(self) -> None:
        """End all workers; those that are needed later are forked anew."""
        self.rest()
        _end(self._processes)

    def room(self, size: int) -> int:
        """How many results of ``size`` bytes there may be that are waiting, or in the making."""
        return max(2 * self.number, WAITING_BYTES // max(1, size))


def _end(processes: list[WorkerProcess]) -> None:
    while processes:
        processes[-1].end()
        processes.pop()
