"""Where the server of a job listens, if it may have one.

The name of its socket holds all that decides what a process is before its first line runs: the
interpreter, the sources, the environment. So a job is never a fork of a process that it could not
have been itself.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator

VARIABLE = "MEDFL_WARM"
"""Set for the jobs of a start: its process, when that began, and a word of its own."""
OFF = "off"
"""The variable's value by which a person wants no warm starts."""

Ready = Callable[[], tuple[Callable[[], object], Callable[[], object]]]
"""Imports what jobs need. Of what it returns the first is called before each job, by the process
from which jobs are forked, and the second at the job's beginning in its own process."""

# Those that `medfl.stopping` knows, which would take more imports.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

# What both ends say to each other.
STREAMS = (0, 1, 2)
BEGUN = b"begun"
PACKET = 2**20  # bytes, the most


def offer(process: int | None = None) -> dict[str, str]:
    """The variable for the jobs of a process, this one by default, that may start warm.

    On Linux alone: elsewhere PyTorch does not survive a fork, and sockets need files.
    """
    process = process or os.getpid()
    if not sys.platform.startswith("linux") or os.environ.get(VARIABLE) == OFF:
        return {VARIABLE: OFF}
    return {VARIABLE: f"{process}-{_began(process)}-{os.urandom(16).hex()}"}


def is_alive(offered: str) -> bool:
    """Whether the process that made an offer still runs."""
    number, began, _ = offered.split("-")
    return began != "" and _began(int(number)) == began


def address(offered: str, sources: str) -> str:
    """The abstract name of the socket, which no file stands for: nothing can be left behind.

    Args:
        offered: the variable's value.
        sources: the folder of the package. Of its files, times and sizes count.
    """
    process = (sys.executable, sys.prefix, sys.path, sys.flags, sys.warnoptions)
    digest = hashlib.sha256(repr((offered, process, sorted(os.environ.items()))).encode())
    for stamp in sorted(_stamps(sources)):
        digest.update(repr(stamp).encode())
    return f"\0medfl-{digest.hexdigest()[:32]}"


def is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


def _stamps(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _stamps(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_mtime_ns, found.st_size


def _began(process: int) -> str:
    """When a process began, in the kernel's ticks; empty where there is none, or a dead one."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            stat = file.read()
    except OSError:
        return ""
    state, *numbers = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else numbers[18]
