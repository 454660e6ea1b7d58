"""A job's own process: it has a fork of the server do the job, hands on signals, and waits."""

from __future__ import annotations

import marshal
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType

from medfl.warm.address import BEGUN, OFF, PACKET, SIGNALS, STREAMS, Ready, address, is_ours

PATIENCE = 60.0  # seconds in which a server takes a job on; then it is done without


def served(offered: str, ready: Ready, sources: str) -> int | None:
    """Let a fork of the server do this process's job; a server is started where there is none.

    It returns in two processes: to the caller the job's exit status, and to the job's own process
    None, which then does it. The caller gets None, too, where no server is offered, or it fails.

    Args:
        offered: the variable's value that ``offer`` gave to the start of which this job is one.
        ready: imports what jobs need, in the server; see ``Ready``.
        sources: the folder of the package that does the job.
    """
    if offered == OFF:
        return None
    try:
        connection = _reach(address(offered, sources), offered, ready)
    except OSError:
        return None
    if connection is None:
        return None
    with connection:
        # A signal that comes before there is a job waits for it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            begun = _hand_over(connection)
            if begun:
                _hand_signals_on(connection)
        except OSError:
            begun = False
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return _wait(connection) if begun else None


def foresee(offered: str, ready: Ready, sources: str) -> None:
    """Start the server for jobs that come later, where there is none; else as ``served``."""
    if offered != OFF:
        with suppress(OSError):
            connection = _reach(address(offered, sources), offered, ready)
            if connection is not None:
                connection.close()


def _reach(name: str, offered: str, ready: Ready) -> socket.socket | None:
    """A connection to the server, which may have to be started; None in a job's process, too."""
    connection = _connect(name)
    if connection is not None:
        return connection
    listener = _listen(name)
    if listener is not None:
        from medfl.warm.server import leave_server

        if leave_server(listener, offered, ready):
            return None
    return _connect(name, tries=100)


def _connect(name: str, tries: int = 1) -> socket.socket | None:
    """A connection to the server of that name, if there is one, and it is this user's."""
    for left in reversed(range(tries)):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(name)
        except ConnectionRefusedError:
            connection.close()
            if left:  # another job has just taken the name, and does not listen yet
                time.sleep(0.01)
        else:
            return connection if is_ours(connection) else None
    return None


def _listen(name: str) -> socket.socket | None:
    """Take the name; None where another job has been faster."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(name)
    except OSError:
        listener.close()
        return None
    listener.listen(socket.SOMAXCONN)
    return listener


def _hand_over(connection: socket.socket) -> bool:
    """Ask for the job; whether it was begun."""
    mask = os.umask(0)
    os.umask(mask)
    ignored = {int(one): signal.getsignal(one) == signal.SIG_IGN for one in SIGNALS}
    job = {
        "command": sys.orig_argv,
        "arguments": sys.argv,
        "folder": os.getcwd(),
        "umask": mask,
        "signals": ignored,
    }
    connection.settimeout(PATIENCE)
    socket.send_fds(connection, [marshal.dumps(job)], STREAMS)
    begun = connection.recv(PACKET) == BEGUN
    connection.settimeout(None)
    return begun


def _hand_signals_on(connection: socket.socket) -> None:
    """Let this process's signals reach its job, but those that it ignores."""

    def tell(number: int) -> None:
        with suppress(OSError):  # it has ended meanwhile
            connection.send(str(int(number)).encode())

    def suspend(number: int, frame: FrameType | None) -> None:
        tell(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        tell(signal.SIGCONT)

    for one in SIGNALS:
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, lambda number, frame: tell(number))
    signal.signal(signal.SIGTSTP, suspend)


def _wait(connection: socket.socket) -> int:
    """The exit status of the job. Where a signal killed it, this process ends in the same way."""
    try:
        status = connection.recv(PACKET)
    except OSError:
        status = b""
    if not status:
        print("medfl: error: the process that did this job was killed.", file=sys.stderr)
        return 128 + signal.SIGKILL
    code = os.waitstatus_to_exitcode(int(status))
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the job has left its own
        with suppress(OSError):  # nobody can change what SIGKILL does
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code
