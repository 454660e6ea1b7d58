"""The process from which jobs are forked: it has imported all that they need, and done nothing."""

from __future__ import annotations

import ctypes
import gc
import marshal
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from medfl.warm.address import BEGUN, PACKET, SIGNALS, STREAMS, Ready, is_alive, is_ours
from medfl.warm.forked import note_job

IDLE = 30.0  # seconds without a job, after which it ends
LOOK = 1.0  # seconds between two looks whether those whom it serves are still there
_PR_SET_PDEATHSIG = 1


def leave_server(listener: socket.socket, offered: str, ready: Ready) -> bool:
    """Leave a server behind, a process that nobody waits for.

    It returns in many processes: False in the caller's, and True in each job's.
    """
    child = os.fork()
    if child:
        listener.close()
        os.waitpid(child, 0)
        return False
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        for one in SIGNALS:  # a cluster may send them to every process; jobs end by them, in order
            signal.signal(one, signal.SIG_IGN)
        _leave_behind(listener)
        look, begin = ready()
        job = _Server(listener, offered, look).serve() if _can_be_forked() else None
    except BaseException:  # no error of the server's may go on in what was its caller
        os._exit(1)
    if job is None:
        os._exit(0)
    try:
        _take_over(*job)
    except OSError as error:
        sys.exit(f"medfl: error: {error.filename}: {error.strerror}.")
    note_job()
    begin()
    return True


def _leave_behind(listener: socket.socket) -> None:
    """Close the caller's files: who reads what it writes would wait for the server to end."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in (*STREAMS, listener.fileno()):
            with suppress(OSError):  # the list itself was one
                os.close(number)
    _rename(["medfl: jobs are forked from this process"])
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in STREAMS:
        os.dup2(nothing, stream)
    os.close(nothing)


def _can_be_forked() -> bool:
    """Whether a fork misses nothing: the process has no thread but the one that forks.

    Those of OpenBLAS end before a fork, and begin again when they are needed.
    """
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return len(os.listdir("/proc/self/task")) == 1


class _Server:
    """Forks jobs, tells their callers how they ended, and ends them with their callers."""

    def __init__(self, listener: socket.socket, offered: str, look: Callable[[], object]) -> None:
        self._listener, self._offered, self._look = listener, offered, look
        self._callers: dict[int, socket.socket | None] = {}  # of each job, while it waits
        self._busy = time.monotonic()
        self._woken, self._wakes = socket.socketpair()  # by the end of a job
        self._wakes.setblocking(False)

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Fork jobs. In a job's process return it with its streams; None when no more will come."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakes.fileno())
        gc.collect()
        gc.freeze()  # a collection in a job would copy what all share
        while self._callers or self._is_wanted():
            callers = [one for one in self._callers.values() if one]
            files = [self._listener, self._woken, *callers]
            for file in select.select(files, [], [], LOOK)[0]:
                if file is self._woken:
                    file.recv(PACKET)
                elif file is not self._listener:
                    self._hear(file)
                elif job := self._take_on():
                    return job
            self._tell_ends()
        return None

    def _is_wanted(self) -> bool:
        return is_alive(self._offered) and time.monotonic() - self._busy < IDLE

    def _take_on(self) -> tuple[dict[str, Any], list[int]] | None:
        """Fork the job that a caller asks for; in its process return it."""
        caller = self._listener.accept()[0]
        caller.settimeout(LOOK)
        server, job, asked, streams = os.getpid(), -1, b"", list[int]()
        with suppress(Exception):  # what it cannot do, a job does or tells
            self._look()
        with suppress(OSError):  # no memory for another process, or the caller is gone
            asked, streams, *_ = socket.recv_fds(caller, PACKET, len(STREAMS))
            if len(streams) == len(STREAMS) and is_ours(caller) and _waits(caller):
                job = os.fork()
        if job == 0:
            caller.close()
            self._end_with(server)
            return marshal.loads(asked), streams
        for stream in streams:
            os.close(stream)
        if job > 0:
            self._callers[job] = caller
            with suppress(OSError):
                caller.send(BEGUN)
        else:
            caller.close()
        return None

    def _end_with(self, server: int) -> None:
        """In a job's process: no longer be the server, and die with it."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != server:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (self._listener, self._woken, self._wakes, *self._callers.values()):
            if file:
                file.close()

    def _hear(self, caller: socket.socket) -> None:
        """Hand a signal on to a caller's job. Where the caller is gone, so is its job."""
        job = next(job for job, its in self._callers.items() if its is caller)
        try:
            number = int(caller.recv(PACKET))
        except (OSError, ValueError):
            number = signal.SIGKILL
            self._callers[job] = None
            caller.close()
        os.kill(job, number)

    def _tell_ends(self) -> None:
        while self._callers:
            job, status = os.waitpid(-1, os.WNOHANG)
            if not job:
                break
            self._busy = time.monotonic()
            if caller := self._callers.pop(job):
                with caller, suppress(OSError):
                    caller.send(str(status).encode())


def _waits(caller: socket.socket) -> bool:
    """Whether a caller is still there. One that has lost patience does its job itself."""
    caller.setblocking(False)
    try:
        return caller.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True


def _rename(arguments: list[str]) -> None:
    """Let process lists show these arguments; as many bytes of them as the first caller's had."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        start, end = map(int, file.read().rpartition(")")[2].split()[45:47])
    room = end - start - 1
    if room > 0:
        line = os.fsencode("\0".join(arguments))[:room]
        ctypes.memmove(start, line.ljust(room + 1, b"\0"), room + 1)


def _take_over(job: dict[str, Any], streams: list[int]) -> None:
    """Become the caller's process in all that it did not have from the first caller."""
    for stream, number in zip(streams, STREAMS, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv[:] = job["arguments"]
    sys.orig_argv[:] = job["command"]
    _rename(job["command"])
    os.chdir(job["folder"])
    os.umask(job["umask"])
    for number, ignored in job["signals"].items():
        if ignored != (signal.getsignal(number) == signal.SIG_IGN):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if ignored else usual)
