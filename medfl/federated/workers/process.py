"""A worker: a process that is forked from the run's, and works on one item after the other."""

from __future__ import annotations

import gc
import os
import signal
import socket
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pickle import PickleError
from typing import Any, NoReturn

import torch
from torch import Tensor

from medfl.errors import MedflError
from medfl.federated.memory import LARGE, give_back_memory
from medfl.federated.workers.draws import drawing_nothing
from medfl.federated.workers.exchange import GoneError, Packed, receive
from medfl.federated.workers.freed import keep_freed_memory
from medfl.federated.workers.own_state import unchanged
from medfl.federated.workers.task import WorkerTask
from medfl.files.forked import become_helper, locked_files
from medfl.models.flat import FlatModel

_SCREEN = (1, 2)  # output and errors
_here = {"worker": False}


class FailedError(Exception):
    """A worker could not do an item, for a reason that the run may not have."""


def in_worker() -> bool:
    """Whether this process is a worker."""
    return _here["worker"]


class WorkerProcess:
    """The run's end of a worker.

    Args:
        tasks: what it can do, as they are now.
        model: the network, of which it gets a copy.
        watched: a person's own objects, which must not change there.

    Attributes:
        alive: whether it can be asked.
        busy: whether it was asked, and has not yet answered.
        failed: whether it has died, and not because the run wanted it to.

    Raises:
        OSError: the system starts no further process.
    """

    def __init__(
        self,
        tasks: Sequence[WorkerTask[Any, Any]],
        model: FlatModel,
        watched: Sequence[Any],
    ) -> None:
        self._end, end = socket.socketpair()
        self.alive, self.busy, self.failed = True, False, False
        self._killed = False
        sys.stdout.flush()  # or the worker would write it once more
        sys.stderr.flush()
        self._run = run = os.getpid()
        self._number = os.fork()
        if self._number == 0:
            _be_worker(end, tasks, model, watched, run)
        end.close()

    def brief(self, number: int, brief: Packed) -> None:
        """Tell it what a task's items need, the task's number first.

        Raises:
            FailedError: the worker has died.
        """
        try:
            with Packed((number, _BRIEF, None)) as order:
                order.send(self._end)
            brief.send(self._end)
        except GoneError:
            raise self._dead() from None

    def ask(self, number: int, task: WorkerTask[Any, Any], item: Any) -> Any:
        """Let it do an item of the task of this number; give what it hands back.

        Raises:
            MedflError: what the task raised.
            FailedError: the task raised something else, or the worker has died.
        """
        self.busy = True
        try:
            with _packed((number, item, task.entrust(item))) as order:
                order.send(self._end)
            back, error = receive(self._end, task.known(item))
        except GoneError:
            raise self._dead() from None
        self.busy = False
        if error is not None:
            raise error
        return back

    def kill(self) -> None:
        """Let it end, whatever it does; who waits for it hears of that."""
        if self.alive and self._run == os.getpid():  # not where this was inherited by a fork
            self._killed = True
            with suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGKILL)

    def end(self) -> None:
        """End it, whatever it does."""
        if self.alive and self._run == os.getpid():
            self.kill()
            self._wait()
        self.alive = False
        self._end.close()

    def _dead(self) -> FailedError:
        code = self._wait()
        self.alive, self.failed = False, not self._killed
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return FailedError(f"a worker {how}")

    def _wait(self) -> int:
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self._number, 0)[1])
        except ChildProcessError:  # somebody else has waited for it
            return -signal.SIGKILL


_BRIEF = "what a task's items need follows"


def _be_worker(
    end: socket.socket,
    tasks: Sequence[WorkerTask[Any, Any]],
    model: FlatModel,
    watched: Sequence[Any],
    run: int,
) -> NoReturn:
    """Be a worker until the run has no more use for it; nothing of the run goes on here."""
    code = 1
    try:
        become_helper(run)
        _close_others(end)
        # A notebook's screen needs threads that are not there.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in _SCREEN)
        _here["worker"] = True
        torch.set_num_threads(1)
        torch.set_num_threads = _one_thread  # type: ignore[assignment]
        keep_freed_memory()
        gc.freeze()  # a collection would copy what this process shares with the run's
        _serve(end, tasks, model, watched)
        code = 0
    finally:
        os._exit(code)


def _close_others(end: socket.socket) -> None:
    """Close what others wait for until all have closed it: pipes, sockets and locked files."""
    locked = locked_files()
    for name in os.listdir("/proc/self/fd"):
        file = int(name)
        with suppress(OSError):
            mode = os.fstat(file).st_mode
            waited_for = file in locked or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
            if waited_for and file > max(_SCREEN) and file != end.fileno():
                os.close(file)


def _serve(
    end: socket.socket,
    tasks: Sequence[WorkerTask[Any, Any]],
    model: FlatModel,
    watched: Sequence[Any],
) -> None:
    before = -1  # the task that was briefed before
    with suppress(GoneError):
        while True:
            number, item, entrusted = receive(end)
            task = tasks[number]
            if item == _BRIEF:
                for one in tasks:
                    one.forget()
                if number != before and model.vector.nbytes > LARGE:
                    give_back_memory()  # another task wants pieces of other sizes
                before = number
                task.take_up(receive(end))
                continue
            answer = _answer(task, item, entrusted, model, watched)
            sys.stdout.flush()
            sys.stderr.flush()
            with answer:
                answer.send(end)
            del answer, entrusted  # their memory is not needed while the worker waits


def _answer(
    task: WorkerTask[Any, Any], item: Any, entrusted: Any, model: FlatModel, watched: Sequence[Any]
) -> Packed:
    """What a worker says of an item: what it hands back, or the error that ended it."""
    try:
        task.take_over(item, entrusted)
        known = {name: (tensor, tensor._version) for name, tensor in task.known(item).items()}
        with unchanged(watched, lambda: task.stays(item)), drawing_nothing():
            result = task.do(item, model)
        same = {name: t for name, (t, version) in known.items() if t._version == version}
        return _packed((task.hand_back(item, result), None), same)
    except MedflError as error:
        with suppress(Exception):
            return Packed((None, error))
        return Packed((None, MedflError(str(error))))
    except FailedError as error:
        return Packed((None, error))
    except BaseException as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return Packed((None, FailedError(words)))


def _packed(content: Any, known: Mapping[str, Tensor] | None = None) -> Packed:
    """It packed; what a person's code has left on a client may be nothing that can travel."""
    try:
        return Packed(content, known)
    except (TypeError, AttributeError, ValueError, PickleError) as error:
        raise FailedError(
            f"what is kept on it cannot travel ({error}), so that each round is trained twice: "
            "leave that out, or set `training.workers: 1`"
        ) from error


def _one_thread(number: int) -> None:
    """Stands for ``torch.set_num_threads``: threads that the run had before its fork never come."""
    if number != 1:
        raise MedflError(
            f"`torch.set_num_threads({number})` is called while clients train side by side, each "
            "with one thread: leave it out, or set `training.workers: 1`."
        )
