"""What a process does first that was forked from this program to help it."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

from medfl.stopping import SIGNALS

_PR_SET_PDEATHSIG = 1


def become_helper(parent: int) -> None:
    """Make a fork a helper of the process ``parent``: one that ends with it, and before it.

    The signals that a terminal or a cluster sends to every process are left to the parent. Where
    memory ends, the helper goes first. Of a crash it leaves no image of its memory, which may hold
    that of a person.
    """
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    gc.freeze()  # a collection would copy what it shares with its parent


def locked_files() -> list[int]:
    """The files that are locked for its parent, and would stay so a moment longer than that."""
    found = []
    for number in os.listdir("/proc/self/fdinfo"):
        with suppress(OSError):  # the list itself was one
            if "FLOCK" in Path("/proc/self/fdinfo", number).read_text(encoding="ascii"):
                found.append(int(number))
    return found
